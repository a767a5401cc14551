//! What a person reads of an event.

use super::paint::Paint;
use super::{Event, HostTally, Level};

/// Turns events into text. It remembers how the run was started.
pub(super) struct Lines {
    least: Level,
    pub(super) paint: Paint,
    plan: bool,
    expression: bool,
}

impl Lines {
    /// Leaves out what is less loud than `least`.
    pub fn new(least: Level, paint: Paint) -> Self {
        Lines { least, paint, plan: false, expression: false }
    }

    pub fn shows(&self, level: Level) -> bool {
        level >= self.least
    }

    /// Whether changes are told one by one: in a plan they are what the user wants to see.
    pub fn tells_changes(&self) -> bool {
        self.shows(Level::Detail) || self.plan && self.shows(Level::Info)
    }

    /// The text for an event, if a person should see it. Phases and activities are shown in other ways by each sink.
    pub fn text(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::RunStarted { script, plan } => {
                (self.plan, self.expression) = (*plan, script == "<expression>");
                None
            }
            Event::PhaseSkipped { phase } => {
                self.shows(Level::Info).then(|| self.paint.aside(&format!("{phase}: skipped")))
            }
            Event::Changed { host, planned, change } => self.shows(Level::Info).then(|| {
                let verb = if *planned { "would change" } else { "changed" };
                let what = format!("{} {}: {}", self.paint.change(verb), change.resource, change.summary);
                let diff = change.diff.as_ref().filter(|_| self.tells_changes());
                let diff = diff.map(|diff| format!("\n{}", self.paint.diff(diff.trim_end())));
                format!("{host}: {what}{}", diff.unwrap_or_default())
            }),
            Event::Command { host, command, planned } => self.shows(Level::Info).then(|| {
                let verb = self.paint.change(if *planned { "would run" } else { "run" });
                let command = if self.tells_changes() { command.trim_end().to_owned() } else { first_line(command) };
                format!("{host}: {verb}: {command}")
            }),
            Event::Output { host, line, .. } => {
                self.shows(Level::Detail).then(|| format!("{}{line}", self.paint.aside(&format!("{host}| "))))
            }
            Event::Note { level, host, text } => self.shows(*level).then(|| {
                let tag = match level {
                    Level::Warning => self.paint.change("warning: "),
                    Level::Error => self.paint.bad("error: "),
                    _ => String::new(),
                };
                let host = host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
                format!("{tag}{host}{text}")
            }),
            Event::Connection { host, channels, round_trips, sent, received } => self.shows(Level::Debug).then(|| {
                format!("{host}: {channels} channels, {round_trips} round trips, {sent} B sent, {received} B received")
            }),
            Event::Failed { rendered, .. } => Some(rendered.trim_end().to_owned()),
            Event::RunFinished { status, changed, ok, failed, seconds, log, .. } => {
                let quiet = if *status == 0 { Level::Info } else { Level::Error };
                let dull = self.expression && *status == 0 && *changed == 0;
                (self.shows(quiet) && !dull)
                    .then(|| self.summary(*status, (*changed, *ok, *failed), *seconds, log.as_deref()))
            }
            Event::PhaseStarted { .. }
            | Event::PhaseFinished { .. }
            | Event::Activity { .. }
            | Event::Unchanged { .. }
            | Event::Print { .. }
            | Event::Reveal { .. } => None,
        }
    }

    fn summary(&self, status: u8, (changed, ok, failed): (u64, u64, u64), seconds: f64, log: Option<&str>) -> String {
        let time = duration(seconds);
        let head = match (status, self.plan) {
            (0, true) => self.paint.good(&format!("planned in {time}")),
            (0, false) => self.paint.good(&format!("done in {time}")),
            (130, _) => self.paint.bad(&format!("interrupted after {time}")),
            _ => self.paint.bad(&format!("failed after {time}")),
        };
        let verb = if self.plan { "to change" } else { "changed" };
        let log = log.map(|path| self.paint.aside(&format!("  log: {}", with_tilde(path)))).unwrap_or_default();
        let mut text = format!("{head}: {changed} {verb}, {ok} ok, {failed} failed.{log}");
        if status != 0 && changed > 0 && !self.plan {
            text.push_str("\nrun it again when the cause is gone: what is done stays done");
        }
        text
    }

    /// What a phase did on one host.
    pub fn counts(&self, tally: &HostTally, paint: Paint) -> String {
        let verb = if self.plan { "to change" } else { "changed" };
        let changed = format!("{} {verb}", tally.changed);
        let changed = if tally.changed > 0 { paint.change(&changed) } else { changed };
        format!("{changed}, {} ok", tally.ok)
    }
}

/// `0.4 s`, `31.4 s`, `2 m 10 s`, `1 h 2 m`.
pub(super) fn duration(seconds: f64) -> String {
    // Times of runs are far from where this could overflow.
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} m {} s", whole / 60, whole % 60),
        _ => format!("{} h {} m", whole / 3600, whole % 3600 / 60),
    }
}

/// The first line of a command that may be a whole script.
pub(super) fn first_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { format!("{first} ...") } else { first }
}

fn with_tilde(path: &str) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    match path.strip_prefix(&home) {
        Some(rest) if !home.is_empty() && rest.starts_with('/') => format!("~{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, first_line};

    #[test]
    fn times_are_as_exact_as_people_want_them() {
        for (seconds, text) in
            [(0.04, "0.0 s"), (31.44, "31.4 s"), (59.96, "1 m 0 s"), (130.2, "2 m 10 s"), (3720.0, "1 h 2 m")]
        {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_long_command_is_told_by_its_first_line() {
        assert_eq!(first_line("\nset -e\nrm -r x\n"), "set -e ...");
        assert_eq!(first_line("uname -r\n"), "uname -r");
    }
}

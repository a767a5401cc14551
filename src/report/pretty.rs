//! The terminal: lines that stay and, below them, what each host is doing now.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Event, Level, Sink};

/// Shows a run on a terminal.
pub struct Pretty {
    bars: MultiProgress,
    active: BTreeMap<String, ProgressBar>,
    least: Level,
}

impl Pretty {
    /// Notes below `least` are left out.
    pub fn new(least: Level) -> Self {
        Pretty { bars: MultiProgress::new(), active: BTreeMap::new(), least }
    }

    fn activity(&mut self, host: Option<&str>, text: &str) {
        let key = host.unwrap_or_default().to_owned();
        if text.is_empty() {
            if let Some(bar) = self.active.remove(&key) {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = self.active.entry(key.clone()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}");
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(key);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(text.to_owned());
    }
}

impl Sink for Pretty {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Activity { host, text } => self.activity(host.as_deref(), text),
            Event::Print { text } => self.bars.suspend(|| println!("{text}")),
            other => {
                if let Some(text) = line(other, self.least) {
                    self.bars.suspend(|| eprintln!("{text}"));
                }
            }
        }
    }
}

/// The line that a person sees of an event, if any.
pub(super) fn line(event: &Event, least: Level) -> Option<String> {
    Some(match event {
        Event::PhaseStarted { phase } if least <= Level::Info => format!("== {phase}"),
        Event::PhaseFinished { phase, ok: true, seconds } if least <= Level::Info => {
            format!("== {phase}: done in {seconds:.1} s")
        }
        Event::PhaseSkipped { phase } if least <= Level::Info => format!("== {phase}: skipped"),
        Event::Activity { host, text } if least <= Level::Info && !text.is_empty() => match host {
            Some(host) => format!("{host}: {text}"),
            None => text.clone(),
        },
        Event::Changed { host, planned, change } if least <= Level::Info => {
            let verb = if *planned { "would change" } else { "changed" };
            let mut text = format!("{host}: {verb} {}: {}", change.resource, change.summary);
            // What is already done is in the run log in full.
            if let Some(diff) = change.diff.as_ref().filter(|_| *planned || least <= Level::Detail) {
                text.push('\n');
                text.push_str(diff.trim_end());
            }
            text
        }
        Event::Command { host, command, planned } if least <= Level::Info => {
            let verb = if *planned { "would run" } else { "run" };
            format!("{host}: {verb}: {command}")
        }
        Event::Output { host, line, .. } if least <= Level::Detail => format!("{host}| {line}"),
        Event::Note { level, host, text } if *level >= least => {
            let tag = match level {
                Level::Warning => "warning: ",
                Level::Error => "error: ",
                _ => "",
            };
            match host {
                Some(host) => format!("{tag}{host}: {text}"),
                None => format!("{tag}{text}"),
            }
        }
        Event::Connection { host, channels, round_trips, sent, received } if least <= Level::Debug => {
            format!("{host}: {channels} channels, {round_trips} round trips, {sent} B sent, {received} B received")
        }
        Event::Failed { rendered, .. } => rendered.trim_end().to_owned(),
        Event::RunFinished { status, plan, changed, ok, failed, seconds, log } if least <= Level::Info => {
            let (verb, end) = if *plan { ("to change", "planned") } else { ("changed", "done") };
            let end = if *status == 0 { end } else { "failed" };
            let log = log.as_ref().map(|path| format!("  log: {path}")).unwrap_or_default();
            format!("{end} in {seconds:.1} s: {changed} {verb}, {ok} ok, {failed} failed.{log}")
        }
        _ => return None,
    })
}

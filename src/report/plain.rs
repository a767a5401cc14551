//! Plain lines for pipes and logs of CI jobs.

use std::collections::BTreeSet;
use std::io::Write;

use super::lines::{Lines, duration};
use super::paint::Paint;
use super::{Event, Level, Sink};

/// Writes the events that a person wants to see as lines of text.
pub struct Plain<O, E> {
    out: O,
    err: E,
    lines: Lines,
    /// Activities that were told in this phase, without their numbers.
    told: BTreeSet<String>,
}

impl<O: Write + Send, E: Write + Send> Plain<O, E> {
    /// What scripts print goes to `out`, everything else to `err`. What is less loud than `least` is left out.
    pub fn new(out: O, err: E, least: Level, paint: Paint) -> Self {
        Plain { out, err, lines: Lines::new(least, paint), told: BTreeSet::new() }
    }

    fn text(&mut self, event: &Event) -> Option<String> {
        let paint = self.lines.paint;
        match event {
            Event::PhaseStarted { phase } => {
                self.told.clear();
                self.lines.shows(Level::Info).then(|| paint.title(&format!("== {phase}")))
            }
            Event::PhaseFinished { phase, ok, seconds, hosts } => self.lines.shows(Level::Info).then(|| {
                let counts = hosts.iter().map(|tally| format!("{} {}", tally.host, self.lines.counts(tally, paint)));
                let counts = counts.collect::<Vec<_>>().join("; ");
                let end = if *ok { "done in" } else { "failed after" };
                let title = paint.title(&format!("== {phase}: {end} {}", duration(*seconds)));
                if counts.is_empty() { title } else { format!("{title}: {counts}") }
            }),
            Event::Activity { host, text } => {
                let host = host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
                let line = format!("{host}{text}");
                let news =
                    !text.is_empty() && self.lines.shows(Level::Info) && self.told.insert(without_numbers(&line));
                news.then_some(line)
            }
            other => self.lines.text(other),
        }
    }
}

impl<O: Write + Send, E: Write + Send> Sink for Plain<O, E> {
    fn event(&mut self, event: &Event) {
        let event = &event.harmless();
        // A closed pipe ends the reader's interest, not the run.
        let _ = match event {
            Event::Print { text } | Event::Reveal { text } => {
                writeln!(self.out, "{text}").and_then(|()| self.out.flush())
            }
            other => match self.text(other) {
                Some(text) => writeln!(self.err, "{text}").and_then(|()| self.err.flush()),
                None => Ok(()),
            },
        };
    }
}

/// The same for all stages of a progress: `12 of 70 MB` and `13 of 70 MB` are one activity.
fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

//! Plain lines for pipes and logs of CI jobs.

use std::io::Write;

use super::{Event, Level, Sink};

/// Writes the events that a person wants to see as lines of text.
pub struct Plain<O, E> {
    out: O,
    err: E,
    least: Level,
}

impl<O: Write + Send, E: Write + Send> Plain<O, E> {
    /// What scripts print goes to `out`, everything else to `err`. Notes below `least` are left out.
    pub fn new(out: O, err: E, least: Level) -> Self {
        Plain { out, err, least }
    }
}

impl<O: Write + Send, E: Write + Send> Sink for Plain<O, E> {
    fn event(&mut self, event: &Event) {
        // A closed pipe ends the reader's interest, not the run.
        let _ = match event {
            Event::Print { text } => writeln!(self.out, "{text}").and_then(|()| self.out.flush()),
            other => match super::pretty::line(other, self.least) {
                Some(text) => writeln!(self.err, "{text}"),
                None => Ok(()),
            },
        };
    }
}

//! NDJSON: one event a line, for programs.

use std::io::Write;

use super::{Event, Sink};

/// Writes every event as a line of JSON with a time stamp.
pub struct Json<W>(pub W);

#[derive(serde::Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl<W: Write + Send> Sink for Json<W> {
    fn event(&mut self, event: &Event) {
        if let Event::Activity { text, .. } = event
            && text.is_empty()
        {
            return;
        }
        let line = Line { time: jiff::Timestamp::now().to_string(), event };
        if let Ok(text) = serde_json::to_string(&line) {
            // A closed pipe ends the reader's interest, not the run.
            let _ = writeln!(self.0, "{text}").and_then(|()| self.0.flush());
        }
    }
}

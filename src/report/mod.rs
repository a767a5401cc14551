//! One stream of events for all that a run does. Domains emit, sinks show: terminal, plain lines, NDJSON, the run log.
//!
//! Every text passes the [`redact::Secrets`] of the run before any sink sees it, and a sink that shows it to a person first takes
//! out what drives a terminal.

pub mod event;
pub mod redact;
pub mod suspicion;

mod forms;
mod harmless;
mod json;
mod lines;
mod log;
mod paint;
mod plain;
mod pretty;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use event::{Change, Event, HostTally, Level};
pub use harmless::{Harmless, harmless};
pub use json::Json;
pub use log::RunLog;
pub use paint::Paint;
pub use plain::Plain;
pub use pretty::Pretty;
pub use tally::Tally;

use redact::Secrets;

/// Shows or stores events. Called with one event at a time, already redacted.
pub trait Sink: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event);

    /// Leaves the terminal to a person until [`Sink::resume`].
    fn pause(&mut self) {}

    /// Shows what happened since [`Sink::pause`], and goes on.
    fn resume(&mut self) {}
}

/// While it lives, the terminal belongs to a question or a shell. What happens meanwhile is shown after it.
pub struct Paused<'a>(&'a Report);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        lock(&self.0.0.sinks).iter_mut().for_each(|sink| sink.resume());
    }
}

/// The handle through which everything reports. Cloning is cheap; all clones feed the same sinks.
#[derive(Clone)]
pub struct Report(Arc<Inner>);

struct Inner {
    sinks: Mutex<Vec<Box<dyn Sink>>>,
    tally: Mutex<Tally>,
    secrets: Secrets,
}

impl Report {
    /// A report that feeds the given sinks, in this order.
    ///
    /// ```
    /// use k3srun::report::{Event, Level, Report};
    /// let report = Report::new(vec![]);
    /// report.emit(Event::note(Level::Info, "hello"));
    /// assert_eq!(report.tally().changed, 0);
    /// ```
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Report(Arc::new(Inner { sinks: Mutex::new(sinks), tally: Mutex::default(), secrets: Secrets::default() }))
    }

    /// The values that are masked in everything this report shows.
    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// Redacts, counts and shows an event.
    pub fn emit(&self, event: Event) {
        let event = event.redacted(&self.0.secrets);
        lock(&self.0.tally).count(&event);
        for sink in lock(&self.0.sinks).iter_mut() {
            sink.event(&event);
        }
    }

    /// A text as a person may see it who is asked something.
    pub fn presentable(&self, text: &str) -> String {
        harmless(&self.secrets().masked(text))
    }

    /// Tells that a phase ended, and what it did on each host.
    pub fn phase_finished(&self, phase: &str, ok: bool, time: Duration) {
        let hosts = lock(&self.0.tally).finish(phase);
        self.emit(Event::PhaseFinished { phase: phase.to_owned(), ok, seconds: time.as_secs_f64(), hosts });
    }

    /// Leaves the terminal to a person: for a question, or a shell on a host.
    pub fn pause(&self) -> Paused<'_> {
        lock(&self.0.sinks).iter_mut().for_each(|sink| sink.pause());
        Paused(self)
    }

    /// Tells the user something about the run as a whole.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.emit(Event::note(level, text));
    }

    /// What has been counted so far.
    pub fn tally(&self) -> Tally {
        lock(&self.0.tally).clone()
    }
}

/// A sink that panicked must not silence the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One stream of events for all that a run does. Domains emit, sinks show: terminal, plain lines, NDJSON, the run log.
//!
//! Every text passes the [`redact::Secrets`] of the run before any sink sees it.

pub mod event;
pub mod redact;

mod json;
mod log;
mod plain;
mod pretty;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use event::{Change, Event, Level};
pub use json::Json;
pub use log::RunLog;
pub use plain::Plain;
pub use pretty::Pretty;
pub use tally::Tally;

use redact::Secrets;

/// Shows or stores events. Called with one event at a time, already redacted.
pub trait Sink: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event);
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

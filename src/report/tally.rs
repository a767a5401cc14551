//! Counts what a run did, for its last line and for tests.

use std::collections::BTreeMap;

use super::event::Event;

/// Numbers of a run, and per host of the current phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Resources changed, or that would be in a plan.
    pub changed: u64,
    /// Resources that were as wanted.
    pub ok: u64,
    /// Errors that ended the run.
    pub failed: u64,
    /// Changed and unchanged resources by host since the current phase started.
    pub phase: BTreeMap<String, (u64, u64)>,
}

impl Tally {
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::PhaseStarted { .. } => self.phase.clear(),
            Event::Changed { host, .. } | Event::Command { host, .. } => {
                self.changed += 1;
                self.phase.entry(host.clone()).or_default().0 += 1;
            }
            Event::Unchanged { host, count } => {
                self.ok += count;
                self.phase.entry(host.clone()).or_default().1 += count;
            }
            Event::Failed { .. } => self.failed += 1,
            _ => {}
        }
    }
}

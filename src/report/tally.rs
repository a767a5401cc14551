//! Counts what a run did, for its last line and for the lines of its phases.

use std::collections::BTreeMap;

use super::event::{Event, HostTally};

/// Numbers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Resources changed, or that would be in a plan.
    pub changed: u64,
    /// Resources that were as wanted.
    pub ok: u64,
    /// Errors that ended the run.
    pub failed: u64,
    /// Changed and unchanged resources by host, of the phases that run now.
    phases: BTreeMap<String, BTreeMap<String, (u64, u64)>>,
}

impl Tally {
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::PhaseStarted { phase } => {
                self.phases.insert(phase.clone(), BTreeMap::new());
            }
            Event::Changed { host, .. } | Event::Command { host, .. } => self.add(host, 1, 0),
            Event::Unchanged { host, count } => self.add(host, 0, *count),
            Event::Failed { .. } => self.failed += 1,
            _ => {}
        }
    }

    fn add(&mut self, host: &str, changed: u64, ok: u64) {
        self.changed += changed;
        self.ok += ok;
        for hosts in self.phases.values_mut() {
            let counts = hosts.entry(host.to_owned()).or_default();
            *counts = (counts.0 + changed, counts.1 + ok);
        }
    }

    /// What a phase that has ended did on each host.
    pub(super) fn finish(&mut self, phase: &str) -> Vec<HostTally> {
        let hosts = self.phases.remove(phase).unwrap_or_default();
        hosts.into_iter().map(|(host, (changed, ok))| HostTally { host, changed, ok }).collect()
    }
}

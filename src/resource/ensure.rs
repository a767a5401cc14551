//! Read, compare, change what differs.

use std::collections::BTreeMap;

use super::input::Problems;
use super::probe::Probe;
use super::step::{self, Step, Stop};
use super::world::World;
use super::{Claim, Kind, Resource};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::report::{Change, Event};

/// How often the rest of a list is read again because the host changed under our hands, e.g. a package brought the file
/// in which a line is wanted.
const READS: usize = 5;

/// What came of [`ensure`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// How many resources were changed, or would be in a plan.
    pub changed: u64,
    /// How many were as wanted.
    pub ok: u64,
    /// The ids of those changed.
    pub names: Vec<String>,
}

impl Changes {
    /// Whether the resource `id`, e.g. `file:/etc/motd`, was changed, or would be in a plan.
    pub fn has(&self, id: &str) -> bool {
        self.names.iter().any(|name| name == id)
    }
}

/// Makes the host what the resources say: reads all facts in one round trip, compares here, applies what differs in one
/// more, in the order of the list and up to the first failure. In a plan nothing is applied.
///
/// # Errors
/// Refused, with all that is wrong with the list at once and before anything is read; host when a step fails: what was
/// done until then stays done.
pub async fn ensure(host: &Host, resources: &[Resource]) -> Result<Changes> {
    check(resources)?;
    let mut changes = Changes::default();
    let mut rest: Vec<&dyn Kind> = resources.iter().map(|resource| &*resource.0).collect();
    // What was changed in earlier rounds of this call: it decides about restarts, too.
    for _ in 0..READS {
        let steps = compare(host, &rest, &changes.names).await?;
        let done = apply(host, &rest, &steps, &mut changes).await?;
        if done == rest.len() {
            if changes.ok > 0 {
                let report = host.run_context().report();
                report.emit(Event::Unchanged { host: host.name().to_owned(), count: changes.ok });
            }
            return Ok(changes);
        }
        rest.drain(..done);
    }
    let id = rest.first().map(|kind| kind.id()).unwrap_or_default();
    Err(Error::host(format!("{id}: something else on the host keeps changing it"))
        .on(host.name())
        .help("look for another configuration tool that runs on this host at the same time"))
}

/// Refuses what can't be right, before anything is read.
fn check(resources: &[Resource]) -> Result<()> {
    let mut problems = Problems::default();
    let mut claims: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for Resource(kind) in resources {
        let id = kind.id();
        problems.about(id.clone());
        kind.check(&mut problems);
        for claim in kind.claims() {
            let (subject, whole) = match claim {
                Claim::Whole(subject) => (subject, true),
                Claim::Part(subject) => (subject, false),
            };
            let others = claims.entry(subject).or_default();
            match others.iter().find(|(_, other)| whole || *other) {
                Some((other, _)) if *other == id => problems.add("is twice in the list"),
                Some((other, _)) => problems.add(format_args!("contradicts {other} of the same list")),
                None => {}
            }
            others.push((id.clone(), whole));
        }
    }
    problems.result()
}

/// Reads the state of the host and computes the steps; None for a resource that is as wanted.
async fn compare(host: &Host, kinds: &[&dyn Kind], changed: &[String]) -> Result<Vec<Option<Step>>> {
    let mut probe = Probe::default();
    for kind in kinds {
        kind.probe(&mut probe)?;
    }
    let mut world = World::new(probe.read(host).await?);
    for id in changed {
        world.mark_changed(id.clone());
    }
    let mut steps = Vec::with_capacity(kinds.len());
    let mut failures = Vec::new();
    for kind in kinds {
        match kind.diff(&mut world) {
            Ok(step) => {
                if step.is_some() {
                    world.mark_changed(kind.id());
                }
                steps.push(step);
            }
            Err(error) => failures.push((kind.id(), error)),
        }
    }
    match failures.as_mut_slice() {
        [] => Ok(steps),
        [(id, error)] => {
            error.message = format!("{id}: {}", error.message);
            Err(error.clone().on(host.name()))
        }
        [(_, first), ..] => {
            let kind = first.kind;
            let lines: Vec<String> = failures.iter().map(|(id, error)| format!("{id}: {}", error.message)).collect();
            let message = format!("{} resources can't be as wanted on this host", lines.len());
            Err(Error::new(kind, message).on(host.name()).output(lines.join("\n")).help("nothing was changed"))
        }
    }
}

/// Applies the steps, or in a plan only tells them. Returns how many of the resources are dealt with.
async fn apply(host: &Host, kinds: &[&dyn Kind], steps: &[Option<Step>], changes: &mut Changes) -> Result<usize> {
    let planned = host.run_context().is_plan();
    let wanted: Vec<&Step> = steps.iter().flatten().collect();
    let progress = match (planned, wanted.len()) {
        (true, count) | (false, count @ 0) => step::Progress { done: count, stopped: None },
        (false, count) => {
            host.activity(format!("changing {count} of {}", kinds.len()));
            let progress = step::apply(host, &wanted).await;
            host.activity("");
            progress?
        }
    };
    let mut left = progress.done;
    for (index, (kind, step)) in kinds.iter().zip(steps).enumerate() {
        let Some(step) = step else {
            changes.ok += 1;
            continue;
        };
        let id = kind.id();
        if left == 0 {
            return match progress.stopped {
                Some(Stop::Failed(status, said)) => Err(failure(host, &id, step, status, said, changes)),
                Some(Stop::Unconfirmed(error)) => Err(error),
                _ => Ok(index),
            };
        }
        left -= 1;
        let change = Change { resource: id.clone(), summary: step.summary.clone(), diff: step.diff.clone() };
        host.run_context().report().emit(Event::Changed { host: host.name().to_owned(), planned, change });
        changes.changed += 1;
        changes.names.push(id);
    }
    Ok(kinds.len())
}

fn failure(host: &Host, id: &str, step: &Step, status: i32, said: String, changes: &Changes) -> Error {
    let done = match changes.names.as_slice() {
        [] => "nothing was changed before it".to_owned(),
        names => format!("done before it: {}", names.join(", ")),
    };
    let output = host.run_context().secrets().masked(&said);
    Error::host(format!("{id}: could not be done ({}): exit status {status}", step.summary))
        .on(host.name())
        .output(output)
        .help(format!("{done}; run it again when the cause is removed: what is done stays done"))
}

//! Nothing at a path.

use super::attributes::Attributes;
use super::input::Problems;
use super::path::{self, Sort};
use super::probe::Probe;
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, hands};
use crate::error::Result;
use crate::host::quote;

/// No host works without these.
const VITAL: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/log",
];

/// Nothing at a path: a file is removed, a directory with all that is in it.
#[derive(Debug, Clone)]
pub struct Absent {
    path: String,
}

impl Absent {
    /// Nothing at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Absent { path: path.into() }
    }
}

impl Kind for Absent {
    fn id(&self) -> String {
        format!("absent:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::path(&self.path)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        if VITAL.contains(&self.path.as_str()) {
            problems.add("no host works without it: k3srun does not remove it");
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        path::ask_to_change(probe, &self.path);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let Some(entry) = world.at(&self.path) else { return Ok(None) };
        let summary = match &entry.sort {
            Sort::Directory => "removed, with all that is in it".to_owned(),
            sort => format!("removed ({})", sort.name()),
        };
        hands::make(world, &self.path, &Attributes::default())?;
        world.remove(&self.path);
        Ok(Some(Step::new(summary, format!("at remove {}\n", quote(&self.path)))))
    }
}

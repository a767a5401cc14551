//! A symbolic link.

use super::attributes::Attributes;
use super::input::Problems;
use super::path::{self, Content, Entry, Sort};
use super::probe::Probe;
use super::step::Step;
use super::world::World;
use super::{Claim, Kind};
use crate::error::{Error, Result};
use crate::host::quote;

/// A symbolic link. A file or another link at its path is replaced, a directory is not.
#[derive(Debug, Clone)]
pub struct Symlink {
    path: String,
    target: String,
}

impl Symlink {
    /// A link at `path` to `target`, which is taken as it is: relative ones are relative to the link's folder.
    pub fn new(path: impl Into<String>, target: impl Into<String>) -> Self {
        Symlink { path: path.into(), target: target.into() }
    }
}

impl Kind for Symlink {
    fn id(&self) -> String {
        format!("symlink:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::path(&self.path)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        if self.target.is_empty() || self.target.contains(['\n', '\0']) {
            problems.add(format_args!("a link can't point to {:?}", self.target));
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        path::ask_to_change(probe, &self.path);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        world.room_for(&self.path, &Attributes::default())?;
        let summary = match world.at(&self.path).map(|entry| &entry.sort) {
            None => format!("created -> {}", self.target),
            Some(Sort::Symlink(target)) if *target == self.target => return Ok(None),
            Some(Sort::Symlink(target)) => format!("{target} -> {}", self.target),
            Some(Sort::Directory) => {
                let help = format!("remove it first if it is not needed: absent({:?})", self.path);
                return Err(Error::refused("there is a directory at this path").help(help));
            }
            Some(sort) => format!("{} becomes a link to {}", sort.name(), self.target),
        };
        let sort = Sort::Symlink(self.target.clone());
        world.put(&self.path, Entry { ..World::new_entry(sort, 0o777, Content::Unread) });
        let script = format!("at link {} {}\n", quote(&self.path), quote(&self.target));
        Ok(Some(Step::new(summary, script)))
    }
}

//! A directory.

use super::attributes::Attributes;
use super::input::Problems;
use super::path::{self, Content, Entry, Sort};
use super::probe::Probe;
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, hands};
use crate::error::{Error, Result};
use crate::host::quote;

/// A directory, and with mode 0755 those that it is in. Its content is not touched.
///
/// Without [`Directory::mode`] an existing one keeps its mode and a new one gets 0755.
#[derive(Debug, Clone)]
pub struct Directory {
    path: String,
    attributes: Attributes,
}

impl Directory {
    /// A directory at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Directory { path: path.into(), attributes: Attributes::default() }
    }

    /// The permission bits.
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode);
        self
    }

    /// The owner: a name or a number.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// The group: a name or a number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.attributes.group = Some(group.into());
        self
    }
}

impl Kind for Directory {
    fn id(&self) -> String {
        format!("directory:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::path(&self.path)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        self.attributes.check(problems);
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        path::ask_to_change(probe, &self.path);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let (path, words) = (quote(&self.path), self.attributes.words());
        match world.at(&self.path).cloned() {
            None => {
                hands::make(world, &self.path, &self.attributes)?;
                let entry = World::new_entry(Sort::Directory, 0o755, Content::Unread);
                world.put_directory(&self.path, self.attributes.applied_to(entry));
                Ok(Some(Step::new("created", format!("at folder {path} 0755 {words}\n"))))
            }
            Some(entry @ Entry { sort: Sort::Directory, .. }) => {
                let differences = self.attributes.differences(&entry);
                if differences.is_empty() {
                    return Ok(None);
                }
                hands::change(world, &self.path, &entry, &self.attributes)?;
                world.put(&self.path, self.attributes.applied_to(entry));
                Ok(Some(Step::new(differences.join(", "), format!("at attributes {path} {words}\n"))))
            }
            Some(entry) => {
                let message = format!("there is {} at this path", entry.sort.name());
                Err(Error::refused(message).help(format!("remove it first: absent({:?})", self.path)))
            }
        }
    }
}

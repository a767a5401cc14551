//! The state of a host while a list of resources is compared with it: what was read, and what the steps so far will have
//! changed. So a file can be planned in a directory that the same list creates.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::Attributes;
use super::hands;
use super::path::{self, Content, Entry, Sort};
use super::probe::Facts;
use crate::error::{Error, Result};

/// A host as it will be when the steps so far are done.
pub struct World {
    /// What was read.
    pub facts: Facts,
    paths: BTreeMap<String, Entry>,
    changed: BTreeSet<String>,
    written: BTreeSet<String>,
    vague: bool,
}

impl World {
    /// The host as it was read.
    pub(crate) fn new(facts: Facts) -> Self {
        let paths = path::entries(&facts).collect();
        World { facts, paths, changed: BTreeSet::new(), written: BTreeSet::new(), vague: false }
    }

    /// What is at `path`; None where there is nothing.
    pub(crate) fn at(&self, path: &str) -> Option<&Entry> {
        self.paths.get(path)
    }

    /// From now on `entry` is at `path`.
    pub(super) fn put(&mut self, path: &str, entry: Entry) {
        self.written.insert(path.to_owned());
        self.paths.insert(path.to_owned(), entry);
    }

    /// From now on there is nothing at `path` nor below it.
    pub(super) fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.paths.retain(|other, _| other != path && !other.starts_with(&below));
        self.written.insert(path.to_owned());
    }

    /// From now on there is a directory, and so are all that it is in.
    pub(super) fn put_directory(&mut self, path: &str, entry: Entry) {
        let mut above = path::parent(path);
        while above != "/" && !matches!(self.at(above), Some(Entry { sort: Sort::Directory, .. })) {
            self.paths.insert(above.to_owned(), Entry { mode: 0o755, ..entry.clone() });
            above = path::parent(above);
        }
        self.put(path, entry);
    }

    /// The resource `id` differs.
    pub(super) fn mark_changed(&mut self, id: String) {
        self.changed.insert(id);
    }

    /// Whether the resource `id` differs.
    pub(super) fn has_changed(&self, id: &str) -> bool {
        self.changed.contains(id)
    }

    /// Whether a step so far writes or removes what is at `path`.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.written.contains(path)
    }

    /// The paths that a step so far writes or removes.
    pub(super) fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(String::as_str)
    }

    /// A package or a command will have changed what can't be known before: what isn't there now may be there then.
    pub(super) fn set_vague(&mut self) {
        self.vague = true;
    }

    /// Whether [`World::set_vague`] was called.
    pub(super) fn is_vague(&self) -> bool {
        self.vague
    }

    /// As whom something is made at `path`: None for ourselves, else the name of the user.
    ///
    /// # Errors
    /// Refused where the folder will not be there, as far as one can tell, and those of `hands::make`.
    pub(super) fn room_for(&self, path: &str, wanted: &Attributes) -> Result<Option<String>> {
        let folder = path::parent(path);
        match self.at(folder) {
            Some(Entry { sort: Sort::Directory | Sort::Symlink(_), .. }) => {}
            None if self.vague => {}
            _ => {
                let help = format!("add directory({folder:?}) before it");
                return Err(Error::refused(format!("the folder {folder} does not exist")).help(help));
            }
        }
        hands::make(self, path, wanted)
    }

    /// An entry that a step creates, owned by root.
    pub(super) fn new_entry(sort: Sort, mode: u32, content: Content) -> Entry {
        Entry {
            sort,
            mode,
            owner: "root".into(),
            group: "root".into(),
            uid: "0".into(),
            gid: "0".into(),
            modified: f64::INFINITY,
            content,
        }
    }
}

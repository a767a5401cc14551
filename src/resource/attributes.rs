//! Mode, owner and group of a file or directory.

use super::input::Problems;
use super::path::Entry;
use crate::host::quote;

/// What is wanted; what isn't named stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
}

impl Attributes {
    /// Adds what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.mode(self.mode);
        problems.account("the owner", self.owner.as_deref());
        problems.account("the group", self.group.as_deref());
    }

    /// What differs from `entry`, in words.
    pub(super) fn differences(&self, entry: &Entry) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(mode) = self.mode.filter(|mode| *mode != entry.mode) {
            found.push(format!("mode {:04o} -> {mode:04o}", entry.mode));
        }
        if let Some(owner) = self.owner.as_ref().filter(|owner| **owner != entry.owner && **owner != entry.uid) {
            found.push(format!("owner {} -> {owner}", entry.owner));
        }
        if let Some(group) = self.group.as_ref().filter(|group| **group != entry.group && **group != entry.gid) {
            found.push(format!("group {} -> {group}", entry.group));
        }
        found
    }

    /// `entry` with what is wanted.
    pub(super) fn applied_to(&self, mut entry: Entry) -> Entry {
        entry.mode = self.mode.unwrap_or(entry.mode);
        if let Some(owner) = &self.owner {
            entry.owner.clone_from(owner);
            entry.uid.clone_from(owner);
        }
        if let Some(group) = &self.group {
            entry.group.clone_from(group);
            entry.gid.clone_from(group);
        }
        entry
    }

    /// Mode, owner and group as three words for the functions of `work.sh`.
    pub(super) fn words(&self) -> String {
        // Five digits: with four, chmod keeps the set-group-ID bit of a folder.
        let mode = self.mode.map_or("''".to_owned(), |mode| format!("{mode:05o}"));
        let name = |name: &Option<String>| quote(name.as_deref().unwrap_or_default());
        format!("{mode} {} {}", name(&self.owner), name(&self.group))
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::{Content, Sort};
    use super::super::world::World;
    use super::*;

    #[test]
    fn only_what_is_wanted_is_compared() {
        let entry = World::new_entry(Sort::File, 0o644, Content::Unread);
        assert!(Attributes::default().differences(&entry).is_empty());
        let by_number = Attributes { owner: Some("0".into()), ..Attributes::default() };
        assert!(by_number.differences(&entry).is_empty());
        let wanted = Attributes { mode: Some(0o600), owner: None, group: Some("adm".into()) };
        assert_eq!(wanted.differences(&entry), ["mode 0644 -> 0600", "group root -> adm"]);
        assert_eq!(wanted.words(), "00600 '' 'adm'");
        assert!(wanted.differences(&wanted.applied_to(entry)).is_empty());
    }
}

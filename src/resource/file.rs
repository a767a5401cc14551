//! A file with content.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::attributes::Attributes;
use super::body::{self, Body, Data};
use super::input::Problems;
use super::path::{self, Content, Entry, Sort};
use super::probe::Probe;
use super::step::{Payload, Step, fed};
use super::world::World;
use super::{Claim, Kind, hands, unified};
use crate::error::{Error, Result};
use crate::host::{bytes, quote};

/// A file with this content, mode and owner. Written where nobody else can reach it, checked, and renamed into its place.
///
/// Without [`File::mode`] an existing file keeps its mode and a new one gets 0644; one that is secret gets 0600. Without
/// [`File::owner`] and [`File::group`] an existing one keeps them and a new one is root's. In a folder that belongs to another user
/// everything is that user's.
#[derive(Clone)]
pub struct File {
    path: String,
    body: Body,
    attributes: Attributes,
    secret: bool,
    validate: Option<String>,
    expected: Option<String>,
    like_source: bool,
    loaded: OnceLock<Result<body::Content, String>>,
}

impl File {
    /// An empty file.
    pub fn new(path: impl Into<String>) -> Self {
        File {
            path: path.into(),
            body: Body::Bytes(Vec::new()),
            attributes: Attributes::default(),
            secret: false,
            validate: None,
            expected: None,
            like_source: false,
            loaded: OnceLock::new(),
        }
    }

    /// The content.
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Bytes(content.into());
        self
    }

    /// The content is this Jinja template, rendered with `vars`. An undefined variable is an error.
    pub fn template(mut self, template: impl Into<String>, vars: serde_json::Value) -> Self {
        self.body = Body::Template(template.into(), vars);
        self
    }

    /// The content is that of a file on the machine that k3srun runs on.
    pub fn source(mut self, path: impl Into<PathBuf>) -> Self {
        self.body = Body::Source(path.into());
        self
    }

    /// A new file gets the permission bits of the one named by [`File::source`].
    pub fn mode_of_source(mut self) -> Self {
        self.like_source = true;
        self
    }

    /// What the content must have as its sha256, in hexadecimal.
    pub fn sha256(mut self, sum: impl Into<String>) -> Self {
        self.expected = Some(sum.into());
        self
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

    /// The content is never shown, and only the owner may read the file unless [`File::mode`] says something else.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self.attributes.mode.get_or_insert(0o600);
        self
    }

    /// A command that must accept the new content before it is put in place; `%` stands for the file that holds it,
    /// e.g. `visudo -cf %`.
    pub fn validate(mut self, command: impl Into<String>) -> Self {
        self.validate = Some(command.into());
        self
    }

    /// Whether the content is a template.
    pub fn is_template(&self) -> bool {
        matches!(self.body, Body::Template(..))
    }

    fn loaded(&self) -> Result<&body::Content, String> {
        self.loaded.get_or_init(|| self.body.read()).as_ref().map_err(Clone::clone)
    }

    fn step(&self, old: Option<&Entry>, new: &body::Content, mut summary: String) -> Step {
        let diff = match (old.map(|entry| &entry.content), &new.data) {
            _ if self.secret => None,
            (Some(Content::Known(old)), Data::Bytes(new)) => unified::diff(&self.path, old, new),
            (None, Data::Bytes(new)) => unified::diff(&self.path, b"", new),
            _ => None,
        };
        if diff.is_none() && !self.secret {
            summary = format!("{summary}, {}", bytes(new.size));
        }
        let default = new.mode.filter(|_| self.like_source).unwrap_or(0o644);
        // The name of the file that is checked is known to the shell only.
        let check = self.validate.as_ref().map(|command| quote(&command.replace('%', "\"$temp\"")));
        let put = format!(
            "at put {} {} {default:04o} {} {}",
            quote(&self.path),
            new.sha256,
            self.attributes.words(),
            check.unwrap_or_default()
        );
        match &new.data {
            Data::Bytes(bytes) if new.size <= path::TEXT_LIMIT => Step::new(summary, fed(bytes, &put)).diff(diff),
            Data::Bytes(bytes) => Step::new(summary, put).diff(diff).payload(Payload::Bytes(bytes.clone())),
            Data::File(path) => Step::new(summary, put).payload(Payload::File { path: path.clone(), size: new.size }),
        }
    }
}

impl Kind for File {
    fn id(&self) -> String {
        format!("file:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::path(&self.path)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        self.attributes.check(problems);
        if let Some(command) = &self.validate
            && !command.contains('%')
        {
            problems.add(format_args!("the command to validate with, {command:?}, has no % in it for the file"));
        }
        match (self.loaded(), &self.expected) {
            (Err(problem), _) => problems.add(problem),
            (Ok(content), Some(expected)) if !expected.eq_ignore_ascii_case(&content.sha256) => problems.add(format_args!(
                "this is not the expected content: its sha256 is {}, not {expected}; get it again, or correct the sum",
                content.sha256
            )),
            _ => {}
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        let sum = &self.loaded().map_err(Error::refused)?.sha256;
        path::ask_to_change(probe, &self.path);
        path::ask_content(probe, &self.path, Some(sum));
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let new = self.loaded().map_err(Error::refused)?;
        let user = world.room_for(&self.path, &self.attributes)?;
        let old = world.at(&self.path).cloned();
        let mut differences = Vec::new();
        let kept = match &old {
            None => {
                differences.push("created".to_owned());
                None
            }
            Some(Entry { sort: Sort::Directory, .. }) => {
                let help = format!("remove it first if it is not needed: absent({:?})", self.path);
                return Err(Error::refused("there is a directory at this path").help(help));
            }
            Some(entry @ Entry { sort: Sort::File, .. }) => {
                differences = self.attributes.differences(entry);
                if entry.content.has(&new.sha256) {
                    if differences.is_empty() {
                        return Ok(None);
                    }
                    hands::change(world, &self.path, entry, &self.attributes)?;
                    let script = format!("at attributes {} {}\n", quote(&self.path), self.attributes.words());
                    world.put(&self.path, self.attributes.applied_to(entry.clone()));
                    return Ok(Some(Step::new(differences.join(", "), script)));
                }
                if let Some(user) = user.filter(|user| *user != entry.owner && self.attributes.owner.is_none()) {
                    differences.insert(0, format!("owner {} -> {user}", entry.owner));
                }
                differences.insert(0, if self.secret { "content differs, not shown" } else { "content" }.to_owned());
                Some(entry)
            }
            Some(entry) => {
                differences.push(format!("{} becomes a file", entry.sort.name()));
                None
            }
        };
        let content = match &new.data {
            Data::Bytes(bytes) => Content::Known(bytes.clone()),
            Data::File(_) => Content::Same(new.sha256.clone()),
        };
        let entry = match kept {
            Some(entry) => Entry { content, modified: f64::INFINITY, ..entry.clone() },
            None => World::new_entry(Sort::File, 0o644, content),
        };
        world.put(&self.path, self.attributes.applied_to(entry));
        Ok(Some(self.step(old.as_ref(), new, differences.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::{TEXT_LIMIT, sha256};
    use super::*;
    use crate::resource::probe::Facts;

    fn world(content: Option<Content>) -> World {
        let mut world = World::new(Facts::default());
        world.put("/etc", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        if let Some(content) = content {
            world.put("/etc/x", World::new_entry(Sort::File, 0o644, content));
        }
        world
    }

    #[test]
    fn equal_content_is_known_by_its_checksum() {
        let file = File::new("/etc/x").content("a\n");
        assert_eq!(file.diff(&mut world(Some(Content::Same(sha256(b"a\n"))))).unwrap(), None);
        let step = file.diff(&mut world(Some(Content::Known(b"b\n".to_vec())))).unwrap().unwrap();
        assert_eq!(step.diff.unwrap(), "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-b\n+a\n");
    }

    #[test]
    fn only_the_mode_is_changed_where_only_the_mode_differs() {
        let file = File::new("/etc/x").content("a").mode(0o600);
        let step = file.diff(&mut world(Some(Content::Known(b"a".to_vec())))).unwrap().unwrap();
        assert_eq!(
            (step.summary.as_str(), step.script.as_str()),
            ("mode 0644 -> 0600", "at attributes '/etc/x' 00600 '' ''\n")
        );
    }

    #[test]
    fn a_secret_is_never_in_what_is_shown() {
        let file = File::new("/etc/x").content("new").secret();
        for old in [None, Some(Content::Known(b"old".to_vec())), Some(Content::Large)] {
            let step = file.diff(&mut world(old)).unwrap().unwrap();
            assert_eq!(step.diff, None);
            assert!(!step.summary.contains("new"), "{}", step.summary);
        }
    }

    #[test]
    fn a_secret_is_for_its_owner_only_unless_the_mode_is_given() {
        let old = || world(Some(Content::Known(b"old".to_vec())));
        let mode_of = |file: File, mut world: World| {
            file.diff(&mut world).unwrap();
            world.at("/etc/x").unwrap().mode
        };
        let secret = || File::new("/etc/x").content("new").secret();
        assert_eq!([mode_of(secret(), old()), mode_of(secret(), world(None))], [0o600, 0o600]);
        assert_eq!([mode_of(secret().mode(0o640), old()), mode_of(secret().mode(0o640), world(None))], [0o640, 0o640]);
        assert_eq!(mode_of(File::new("/etc/x").content("new"), old()), 0o644);
    }

    #[test]
    fn a_file_can_be_planned_in_a_directory_of_the_same_list() {
        let mut world = world(None);
        let file = File::new("/etc/new/x").content("a");
        assert_eq!(file.diff(&mut world).unwrap_err().message, "the folder /etc/new does not exist");
        super::super::Directory::new("/etc/new").diff(&mut world).unwrap();
        assert_eq!(file.diff(&mut world).unwrap().unwrap().summary, "created");
    }

    #[test]
    fn large_content_does_not_go_through_a_script() {
        let file = File::new("/etc/x").content(vec![7; TEXT_LIMIT as usize + 1]);
        let step = file.diff(&mut world(None)).unwrap().unwrap();
        assert!(step.script.len() < 1000 && step.payload.is_some());
    }
}

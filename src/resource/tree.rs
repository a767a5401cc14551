//! A folder with all that is in it: compares manifests, sends what differs as one archive, and puts it in place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::archive::Archive;
use super::attributes::Attributes;
use super::input::Problems;
use super::manifest::{Entry, Filter, Kind, Manifest};
use super::path::{self, Content, Sort};
use super::probe::{Probe, Reader, decode};
use super::step::{Payload, Step};
use super::world::World;
use super::{Claim, hands};
use crate::error::{Error, Result};
use crate::host::{bytes, quote};

/// What is in folders, as `Manifest::remote` reads it.
const TREE: Reader = Reader {
    name: "tree",
    shell: r#"
for key do
  printf 'tree\t%s\t' "$key"
  ask 67108864 list "$key/." 2>/dev/null | base64 -w0
  echo
done"#,
};

/// Names in one command of a script.
const BATCH: usize = 200;

/// A folder that is the same as one on the machine that k3srun runs on: content, symbolic links and permission bits. All of it is
/// root's, or in a folder that belongs to another user that user's.
#[derive(Clone)]
pub struct Tree {
    path: String,
    source: PathBuf,
    delete: bool,
    exclude: Vec<String>,
    wanted: OnceLock<Result<Manifest>>,
}

/// What has to be done.
#[derive(Default)]
struct Plan {
    /// Files and links to send.
    send: Vec<String>,
    /// Folders to make.
    make: Vec<String>,
    /// Paths with other permission bits than wanted.
    modes: Vec<String>,
    /// What is in the way of something of another kind.
    clear: Vec<String>,
    /// What is on the host only.
    delete: Vec<String>,
}

impl Tree {
    /// The folder `path`, with what is in the folder `source` here.
    pub fn new(path: impl Into<String>, source: impl Into<PathBuf>) -> Self {
        let (path, source) = (path.into(), source.into());
        Tree { path, source, delete: false, exclude: Vec::new(), wanted: OnceLock::new() }
    }

    /// Whether what is on the host only is removed.
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Glob patterns of names, or with a slash of paths from the top, that are left alone on both sides.
    pub fn exclude<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.exclude = patterns.into_iter().map(Into::into).collect();
        self
    }

    fn wanted(&self) -> Result<&Manifest> {
        let read = || Manifest::local(&self.source, &Filter::new(&self.exclude)?);
        self.wanted.get_or_init(read).as_ref().map_err(Clone::clone)
    }
}

impl super::Kind for Tree {
    fn id(&self) -> String {
        format!("directory:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::path(&self.path)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        if let Err(error) = self.wanted() {
            problems.add(error.message);
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        path::ask_to_change(probe, &self.path);
        probe.ask(&TREE, &*self.path);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let wanted = self.wanted()?;
        let listed = world.facts.field(&TREE, &self.path, 0).and_then(decode).unwrap_or_default();
        let is = Manifest::remote(&listed, &Filter::new(&self.exclude)?)?;
        match world.at(&self.path) {
            Some(path::Entry { sort: Sort::Directory | Sort::Symlink(_), .. }) | None => {}
            Some(entry) => return Err(Error::refused(format!("there is {} at this path", entry.sort.name()))),
        }
        let plan = Plan::new(wanted, is.as_ref().unwrap_or(&Manifest::default()), self.delete)?;
        if plan.is_empty() && is.is_some() {
            return Ok(None);
        }
        hands::make(world, &self.path, &Attributes::default())?;
        world.put_directory(&self.path, World::new_entry(Sort::Directory, 0o755, Content::Unread));
        let size = plan.send.iter().map(|name| wanted.0[name].size()).sum();
        let archive = Archive {
            source: self.source.clone(),
            script: plan.script(wanted, is.as_ref()),
            entries: plan.send.iter().map(|name| (name.clone(), wanted.0[name].clone())).collect(),
            size,
        };
        let step = Step::new(plan.summary(size), format!("at tree {}", quote(&self.path)));
        Ok(Some(step.diff(Some(plan.list())).payload(Payload::Archive(archive))))
    }
}

/// Appends `command` with the names, as often as needed.
fn batches(script: &mut String, command: &str, names: impl IntoIterator<Item = String>) {
    let names: Vec<String> = names.into_iter().collect();
    for batch in names.chunks(BATCH) {
        script.push_str(&format!("{command} {}\n", batch.join(" ")));
    }
}

/// A path in the folder as a word of shell.
fn inside(name: &String) -> String {
    quote(&format!("./{name}"))
}

impl Plan {
    /// The commands that do it, run in the folder where the archive is unpacked in `$nook`.
    fn script(&self, wanted: &Manifest, is: Option<&Manifest>) -> String {
        let mut script = String::new();
        // Between the look and now they could have been given away.
        let kept = |(name, entry): &(&String, &Entry)| {
            entry.kind == Kind::Folder && is.is_some_and(|is| is.0.get(*name).is_some_and(|is| is.kind == Kind::Folder))
        };
        batches(&mut script, "ours", wanted.0.iter().filter(kept).map(|(name, _)| inside(name)));
        batches(&mut script, "rm -rf --one-file-system --", self.clear.iter().map(inside));
        // Parents come before what is in them.
        batches(&mut script, "mkdir -m 0700 --", self.make.iter().map(inside));
        let mut by_folder: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for name in &self.send {
            let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
            by_folder.entry(folder).or_default().push(format!("\"$nook\"/new/{}", quote(name)));
        }
        for (folder, names) in by_folder {
            batches(&mut script, &format!("mv -f -t {} --", inside(&folder.to_owned())), names);
        }
        batches(&mut script, "rm -rf --one-file-system --", self.delete.iter().map(inside));
        let mut by_mode: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for name in self.modes.iter().chain(&self.make) {
            by_mode.entry(wanted.0[name].mode).or_default().push(inside(name));
        }
        for (mode, names) in by_mode {
            batches(&mut script, &format!("chmod {mode:05o} --"), names);
        }
        script
    }

    fn new(wanted: &Manifest, is: &Manifest, delete: bool) -> Result<Self> {
        let mut plan = Plan::default();
        for (name, entry) in &wanted.0 {
            let found = is.0.get(name);
            match (found, &entry.kind) {
                (Some(Entry { kind: Kind::Closed(owner), .. }), Kind::Folder) => {
                    return Err(Error::refused(format!("{name} there is {owner}'s, or others can write in it"))
                        .help("leave it out with `exclude`, or let only root write there"));
                }
                (Some(found), kind) if found.kind == *kind => {
                    if found.mode != entry.mode && !matches!(kind, Kind::Link(_)) {
                        plan.modes.push(name.clone());
                    }
                    continue;
                }
                (Some(Entry { kind: Kind::Folder | Kind::Closed(_), .. }), _) if !delete => {
                    return Err(Error::refused(format!("{name} is a folder there and none here"))
                        .help("pass `delete: true` to have it replaced, or remove it yourself"));
                }
                (Some(Entry { kind: Kind::File { .. }, .. }), Kind::File { .. }) | (None, _) => {}
                (Some(_), _) => plan.clear.push(name.clone()),
            }
            match entry.kind {
                Kind::Folder => plan.make.push(name.clone()),
                _ => plan.send.push(name.clone()),
            }
        }
        if delete {
            // What goes with its folder is not named again.
            let gone = |name: &str| is.0.contains_key(name) && !wanted.0.contains_key(name);
            let parent_gone = |name: &str| name.rsplit_once('/').is_some_and(|(parent, _)| gone(parent));
            let cleared = |name: &str| plan.clear.iter().any(|folder| name.starts_with(&format!("{folder}/")));
            let names = is.0.keys().filter(|name| gone(name) && !parent_gone(name) && !cleared(name));
            plan.delete = names.cloned().collect();
        }
        Ok(plan)
    }

    fn is_empty(&self) -> bool {
        self.send.is_empty() && self.make.is_empty() && self.modes.is_empty() && self.delete.is_empty()
    }

    fn summary(&self, size: u64) -> String {
        let mut parts = Vec::new();
        if !self.send.is_empty() {
            parts.push(format!("{} sent ({})", self.send.len(), bytes(size)));
        }
        for (count, what) in
            [(self.make.len(), "made"), (self.modes.len(), "with another mode"), (self.delete.len(), "deleted")]
        {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        if parts.is_empty() { "made".to_owned() } else { parts.join(", ") }
    }

    fn list(&self) -> String {
        let lines =
            |mark: &str, names: &[String]| -> String { names.iter().map(|name| format!("{mark} {name}\n")).collect() };
        [lines("+", &self.make), lines("+", &self.send), lines("~", &self.modes), lines("-", &self.delete)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(entries: &[(&str, Kind, u32)]) -> Manifest {
        let entry =
            |(name, kind, mode): &(&str, Kind, u32)| ((*name).to_owned(), Entry { kind: kind.clone(), mode: *mode });
        Manifest(entries.iter().map(entry).collect())
    }

    #[test]
    fn a_folder_that_others_can_write_in_is_left_alone_or_refused() {
        let is = manifest(&[("uploads", Kind::Closed("app".into()), 0o755)]);
        assert!(Plan::new(&manifest(&[]), &is, false).unwrap().is_empty());
        let error = Plan::new(&manifest(&[("uploads", Kind::Folder, 0o755)]), &is, true).err().unwrap();
        assert_eq!(error.message, "uploads there is app's, or others can write in it");
    }

    #[test]
    fn a_new_folder_is_closed_until_it_has_its_mode() {
        let wanted = manifest(&[("a", Kind::Folder, 0o755), ("a/x", Kind::Link("y".into()), 0o777)]);
        let plan = Plan::new(&wanted, &Manifest::default(), false).unwrap();
        let script = "mkdir -m 0700 -- './a'\nmv -f -t './a' -- \"$nook\"/new/'a/x'\nchmod 00755 -- './a'\n";
        assert_eq!(plan.script(&wanted, None), script);
    }
}

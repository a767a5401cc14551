//! Makes a folder on a host the same as a local one: compare manifests, send what differs as one archive, rename.

use std::collections::BTreeMap;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use super::manifest::{Entry, Filter, Kind, Manifest};
use super::transfer::{bytes, digest};
use super::{Host, ScriptOptions, quote};
use crate::error::{Error, Result};
use crate::report::{Change, Event};

/// The folder in the target where new files wait until all are there. What a killed run left in it goes with the next one.
pub(super) const STAGING: &str = ".k3srun-sync";

/// Names in one command of a script.
const BATCH: usize = 200;

/// How a folder is compared and changed.
#[derive(Debug, Clone, Default)]
pub struct SyncOptions {
    /// Remove what is on the host only.
    pub delete: bool,
    /// Glob patterns of names or relative paths that are left alone on both sides.
    pub exclude: Vec<String>,
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

impl Host {
    /// Makes the folder `remote` the same as the local one: content, symbolic links and permission bits; everything there
    /// belongs to root. Returns whether anything differed. In plan mode it only compares.
    ///
    /// # Errors
    /// Refused for a bad local folder or pattern, or where a folder on the host would have to give way and `delete` isn't
    /// set; host where the remote folder can't be written.
    pub async fn sync_dir(&self, local: &Path, remote: &str, options: &SyncOptions) -> Result<bool> {
        let filter = Filter::new(&options.exclude)?;
        if !remote.starts_with('/') || remote.contains('\n') {
            return Err(Error::refused(format!("`{remote}` is no absolute path of one line")).on(self.name()));
        }
        let wanted = Manifest::local(local, &filter).await?;
        let script = Manifest::script(remote);
        let output = self.check(&script, &ScriptOptions::titled(format!("compare {remote}"))).await?;
        let (is, exists) = Manifest::remote(&output.stdout, &filter)?;
        let plan = Plan::new(&wanted, &is, options.delete).map_err(|error| error.on(self.name()))?;
        if plan.is_empty() && exists {
            self.0.run.report().emit(Event::Unchanged { host: self.name().to_owned(), count: 1 });
            return Ok(false);
        }
        let size = plan.send.iter().map(|name| wanted.0[name].size()).sum();
        if !self.0.run.is_plan() {
            self.apply(local, remote, &wanted, &plan).await?;
        }
        let change =
            Change { resource: format!("directory:{remote}"), summary: plan.summary(size), diff: Some(plan.list()) };
        let planned = self.0.run.is_plan();
        self.0.run.report().emit(Event::Changed { host: self.name().to_owned(), planned, change });
        Ok(true)
    }

    async fn apply(&self, local: &Path, remote: &str, wanted: &Manifest, plan: &Plan) -> Result<()> {
        let title = ScriptOptions::titled(format!("sync {remote}"));
        let mut script = format!("set -e\ncd {}\ntrap 'rm -rf {STAGING}' EXIT\n", quote(remote));
        if !plan.send.is_empty() {
            let prepare =
                format!("mkdir -p -- {0} && cd {0} && rm -rf {STAGING} && mkdir -m 700 {STAGING}", quote(remote));
            self.check(&prepare, &title).await?;
            let archive = archive(local, wanted, &plan.send).await?;
            let (sha256, size, _) = digest(archive.path()).await?;
            let mut file = tokio::fs::File::open(archive.path()).await.map_err(|error| unpackable(&error))?;
            self.activity(format!("sending {} files ({})", plan.send.len(), bytes(size)));
            let sent = self.put_from(&format!("{remote}/{STAGING}/tar"), size, &mut file, |_| {}).await;
            self.activity("");
            sent?;
            script.push_str(&format!(
                "s=$(sha256sum <{STAGING}/tar)\n[ \"${{s%% *}}\" = {sha256} ] || {{ echo 'it arrived damaged' >&2; exit 1; }}\n\
                 mkdir {STAGING}/new\ntar -xpf {STAGING}/tar -C {STAGING}/new --numeric-owner\n"
            ));
        } else {
            script = format!("mkdir -p -- {}\n{script}", quote(remote));
        }
        batches(&mut script, "rm -rf --", &plan.clear);
        // Parents come before what is in them.
        batches(&mut script, "mkdir -p --", &plan.make);
        let mut by_folder: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for name in &plan.send {
            let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
            by_folder.entry(folder).or_default().push(format!("{STAGING}/new/{name}"));
        }
        for (folder, names) in &by_folder {
            batches(&mut script, &format!("mv -f -t {} --", quote(&format!("./{folder}"))), names);
        }
        batches(&mut script, "rm -rf --", &plan.delete);
        let mut by_mode: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for name in plan.modes.iter().chain(&plan.make) {
            by_mode.entry(wanted.0[name].mode).or_default().push(name.clone());
        }
        for (mode, names) in &by_mode {
            batches(&mut script, &format!("chmod {mode:o} --"), names);
        }
        self.check(&script, &title).await.map(|_| ())
    }
}

/// Appends `command` with the names, as often as needed.
fn batches(script: &mut String, command: &str, names: &[String]) {
    for batch in names.chunks(BATCH) {
        let quoted: Vec<String> = batch.iter().map(|name| quote(&format!("./{name}"))).collect();
        script.push_str(&format!("{command} {}\n", quoted.join(" ")));
    }
}

impl Plan {
    fn new(wanted: &Manifest, is: &Manifest, delete: bool) -> Result<Self> {
        let mut plan = Plan::default();
        for (name, entry) in &wanted.0 {
            let found = is.0.get(name);
            match (found, &entry.kind) {
                (Some(found), kind) if found.kind == *kind => {
                    if found.mode != entry.mode && !matches!(kind, Kind::Link(_)) {
                        plan.modes.push(name.clone());
                    }
                    continue;
                }
                (Some(Entry { kind: Kind::Folder, .. }), _) if !delete => {
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

/// Packs the named files and links into a temporary archive.
async fn archive(local: &Path, wanted: &Manifest, names: &[String]) -> Result<tempfile::NamedTempFile> {
    let entries: Vec<(String, Entry)> = names.iter().map(|name| (name.clone(), wanted.0[name].clone())).collect();
    let local = local.to_owned();
    let packing = tokio::task::spawn_blocking(move || {
        let mut builder = tar::Builder::new(tempfile::NamedTempFile::new()?);
        for (name, entry) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(entry.mode);
            match &entry.kind {
                Kind::File { .. } => {
                    let file = std::fs::File::open(local.join(&name))?;
                    header.set_size(file.metadata()?.len());
                    builder.append_data(&mut header, &name, file)?;
                }
                Kind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    builder.append_link(&mut header, &name, target)?;
                }
                Kind::Folder => {}
            }
        }
        let mut file = builder.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        std::io::Result::Ok(file)
    });
    match packing.await {
        Ok(packed) => packed.map_err(|error| unpackable(&error)),
        Err(error) => Err(Error::refused(format!("can't pack the folder: {error}"))),
    }
}

fn unpackable(error: &std::io::Error) -> Error {
    Error::refused(format!("can't pack the folder: {error}")).help("is there room in the folder for temporary files?")
}

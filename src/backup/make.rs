//! Brings a cluster into a bundle on this machine.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bundle::{Entry, FORMAT, Manifest, Member, SNAPSHOT, TOKEN, Volume, Writer, sha256, token_hash};
use super::key::Lock;
use super::{EXTENSION, prune};
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions};
use crate::k3s::{self, Snapshot, SnapshotOptions};
use crate::report::{Change, Event};

/// Prints the paths of what a server needs beside its datastore, as far as it is there; first what k3s says of itself.
const FILES: &str = include_str!("files.sh");

/// The snapshots that backups leave on the server.
const SNAPSHOTS: u32 = 3;

/// How a backup is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeOptions {
    /// The cluster's name, which the bundle's name begins with.
    pub cluster: String,
    /// The folder on this machine.
    pub folder: PathBuf,
    /// The public keys of those who may open it.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The file with the passphrase that opens it.
    #[serde(default)]
    pub passphrase_file: Option<PathBuf>,
    /// So many bundles of this cluster stay in the folder; 0: all.
    #[serde(default)]
    pub keep: usize,
    /// The cluster's volumes, which the bundle only lists.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// The cluster's nodes.
    #[serde(default)]
    pub members: Vec<Member>,
}

/// A bundle that was made.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Made {
    /// Where it is.
    pub file: String,
    /// Its bytes.
    pub size: u64,
    /// The older ones that made room.
    pub removed: Vec<String>,
}

/// Saves a server's datastore, and streams it with token, settings and keys into an encrypted bundle on this machine, of mode 0600.
/// It has its name only when it is complete. In a plan it is only shown.
///
/// # Errors
/// Refused for a lock that is none and for a folder that can't be written to; host where the server can't be read.
pub async fn make(host: &Host, options: &MakeOptions) -> Result<Made> {
    let run = host.run_context();
    let lock = Lock::new(&options.recipients, options.passphrase_file.as_deref())?;
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let file = options.folder.join(format!("{}-{stamp}.{EXTENSION}", options.cluster));
    let name = SnapshotOptions { name: "k3srun-backup".into(), keep: SNAPSHOTS };
    let saved = k3s::snapshot(host, &name).await?;
    let mut made = Made { file: file.display().to_string(), ..Made::default() };
    if !run.is_plan() {
        made.size = write(host, options, &lock, &saved, &file).await?;
    }
    let summary =
        if run.is_plan() { "encrypted, checked".to_owned() } else { format!("encrypted ({} KB)", made.size >> 10) };
    let change = Change { resource: format!("backup:{}", file.display()), summary, diff: None };
    run.report().emit(Event::Changed { host: host.name().to_owned(), planned: run.is_plan(), change });
    // The new one is complete: only now may an older one go.
    if options.keep > 0 && options.folder.is_dir() {
        let removed = prune::prune(&options.folder, &options.cluster, options.keep, run.is_plan())?;
        made.removed = removed.iter().map(|path| path.display().to_string()).collect();
    }
    Ok(made)
}

async fn write(host: &Host, options: &MakeOptions, lock: &Lock, saved: &Snapshot, file: &Path) -> Result<u64> {
    let unwritable = |error: std::io::Error| Error::refused(format!("can't write {}: {error}", file.display()));
    std::fs::create_dir_all(&options.folder).map_err(unwritable)?;
    let (mut manifest, files) = collect(host, options).await?;
    manifest.entries.insert(
        0,
        Entry { name: SNAPSHOT.into(), path: saved.path.clone(), size: saved.size, sha256: saved.sha256.clone() },
    );
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".k3srun-").permissions(Permissions::from_mode(0o600));
    let part = builder.tempfile_in(&options.folder).map_err(unwritable)?;
    let mut writer = Writer::new(part, lock, &manifest)?;
    writer.begin(SNAPSHOT, saved.size)?;
    host.stream(&saved.path, |piece| writer.write(piece)).await?;
    for (entry, content) in manifest.entries.iter().skip(1).zip(&files) {
        writer.begin(&entry.name, entry.size)?;
        writer.write(content)?;
    }
    let part = writer.finish()?;
    part.as_file().sync_all().map_err(unwritable)?;
    let size = part.as_file().metadata().map_err(unwritable)?.len();
    part.persist(file).map_err(|error| unwritable(error.error))?;
    Ok(size)
}

/// Reads the small files of a server; returns them with the manifest that names them.
async fn collect(host: &Host, options: &MakeOptions) -> Result<(Manifest, Vec<Vec<u8>>)> {
    let output = host.check(FILES, &ScriptOptions::titled("looking for the server's files").timeout(60)).await?;
    let text = output.text();
    let told = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default().to_owned();
    let state = k3s::status(host).await?;
    let mut manifest = Manifest {
        format: FORMAT,
        cluster: options.cluster.clone(),
        made: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        version: state.version,
        etcd: told("etcd="),
        node: state.node,
        node_ip: state.addresses.first().cloned().unwrap_or_default(),
        token_hash: String::new(),
        members: options.members.clone(),
        volumes: options.volumes.clone(),
        entries: Vec::new(),
    };
    let mut contents = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("file=")) {
        let Some((name, path)) = line.split_once(' ') else { continue };
        let content = host.read(path).await?;
        if name == TOKEN {
            manifest.token_hash = token_hash(&String::from_utf8_lossy(&content));
        }
        manifest.entries.push(Entry {
            name: name.to_owned(),
            path: path.to_owned(),
            size: content.len() as u64,
            sha256: sha256(&content),
        });
        contents.push(content);
    }
    match manifest.token_hash.is_empty() {
        false => Ok((manifest, contents)),
        true => Err(Error::host("this server has no token")
            .on(host.name())
            .help("is it a k3s server that has been started?")),
    }
}

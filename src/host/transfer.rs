//! Single files, of any size: read, upload, download. Verified by sha256 and put in place in one step.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Host, ScriptOptions, quote};
use crate::error::{Error, Result};
use crate::report::{Change, Event};

/// Files are fetched in pieces of this size.
const PIECE: u64 = 8 << 20;

/// Progress is told for files above this size.
const LARGE: u64 = 8 << 20;

/// What an uploaded file should be like.
#[derive(Debug, Clone, Default)]
pub struct UploadOptions {
    /// Permission bits. Default: those of the file that is there, or of the local one.
    pub mode: Option<u32>,
    /// Default: the owner of the file that is there, or root.
    pub owner: Option<String>,
    /// Default: the group of the file that is there, or root.
    pub group: Option<String>,
    /// What the local file must have as its sha256 in hexadecimal.
    pub sha256: Option<String>,
}

/// A file on a host.
struct Remote {
    /// Its path with symbolic links resolved.
    path: String,
    /// Whether the folder that it is in exists.
    folder: bool,
    found: Option<Found>,
}

struct Found {
    sha256: String,
    size: u64,
    mode: u32,
    owner: String,
    group: String,
}

impl Host {
    /// The content of a file.
    ///
    /// # Errors
    /// Host where it can't be read.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>> {
        let options = ScriptOptions::titled(format!("read {path}"));
        Ok(self.check(&format!("cat -- {}", quote(path)), &options).await?.stdout)
    }

    /// Whether there is anything at `path`, be it a symbolic link that leads nowhere.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        let path = quote(path);
        let options = ScriptOptions::titled(format!("test {path}"));
        Ok(self.check(&format!("test -e {path} || test -L {path} && echo yes || :"), &options).await?.text() == "yes")
    }

    /// Makes the file `remote` the same as the local one: compared and verified by sha256, put in place by a rename.
    /// Returns whether anything differed. In plan mode it only compares.
    ///
    /// # Errors
    /// Refused where the local file can't be read or isn't the expected one; host where the remote one can't be written.
    pub async fn upload(&self, local: &Path, remote: &str, options: &UploadOptions) -> Result<bool> {
        let (sha256, size, local_mode) = digest(local).await?;
        if let Some(expected) = &options.sha256
            && !expected.eq_ignore_ascii_case(&sha256)
        {
            return Err(Error::refused(format!("{} is not the expected file", local.display()))
                .help(format!("expected sha256 {expected}, found {sha256}: get it again, or correct the sum")));
        }
        let target = self.probe(remote).await?;
        let same = target.found.as_ref().is_some_and(|found| found.sha256 == sha256);
        let wrong = target.found.as_ref().map(|found| options.differences(found)).unwrap_or_default();
        if same && wrong.is_empty() {
            self.0.run.report().emit(Event::Unchanged { host: self.name().to_owned(), count: 1 });
            return Ok(false);
        }
        let summary = if same { wrong.join(", ") } else { format!("uploaded, {}", bytes(size)) };
        if !self.0.run.is_plan() {
            if !target.folder {
                let folder = target.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
                let error = Error::host(format!("can't write {remote}: there is no folder {folder}")).on(self.name());
                return Err(error.help(format!("make it first: host.ensure([directory(\"{folder}\")])")));
            }
            let mut script = String::from("set -e\n");
            let mut at = target.path.clone();
            if !same {
                at = self.send(local, size, &target.path).await?;
                script.push_str(&format!("s=$(sha256sum <{})\n", quote(&at)));
                script.push_str(&format!(
                    "[ \"${{s%% *}}\" = {sha256} ] || {{ rm -f {}; echo 'it arrived damaged' >&2; exit 1; }}\n",
                    quote(&at)
                ));
            }
            script.push_str(&options.attributes(&quote(&at), target.found.as_ref(), local_mode));
            if !same {
                let (from, to) = (quote(&at), quote(&target.path));
                script.push_str(&format!("sync {from} 2>/dev/null || :\nmv -fT {from} {to}\n"));
            }
            self.check(&script, &ScriptOptions::titled(format!("upload {remote}"))).await?;
        }
        let change = Change { resource: format!("file:{remote}"), summary, diff: None };
        let planned = self.0.run.is_plan();
        self.0.run.report().emit(Event::Changed { host: self.name().to_owned(), planned, change });
        Ok(true)
    }

    /// Sends a file to a temporary one beside `path`, and returns its path. What an upload that was killed left there is
    /// overwritten by the next one.
    async fn send(&self, local: &Path, size: u64, path: &str) -> Result<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let temporary = format!("{folder}/.{name}.k3srun");
        let mut file = tokio::fs::File::open(local).await.map_err(|error| unreadable(local, &error))?;
        let title = local.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let progress = Progress::new(self, format!("sending {title}"), size);
        self.put_from(&temporary, size, &mut file, |done| progress.at(done)).await?;
        Ok(temporary)
    }

    /// Makes the local file the same as the one on the host, with its mode. Returns whether anything differed. In plan mode it
    /// only compares.
    ///
    /// # Errors
    /// Host where the remote file can't be read or changes meanwhile; refused where the local one can't be written.
    pub async fn download(&self, remote: &str, local: &Path) -> Result<bool> {
        let source = self.probe(remote).await?;
        let Some(found) = source.found else {
            return Err(Error::host(format!("there is no file {remote}")).on(self.name()));
        };
        let report = self.0.run.report();
        if digest(local).await.is_ok_and(|(sha256, ..)| sha256 == found.sha256) {
            report.emit(Event::Unchanged { host: self.name().to_owned(), count: 1 });
            return Ok(false);
        }
        if !self.0.run.is_plan() {
            self.fetch(remote, &found, local).await?;
        }
        let summary = format!("downloaded from {remote}, {}", bytes(found.size));
        let change = Change { resource: format!("file:{}", local.display()), summary, diff: None };
        report.emit(Event::Changed { host: self.name().to_owned(), planned: self.0.run.is_plan(), change });
        Ok(true)
    }

    async fn fetch(&self, remote: &str, found: &Found, local: &Path) -> Result<()> {
        let unwritable = |error: std::io::Error| Error::refused(format!("can't write {}: {error}", local.display()));
        let folder = local.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
        let options = ScriptOptions::titled(format!("download {remote}"));
        let progress = Progress::new(self, format!("fetching {remote}"), found.size);
        let (mut done, mut hash) = (0, Sha256::new());
        while done < found.size {
            let script =
                format!("dd if={} bs={PIECE} skip={} count=1 2>/dev/null", quote(remote), done.div_euclid(PIECE));
            let piece = self.check(&script, &options).await?.stdout;
            hash.update(&piece);
            file.write_all(&piece).map_err(unwritable)?;
            done += piece.len() as u64;
            progress.at(done);
            if piece.is_empty() {
                break;
            }
        }
        if hex(&hash.finalize()) != found.sha256 {
            return Err(Error::host(format!("{remote} changed while it was fetched"))
                .on(self.name())
                .help("run it again when nothing writes to the file any more"));
        }
        file.as_file().set_permissions(std::fs::Permissions::from_mode(found.mode)).map_err(unwritable)?;
        file.persist(local).map_err(|error| unwritable(error.error))?;
        Ok(())
    }

    async fn probe(&self, path: &str) -> Result<Remote> {
        let script = format!(
            "p={}\n[ ! -d \"$p\" ] || {{ echo \"$p is a folder\" >&2; exit 1; }}\nreadlink -m -- \"$p\"\n\
             [ -d \"$(dirname -- \"$(readlink -m -- \"$p\")\")\" ] && echo yes || echo no\n\
             [ -f \"$p\" ] || exit 0\nsha256sum <\"$p\" && stat -Lc '%s %a %U %G' -- \"$p\"",
            quote(path)
        );
        if path.contains('\n') || !path.starts_with('/') {
            return Err(Error::refused(format!("`{path}` is no absolute path of one line")).on(self.name()));
        }
        let text = self.check(&script, &ScriptOptions::titled(format!("look at {path}"))).await?.text();
        let mut lines = text.lines();
        let resolved = lines.next().unwrap_or(path).to_owned();
        let folder = lines.next() == Some("yes");
        let found = match (lines.next(), lines.next()) {
            (Some(sum), Some(stat)) => Found::parse(sum, stat),
            _ => None,
        };
        Ok(Remote { path: resolved, folder, found })
    }
}

impl Found {
    fn parse(sum: &str, stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.split_whitespace().collect();
        let [size, mode, owner, group] = fields[..] else { return None };
        Some(Found {
            sha256: sum.split_whitespace().next()?.to_owned(),
            size: size.parse().ok()?,
            mode: u32::from_str_radix(mode, 8).ok()?,
            owner: owner.to_owned(),
            group: group.to_owned(),
        })
    }
}

impl UploadOptions {
    /// What is not as wanted, in words.
    fn differences(&self, found: &Found) -> Vec<String> {
        let mut list = Vec::new();
        if let Some(mode) = self.mode.filter(|mode| *mode != found.mode) {
            list.push(format!("mode {:04o} -> {mode:04o}", found.mode));
        }
        for (what, wanted, is) in [("owner", &self.owner, &found.owner), ("group", &self.group, &found.group)] {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != is) {
                list.push(format!("{what} {is} -> {wanted}"));
            }
        }
        list
    }

    /// Commands that give a file its owner, group and mode.
    fn attributes(&self, path: &str, found: Option<&Found>, local_mode: u32) -> String {
        let owner = self.owner.as_deref().or(found.map(|found| found.owner.as_str()));
        let group = self.group.as_deref().or(found.map(|found| found.group.as_str()));
        let mode = self.mode.or(found.map(|found| found.mode)).unwrap_or(local_mode);
        let mut text = String::new();
        if let Some(owner) = owner {
            text.push_str(&format!("chown {} {path}\n", quote(owner)));
        }
        if let Some(group) = group {
            text.push_str(&format!("chgrp {} {path}\n", quote(group)));
        }
        // After the owner: a change of owner takes set-user-id bits away.
        text.push_str(&format!("chmod {mode:o} {path}\n"));
        text
    }
}

/// Tells how far a large transfer is, ten times.
struct Progress<'a> {
    host: &'a Host,
    what: String,
    size: u64,
    told: std::sync::atomic::AtomicU64,
}

impl<'a> Progress<'a> {
    fn new(host: &'a Host, what: String, size: u64) -> Self {
        if size > LARGE {
            host.activity(format!("{what} ({})", bytes(size)));
        }
        Progress { host, what, size, told: 0.into() }
    }

    fn at(&self, done: u64) {
        let tenths = done * 10 / self.size.max(1);
        if self.size > LARGE && tenths < 10 && self.told.swap(tenths, std::sync::atomic::Ordering::Relaxed) < tenths {
            self.host.activity(format!("{} ({}0% of {})", self.what, tenths, bytes(self.size)));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.size > LARGE {
            self.host.activity("");
        }
    }
}

/// The sha256, size and permission bits of a local file.
pub(super) async fn digest(path: &Path) -> Result<(String, u64, u32)> {
    let owned = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(owned)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        let (mut hash, mut size, mut piece) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok((hex(&hash.finalize()), size, metadata.permissions().mode() & 0o7777)),
                n => {
                    hash.update(&piece[..n]);
                    size += n as u64;
                }
            }
        }
    });
    match digest.await {
        Ok(done) => done.map_err(|error| unreadable(path, &error)),
        Err(error) => Err(Error::refused(format!("can't read {}: {error}", path.display()))),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::refused(format!("can't read {}: {error}", path.display()))
        .help("check the path; a relative one starts at the folder where k3srun was started")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A size as people read it.
pub(super) fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{:.1} KiB", size as f64 / 1024.0),
        _ => format!("{:.1} MiB", size as f64 / 1_048_576.0),
    }
}

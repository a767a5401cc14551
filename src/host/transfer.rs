//! Files of a host, of any size: read, and downloaded in pieces, verified by sha256 and put in place in one step.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Host, PATHS, ScriptOptions, quote};
use crate::error::{Error, Result};
use crate::report::{Change, Event};

/// Files are fetched in pieces of this size.
const PIECE: u64 = 8 << 20;

/// Progress is told for files above this size.
const LARGE: u64 = 8 << 20;

/// A file on a host.
struct Found {
    sha256: String,
    size: u64,
    mode: u32,
}

impl Host {
    /// The content of a file; of one that its owner could swap for another, as its owner may read it.
    ///
    /// # Errors
    /// Host where it can't be read.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>> {
        const LIMIT: u64 = 64 << 20;
        Ok(self.ask("read", &format!("{LIMIT} content"), path, "").await?.stdout)
    }

    /// Whether there is anything at `path`, be it a symbolic link that leads nowhere.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        let path = quote(path);
        let options = ScriptOptions::titled(format!("test {path}"));
        Ok(self.check(&format!("test -e {path} || test -L {path} && echo yes || :"), &options).await?.text() == "yes")
    }

    /// Makes the local file the same as the one on the host. Of its mode it gets what this process would give a new file.
    /// Returns whether anything differed. In plan mode it only compares.
    ///
    /// # Errors
    /// Host where the remote file can't be read or changes meanwhile; refused where the local one can't be written.
    pub async fn download(&self, remote: &str, local: &Path) -> Result<bool> {
        let text = self.ask("look at", "1000 describe", remote, "").await?.text();
        let Some(found) = Found::parse(&text) else {
            return Err(Error::host(format!("no such file: {remote}")).on(self.name()));
        };
        let report = self.0.run.report();
        if digest(local).await.is_ok_and(|sha256| sha256 == found.sha256) {
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
        // What the host says about it is not trusted: no set-user-ID bit, and nothing that our umask forbids.
        let mode = std::fs::Permissions::from_mode(found.mode & 0o777);
        let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder).map_err(unwritable)?;
        self.pieces(remote, found, |piece| file.write_all(piece).map_err(unwritable)).await?;
        file.persist(local).map_err(|error| unwritable(error.error))?;
        Ok(())
    }

    /// Hands over a file of the host piece by piece, as it comes, so that no copy of it has to lie here.
    ///
    /// # Errors
    /// Host where it can't be read or changes meanwhile; whatever `take` returns.
    pub async fn stream(&self, remote: &str, take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let text = self.ask("look at", "1000 describe", remote, "").await?.text();
        match Found::parse(&text) {
            Some(found) => self.pieces(remote, &found, take).await,
            None => Err(Error::host(format!("no such file: {remote}")).on(self.name())),
        }
    }

    async fn pieces(&self, remote: &str, found: &Found, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let progress = Progress::new(self, format!("fetching {remote}"), found.size);
        let (mut done, mut hash) = (0, Sha256::new());
        while done < found.size {
            let words = format!("{PIECE} {}", done.div_euclid(PIECE));
            let piece = self.ask("download", &format!("{PIECE} piece"), remote, &words).await?.stdout;
            hash.update(&piece);
            take(&piece)?;
            done += piece.len() as u64;
            progress.at(done);
            if piece.is_empty() {
                break;
            }
        }
        match hex(&hash.finalize()) == found.sha256 {
            true => Ok(()),
            false => Err(Error::host(format!("{remote} changed while it was fetched"))
                .on(self.name())
                .help("run it again when nothing writes to the file any more")),
        }
    }

    /// Has a function of `work.sh` look at a path, as whoever may.
    async fn ask(&self, title: &str, verb: &str, path: &str, words: &str) -> Result<super::Output> {
        if path.is_empty() || path.contains('\n') {
            return Err(Error::refused(format!("`{path}` is not a path of one line")).on(self.name()));
        }
        // A relative one begins where the host's shell does: here in the working directory, elsewhere at home.
        let start = if path.starts_with('/') { "" } else { "\"$PWD\"/" };
        let script = format!("{PATHS}\nask {verb} {start}{} {words}", quote(path));
        self.check(&script, &ScriptOptions::titled(format!("{title} {path}"))).await
    }
}

impl Found {
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [sha256, size, mode] = fields[..] else { return None };
        Some(Found { sha256: sha256.to_owned(), size: size.parse().ok()?, mode: u32::from_str_radix(mode, 8).ok()? })
    }
}

/// Tells how far a large transfer is, ten times.
pub(super) struct Progress<'a> {
    host: &'a Host,
    what: String,
    size: u64,
    told: std::sync::atomic::AtomicU64,
}

impl<'a> Progress<'a> {
    pub fn new(host: &'a Host, what: String, size: u64) -> Self {
        if size > LARGE {
            host.activity(format!("{what} ({})", bytes(size)));
        }
        Progress { host, what, size, told: 0.into() }
    }

    pub fn at(&self, done: u64) {
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

/// The sha256 of a local file.
async fn digest(path: &Path) -> Result<String> {
    let owned = path.to_owned();
    let unreadable = |error: &dyn std::fmt::Display| Error::refused(format!("can't read {}: {error}", path.display()));
    let digest = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(owned)?;
        let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut piece)? {
                0 => return std::io::Result::Ok(hex(&hash.finalize())),
                n => hash.update(&piece[..n]),
            }
        }
    });
    match digest.await {
        Ok(done) => done.map_err(|error| unreadable(&error)),
        Err(error) => Err(unreadable(&error)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A size as people read it.
pub(crate) fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{:.1} KiB", size as f64 / 1024.0),
        _ => format!("{:.1} MiB", size as f64 / 1_048_576.0),
    }
}

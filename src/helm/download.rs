//! Files from the internet to this machine's cache: verified before they are kept.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::net;
use crate::run::Run;

/// What is at an address.
async fn fetch(run: &Run, url: &str) -> Result<Vec<u8>> {
    net::download(&Host::local(run), url).await.map_err(|error| {
        error.help("can this machine reach it? Without the internet, give files: `binary` for Helm, a path or `bundle` for a chart")
    })
}

/// A small text from the internet.
pub(super) async fn text(run: &Run, url: &str) -> Result<String> {
    String::from_utf8(fetch(run, url).await?).map_err(|_| Error::host(format!("what is at {url} is not text")))
}

/// A file that must have this sha256.
pub(super) async fn verified(run: &Run, url: &str, sum: &str) -> Result<Vec<u8>> {
    let data = fetch(run, url).await?;
    let found = sha256(&data);
    if found != sum {
        let message = format!("what is at {url} has the sha256 {found}, not {sum}");
        return Err(Error::host(message).help("is it the right version? Nothing of it was kept"));
    }
    Ok(data)
}

/// The sha256 in hexadecimal digits.
pub(super) fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file in an archive (`.tar.gz`).
pub(super) fn file_in(archive: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.path().ok()?.to_string_lossy().trim_start_matches("./") == wanted {
            let mut data = Vec::new();
            entry.read_to_end(&mut data).ok()?;
            return Some(data);
        }
    }
    None
}

/// Puts a file in place, whole or not at all.
pub(super) fn keep(path: &Path, data: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let keep = || {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(data)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    keep().map_err(|error| {
        Error::refused(format!("can't write {}: {error}", path.display()))
            .help("look at the space and the permissions there")
    })
}

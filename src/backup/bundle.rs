//! The format: written once from front to back, while it comes; read in the same way.

use std::io::{Read, Write};
use std::path::Path;

use age::stream::StreamWriter;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::key::{Key, Lock};
use crate::error::{Error, Result};

/// The form of the bundle: another number is another form.
pub const FORMAT: u32 = 1;

/// The manifest's name in the archive.
pub const MANIFEST: &str = "manifest.json";

/// The snapshot's name in the archive.
pub const SNAPSHOT: &str = "snapshot";

/// The token's name in the archive.
pub const TOKEN: &str = "server/token";

const BLOCK: usize = 512;

/// What a bundle is of, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the bundle.
    pub format: u32,
    /// The cluster's name.
    pub cluster: String,
    /// When it was made, as RFC 3339 in UTC.
    pub made: String,
    /// The version of k3s on the server.
    pub version: String,
    /// The version of etcd that runs there; empty where it can't be told.
    pub etcd: String,
    /// The server's node name.
    pub node: String,
    /// Its address in the cluster.
    pub node_ip: String,
    /// The first 12 digits of the sha256 of the token's password: what tells which token opens the snapshot.
    pub token_hash: String,
    /// The cluster's nodes.
    pub members: Vec<Member>,
    /// What is not in it: the volumes.
    pub volumes: Vec<Volume>,
    /// What is in it, in this order.
    pub entries: Vec<Entry>,
}

/// A node of the cluster when the bundle was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// `master` or `worker`.
    pub role: String,
    /// The version of k3s that it ran.
    pub version: String,
}

/// A volume of the cluster, whose content is not in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// The claim, as `namespace/name`.
    pub claim: String,
    /// Its size as the claim has it, like `1Gi`.
    pub size: String,
    /// The node that it lies on; empty where it isn't bound to one.
    #[serde(default)]
    pub node: String,
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the archive.
    pub name: String,
    /// Where it lay on the server.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its sha256 in hexadecimal digits.
    pub sha256: String,
}

/// Writes a bundle: first the manifest, then the entries that it names, each in pieces.
pub struct Writer<W: Write> {
    output: GzEncoder<StreamWriter<W>>,
    left: u64,
    padding: usize,
}

impl<W: Write> Writer<W> {
    /// Begins a bundle, with its manifest.
    pub fn new(output: W, lock: &Lock, manifest: &Manifest) -> Result<Self> {
        let encrypted = lock.encryptor()?.wrap_output(output).map_err(unwritable)?;
        let mut writer = Writer { output: GzEncoder::new(encrypted, Compression::default()), left: 0, padding: 0 };
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::refused(error.to_string()))?;
        writer.begin(MANIFEST, text.len() as u64)?;
        writer.write(&text)?;
        Ok(writer)
    }

    /// Begins the next entry; what was promised for the one before it must have been written.
    pub fn begin(&mut self, name: &str, size: u64) -> Result<()> {
        self.end_entry()?;
        let mut header = tar::Header::new_gnu();
        header.set_path(name).map_err(unwritable)?;
        header.set_size(size);
        header.set_mode(0o600);
        header.set_cksum();
        self.output.write_all(header.as_bytes()).map_err(unwritable)?;
        self.left = size;
        self.padding = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
        Ok(())
    }

    /// Writes a piece of the entry.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.left = self
            .left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| Error::host("a file of the bundle grew while it was read").help("run it again"))?;
        self.output.write_all(piece).map_err(unwritable)
    }

    fn end_entry(&mut self) -> Result<()> {
        if self.left > 0 {
            return Err(Error::host("a file of the bundle shrank while it was read").help("run it again"));
        }
        let padding = std::mem::take(&mut self.padding);
        self.output.write_all(&[0; BLOCK][..padding]).map_err(unwritable)
    }

    /// Ends the bundle and returns what it was written to.
    pub fn finish(mut self) -> Result<W> {
        self.end_entry()?;
        self.output.write_all(&[0; 2 * BLOCK]).map_err(unwritable)?;
        self.output.finish().and_then(StreamWriter::finish).map_err(unwritable)
    }
}

fn unwritable(error: std::io::Error) -> Error {
    Error::refused(format!("the bundle can't be written: {error}")).help("is the disk full? Nothing of it stays")
}

/// Reads a bundle from front to back and calls `take` with each entry's name and content. Returns the manifest.
///
/// # Errors
/// Refused, with what is wrong, for a file that is no bundle, isn't whole, or isn't opened by the key.
pub fn read(file: &Path, key: &Key, mut take: impl FnMut(&Entry, &[u8]) -> Result<()>) -> Result<Manifest> {
    let damaged = |what: &dyn std::fmt::Display| {
        Error::refused(format!("{} is damaged, or was cut off: {what}", file.display())).help("take an older backup")
    };
    let source =
        std::fs::File::open(file).map_err(|error| Error::refused(format!("can't read {}: {error}", file.display())))?;
    let decryptor = age::Decryptor::new(std::io::BufReader::new(source)).map_err(|error| {
        Error::refused(format!("{} is not a backup: {error}", file.display()))
            .help("one is made by scripts/backup.rhai")
    })?;
    let opened = match key {
        Key::Identities(all) => decryptor.decrypt(all.iter().map(|one| one as &dyn age::Identity)),
        Key::Passphrase(passphrase) => {
            let identity = age::scrypt::Identity::new(passphrase.clone());
            decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
        }
    };
    let opened = opened.map_err(|error| {
        Error::refused(format!("this key doesn't open {}: {error}", file.display()))
            .help("it takes one of the private keys, or the passphrase, that it was made for")
    })?;
    let mut archive = tar::Archive::new(GzDecoder::new(opened));
    let mut entries = archive.entries().map_err(|error| damaged(&error))?;
    let mut next = || -> Result<Option<(String, Vec<u8>)>> {
        let Some(entry) = entries.next() else { return Ok(None) };
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let name = entry.path().map_err(|error| damaged(&error))?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| damaged(&error))?;
        Ok(Some((name, content)))
    };
    let manifest = match next()? {
        Some((name, content)) if name == MANIFEST => {
            serde_json::from_slice::<Manifest>(&content).map_err(|error| damaged(&error))?
        }
        _ => return Err(damaged(&"it has no manifest")),
    };
    if manifest.format != FORMAT {
        return Err(Error::refused(format!(
            "{} has the form {}, and this k3srun knows {FORMAT}",
            file.display(),
            manifest.format
        ))
        .help("open it with the k3srun that made it, or a newer one"));
    }
    for wanted in &manifest.entries {
        let Some((name, content)) = next()? else { return Err(damaged(&format!("{} is missing", wanted.name))) };
        if name != wanted.name || content.len() as u64 != wanted.size || sha256(&content) != wanted.sha256 {
            return Err(damaged(&format!("{} is not what the manifest says", wanted.name)));
        }
        take(wanted, &content)?;
    }
    if let Some((name, _)) = next()? {
        return Err(damaged(&format!("the manifest doesn't name {name}")));
    }
    // What comes after the last entry proves that nothing was cut off: the sum of the archive, and the end of the encryption.
    let mut rest = archive.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(|error| damaged(&error))?;
    std::io::copy(&mut rest.into_inner(), &mut std::io::sink()).map_err(|error| damaged(&error))?;
    Ok(manifest)
}

/// A sha256 in hexadecimal digits.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// By what a snapshot names the token that opens it: the first 12 digits of the sha256 of its password.
pub fn token_hash(token: &str) -> String {
    let token = token.trim();
    let password =
        token.strip_prefix("K10").and_then(|rest| rest.split_once("::")).and_then(|(_, user)| user.split_once(':'));
    sha256(password.map_or(token, |(_, password)| password).as_bytes())[..12].to_owned()
}

//! Whether a bundle is good, without a cluster: whole, of which versions, opened by which token.

use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::bundle::{self, Manifest, SNAPSHOT, TOKEN, token_hash};
use super::key::Key;
use crate::error::Result;

/// etcd writes pages of so many bytes, and after them the sha256 of them all.
const PAGE: usize = 512;
const SUM: usize = 32;

/// What was found in a bundle.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// What it says of itself.
    pub manifest: Manifest,
    /// What is wrong with it; empty: it can be restored.
    pub problems: Vec<String>,
}

/// Opens a bundle and proves it: every file by its sum, the snapshot by its own, the token by what the snapshot has under its hash.
///
/// # Errors
/// Refused for a file that is no bundle, was cut off, or isn't opened by this key.
pub fn check(file: &Path, key: &Key) -> Result<Checked> {
    let mut problems = vec!["it has no snapshot".to_owned()];
    let mut hash = None;
    let mut opened = false;
    let (mut snapshot, mut token) = (None, None);
    let manifest = bundle::read(file, key, |entry, content| {
        match entry.name.as_str() {
            SNAPSHOT => {
                problems = snapshot_problems(content);
                snapshot = Some(content.to_vec());
            }
            TOKEN => token = Some(String::from_utf8_lossy(content).into_owned()),
            _ => {}
        }
        Ok(())
    })?;
    if let Some(token) = &token {
        let of_token = token_hash(token);
        let key = format!("/bootstrap/{of_token}");
        opened = snapshot.as_deref().is_some_and(|content| memchr::memmem::find(content, key.as_bytes()).is_some());
        hash = Some(of_token);
    }
    match hash {
        None => problems.push("it has no token, and a snapshot is of no use without its own".into()),
        Some(hash) if hash != manifest.token_hash => {
            problems.push("its token is another one than its manifest says".into())
        }
        Some(_) if !opened && snapshot.is_some() => problems.push("its token doesn't open its snapshot".into()),
        Some(_) => {}
    }
    Ok(Checked { manifest, problems })
}

/// What speaks against a snapshot, by the sum that etcd has put at its end.
fn snapshot_problems(content: &[u8]) -> Vec<String> {
    let whole = content.len() % PAGE == SUM;
    let (pages, sum) = content.split_at(content.len().saturating_sub(SUM));
    match whole && Sha256::digest(pages).as_slice() == sum {
        true => Vec::new(),
        false => vec!["its snapshot is damaged, or was cut off".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use age::x25519::Identity;

    use super::*;
    use crate::backup::Lock;
    use crate::backup::bundle::{Entry, FORMAT, Writer, sha256};
    use crate::error::Error;

    const TOKEN_TEXT: &str = "K10aaaa::server:secret\n";

    /// A snapshot that a token opens: one page that names its hash, and the sum.
    fn snapshot(token: &str) -> Vec<u8> {
        let mut content = format!("/bootstrap/{}", token_hash(token)).into_bytes();
        content.resize(PAGE, 0);
        let sum = Sha256::digest(&content);
        content.extend_from_slice(&sum);
        content
    }

    fn bundle(folder: &Path, lock: &Lock, files: &[(&str, Vec<u8>)]) -> PathBuf {
        let entry = |(name, content): &(&str, Vec<u8>)| Entry {
            name: (*name).into(),
            path: format!("/x/{name}"),
            size: content.len() as u64,
            sha256: sha256(content),
        };
        let manifest = Manifest {
            format: FORMAT,
            cluster: "a".into(),
            made: "2026-11-27T19:00:00Z".into(),
            version: "v1.36.3+k3s1".into(),
            etcd: "3.6.16".into(),
            node: "master".into(),
            node_ip: "10.0.0.1".into(),
            token_hash: token_hash(TOKEN_TEXT),
            members: Vec::new(),
            volumes: Vec::new(),
            entries: files.iter().map(entry).collect(),
        };
        let path = folder.join("a.k3sbackup");
        let mut writer = Writer::new(std::fs::File::create(&path).unwrap(), lock, &manifest).unwrap();
        for (name, content) in files {
            writer.begin(name, content.len() as u64).unwrap();
            content.chunks(100).for_each(|piece| writer.write(piece).unwrap());
        }
        writer.finish().unwrap();
        path
    }

    fn pair() -> (Lock, Key) {
        let identity = Identity::generate();
        (Lock::Recipients(vec![identity.to_public()]), Key::Identities(vec![identity]))
    }

    fn good() -> Vec<(&'static str, Vec<u8>)> {
        vec![(SNAPSHOT, snapshot(TOKEN_TEXT)), (TOKEN, TOKEN_TEXT.into()), ("etc/config.yaml", Vec::new())]
    }

    #[test]
    fn a_good_bundle_is_opened_by_its_key_alone_and_shows_nothing_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, key) = pair();
        let path = bundle(folder.path(), &lock, &good());
        let found = check(&path, &key).unwrap();
        assert_eq!((found.problems.len(), found.manifest.version.as_str()), (0, "v1.36.3+k3s1"));
        let refused = check(&path, &pair().1).err().unwrap();
        assert!(refused.message.starts_with("this key doesn't open"), "{refused}");
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            memchr::memmem::find(&bytes, b"secret").is_none() && memchr::memmem::find(&bytes, b"manifest").is_none()
        );
    }

    #[test]
    fn a_bundle_that_was_cut_off_anywhere_or_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, key) = pair();
        let path = bundle(folder.path(), &lock, &good());
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 10, 200, whole.len() / 2, whole.len() - 17, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(check(&path, &key).is_err(), "{length} of {} bytes", whole.len());
        }
        let mut changed = whole.clone();
        let middle = changed.len() - 40;
        changed[middle] ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert!(check(&path, &key).unwrap_err().message.contains("is damaged, or was cut off"));
    }

    #[test]
    fn a_snapshot_of_another_token_and_a_damaged_one_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, key) = pair();
        let problems = |files: &[(&str, Vec<u8>)]| check(&bundle(folder.path(), &lock, files), &key).unwrap().problems;
        let with = |snapshot: Vec<u8>| vec![(SNAPSHOT, snapshot), (TOKEN, TOKEN_TEXT.as_bytes().to_vec())];
        assert_eq!(problems(&with(snapshot("other"))), ["its token doesn't open its snapshot"]);
        let mut cut = snapshot(TOKEN_TEXT);
        cut.pop();
        assert_eq!(problems(&with(cut)), ["its snapshot is damaged, or was cut off"]);
        assert_eq!(problems(&good()[..1]), ["it has no token, and a snapshot is of no use without its own"]);
        assert_eq!(problems(&good()[1..]), ["it has no snapshot"]);
    }

    #[test]
    fn a_passphrase_opens_what_it_locked() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::Passphrase("correct horse battery".to_owned().into());
        let path = bundle(folder.path(), &lock, &good());
        let opens = |text: &str| check(&path, &Key::Passphrase(text.to_owned().into()));
        assert!(opens("correct horse battery").unwrap().problems.is_empty());
        assert!(opens("correct horse").is_err());
    }

    #[test]
    fn what_is_no_bundle_is_refused_with_the_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello").unwrap();
        let error: Error = check(file.path(), &pair().1).unwrap_err();
        assert!(error.message.contains("is not a backup"), "{error}");
    }
}

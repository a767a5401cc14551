//! What locks a bundle, and what opens it. Neither is ever in an argument or a report.

use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519;

use crate::config::SecretPlace;
use crate::error::{Error, Result};

/// For whom a bundle is encrypted.
pub enum Lock {
    /// For the owners of these public keys (`age1..`).
    Recipients(Vec<x25519::Recipient>),
    /// For who knows the passphrase.
    Passphrase(SecretString),
}

/// What opens a bundle.
pub enum Key {
    /// Private keys (`AGE-SECRET-KEY-1..`).
    Identities(Vec<x25519::Identity>),
    /// The passphrase.
    Passphrase(SecretString),
}

impl Lock {
    /// The lock that options name: either recipients or the file of a passphrase.
    ///
    /// # Errors
    /// Refused for none or both, for a recipient that isn't a public key, and for a file that others can read.
    pub fn new(recipients: &[String], passphrase_file: Option<&Path>) -> Result<Self> {
        match (recipients, passphrase_file) {
            ([], None) => Err(Error::refused("a backup without a key would be readable by everybody who finds it")
                .help("name the public keys that may open it (made by age-keygen, they look like age1..), or a file with a passphrase")),
            ([_, ..], Some(_)) => Err(Error::refused("a backup has either recipients or a passphrase, not both")
                .help("leave one of them out")),
            ([], Some(file)) => passphrase(file).map(Lock::Passphrase),
            (recipients, None) => recipients.iter().map(|text| recipient(text)).collect::<Result<_>>().map(Lock::Recipients),
        }
    }

    /// The encryptor for one bundle.
    pub(super) fn encryptor(&self) -> Result<age::Encryptor> {
        match self {
            Lock::Passphrase(passphrase) => Ok(age::Encryptor::with_user_passphrase(passphrase.clone())),
            Lock::Recipients(all) => age::Encryptor::with_recipients(all.iter().map(|one| one as &dyn age::Recipient))
                .map_err(|error| Error::refused(format!("can't encrypt for these recipients: {error}"))),
        }
    }
}

impl Key {
    /// The key that options name: a file of private keys, as age-keygen writes it, or the file of a passphrase.
    ///
    /// # Errors
    /// Refused for none or both, and for files that others can read or that have no key.
    pub fn new(identity_file: Option<&Path>, passphrase_file: Option<&Path>) -> Result<Self> {
        match (identity_file, passphrase_file) {
            (Some(file), None) => identities(file).map(Key::Identities),
            (None, Some(file)) => passphrase(file).map(Key::Passphrase),
            _ => Err(Error::refused("a backup is opened by either a private key or a passphrase")
                .help("name the file of one of them")),
        }
    }
}

fn recipient(text: &str) -> Result<x25519::Recipient> {
    text.trim().parse().map_err(|error: &'static str| {
        Error::refused(format!("{text:?} is not a public key of age: {error}"))
            .help("one looks like age1.., and is what age-keygen prints; its private half stays where nobody else can read it")
    })
}

fn passphrase(file: &Path) -> Result<SecretString> {
    let text = secret(file)?;
    match text.expose_secret().chars().count() {
        0..12 => {
            Err(Error::refused(format!("{}: a passphrase of fewer than 12 characters is soon guessed", file.display()))
                .help(
                    "make one: openssl rand -base64 24 >FILE; chmod 600 FILE; and keep a copy away from these machines",
                ))
        }
        _ => Ok(text),
    }
}

fn identities(file: &Path) -> Result<Vec<x25519::Identity>> {
    let text = secret(file)?;
    let lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let found = lines.map(|line| line.parse::<x25519::Identity>()).collect::<std::result::Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        // What the line says is not shown: it may be a key with a slip in it.
        _ => Err(Error::refused(format!("{} is not a file of private keys of age", file.display()))
            .help("its lines look like AGE-SECRET-KEY-1.., as age-keygen writes them")),
    }
}

fn secret(file: &Path) -> Result<SecretString> {
    let place = SecretPlace::File(PathBuf::from(file));
    place.read().map(SecretString::from).map_err(|fault| Error::refused(format!("the key's file {fault}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn refused(lock: Result<Lock>) -> String {
        lock.err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn nothing_is_stored_without_a_lock() {
        assert!(refused(Lock::new(&[], None)).contains("readable by everybody"));
        assert!(refused(Lock::new(&["age1x".into()], None)).contains("not a public key"));
        let good = file("correct horse battery\n", 0o600);
        assert!(Lock::new(&[], Some(good.path())).is_ok());
        assert!(refused(Lock::new(&["age1x".into()], Some(good.path()))).contains("not both"));
        assert!(refused(Lock::new(&[], Some(file("short", 0o600).path()))).contains("soon guessed"));
        assert!(refused(Lock::new(&[], Some(file("correct horse battery", 0o644).path()))).contains("key's file"));
    }

    #[test]
    fn a_key_that_is_none_is_not_shown() {
        let wrong = file("AGE-SECRET-KEY-1WRONG\n", 0o600);
        let error = Key::new(Some(wrong.path()), None).err().unwrap();
        assert!(!format!("{error:?}").contains("WRONG"));
    }
}

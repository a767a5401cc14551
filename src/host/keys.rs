//! Private keys on this machine that ssh can't use, because nobody gives it their passphrase.

use std::path::PathBuf;

use base64::Engine as _;
use tokio::process::Command;

use super::address::Address;
use super::ssh::Destination;
use crate::error::Result;

/// The keys that ssh would offer to a destination if it knew their passphrase. An agent may know it.
pub(super) async fn locked(destination: &Destination) -> Result<Vec<PathBuf>> {
    let mut ssh = Command::new("ssh");
    if let Some(config) = &destination.options.config {
        ssh.arg("-F").arg(config);
    }
    if let Some(key) = &destination.options.key {
        ssh.arg("-i").arg(key);
    }
    // What it would do; it doesn't connect.
    ssh.args(["-G", "--", &Address::parse(&destination.address)?.host]).kill_on_drop(true);
    let Ok(output) = ssh.output().await else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = text.lines().filter_map(|line| line.strip_prefix("identityfile ")).map(at_home);
    Ok(files.filter(|file| std::fs::read_to_string(file).is_ok_and(|key| is_locked(&key))).collect())
}

fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// Whether a key in PEM or in OpenSSH's own format is encrypted. The latter begins with a magic word and the name of the
/// cipher, each in a known length (PROTOCOL.key).
fn is_locked(key: &str) -> bool {
    let mut lines = key.lines();
    match lines.next().unwrap_or_default() {
        "-----BEGIN OPENSSH PRIVATE KEY-----" => {
            let data: String = lines.take_while(|line| !line.starts_with('-')).collect();
            let data = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
            let cipher = data.strip_prefix(b"openssh-key-v1\0");
            cipher.is_some_and(|cipher| !cipher.starts_with(b"\0\0\0\x04none"))
        }
        first => first.contains("ENCRYPTED") || key.contains("\nProc-Type: 4,ENCRYPTED"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_a_passphrase_are_recognised() {
        let folder = tempfile::tempdir().unwrap();
        for (format, passphrase) in
            [("RFC4716", ""), ("RFC4716", "secret"), ("PEM", ""), ("PEM", "secret"), ("PKCS8", "secret")]
        {
            let file = folder.path().join(format!("{format}{passphrase}"));
            let mut make = std::process::Command::new("ssh-keygen");
            make.args(["-q", "-t", "ecdsa", "-m", format, "-N", passphrase, "-f"]).arg(&file);
            assert!(make.status().unwrap().success());
            let key = std::fs::read_to_string(&file).unwrap();
            assert_eq!(is_locked(&key), !passphrase.is_empty(), "{format} {passphrase}: {key}");
        }
        assert!(!is_locked("no key"));
    }
}

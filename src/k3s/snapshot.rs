//! Snapshots of the datastore, each proven when it is made: whole by its own sum, and opened by this server's token.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions, quote};
use crate::report::{Change, Event};

const SAVE: &str = include_str!("snapshot.sh");

/// How long the server may take, in seconds: k3s itself gives up after two minutes.
const TIMEOUT: u64 = 300;

/// How a snapshot is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotOptions {
    /// What its name begins with.
    #[serde(default = "default_name")]
    pub name: String,
    /// How many with this name stay; 0: all.
    #[serde(default)]
    pub keep: u32,
}

fn default_name() -> String {
    "k3srun".to_owned()
}

/// A snapshot on the server's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// Where it lies on the server.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its sha256 in hexadecimal digits.
    pub sha256: String,
}

/// Saves the datastore of a running server into a file on it, and proves that file. In a plan it is only shown, and the result is
/// empty.
///
/// # Errors
/// Refused for a name that isn't one. Host when nothing was saved, or what was saved isn't whole or isn't opened by the server's token.
pub async fn snapshot(host: &Host, options: &SnapshotOptions) -> Result<Snapshot> {
    if !is_name(&options.name) {
        return Err(Error::refused(format!("{:?} is not a valid name of a snapshot", options.name))
            .help("letters, digits, hyphens and dots, beginning with a letter or a digit"));
    }
    let run = host.run_context();
    let mut saved = Snapshot::default();
    if !run.is_plan() {
        host.activity("saving the datastore");
        let script = format!("name={} keep={}\n{SAVE}", quote(&options.name), options.keep);
        let output = host.script(&script, &ScriptOptions::titled("saving the datastore").timeout(TIMEOUT)).await;
        host.activity("");
        let output = output?;
        if output.status != 0 {
            return Err(explain(output.status, output.error_text().trim()).on(host.name()));
        }
        saved = read(&output.text());
    }
    let what = if run.is_plan() { format!("{}-..", options.name) } else { saved.name.clone() };
    let size = saved.size >> 10;
    let summary =
        if run.is_plan() { "saved and verified".to_owned() } else { format!("saved and verified ({size} KB)") };
    let change = Change { resource: format!("snapshot:{what}"), summary, diff: None };
    run.report().emit(Event::Changed { host: host.name().to_owned(), planned: run.is_plan(), change });
    Ok(saved)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
}

fn read(text: &str) -> Snapshot {
    let mut saved = Snapshot::default();
    for (word, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match word {
            "name" => value.clone_into(&mut saved.name),
            "path" => value.clone_into(&mut saved.path),
            "size" => saved.size = value.parse().unwrap_or_default(),
            "sha256" => value.clone_into(&mut saved.sha256),
            _ => {}
        }
    }
    saved
}

fn explain(status: i32, said: &str) -> Error {
    let (message, help) = match status {
        51 => (
            "k3s saved no snapshot",
            "does the server run, with etcd (cluster-init), and is its disk full? `journalctl -u k3s` there says more",
        ),
        52 => ("the snapshot can't be verified", "take etcd-snapshot-compress out of config.yaml on the server"),
        53 => ("the snapshot is damaged", "is the server's disk full, or broken? The file is of no use: remove it"),
        54 => (
            "the server's token doesn't open the snapshot",
            "was the token rotated a moment ago? Restart k3s on the server, and run it again",
        ),
        _ => ("the datastore can't be saved", "look at the output"),
    };
    Error::host(message).output(said.to_owned()).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_from_lines() {
        let saved = read("name=a-master-1\npath=/x/a-master-1\nsize=2048032\nsha256=00\n");
        assert_eq!((saved.name.as_str(), saved.size, saved.sha256.as_str()), ("a-master-1", 2_048_032, "00"));
    }

    #[test]
    fn names_that_k3s_would_take_but_nobody_could_type_are_refused() {
        assert!(is_name("before-v1.37.2") && is_name("a"));
        assert!(!is_name("bad name") && !is_name("") && !is_name("-a") && !is_name("a/b"));
    }
}

//! What the tests of hosts share.

#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod chance;
pub mod lab;
pub mod place;
pub mod playbook;
pub mod scan;
pub mod serve;
pub mod server;
pub mod sshd;
pub mod user;

use std::path::Path;
use std::process::{Command, Output};

/// The program under test, with `folder` for what it stores.
pub fn k3srun(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
    command.env("XDG_STATE_HOME", folder.join("state")).current_dir(folder);
    command
}

/// What a run printed with `--output json`: one event a line.
pub fn events(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// The events of one kind, e.g. `changed`.
pub fn events_of(output: &Output, kind: &str) -> Vec<serde_json::Value> {
    events(output).into_iter().filter(|event| event["event"] == kind).collect()
}

/// What the run wrote to its standard error and standard output, for messages of failed tests.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

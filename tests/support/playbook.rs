//! Runs scripts as a user does.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A script that is going to run, in a folder of its own.
pub struct Playbook {
    command: Command,
    options: Vec<String>,
    folder: TempDir,
}

/// What came of it.
pub struct Finished {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Playbook {
    pub fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("test.rhai"), script).unwrap();
        let mut command = super::k3srun(folder.path());
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Playbook { command, options: Vec::new(), folder }
    }

    /// Adds an option like `--plan`.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The folder in which it runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Finished {
        Finished::from(self.command.args(self.options).arg("test.rhai").output().unwrap())
    }

    /// Starts it, and leaves it running.
    pub fn start(mut self) -> Running {
        Running { child: self.command.args(self.options).arg("test.rhai").spawn().unwrap(), _folder: self.folder }
    }
}

/// A script that runs.
pub struct Running {
    pub child: Child,
    _folder: TempDir,
}

impl Running {
    /// Sends a signal, e.g. `INT`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn finish(self) -> Finished {
        Finished::from(self.child.wait_with_output().unwrap())
    }
}

impl From<std::process::Output> for Finished {
    fn from(output: std::process::Output) -> Self {
        Finished {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Finished {
    /// What it printed, if it succeeded.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!(self.status, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Waits until `condition` holds, at most ten seconds.
#[track_caller]
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

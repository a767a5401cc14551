//! The places of a lab, as seen by this machine: its own tools run in the network of a place, so a place needs none.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::lab::{Lab, Step};

/// A network of its own: that of a place of the lab, or of a pod.
#[derive(Clone)]
pub struct Place {
    netns: PathBuf,
}

/// A program that runs until this is dropped, with all that it started.
pub struct Running(Child);

impl Place {
    /// `internet`, `admin`, `tenant`, `master`, `worker`, or `switch`, which all packets pass.
    pub fn of(lab: &Lab, name: &str) -> Place {
        Place { netns: format!("/run/netns/k3l-{}-{name}", lab.name()).into() }
    }

    /// The pod of that address on a host.
    pub fn pod(lab: &Lab, host: &str, address: &str) -> Step<Place> {
        let find = format!(
            "for net in /run/netns/cni-*; do
               nsenter --net=$net ip -o -4 address | grep -qF ' {address}/' && echo $net && exit
             done; exit 1"
        );
        let inside = console(lab, host, &find)?;
        let first = run(Command::new(lab.file("machine")).args([lab.name(), "leader", host]))?;
        Ok(Place { netns: format!("/proc/{}/root{}", first.trim(), inside.trim()).into() })
    }

    /// A program of this machine, in this network.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.netns.display())).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a program that must succeed, and returns what it printed.
    pub fn run(&self, words: &[&str]) -> Step<String> {
        run(&mut self.command(words))
    }

    /// Runs a shell command that must succeed.
    pub fn shell(&self, script: &str) -> Step<String> {
        self.run(&["sh", "-c", script])
    }

    /// Whether a shell command succeeds.
    pub fn can(&self, script: &str) -> bool {
        self.shell(script).is_ok()
    }

    /// Starts a program.
    pub fn start(&self, words: &[&str]) -> Step<Running> {
        let mut command = self.command(words);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.process_group(0).spawn().map(Running).map_err(|error| format!("can't start {words:?}: {error}"))
    }

    /// The address that what is sent from here to `target` comes from.
    pub fn source_for(&self, target: &str) -> Step<String> {
        let (address, device) = target.split_once('%').unwrap_or((target, ""));
        let device = if device.is_empty() { String::new() } else { format!("dev {device}") };
        let route = self.shell(&format!("ip -o route get {address} {device}"))?;
        let mut words = route.split_whitespace().skip_while(|word| *word != "src");
        words.nth(1).map(str::to_owned).ok_or_else(|| format!("no way to {target}: {route}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// Runs a shell command on a host over its console, which needs no network.
pub fn console(lab: &Lab, host: &str, script: &str) -> Step<String> {
    run(Command::new(lab.file("machine")).args([lab.name(), "console", host, script]).stdin(Stdio::null()))
}

/// Runs a command that must succeed, and returns what it printed.
pub fn run(command: &mut Command) -> Step<String> {
    let output = command.output().map_err(|error| format!("can't start {command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let shown: String = format!("{command:?}").chars().take(400).collect();
    Err(format!("{shown} ended with {}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

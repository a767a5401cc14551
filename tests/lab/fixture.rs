//! Labs as a user makes them, in a folder of the test's own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

/// A lab of a test; it is removed when the test ends, however it ends.
pub struct Lab {
    pub name: String,
    pub folder: Arc<TempDir>,
}

impl Lab {
    pub fn new(purpose: &str) -> Self {
        assert_eq!(text(Command::new("id").arg("-u")), "0", "these tests boot machines: run them as root on Linux");
        let folder = tempfile::tempdir().unwrap();
        // The machines of these tests never start k3s: the lab only asks it for its version.
        let k3s = folder.path().join("k3s");
        fs::write(&k3s, "#!/bin/sh\necho 'k3s version v1.34.4+k3s1 (c6017918)'\n").unwrap();
        fs::set_permissions(&k3s, fs::Permissions::from_mode(0o755)).unwrap();
        Lab { name: format!("{purpose}{}", std::process::id()), folder: folder.into() }
    }

    pub fn up(purpose: &str) -> Self {
        Lab::with(purpose, &[])
    }

    /// One that is made with further options.
    pub fn with(purpose: &str, options: &[&str]) -> Self {
        let lab = Lab::new(purpose);
        lab.ok(&[&["up", "--bare", "--k3s", lab.k3s().to_str().unwrap()], options].concat());
        lab
    }

    /// Another one for the same user.
    pub fn beside(&self, purpose: &str) -> Self {
        Lab { name: format!("{purpose}{}", std::process::id()), folder: Arc::clone(&self.folder) }
    }

    pub fn k3s(&self) -> PathBuf {
        self.folder.path().join("k3s")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state/k3srun/labs").join(&self.name)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command.args(["--yes", "--output", "plain"]);
        command
    }

    /// Runs the lab's playbook.
    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command();
        command.args(["scripts/lab.rhai", "--name", &self.name]).args(args).output().unwrap()
    }

    /// Runs the lab's playbook, which must succeed; what it prints, and what it reports.
    pub fn ok(&self, args: &[&str]) -> (String, String) {
        let output = self.run(args);
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {report}");
        (String::from_utf8_lossy(&output.stdout).trim().to_owned(), report)
    }

    /// Runs the playbook, which must fail with this in what it says.
    pub fn refuses(&self, args: &[&str], said: &str) {
        let output = self.run(args);
        let report = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {report}");
        assert!(report.contains(said), "{args:?}: {report}");
    }

    /// Runs a command at a place of the lab over its console.
    pub fn exec(&self, place: &str, command: &str) -> String {
        self.ok(&["exec", place, command]).0
    }

    /// The command that runs something on a machine over SSH, by the `ssh_config` that the lab wrote.
    pub fn ssh(&self, host: &str, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.state().join("ssh_config")).args(["-o", "BatchMode=yes", host, command]);
        ssh
    }

    pub fn pings(&self, from: &str, to: &str) -> bool {
        self.run(&["exec", from, &format!("ping -c 1 -w 4 {to}")]).status.success()
    }

    /// Everything on this box that has the lab's name, or belongs to it.
    pub fn traces(&self) -> Vec<String> {
        let prefix = format!("k3l-{}-", self.name);
        let mut found = Vec::new();
        let mut folders = vec![PathBuf::from("/run/netns"), "/run/systemd/nspawn/propagate".into()];
        folders.push("/sys/fs/cgroup".into());
        folders.extend(entries(Path::new("/sys/fs/cgroup")));
        for entry in folders.iter().flat_map(|folder| entries(folder)) {
            if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)) {
                found.push(entry.display().to_string());
            }
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let folder = self.state().display().to_string();
        found.extend(mounts.lines().filter(|line| line.contains(&prefix) || line.contains(&folder)).map(str::to_owned));
        for process in entries(Path::new("/proc")) {
            let groups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            // One that has ended and that nobody has asked about yet holds nothing any more.
            if groups.contains(&prefix) && !status.contains("State:\tZ") {
                found.push(process.display().to_string());
            }
        }
        if self.state().exists() {
            found.push(folder);
        }
        found
    }

    /// The files by which systemd-nspawn keeps others from using the lab's root file systems.
    pub fn locks(&self) -> Vec<PathBuf> {
        let roots = entries(&self.state().join("roots"));
        let name = |root: &PathBuf| {
            let root = fs::metadata(root).unwrap();
            PathBuf::from(format!("/run/systemd/nspawn/locks/inode-{}:{}", root.dev(), root.ino()))
        };
        roots.iter().filter(|root| root.is_dir()).map(name).collect()
    }

    pub fn assert_gone(&self) {
        assert_eq!(self.traces(), Vec::<String>::new());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

pub fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// Standard output of a command that must succeed.
pub fn text(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

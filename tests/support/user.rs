//! Users of this machine who live as long as a test.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A throw-away user with a password, removed at the end.
pub struct User {
    pub name: String,
    sudoers: Option<PathBuf>,
}

impl User {
    /// `rule` is a line for sudoers without the name, e.g. `ALL=(ALL) NOPASSWD: ALL`; None: no sudo at all.
    pub fn create(password: &str, rule: Option<&str>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("k3st{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(Command::new("useradd").args(["--create-home", "--shell", "/bin/bash", &name]));
        let mut chpasswd = Command::new("chpasswd").stdin(Stdio::piped()).spawn().unwrap();
        chpasswd.stdin.take().unwrap().write_all(format!("{name}:{password}\n").as_bytes()).unwrap();
        assert!(chpasswd.wait().unwrap().success());
        let sudoers = rule.map(|rule| {
            let path = PathBuf::from(format!("/etc/sudoers.d/{name}"));
            fs::write(&path, format!("{name} {rule}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
            path
        });
        User { name, sudoers }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(path) = &self.sudoers {
            let _ = fs::remove_file(path);
        }
        // Its last login may not have ended yet.
        let _ = Command::new("userdel").args(["--force", "--remove", &self.name]).stderr(Stdio::null()).status();
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

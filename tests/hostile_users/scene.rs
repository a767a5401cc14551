//! A user of this machine with a home, and beside it something of root's that nobody else may read.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::support::playbook::{Finished, Playbook};
use super::support::user::User;

/// What is in root's file.
pub const PRIZE: &str = "root:$y$TOPSECRET:19000:0:99999:7:::\n";

pub struct Scene {
    folder: TempDir,
    pub app: User,
    pub uid: u32,
    pub gid: u32,
    before: Vec<String>,
}

impl Scene {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mode(folder.path(), 0o755);
        let app = User::create("app", None);
        let home = fs::metadata(format!("/home/{}", app.name)).unwrap();
        let mut scene = Scene { uid: home.uid(), gid: home.gid(), app, folder, before: Vec::new() };
        for name in ["rootonly", "rootonly/etc", "rootonly/units"] {
            fs::create_dir(scene.path(name)).unwrap();
            mode(&scene.path(name), 0o700);
        }
        for name in ["rootonly/shadow", "rootonly/etc/shadow", "rootonly/etc/conf"] {
            fs::write(scene.path(name), PRIZE).unwrap();
            mode(&scene.path(name), 0o600);
        }
        scene.before = listing(&scene.path("rootonly"));
        scene
    }

    /// A path of root's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path in the home of the user.
    pub fn home(&self, name: &str) -> PathBuf {
        Path::new("/home").join(&self.app.name).join(name)
    }

    /// `text` with `HOME`, `ROOT` and `APP` as they are here.
    pub fn words(&self, text: &str) -> String {
        text.replace("HOME", self.home("").display().to_string().trim_end_matches('/'))
            .replace("ROOT", &self.folder.path().display().to_string())
            .replace("APP", &self.app.name)
    }

    /// What the user does in a shell.
    #[track_caller]
    pub fn app(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-ec", &self.words(script)]).uid(self.uid).gid(self.gid).current_dir(self.home(""));
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What root does with k3srun.
    pub fn root(&self, script: &str) -> Finished {
        Playbook::new(&self.words(script)).run()
    }

    /// The same, which must be refused or fail with all of these words.
    #[track_caller]
    pub fn fails(&self, script: &str, words: &[&str]) -> String {
        let finished = Playbook::new(&self.words(script)).option("--output=json").run();
        assert!(matches!(finished.status, Some(2 | 3)), "{:?} {}{}", finished.status, finished.stdout, finished.stderr);
        let said = finished.stdout.replace("\\n", " ").replace("\\\"", "\"");
        for word in words {
            assert!(said.contains(&self.words(word)), "{word:?} is not in {said}");
        }
        self.untouched();
        said
    }

    /// Nothing of root's was changed, given away, or is where the user can read it.
    #[track_caller]
    pub fn untouched(&self) {
        assert_eq!(listing(&self.path("rootonly")), self.before);
        let mut search = Command::new("grep");
        search.args(["-rlsD", "skip", "TOPSECRET"]).arg(self.home("")).arg("/tmp/none").uid(self.uid).gid(self.gid);
        let found = String::from_utf8(search.output().unwrap().stdout).unwrap();
        assert_eq!(found, "", "the user can read what is root's");
    }
}

pub fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// All that one could change in a folder.
pub fn listing(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let is = fs::symlink_metadata(&path).unwrap();
        let content = if is.is_file() { fs::read_to_string(&path).unwrap() } else { String::new() };
        lines.push(format!(
            "{} {:o} {}:{} inode {} links {} changed {}.{} {content}",
            path.display(),
            is.mode(),
            is.uid(),
            is.gid(),
            is.ino(),
            is.nlink(),
            is.ctime(),
            is.ctime_nsec(),
        ));
        if is.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

//! A process of the user's, which never rests: it swaps what is in its folders for links, pipes and other files, and goes after every
//! name that is new there.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::scene::Scene;

/// The argument that makes this program an attacker.
pub const WORD: &str = "attack";

/// What root works on in the user's home, and in the folders where the user can write, too.
const NAMES: &[&str] = &[
    "conf",
    "data",
    "link",
    "lines",
    "gone",
    "sub",
    "sub/conf",
    "sub/shadow",
    "sub/deep",
    "site",
    "site/a",
    "site/top",
    ".ssh",
    ".ssh/authorized_keys",
];

/// A running attacker.
pub struct Attacker(Child);

impl Attacker {
    /// Starts one that goes for what is in `rootonly`, from `folders`.
    pub fn start(scene: &Scene, folders: &[PathBuf]) -> Self {
        let program = scene.path("attacker");
        if !program.exists() {
            fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            super::scene::mode(&program, 0o755);
        }
        let mut command = Command::new(program);
        command.arg(WORD).arg(scene.path("rootonly")).arg(scene.home("hits")).args(folders);
        Attacker(command.uid(scene.uid).gid(scene.gid).current_dir(scene.home("")).spawn().unwrap())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Goes on until it is killed. What fails is tried again another way.
pub fn attack(words: &[String]) -> ! {
    let [prize, hits, folders @ ..] = words else { panic!("{words:?}") };
    let (prize, hits) = (Path::new(prize), Path::new(hits));
    let mut dice = Dice(u64::from(std::process::id()));
    loop {
        for folder in folders.iter().map(Path::new) {
            let name = NAMES[dice.roll(NAMES.len())];
            swap(&folder.join(name), prize, &mut dice);
            for _ in 0..20 {
                hunt(folder, prize, hits, 0, &mut dice);
            }
        }
    }
}

/// Puts something else there.
fn swap(path: &Path, prize: &Path, dice: &mut Dice) {
    match dice.roll(3) {
        // Away for a moment, and back.
        0 => {
            let aside = path.with_extension("aside");
            let _ = fs::rename(path, &aside);
            let _ = symlink(prize, path);
            std::thread::yield_now();
            let _ = fs::remove_file(path);
            let _ = fs::rename(&aside, path);
            return;
        }
        _ if path.is_dir() && !path.is_symlink() => {
            let _ = fs::remove_dir_all(path);
        }
        _ => {
            let _ = fs::remove_file(path);
        }
    }
    let _ = match dice.roll(8) {
        0 => symlink(prize.join("shadow"), path),
        1 => symlink(prize.join("etc"), path),
        2 => symlink(prize, path),
        3 => fs::hard_link(prize.join("shadow"), path),
        4 => Command::new("mkfifo").arg(path).stderr(Stdio::null()).status().map(drop),
        5 => fs::write(path, "old\n"),
        _ => fs::create_dir(path),
    };
}

/// Looks for what is not of our making, reads it, and puts links in its place.
fn hunt(folder: &Path, prize: &Path, hits: &Path, depth: u32, dice: &mut Dice) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_file() {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.contains("TOPSECRET") || text.contains("PRIVATEKEY") {
                let _ = fs::write(hits, format!("{}: {text}", path.display()));
                let _ = fs::set_permissions(hits, fs::Permissions::from_mode(0o644));
            }
        }
        if metadata.is_dir() && depth < 2 {
            hunt(&path, prize, hits, depth + 1, dice);
        }
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().contains("k3srun") || name == "new");
        if ours && dice.roll(2) == 0 {
            let aside = path.with_extension("taken");
            let _ = fs::rename(&path, &aside).or_else(|_| fs::remove_file(&path));
            let target = [prize.to_owned(), prize.join("shadow"), prize.join("etc")][dice.roll(3)].clone();
            let _ = symlink(target, &path);
        }
    }
}

/// Numbers that are all different (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }
}

//! Reads the arguments and environments of all processes, again and again.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::needles::Needles;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(2);

/// A process is looked at so often when it is new, and afterwards once in so many looks: most become another program soon
/// after their start or never.
const NEW: u32 = 20;
const AGAIN: u32 = 25;

/// A sampler at work.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// Everything that a sampler has seen, each once.
#[derive(Default)]
pub struct Seen {
    arguments: BTreeSet<Vec<u8>>,
    environments: BTreeSet<Vec<u8>>,
    /// Contents of files in the folders that were watched.
    files: BTreeSet<(PathBuf, Vec<u8>)>,
}

impl Sampler {
    /// Begins to look at all processes, and at the files in `folders`, which may come and go.
    pub fn start(folders: &[PathBuf]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, folders) = (stop.clone(), folders.to_owned());
        let thread = std::thread::spawn(move || {
            let (mut seen, mut ages) = (Seen::default(), HashMap::new());
            let mut round = 0;
            while !stopped.load(Ordering::Relaxed) {
                seen.look(&mut ages, round);
                if round.is_multiple_of(AGAIN) {
                    folders.iter().for_each(|folder| seen.read(folder));
                }
                round += 1;
                std::thread::sleep(INTERVAL);
            }
            seen
        });
        Sampler { stop, thread }
    }

    /// Ends, and tells what was seen.
    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Seen {
    /// `ages` counts the looks at each process.
    fn look(&mut self, ages: &mut HashMap<u32, u32>, round: u32) {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let processes: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        for &process in &processes {
            let age = ages.entry(process).or_insert(0);
            *age += 1;
            if *age <= NEW || (process + round).is_multiple_of(AGAIN) {
                // It may have ended.
                self.arguments.extend(fs::read(format!("/proc/{process}/cmdline")));
                self.environments.extend(fs::read(format!("/proc/{process}/environ")));
            }
        }
        if round.is_multiple_of(AGAIN) {
            let alive: BTreeSet<u32> = processes.into_iter().collect();
            ages.retain(|process, _| alive.contains(process));
        }
    }

    fn read(&mut self, folder: &std::path::Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.read(&path),
                Ok(kind) if kind.is_file() => self.files.extend(fs::read(&path).map(|content| (path, content))),
                _ => {}
            }
        }
    }

    /// Whether a file of this name was read in a folder that was watched.
    pub fn has_read(&self, name: &str) -> bool {
        self.files.iter().any(|(path, _)| path.ends_with(name))
    }

    /// The argument lists with a secret in them.
    pub fn arguments(&self, needles: &Needles) -> Vec<String> {
        found(&self.arguments, needles)
    }

    /// The environments with a secret in them.
    pub fn environments(&self, needles: &Needles) -> Vec<String> {
        found(&self.environments, needles)
    }

    /// An error if there is a secret in anything that was seen. What was seen must have `witness` in an argument list: else
    /// the sampler has not seen what it is for.
    pub fn clean(&self, needles: &Needles, witness: &str) -> Result<(), String> {
        let has = |list: &Vec<u8>| memchr::memmem::find(list, witness.as_bytes()).is_some();
        if !self.arguments.iter().any(has) {
            return Err(format!("the sampler has not seen {witness}"));
        }
        let files = self.files.iter().filter(|(_, content)| !needles.in_bytes(content).is_empty());
        let files = files.map(|(path, _)| format!("{} was seen with a secret", path.display()));
        let found: Vec<String> =
            self.arguments(needles).into_iter().chain(self.environments(needles)).chain(files).collect();
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    }
}

fn found(lists: &BTreeSet<Vec<u8>>, needles: &Needles) -> Vec<String> {
    let with_secret = lists.iter().filter(|list| !needles.in_bytes(list).is_empty());
    with_secret.map(|list| String::from_utf8_lossy(list).replace('\0', " ")).collect()
}

//! The run log: everything that happened, on disk, readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Event, Json, Sink};

/// How many logs are kept.
const KEPT: usize = 100;

/// Writes all events of a run to a file of its own.
pub struct RunLog {
    path: PathBuf,
    json: Json<BufWriter<File>>,
}

impl RunLog {
    /// Creates `DIR/<time>.log` with mode 0600, the time being that of UTC, and removes the oldest of the other logs so that
    /// 100 are left.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
        let mut number = 1;
        let (path, file) = loop {
            let path = match number {
                1 => dir.join(format!("{time}.log")),
                _ => dir.join(format!("{time}.{number}.log")),
            };
            match OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) {
                Ok(file) => break (path, file),
                // Another run started in the same second.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        };
        remove_old(dir, &path)?;
        Ok(RunLog { path, json: Json(BufWriter::new(file)) })
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Sink for RunLog {
    fn event(&mut self, event: &Event) {
        self.json.event(event);
    }
}

/// Removes the logs that were written to longest ago; by that and not by name, for clocks go backwards and zones change.
fn remove_old(dir: &Path, own: &Path) -> io::Result<()> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(".log") && path != own {
            // Another run removes old logs, too.
            let Ok(metadata) = entry.metadata() else { continue };
            logs.push((metadata.modified()?, path));
        }
    }
    logs.sort();
    for (_, old) in &logs[..(logs.len() + 1).saturating_sub(KEPT)] {
        match fs::remove_file(old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::report::Level;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn a_log_is_for_its_owner_only_and_has_everything() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("k3srun/runs");
        let mut log = RunLog::create(&dir).unwrap();
        log.event(&Event::note(Level::Debug, "a detail"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(log.path())), (0o700, 0o600));
        assert!(fs::read_to_string(log.path()).unwrap().contains("a detail"));
    }

    #[test]
    fn the_newest_hundred_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for minute in 0..150 {
            let path = folder.path().join(format!("2999-01-01T{:02}-{:02}-00.log", minute / 60, minute % 60));
            let file = File::create(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(60 * minute)).unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        let log = RunLog::create(folder.path()).unwrap();
        let left = names(folder.path());
        assert_eq!(left.len(), KEPT + 1, "and the file that is not a log");
        assert!(left.contains(&"2999-01-01T00-51-00.log".to_owned()), "{left:?}");
        assert!(!left.contains(&"2999-01-01T00-50-00.log".to_owned()), "{left:?}");
        assert!(log.path().exists(), "the own log stays, whatever the clock said to the runs before");
    }

    #[test]
    fn runs_that_start_together_have_logs_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let logs: Vec<RunLog> = (0..5).map(|_| RunLog::create(folder.path()).unwrap()).collect();
        let paths: std::collections::BTreeSet<&Path> = logs.iter().map(RunLog::path).collect();
        assert_eq!(paths.len(), 5);
    }
}

//! The run log: everything that happened, on disk, readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Event, Json, Sink};

/// Writes all events of a run to a file of its own under `runs/`.
pub struct RunLog {
    path: PathBuf,
    json: Json<BufWriter<File>>,
}

impl RunLog {
    /// Creates `DIR/<time>-<pid>.log` with mode 0600.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let stamp = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
        let path = dir.join(format!("{stamp}-{}.log", std::process::id()));
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
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

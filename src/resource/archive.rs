//! What is sent to change a folder: one archive with a script and the files that it puts in place.

use std::io::{Seek as _, SeekFrom};
use std::path::PathBuf;

use super::manifest::{Entry, Kind};
use crate::error::{Error, Result};

/// What goes into the archive: the script as `plan`, the files and links below `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The folder that the files are from.
    pub source: PathBuf,
    pub script: String,
    pub entries: Vec<(String, Entry)>,
    /// Bytes in the files.
    pub size: u64,
}

impl Archive {
    /// Packs it into a temporary file.
    pub async fn pack(&self) -> Result<(tokio::fs::File, u64)> {
        let archive = self.clone();
        let unpackable = |error: &dyn std::fmt::Display| {
            Error::refused(format!("can't pack {}: {error}", self.source.display()))
                .help("is there room in the folder for temporary files?")
        };
        match tokio::task::spawn_blocking(move || archive.packed()).await {
            Ok(Ok((file, size))) => Ok((tokio::fs::File::from_std(file), size)),
            Ok(Err(error)) => Err(unpackable(&error)),
            Err(error) => Err(unpackable(&error)),
        }
    }

    fn packed(&self) -> std::io::Result<(std::fs::File, u64)> {
        let mut builder = tar::Builder::new(tempfile::tempfile()?);
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(self.script.len() as u64);
        builder.append_data(&mut header, "plan", self.script.as_bytes())?;
        for (name, entry) in &self.entries {
            let (path, inside) = (self.source.join(name), format!("new/{name}"));
            let mut header = tar::Header::new_gnu();
            header.set_metadata_in_mode(&std::fs::symlink_metadata(&path)?, tar::HeaderMode::Complete);
            header.set_mode(entry.mode);
            header.set_uid(0);
            header.set_gid(0);
            match &entry.kind {
                Kind::File { .. } => builder.append_data(&mut header, inside, std::fs::File::open(path)?)?,
                Kind::Link(target) => builder.append_link(&mut header, inside, target)?,
                Kind::Folder | Kind::Closed(_) => {}
            }
        }
        let mut file = builder.into_inner()?;
        let size = file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        Ok((file, size))
    }
}

//! Old bundles make room for new ones.

use std::path::{Path, PathBuf};

use super::EXTENSION;
use crate::error::{Error, Result};

/// Bundles of a cluster in a folder, the oldest first: their names begin with its name and have their time.
pub fn bundles(folder: &Path, cluster: &str) -> Result<Vec<PathBuf>> {
    let unreadable = |error| Error::refused(format!("can't read {}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let time =
            name.strip_prefix(&format!("{cluster}-")).and_then(|rest| rest.strip_suffix(&format!(".{EXTENSION}")));
        if time.is_some_and(|time| time.len() == 16 && time.ends_with('Z') && time.as_bytes()[8] == b'T') {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Removes all bundles of a cluster but the `keep` newest. Returns those that are gone; in a plan those that would be.
pub fn prune(folder: &Path, cluster: &str, keep: usize, planned: bool) -> Result<Vec<PathBuf>> {
    let mut all = bundles(folder, cluster)?;
    // In a plan the new one isn't there yet.
    let stay = keep.max(1) - usize::from(planned && keep > 0);
    all.truncate(all.len().saturating_sub(stay));
    for path in all.iter().filter(|_| !planned) {
        std::fs::remove_file(path)
            .map_err(|error| Error::refused(format!("can't remove {}: {error}", path.display())))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_this_cluster_stay_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["a-20260101T000000Z", "a-20260301T000000Z", "a-20260201T000000Z", "a-b-20260101T000000Z", "a-notes"];
        for name in names {
            std::fs::write(folder.path().join(format!("{name}.{EXTENSION}")), "").unwrap();
        }
        assert_eq!(bundles(folder.path(), "a").unwrap().len(), 3);
        let gone = prune(folder.path(), "a", 2, false).unwrap();
        assert_eq!(gone, [folder.path().join(format!("a-20260101T000000Z.{EXTENSION}"))]);
        assert_eq!(prune(folder.path(), "a", 0, false).unwrap().len(), 1, "the last one stays");
        assert_eq!(bundles(folder.path(), "a-b").unwrap().len(), 1);
    }
}

//! What is in a folder, here or on a host.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::body::Body;
use crate::error::{Error, Result};

/// Everything below a folder by its relative path; parents come before what is in them.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Manifest(pub BTreeMap<String, Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub mode: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Folder,
    /// A folder on a host in which others than we can write, with its owner: nobody looks into it.
    Closed(String),
    File {
        sha256: String,
        size: u64,
    },
    /// With its target.
    Link(String),
}

impl Entry {
    /// Bytes of content.
    pub fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            _ => 0,
        }
    }
}

/// What is left alone.
pub(super) struct Filter(Vec<Pattern>);

impl Filter {
    /// Reads glob patterns. One without a slash is for names at any depth, one with a slash for paths from the top.
    pub fn new(patterns: &[String]) -> Result<Self> {
        let pattern = |text: &String| {
            Pattern::new(text.trim_matches('/'))
                .map_err(|error| Error::refused(format!("`{text}` is not a valid pattern: {error}")))
        };
        patterns.iter().map(pattern).collect::<Result<_>>().map(Filter)
    }

    /// Whether a path or a folder that it is in is left alone.
    fn excludes(&self, path: &str) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        let matches = |prefix: &str| {
            let name = prefix.rsplit('/').next().unwrap_or(prefix);
            self.0.iter().any(|p| p.matches_with(prefix, options) || p.matches_with(name, options))
        };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.into_iter().any(|end| matches(&path[..end]))
    }
}

impl Manifest {
    /// Reads a local folder.
    pub fn local(folder: &Path, filter: &Filter) -> Result<Self> {
        let mut entries = BTreeMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(inside) = waiting.pop() {
            let path = folder.join(&inside);
            let bad = |error: std::io::Error| Error::refused(format!("can't read {}: {error}", path.display()));
            for entry in std::fs::read_dir(&path).map_err(bad)? {
                let entry = entry.map_err(bad)?;
                let relative = inside.join(entry.file_name());
                let Some(name) = relative.to_str().filter(|name| !name.contains('\n')) else {
                    return Err(Error::refused(format!(
                        "{} has a name that is not a line of text",
                        entry.path().display()
                    )));
                };
                if filter.excludes(name) {
                    continue;
                }
                let metadata = entry.metadata().map_err(bad)?;
                let kind = if metadata.is_dir() {
                    waiting.push(relative.clone());
                    Kind::Folder
                } else if metadata.is_symlink() {
                    let target = std::fs::read_link(entry.path()).map_err(bad)?;
                    Kind::Link(target.to_string_lossy().into_owned())
                } else if metadata.is_file() {
                    let content = Body::Source(entry.path()).read().map_err(Error::refused)?;
                    Kind::File { sha256: content.sha256, size: content.size }
                } else {
                    return Err(Error::refused(format!("{} is not a file, folder or link", entry.path().display()))
                        .help("remove it, or name it in `exclude`"));
                };
                entries.insert(name.to_owned(), Entry { kind, mode: metadata.permissions().mode() & 0o7777 });
            }
        }
        Ok(Manifest(entries))
    }

    /// Reads what `list` of `work.sh` printed; None where there is no folder.
    pub fn remote(output: &[u8], filter: &Filter) -> Result<Option<Self>> {
        let text = String::from_utf8_lossy(output);
        let strange = || Error::host("the list of files on the host can't be read").help("is its `find` that of GNU?");
        if text.is_empty() {
            return Ok(None);
        }
        let mut fields = text.split('\0');
        let mut listed = Vec::new();
        loop {
            let head = fields.next().ok_or_else(strange)?;
            if head.is_empty() {
                break;
            }
            listed.push((head, fields.next().ok_or_else(strange)?, fields.next().ok_or_else(strange)?));
        }
        let sums: BTreeMap<&str, &str> = fields
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(sum, name)| Some((name.trim_start_matches([' ', '*']).strip_prefix("./")?, sum)))
            .collect();
        let mut entries = BTreeMap::new();
        for (head, name, target) in listed {
            if filter.excludes(name) {
                continue;
            }
            let parts: Vec<&str> = head.split(' ').collect();
            let [kind, mode, size, owner] = parts[..] else { return Err(strange()) };
            let kind = match kind {
                "d" => Kind::Folder,
                "closed" => Kind::Closed(owner.to_owned()),
                "f" => Kind::File {
                    sha256: sums.get(name).copied().unwrap_or_default().to_owned(),
                    size: size.parse().map_err(|_| strange())?,
                },
                // Sockets and the like have nothing in common with anything local.
                _ => Kind::Link(target.to_owned()),
            };
            entries.insert(name.to_owned(), Entry { kind, mode: u32::from_str_radix(mode, 8).map_err(|_| strange())? });
        }
        Ok(Some(Manifest(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_anywhere_and_paths_from_the_top() {
        let filter = Filter::new(&["*.log".into(), "build/tmp".into(), "/cache/".into()]).unwrap();
        for path in ["a.log", "x/y/a.log", "build/tmp", "build/tmp/x", "cache", "cache/a/b"] {
            assert!(filter.excludes(path), "{path}");
        }
        for path in ["a.logs", "x/build/tmp", "build", "log"] {
            assert!(!filter.excludes(path), "{path}");
        }
        assert!(Filter::new(&["[".into()]).is_err());
    }

    #[test]
    fn a_folder_that_is_not_there_has_nothing_in_it() {
        let filter = Filter::new(&[]).unwrap();
        assert_eq!(Manifest::remote(b"", &filter).unwrap(), None);
        assert_eq!(Manifest::remote(b"\0", &filter).unwrap(), Some(Manifest::default()));
    }
}

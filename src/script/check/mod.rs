//! Finds mistakes in scripts without running them and without a host.

mod calls;
mod library;
mod mistake;
mod scope;

use std::path::{Path, PathBuf};

pub use library::Library;
pub use mistake::Mistake;

use super::{Catalog, Folders, Sources};
use crate::error::{Error, Result};

/// What a check found.
pub struct Checked {
    /// How many scripts were looked at, without what they import.
    pub scripts: usize,
    /// What is wrong, by script and position.
    pub mistakes: Vec<Mistake>,
    /// The texts of the scripts.
    pub sources: Sources,
}

/// Checks scripts, folders of scripts, and the modules that they import: syntax, imports, names and numbers of arguments
/// of functions, variables, names of options. Imports are looked for beside each script and in the given folders;
/// `overrides` have modules that are used instead of the built-in ones.
///
/// # Errors
/// Refused when a path can't be read or nothing is found to check.
pub fn check(paths: &[PathBuf], overrides: &[PathBuf], catalog: &Catalog) -> Result<Checked> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        find(path, &mut files)?;
        if files.len() == before {
            return Err(Error::refused(format!("no scripts in {}", path.display()))
                .help("scripts are files whose names end in .rhai"));
        }
    }
    let sources = Sources::default();
    let given: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    let mut mistakes = Vec::new();
    for file in &files {
        let beside = file.parent().map(Path::to_path_buf).into_iter().chain(given.iter().cloned()).collect();
        let folders = Folders { overrides: overrides.to_vec(), beside };
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        let mut library = Library::new(folders, sources.clone());
        library.load(&file.display().to_string(), &text);
        mistakes.extend(library.check(catalog));
    }
    mistakes.sort();
    mistakes.dedup();
    Ok(Checked { scripts: files.len(), mistakes, sources })
}

/// The scripts at and below a path, in the order of their names.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        if !path.exists() {
            return Err(Error::refused(format!("script not found: {}", path.display())));
        }
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries: Vec<PathBuf> =
        entries.map_err(|error| unreadable(path, &error))?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "rhai") {
            find(&entry, files)?;
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::refused(format!("can't read {}: {error}", path.display()))
}

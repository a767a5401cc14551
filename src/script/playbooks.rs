//! The playbooks that come with k3srun: run by their names where no file of that name is, and written out to be edited.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::resolver::standard_library;

static PLAYBOOKS: Dir = include_dir!("$CARGO_MANIFEST_DIR/scripts");

/// All settings, explained.
const SETTINGS: &str = include_str!("../../cluster.toml.example");

/// Playbooks that work on a checkout of the project: they make its lab, and what its tests need.
const OF_THE_PROJECT: [&str; 3] = ["lab.rhai", "setup.rhai", "try.rhai"];

/// The file and the text of a playbook that is called `bootstrap`, `bootstrap.rhai` or `scripts/bootstrap.rhai`.
pub fn playbook(name: &str) -> Option<(&'static str, &'static str)> {
    let name = name.strip_prefix("scripts/").unwrap_or(name);
    let file = format!("{}.rhai", name.strip_suffix(".rhai").unwrap_or(name));
    let found = PLAYBOOKS.get_file(&file).filter(|_| !OF_THE_PROJECT.contains(&file.as_str()))?;
    Some((found.path().to_str()?, found.contents_utf8()?))
}

/// The names of all playbooks.
pub fn playbook_names() -> Vec<&'static str> {
    let files = PLAYBOOKS.files().filter_map(|file| file.path().to_str());
    files.filter(|file| !OF_THE_PROJECT.contains(file)).filter_map(|file| file.strip_suffix(".rhai")).collect()
}

/// Writes the playbooks into `scripts` in a folder, the modules of the standard library into `stdlib`, and
/// `cluster.toml.example`.
///
/// # Errors
/// Where one of these is there already, before anything is written; or where the folder can't be written to.
pub fn write_playbooks(folder: &Path) -> io::Result<()> {
    let (scripts, stdlib, settings) =
        (folder.join("scripts"), folder.join("stdlib"), folder.join("cluster.toml.example"));
    if let Some(taken) = [&scripts, &stdlib, &settings].into_iter().find(|path| path.exists()) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is there already", taken.display())));
    }
    fs::create_dir_all(&scripts)?;
    for file in PLAYBOOKS.files() {
        let name = file.path();
        if !OF_THE_PROJECT.iter().any(|other| name == Path::new(other)) {
            fs::write(scripts.join(name), file.contents())?;
        }
    }
    fs::create_dir(&stdlib)?;
    standard_library().extract(&stdlib)?;
    fs::write(settings, SETTINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playbook_is_known_by_its_name_its_file_and_its_path() {
        for name in ["bootstrap", "bootstrap.rhai", "scripts/bootstrap.rhai"] {
            assert!(playbook(name).is_some_and(|(file, text)| file == "bootstrap.rhai" && text.contains("phase(")));
        }
        assert!(playbook("lab").is_none() && playbook("../bootstrap").is_none() && playbook("").is_none());
        assert!(playbook_names().contains(&"verify") && !playbook_names().contains(&"try"));
    }
}

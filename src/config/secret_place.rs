//! Where a secret is kept, so that the configuration doesn't have it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{document::Sources, values};

/// Where a secret of an app is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretPlace {
    /// The name of an environment variable.
    Env(String),
    /// A file that only its owner can read. Its last line break is not a part of the secret.
    File(PathBuf),
}

impl SecretPlace {
    /// The secret itself.
    ///
    /// # Errors
    /// What is wrong with the place, as a sentence without its subject, and the remedy: a variable that isn't set, a file that
    /// is missing, readable by others, or not a text.
    pub fn read(&self) -> Result<String, String> {
        let sources = Sources::new("", "", Path::new(""));
        let checked = match self {
            Self::Env(name) => values::variable(name).map(drop),
            Self::File(path) => {
                values::secret_file(&path.display().to_string(), sources.get(sources.end_of_file())).map(drop)
            }
        };
        checked.map_err(|fault| format!("{}; {}", fault.reason, fault.remedy))?;
        match self {
            Self::Env(name) => std::env::var(name)
                .map_err(|_| format!("names an environment variable that is not a text: {name:?}; set it again")),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| text.strip_suffix('\n').map_or(text.clone(), str::to_owned))
                .map_err(|error| {
                    format!("names a file that can't be read: {}: {error}; it must be a text", path.display())
                }),
        }
    }
}

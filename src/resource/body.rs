//! What a file is to contain.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use sha2::{Digest as _, Sha256};

use super::path::{TEXT_LIMIT, hex, sha256};

/// Where the content comes from.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    Template(String, serde_json::Value),
    Source(PathBuf),
}

/// The content, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub sha256: String,
    pub size: u64,
    pub data: Data,
    /// The permission bits of the file it is from.
    pub mode: Option<u32>,
}

/// A file that is too large for a script stays where it is until it is sent.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Body {
    /// Reads or renders it.
    pub fn read(&self) -> Result<Content, String> {
        match self {
            Body::Bytes(bytes) => Ok(Content::new(bytes.clone())),
            Body::Template(template, vars) => render(template, vars).map(Content::new),
            Body::Source(path) => Content::of_file(path).map_err(|error| {
                format!(
                    "can't read {}: {error}; a relative path starts at the folder where k3srun was started",
                    path.display()
                )
            }),
        }
    }
}

impl Content {
    fn new(bytes: Vec<u8>) -> Self {
        Content { sha256: sha256(&bytes), size: bytes.len() as u64, data: Data::Bytes(bytes), mode: None }
    }

    fn of_file(path: &Path) -> std::io::Result<Self> {
        let mut file = std::fs::File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let mode = Some(metadata.permissions().mode() & 0o7777);
        if metadata.len() <= TEXT_LIMIT {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            return Ok(Content { mode, ..Content::new(bytes) });
        }
        let mut hash = Sha256::new();
        let size = std::io::copy(&mut file, &mut hash)?;
        Ok(Content { sha256: hex(&hash.finalize()), size, data: Data::File(path.to_owned()), mode })
    }
}

/// Renders a Jinja template. The line end at the end of the template is kept.
fn render(template: &str, vars: &serde_json::Value) -> Result<Vec<u8>, String> {
    let render = || {
        let mut environment = minijinja::Environment::new();
        // Without it a release build doesn't say which value is undefined.
        environment.set_debug(true);
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
        environment.render_str(template, minijinja::value::Serde(vars))
    };
    match render() {
        Ok(text) => Ok(text.into_bytes()),
        Err(error) => Err(format!("the template can't be rendered: {error}")),
    }
}

//! `cluster.toml` and `--set`: what the user says about the cluster, typed and checked, with all problems reported at once.
//!
//! - `document` reads TOML into a tree that knows its places; `overrides` puts `--set` arguments into it;
//! - `schema` says which keys there are, `k3s` those of k3s, `platform` those of what runs on the cluster, `app` those of an application, `values` and `names` what each may be, `reader` reports unknown, missing and mistyped ones;
//! - `consistency` compares settings with each other;
//! - `problem` is what the user sees, `masking` keeps secrets out of it.

mod app;
mod consistency;
mod document;
mod k3s;
mod masking;
mod names;
mod overrides;
mod platform;
mod problem;
mod reader;
mod schema;
mod secret_place;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::{fs, io, path::Path};

pub use app::{App, Volume};
pub use k3s::{K3s, K3sVersion};
pub use platform::{Certificates, Charts, Helm, Ingress, Monitoring, Platform};
pub use problem::{ConfigProblems, Problem};
pub use secret_place::SecretPlace;
pub use types::{Artifact, ArtifactSource, Checksum, Cluster, Config, ConnectOptions, Node, Role, Ssh, SudoPassword};

use document::Sources;
use reader::Reader;

impl Config {
    /// Reads and checks a configuration file and the `key=value` texts of `--set`, which win over it.
    ///
    /// Keys are paths with dots, nodes are addressed by name: `nodes.worker.private_ip=10.0.0.2`. Lists are written with commas.
    /// Paths in the file start at its folder, those of `--set` at the working directory.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use k3srun::config::Config;
    /// use std::path::Path;
    ///
    /// let config = Config::load(Path::new("cluster.toml.example"), &["nodes.worker.private_ip=10.0.0.9".to_owned()])?;
    /// assert_eq!(config.workers[0].private_ip.to_string(), "10.0.0.9");
    ///
    /// let problems = Config::load(Path::new("cluster.toml.example"), &["cluster.nam=prod".to_owned()]).unwrap_err();
    /// assert_eq!(problems.problems()[0].message(), "`cluster.nam` is not a setting");
    /// assert_eq!(problems.problems()[0].remedy(), "did you mean `name`?");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// All problems at once, each with its place and remedy.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, ConfigProblems> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| unreadable(name.clone(), &error))?;
        parse(&name, &text, path.parent().unwrap_or(Path::new("")), sets)
    }
}

fn unreadable(name: String, error: &io::Error) -> ConfigProblems {
    let (reason, help) = match error.kind() {
        io::ErrorKind::NotFound => {
            ("does not exist", "copy cluster.toml.example and fill it in, or name another file with -c")
        }
        io::ErrorKind::IsADirectory => ("is a directory", "name the file in it with -c"),
        io::ErrorKind::InvalidData => ("is not a text in UTF-8", "save it as UTF-8, or name another file with -c"),
        io::ErrorKind::PermissionDenied => ("may not be read by you", "give yourself the right to read it"),
        _ => {
            return ConfigProblems::unreadable(
                name,
                format!("can't be read: {error}"),
                "name another file with -c".to_owned(),
            );
        }
    };
    ConfigProblems::unreadable(name, reason.to_owned(), help.to_owned())
}

/// Checks the text of a configuration file called `name`, whose relative paths start at `base`.
fn parse(name: &str, text: &str, base: &Path, sets: &[String]) -> Result<Config, ConfigProblems> {
    let mut sources = Sources::new(name, text, base);
    let (mut root, mut findings) = document::parse_file(text);
    // What is read from a damaged text would only be followed by problems that aren't there.
    let damaged = !findings.is_empty();
    findings.extend(overrides::apply(&mut root, sets, &mut sources));
    if damaged {
        return Err(ConfigProblems::new(findings, &sources));
    }
    let mut reader = Reader::new(&sources);
    let draft = schema::read(&root, &mut reader);
    findings.extend(reader.finish());
    findings.extend(consistency::check(&draft));
    if findings.is_empty()
        && let Some(config) = draft.complete()
    {
        return Ok(config);
    }
    Err(ConfigProblems::new(findings, &sources))
}

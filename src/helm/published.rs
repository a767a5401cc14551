//! What a repository of charts offers.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::download;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::suggestion::nearest;

/// A version of a chart, as its repository's index has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Published {
    /// The version.
    pub version: String,
    /// The sha256 of the archive, where the index tells it.
    pub digest: Option<String>,
}

/// The part of an index that is of interest: those of large repositories have 5 MB.
#[derive(Deserialize)]
struct Index {
    entries: BTreeMap<String, Vec<Published>>,
}

/// All versions of a chart in a repository, previews too, in the order of its index.
///
/// # Errors
/// Unreachable; host where there is no index; refused where it has no such chart.
pub async fn published(run: &Run, repo: &str, chart: &str) -> Result<Vec<Published>> {
    let address = format!("{}/index.yaml", repo.trim_end_matches('/'));
    versions(&download::text(run, &address).await?, &address, chart)
}

fn versions(text: &str, address: &str, chart: &str) -> Result<Vec<Published>> {
    let mut index: Index = serde_yaml_ng::from_str(text).map_err(|error| {
        Error::host(format!("what is at {address} is not the index of a chart repository: {error}"))
            .help("is it the address of the repository, without index.yaml?")
    })?;
    index.entries.remove(chart).ok_or_else(|| {
        let error = Error::refused(format!("{address} has no chart {chart}"));
        match nearest(chart, index.entries.keys().map(String::as_str)) {
            Some(meant) => error.help(format!("did you mean {meant}?")),
            None => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str =
        "apiVersion: v1\nentries:\n  web:\n  - {version: 1.1.0, digest: ab, urls: [x]}\n  - {version: 1.0.0}\n";

    #[test]
    fn versions_are_told_in_their_order() {
        let found = versions(INDEX, "at", "web").unwrap();
        let of = |version: &str, digest: Option<&str>| Published {
            version: version.into(),
            digest: digest.map(str::to_owned),
        };
        assert_eq!(found, [of("1.1.0", Some("ab")), of("1.0.0", None)]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(versions(INDEX, "at", "wbe").unwrap_err().to_string(), "at has no chart wbe");
        assert!(versions("<html>", "at", "web").unwrap_err().message.starts_with("what is at at is not the index"));
    }
}

//! What is in a chart: a packed one (`.tgz`) or a folder.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::download::sha256;
use crate::error::{Error, Result};
use crate::kube::documents;

/// The files of a chart by their path in it, e.g. `crds/a.yaml` and `charts/sub/values.yaml`: charts inside are unpacked.
#[derive(Debug, Default)]
pub(super) struct Archive(BTreeMap<String, Vec<u8>>);

/// What a chart says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of what it installs.
    #[serde(default)]
    pub app_version: String,
    #[serde(default)]
    pub(super) dependencies: Vec<Dependency>,
}

/// A chart inside a chart.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Dependency {
    pub name: String,
    pub alias: Option<String>,
}

impl Archive {
    /// Reads a chart.
    pub fn read(path: &Path) -> Result<Self> {
        let mut archive = Archive::default();
        let read = if path.is_dir() {
            archive.add_folder(path, path)
        } else {
            std::fs::read(path).and_then(|data| archive.unpack(&data, ""))
        };
        let unusable = |why: String| {
            Error::refused(format!("{} is not a chart: {why}", path.display()))
                .help("a chart is a folder with a Chart.yaml, or the archive (.tgz) that `helm package` makes of one")
        };
        read.map_err(|error| unusable(error.to_string()))?;
        if !archive.0.contains_key("Chart.yaml") {
            return Err(unusable("there is no Chart.yaml in it".into()));
        }
        Ok(archive)
    }

    fn add_folder(&mut self, root: &Path, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.add_folder(root, &path)?;
            } else {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                self.add(name, std::fs::read(&path)?)?;
            }
        }
        Ok(())
    }

    /// Everything in a packed chart is in one folder, called like the chart.
    fn unpack(&mut self, data: &[u8], place: &str) -> std::io::Result<()> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(data));
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path()?.to_string_lossy().into_owned();
            let Some((folder, rest)) = path.trim_start_matches("./").split_once('/') else { continue };
            let name = if place.is_empty() { rest.to_owned() } else { format!("{place}{folder}/{rest}") };
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            self.add(name, content)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, content: Vec<u8>) -> std::io::Result<()> {
        match name.rsplit_once('/') {
            Some((folder, file)) if folder.ends_with("charts") && file.ends_with(".tgz") => {
                self.unpack(&content, &format!("{folder}/"))
            }
            _ => {
                self.0.insert(name, content);
                Ok(())
            }
        }
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.0.get(name)?).ok()
    }

    /// The texts whose names begin so.
    pub fn texts<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.0.iter().filter(move |(name, _)| name.starts_with(start));
        files.filter_map(|(name, content)| Some((name.as_str(), std::str::from_utf8(content).ok()?)))
    }

    /// What the chart in a folder of this one (empty: this one) says about itself.
    pub fn metadata(&self, place: &str) -> Result<Metadata> {
        let name = format!("{place}Chart.yaml");
        let unusable = |why: String| Error::refused(format!("{name} of the chart can't be used: {why}"));
        let text = self.text(&name).ok_or_else(|| unusable("it is missing".into()))?;
        serde_yaml_ng::from_str(text).map_err(|error| unusable(error.to_string()))
    }

    /// The definitions of kinds in the folders `crds`, those of charts inside, too.
    pub fn crds(&self) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for (name, text) in self.texts("") {
            let in_folder = name.starts_with("crds/") || (name.starts_with("charts/") && name.contains("/crds/"));
            if in_folder && (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.contains("/templates/") {
                let found = documents(text).map_err(|error| Error::refused(format!("{name} of the chart: {error}")))?;
                all.extend(found.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition"));
            }
        }
        Ok(all)
    }

    /// The sha256 of all names and contents, for a chart that is not a file.
    pub fn sum(&self) -> String {
        let list: String = self.0.iter().map(|(name, content)| format!("{}  {name}\n", sha256(content))).collect();
        sha256(list.as_bytes())
    }
}

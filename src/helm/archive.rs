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
pub(super) struct Archive {
    files: BTreeMap<String, Vec<u8>>,
    /// The bytes of names and contents.
    size: usize,
}

/// What a chart may take unpacked, in bytes, and how deep charts may lie in charts: far more than any has that is known, and far
/// less than this machine's memory.
const LARGEST: usize = 128 << 20;
const DEEPEST: usize = 8;

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
        if !archive.files.contains_key("Chart.yaml") {
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
        if place.matches("charts/").count() > DEEPEST {
            return Err(std::io::Error::other(format!("charts lie in it more than {DEEPEST} deep")));
        }
        // Twice as much with the headers: what describes a file, its name for example, is read before anybody can look at it.
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(data).take(2 * LARGEST as u64));
        for entry in archive.entries()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path()?.to_string_lossy().into_owned();
            let Some((folder, rest)) = path.trim_start_matches("./").split_once('/') else { continue };
            let name = if place.is_empty() { rest.to_owned() } else { format!("{place}{folder}/{rest}") };
            let mut content = Vec::new();
            // One byte more shows that there is more.
            entry.take(self.room() as u64 + 1).read_to_end(&mut content)?;
            self.add(name, content)?;
        }
        // An archive that is cut off between two files would look whole.
        if archive.into_inner().limit() == 0 { Err(too_large()) } else { Ok(()) }
    }

    /// What it may still take.
    fn room(&self) -> usize {
        LARGEST - self.size
    }

    fn add(&mut self, name: String, content: Vec<u8>) -> std::io::Result<()> {
        if name.len() + content.len() > self.room() {
            return Err(too_large());
        }
        match name.rsplit_once('/') {
            Some((folder, file)) if folder.ends_with("charts") && file.ends_with(".tgz") => {
                self.unpack(&content, &format!("{folder}/"))
            }
            _ => {
                self.size += name.len() + content.len();
                self.files.insert(name, content);
                Ok(())
            }
        }
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(name)?).ok()
    }

    /// The texts whose names begin so.
    pub fn texts<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.files.iter().filter(move |(name, _)| name.starts_with(start));
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
        let list: String = self.files.iter().map(|(name, content)| format!("{}  {name}\n", sha256(content))).collect();
        sha256(list.as_bytes())
    }
}

fn too_large() -> std::io::Error {
    std::io::Error::other(format!("unpacked it is larger than {} MiB", LARGEST >> 20))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A packed chart with one file.
    fn packed(name: &str, content: &[u8]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn refusal(chart: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(chart).unwrap();
        Archive::read(file.path()).unwrap_err().message
    }

    #[test]
    fn a_small_file_does_not_become_a_large_chart() {
        let zeros = vec![0; LARGEST + 1];
        assert!(refusal(&packed("chart/zeros", &zeros)).ends_with("unpacked it is larger than 128 MiB"));
        let inside = packed("inner/zeros", &zeros[..LARGEST - 100]);
        assert!(refusal(&packed("chart/charts/inner.tgz", &inside)).ends_with("there is no Chart.yaml in it"));
        let inside = packed("inner/zeros", &zeros);
        assert!(refusal(&packed("chart/charts/inner.tgz", &inside)).ends_with("unpacked it is larger than 128 MiB"));
    }

    #[test]
    fn what_is_not_kept_counts_too() {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(3 * LARGEST as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, "chart", std::io::repeat(0).take(3 * LARGEST as u64)).unwrap();
        let chart = tar.into_inner().unwrap().finish().unwrap();
        assert!(chart.len() < 8 << 20);
        assert!(!refusal(&chart).ends_with("there is no Chart.yaml in it"));
    }

    #[test]
    fn charts_in_charts_have_an_end() {
        let mut chart = packed("deep/Chart.yaml", b"name: deep");
        for _ in 0..20 {
            chart = packed("deep/charts/deep.tgz", &chart);
        }
        assert!(refusal(&chart).ends_with("charts lie in it more than 8 deep"));
    }
}

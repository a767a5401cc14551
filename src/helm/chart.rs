//! Where a chart comes from, and what proves that it is the right one. A chart that was fetched is kept, so that plan and run
//! use the same one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::archive::{Archive, Metadata};
use super::download::{self, sha256};
use super::process::Call;
use super::{Helm, explain};
use crate::error::{Error, Result};

/// Where a chart comes from.
#[derive(Debug, Clone, Default)]
pub struct ChartSource {
    /// The name of a chart in `repo` or `bundle`; or a folder, an archive (`.tgz`), the address of one, or `oci://..`.
    pub chart: String,
    /// The address of the repository.
    pub repo: Option<String>,
    /// A folder with archives of charts on this machine.
    pub bundle: Option<PathBuf>,
    /// The version.
    pub version: Option<String>,
    /// The sha256 of the archive; of an `oci://` chart that of its manifest.
    pub digest: Option<String>,
}

/// A chart at hand.
#[derive(Debug)]
pub(super) struct Chart {
    pub path: PathBuf,
    pub metadata: Metadata,
    pub files: Archive,
    /// What tells it from others of the same name and version: a sha256.
    pub identity: String,
}

/// What is known of a chart without asking the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub name: String,
    pub version: Option<String>,
    pub identity: Option<String>,
}

/// The kinds of places.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Here(PathBuf),
    Repository(String),
    Address,
    Oci,
}

impl ChartSource {
    fn place(&self) -> Result<Place> {
        let chart = self.chart.as_str();
        let refuse = |message: String, help: &str| Err(Error::refused(message).help(help.to_owned()));
        if chart.is_empty() || chart.starts_with('-') {
            return refuse(
                format!("{chart:?} is not a chart"),
                "give a name with `repo` or `bundle`, a path, an https address or oci://..",
            );
        }
        if let Some(digest) = &self.digest
            && hex(digest).is_none()
        {
            return refuse(
                format!("{digest:?} is not a valid sha256"),
                "`digest` is 64 hexadecimal digits, with or without `sha256:` before them",
            );
        }
        match (&self.repo, &self.bundle) {
            (Some(_), Some(_)) => {
                refuse("`repo` and `bundle` exclude each other".into(), "a bundle is what stands in for the repository")
            }
            (Some(repo), None) if !repo.starts_with("https://") && !repo.starts_with("http://") => refuse(
                format!("{repo:?} is not a valid repository address"),
                "e.g. https://traefik.github.io/charts; charts of a registry are named oci://.. as `chart`",
            ),
            (Some(_), None) if self.version.is_none() => refuse(
                format!("the chart {chart} of {} needs a version", self.repo.as_deref().unwrap_or_default()),
                "give `version`: what is the newest today is another one tomorrow",
            ),
            (Some(repo), None) => Ok(Place::Repository(repo.clone())),
            (None, Some(bundle)) => self.bundled(bundle).map(Place::Here),
            (None, None) if chart.starts_with("oci://") => match (&self.version, &self.digest) {
                (None, None) => refuse(
                    format!("{chart} needs a version or a digest"),
                    "give `version` or `digest`: what is the newest today is another one tomorrow",
                ),
                _ => Ok(Place::Oci),
            },
            (None, None) if chart.starts_with("https://") || chart.starts_with("http://") => Ok(Place::Address),
            (None, None) if Path::new(chart).exists() => Ok(Place::Here(chart.into())),
            (None, None) => {
                refuse(format!("no chart at {chart}"), "give `repo` or `bundle` with a name; or check the path")
            }
        }
    }

    /// The archive of a bundle.
    fn bundled(&self, bundle: &Path) -> Result<PathBuf> {
        if let Some(version) = &self.version {
            let path = bundle.join(format!("{}-{version}.tgz", self.chart));
            return match path.is_file() {
                true => Ok(path),
                false => {
                    Err(Error::refused(format!("the bundle has no {}", path.display()))
                        .help("check `chart` and `version`"))
                }
            };
        }
        let entries = std::fs::read_dir(bundle)
            .map_err(|error| Error::refused(format!("can't read the bundle {}: {error}", bundle.display())))?;
        let start = format!("{}-", self.chart);
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let version = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".tgz"));
                version.is_some_and(|version| version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))
            })
            .collect();
        found.sort();
        match (found.pop(), found.is_empty()) {
            (Some(path), true) => Ok(path),
            (Some(_), false) => {
                Err(Error::refused(format!("the bundle {} has several charts {}", bundle.display(), self.chart))
                    .help("give `version`"))
            }
            (None, _) => Err(Error::refused(format!("the bundle {} has no chart {}", bundle.display(), self.chart))
                .help("archives in it are called NAME-VERSION.tgz")),
        }
    }

    /// What it is called in the cache.
    fn cached(&self, home: &Path) -> PathBuf {
        let Self { chart, repo, bundle: _, version, digest } = self;
        let id = sha256(format!("{chart}\n{repo:?}\n{version:?}\n{digest:?}").as_bytes());
        let name = chart.trim_end_matches(".tgz").rsplit('/').next().unwrap_or_default();
        home.join("charts").join(format!("{name}-{}.tgz", &id[..16]))
    }
}

/// A sha256 without what may stand before it.
fn hex(digest: &str) -> Option<String> {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    (digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit())).then(|| digits.to_lowercase())
}

impl Helm {
    /// What there is to know without the internet; nothing of a chart that only a download can tell about.
    pub(super) fn known(&self, source: &ChartSource) -> Result<Option<Known>> {
        let place = source.place()?;
        let file = match &place {
            Place::Here(path) => path.clone(),
            _ => source.cached(self.home()),
        };
        if file.exists() {
            let Chart { metadata, identity, .. } = open(&file, source, &place)?;
            return Ok(Some(Known { name: metadata.name, version: Some(metadata.version), identity: Some(identity) }));
        }
        if place == Place::Address {
            return Ok(None);
        }
        let name = source.chart.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Some(Known { name, version: source.version.clone(), identity: source.digest.as_deref().and_then(hex) }))
    }

    /// The chart, fetched where it must be, and verified.
    pub(super) async fn chart(&self, source: &ChartSource) -> Result<Chart> {
        let place = source.place()?;
        if let Place::Here(path) = &place {
            return open(path, source, &place);
        }
        let file = source.cached(self.home());
        if !file.is_file() {
            let data = self.pull(source, &place).await?;
            verify(source, &place, &data, &source.chart)?;
            download::keep(&file, &data, 0o600)?;
        }
        open(&file, source, &place)
    }

    async fn pull(&self, source: &ChartSource, place: &Place) -> Result<Vec<u8>> {
        let failed = |error: std::io::Error| Error::refused(format!("can't write a temporary folder: {error}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut chart = source.chart.clone();
        if let (Place::Oci, Some(digest)) = (place, source.digest.as_deref().and_then(hex)) {
            chart = format!("{chart}@sha256:{digest}");
        }
        let mut arguments = vec!["pull".to_owned(), chart, "--destination".into(), folder.path().display().to_string()];
        if let Place::Repository(repo) = place {
            arguments.extend(["--repo".into(), repo.clone()]);
        }
        if let Some(version) = &source.version
            && *place != Place::Address
        {
            arguments.extend(["--version".into(), version.clone()]);
        }
        let title = format!("fetching the chart {}", source.chart);
        let call = Call { arguments, limit: Duration::from_secs(300), ..Call::default() };
        let answer = self.run(&title, call).await?;
        if !answer.ok {
            return Err(explain::download(&title, &answer));
        }
        let file = std::fs::read_dir(folder.path())
            .map_err(failed)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|end| end == "tgz"));
        let file = file.ok_or_else(|| Error::host(format!("{title}: Helm has left no archive")))?;
        std::fs::read(file).map_err(failed)
    }
}

/// Reads a chart of this machine, and compares it with what is wanted.
fn open(path: &Path, source: &ChartSource, place: &Place) -> Result<Chart> {
    let files = Archive::read(path)?;
    let sum = if path.is_dir() {
        files.sum()
    } else {
        let data =
            std::fs::read(path).map_err(|error| Error::refused(format!("can't read {}: {error}", path.display())))?;
        verify(source, place, &data, &path.display().to_string())?
    };
    let identity = match (place, source.digest.as_deref().and_then(hex)) {
        (Place::Oci, Some(digest)) => digest,
        _ => sum,
    };
    let metadata = files.metadata("")?;
    if let Some(version) = &source.version
        && version.trim_start_matches('v') != metadata.version.trim_start_matches('v')
    {
        let message = format!("the chart {} is version {}, not {version}", path.display(), metadata.version);
        return Err(Error::refused(message).help("check `version`, or leave it out for a chart on this machine"));
    }
    Ok(Chart { path: path.to_owned(), metadata, files, identity })
}

/// The sha256 of an archive, which must be the wanted one.
fn verify(source: &ChartSource, place: &Place, data: &[u8], origin: &str) -> Result<String> {
    let found = sha256(data);
    match source.digest.as_deref().and_then(hex) {
        // Helm has compared the manifest with it.
        Some(_) if *place == Place::Oci => {}
        Some(wanted) if wanted != found => {
            let message = format!("the chart {origin} has the sha256 {found}, not {wanted}");
            return Err(Error::refused(message).help("is it the right version? It is not used"));
        }
        _ => {}
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(chart: &str) -> ChartSource {
        ChartSource { chart: chart.into(), ..ChartSource::default() }
    }

    #[test]
    fn a_chart_without_a_version_is_refused() {
        let repo = ChartSource { repo: Some("https://example.test".into()), ..source("web") };
        assert_eq!(repo.place().unwrap_err().message, "the chart web of https://example.test needs a version");
        assert_eq!(
            source("oci://example.test/web").place().unwrap_err().message,
            "oci://example.test/web needs a version or a digest"
        );
    }

    #[test]
    fn the_archive_of_a_bundle_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["web-1.0.0.tgz", "web-extra-1.0.0.tgz"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut wanted = ChartSource { bundle: Some(folder.path().to_owned()), ..source("web") };
        assert_eq!(wanted.place().unwrap(), Place::Here(folder.path().join("web-1.0.0.tgz")));
        wanted.version = Some("2.0.0".into());
        assert!(wanted.place().unwrap_err().message.ends_with("web-2.0.0.tgz"));
        std::fs::write(folder.path().join("web-v1.1.0.tgz"), "").unwrap();
        wanted.version = None;
        assert!(wanted.place().unwrap_err().message.ends_with("has several charts web"));
    }

    #[test]
    fn digests_are_compared() {
        assert_eq!(hex(&format!("sha256:{}", "A".repeat(64))), Some("a".repeat(64)));
        assert!(hex("12").is_none());
        let wanted = ChartSource { digest: Some("0".repeat(64)), ..source("web.tgz") };
        let error = verify(&wanted, &Place::Address, b"", "web.tgz").unwrap_err();
        assert!(error.message.ends_with(&format!("not {}", "0".repeat(64))), "{error}");
    }
}

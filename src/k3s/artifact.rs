//! Where the executable of k3s comes from and what proves that it is the right one.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::K3sVersion;
use crate::error::{Error, Result};

/// Where the official releases are.
const RELEASES: &str = "https://github.com/k3s-io/k3s/releases/download";

/// Where the executable comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Fields")]
pub enum Source {
    /// The official release, downloaded by the host.
    #[default]
    Release,
    /// Downloaded by the host.
    Url(String, Option<Check>),
    /// Sent from this machine.
    File(PathBuf, Option<Check>),
    /// A folder on this machine with the executable, archives of images and the list of checksums of a release.
    Bundle(PathBuf),
}

/// What proves that an artifact is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Its sha256 in hexadecimal digits.
    Sha256(String),
    /// A list as `sha256sum` writes it, on this machine.
    SumsFile(PathBuf),
    /// The same, downloaded by the host.
    SumsUrl(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    url: Option<String>,
    path: Option<PathBuf>,
    bundle: Option<PathBuf>,
    sha256: Option<String>,
    sums: Option<String>,
}

impl TryFrom<Fields> for Source {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let check = match (fields.sha256, fields.sums) {
            (Some(_), Some(_)) => return Err("give one of `sha256` and `sums`".into()),
            (Some(sum), None) if is_sha256(&sum) => Some(Check::Sha256(sum.to_lowercase())),
            (Some(_), None) => return Err("`sha256` must be 64 hexadecimal digits".into()),
            (None, Some(sums)) if is_url(&sums) => Some(Check::SumsUrl(sums)),
            (None, Some(sums)) => Some(Check::SumsFile(sums.into())),
            (None, None) => None,
        };
        match (fields.url, fields.path, fields.bundle) {
            (None, None, None) if check.is_none() => Ok(Source::Release),
            (None, None, None) => Err("a checksum without `url` or `path`".into()),
            (Some(url), None, None) if is_url(&url) => Ok(Source::Url(url, check)),
            (Some(url), None, None) => Err(format!("{url:?} is not an address that begins with https://")),
            (None, Some(path), None) => Ok(Source::File(path, check)),
            (None, None, Some(path)) if check.is_none() => Ok(Source::Bundle(path)),
            (None, None, Some(_)) => Err("a bundle brings its own list of checksums".into()),
            _ => Err("give one of `url`, `path` and `bundle`".into()),
        }
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// A processor for which k3s is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// As in the names of the lists of checksums.
    pub name: &'static str,
    /// What the name of the executable ends with.
    pub suffix: &'static str,
}

impl Arch {
    /// The processor that `uname -m` calls so.
    ///
    /// # Errors
    /// Refused where there is no release for it.
    pub fn of_machine(machine: &str) -> Result<Self> {
        match machine {
            "x86_64" | "amd64" => Ok(Arch { name: "amd64", suffix: "" }),
            "aarch64" | "arm64" => Ok(Arch { name: "arm64", suffix: "-arm64" }),
            "armv7l" | "armv6l" | "arm" => Ok(Arch { name: "arm", suffix: "-armhf" }),
            "s390x" => Ok(Arch { name: "s390x", suffix: "-s390x" }),
            other => Err(Error::refused(format!("k3s has no release for the processor {other}"))
                .help("k3s is released for amd64, arm64, arm and s390x")),
        }
    }
}

/// The executable as a host is to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binary {
    /// The host downloads it.
    Download {
        /// From here.
        url: String,
        /// What it must be.
        sum: Sum,
    },
    /// We send it.
    Upload {
        /// This file.
        path: PathBuf,
        /// Its sha256, by the list or the option: the file itself is compared with it.
        sha256: String,
    },
}

/// What a download must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sum {
    /// This sha256.
    Known(String),
    /// What the list at `url` says about the file called `name`.
    Listed {
        /// The list's address.
        url: String,
        /// The file's name in the list.
        name: String,
    },
}

impl Binary {
    /// The sha256, where it is known before anything is downloaded.
    pub fn sha256(&self) -> Option<&str> {
        match self {
            Binary::Download { sum: Sum::Known(sha256), .. } | Binary::Upload { sha256, .. } => Some(sha256),
            Binary::Download { sum: Sum::Listed { .. }, .. } => None,
        }
    }

    /// Where it comes from, for reports.
    pub fn origin(&self) -> String {
        match self {
            Binary::Download { url, .. } => url.clone(),
            Binary::Upload { path, .. } => path.display().to_string(),
        }
    }
}

/// All that a host gets from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts {
    /// The executable.
    pub binary: Binary,
    /// Archives of images on this machine, with their sha256 where a list of checksums has it.
    pub images: Vec<(PathBuf, Option<String>)>,
}

impl Source {
    /// The archives of images: the given ones, and those of a bundle.
    ///
    /// # Errors
    /// Refused when the bundle can't be read.
    pub fn images(&self, given: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut all = given.to_vec();
        if let Source::Bundle(folder) = self {
            all.extend(images_in(folder)?);
        }
        Ok(all)
    }

    /// What to bring to a host of this processor; reads lists of checksums that are on this machine.
    ///
    /// # Errors
    /// Refused when a file can't be read or no checksum is known: nothing is installed unverified.
    pub fn artifacts(&self, version: &K3sVersion, arch: Arch, images: &[PathBuf]) -> Result<Artifacts> {
        let name = format!("k3s{}", arch.suffix);
        let list = format!("sha256sum-{}.txt", arch.name);
        let mut archives: Vec<(PathBuf, Option<String>)> = Vec::new();
        for path in self.images(images)? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sum = match self {
                Source::Bundle(folder) if path.starts_with(folder) => Some(listed(&folder.join(&list), &[&file])?),
                _ => None,
            };
            archives.push((path, sum));
        }
        let binary = match self {
            Source::Release => {
                // `+` means a space in some servers' reading of an address.
                let base = format!("{RELEASES}/{}", version.to_string().replace('+', "%2B"));
                let sum = Sum::Listed { url: format!("{base}/{list}"), name: name.clone() };
                Binary::Download { url: format!("{base}/{name}"), sum }
            }
            Source::Url(url, check) => {
                let (folder, file) = url.rsplit_once('/').unwrap_or(("", url));
                let file = file.split(['?', '#']).next().unwrap_or(file).replace("%2B", "+");
                let sum = match check {
                    Some(Check::Sha256(sum)) => Sum::Known(sum.clone()),
                    Some(Check::SumsFile(path)) => Sum::Known(listed(path, &[&file, &name])?),
                    Some(Check::SumsUrl(list)) => Sum::Listed { url: list.clone(), name: file },
                    None => Sum::Listed { url: format!("{folder}/{list}"), name: file },
                };
                Binary::Download { url: url.clone(), sum }
            }
            Source::File(path, check) => {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let sha256 = match check {
                    Some(Check::Sha256(sum)) => sum.clone(),
                    Some(Check::SumsFile(sums)) => listed(sums, &[&file, &name])?,
                    Some(Check::SumsUrl(_)) => {
                        return Err(Error::refused("a file on this machine needs its checksum on this machine")
                            .help("give `sha256`, or `sums` with the path of the list"));
                    }
                    None => listed(&path.with_file_name(&list), &[&file, &name])?,
                };
                Binary::Upload { path: path.clone(), sha256 }
            }
            Source::Bundle(folder) => {
                let sums = folder.join(&list);
                Binary::Upload { path: folder.join(&name), sha256: listed(&sums, &[&name])? }
            }
        };
        Ok(Artifacts { binary, images: archives })
    }
}

/// What k3s imports from its images folder.
const ARCHIVES: [&str; 8] = [".tar", ".tar.gz", ".tar.zst", ".tar.lz4", ".tar.bz2", ".tgz", ".tzst", ".tbz"];

/// Whether k3s would import a file of this name.
pub fn is_archive(name: &str) -> bool {
    ARCHIVES.iter().any(|end| name.ends_with(end))
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Error::refused(format!("can't read the bundle {}: {error}", folder.display())))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| is_archive(&name.to_string_lossy())))
        .collect();
    found.sort();
    Ok(found)
}

/// The sha256 that a list on this machine has for the first of these names that it knows.
fn listed(list: &Path, names: &[&str]) -> Result<String> {
    let help = "give `sha256`, or `sums` with a list as sha256sum writes it: nothing is installed unverified";
    let text = std::fs::read_to_string(list)
        .map_err(|error| Error::refused(format!("can't read the checksums {}: {error}", list.display())).help(help))?;
    names.iter().find_map(|name| sum_of(&text, name)).ok_or_else(|| {
        Error::refused(format!("{} has no checksum of {}", list.display(), names.join(" or "))).help(help)
    })
}

/// The sha256 of the file `name` in a list as `sha256sum` writes it.
pub fn sum_of(list: &str, name: &str) -> Option<String> {
    list.lines().find_map(|line| {
        let (sum, file) = line.split_once(char::is_whitespace)?;
        let file = file.trim_start().trim_start_matches('*').trim_start_matches("./");
        (file == name && is_sha256(sum)).then(|| sum.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AMD64: Arch = Arch { name: "amd64", suffix: "" };
    const ARM64: Arch = Arch { name: "arm64", suffix: "-arm64" };

    fn version() -> K3sVersion {
        "v1.36.5+k3s1".parse().unwrap()
    }

    fn source(value: serde_json::Value) -> Result<Source, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn the_official_release_is_the_default_and_its_address_is_encoded() {
        let artifacts = Source::default().artifacts(&version(), ARM64, &[]).unwrap();
        let base = "https://github.com/k3s-io/k3s/releases/download/v1.36.5%2Bk3s1";
        let sum = Sum::Listed { url: format!("{base}/sha256sum-arm64.txt"), name: "k3s-arm64".into() };
        assert_eq!(artifacts.binary, Binary::Download { url: format!("{base}/k3s-arm64"), sum });
    }

    #[test]
    fn a_file_without_a_checksum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::File(folder.path().join("k3s"), None).artifacts(&version(), AMD64, &[]).unwrap_err();
        assert!(error.message.starts_with("can't read the checksums"), "{error}");
        assert!(error.help.unwrap().contains("nothing is installed unverified"));
    }

    #[test]
    fn a_bundle_brings_executable_images_and_sums() {
        let folder = tempfile::tempdir().unwrap();
        let sums = format!("{}  k3s-images.tar\n{}  k3s\n", "A".repeat(64), "b".repeat(64));
        std::fs::write(folder.path().join("sha256sum-amd64.txt"), sums).unwrap();
        std::fs::write(folder.path().join("k3s-images.tar"), "").unwrap();
        let artifacts = Source::Bundle(folder.path().to_owned()).artifacts(&version(), AMD64, &[]).unwrap();
        assert_eq!(artifacts.binary.sha256(), Some("b".repeat(64).as_str()));
        assert_eq!(artifacts.images, [(folder.path().join("k3s-images.tar"), Some("a".repeat(64)))]);
    }

    #[test]
    fn the_line_of_the_list_is_the_exact_one() {
        let list =
            format!("{0}  k3s-airgap-images-amd64.tar\n{1} *./k3s\n{0}  k3s-arm64\n", "0".repeat(64), "1".repeat(64));
        assert_eq!(sum_of(&list, "k3s"), Some("1".repeat(64)));
        assert_eq!(sum_of(&list, "3s"), None);
    }

    #[test]
    fn contradictions_are_refused() {
        for (value, message) in [
            (json!({ "url": "https://a/k3s", "path": "k3s" }), "give one of `url`, `path` and `bundle`"),
            (json!({ "path": "k3s", "sha256": "12" }), "`sha256` must be 64 hexadecimal digits"),
            (json!({ "path": "k3s", "sha256": "1", "sums": "x" }), "give one of `sha256` and `sums`"),
            (json!({ "url": "k3s" }), "\"k3s\" is not an address that begins with https://"),
            (json!({ "sums": "x" }), "a checksum without `url` or `path`"),
        ] {
            assert_eq!(source(value).unwrap_err(), message);
        }
    }
}

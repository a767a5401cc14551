//! The Helm CLI: which one is used, and what its major version means for the flags.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::download;
use super::process::{self, Call};
use crate::error::{Error, Result};
use crate::report::Level;
use crate::run::Run;

/// Which Helm CLI to use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientOptions {
    /// The executable. Default: `helm` on the PATH, or else the release of `version`.
    pub binary: Option<PathBuf>,
    /// The release to fetch where no Helm is installed, e.g. `v4.3.1`.
    pub version: Option<String>,
    /// The sha256 of that release's archives by platform, e.g. `linux-amd64`. Where the platform's is missing, it is verified by
    /// the list that lies beside the archive.
    pub sha256: BTreeMap<String, String>,
    /// Where releases are fetched from; `https://get.helm.sh`.
    pub mirror: Option<String>,
}

/// The generations of Helm that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Major {
    /// Applies by the client, waits in its own way.
    Three,
    /// Applies by the server.
    Four,
}

/// A Helm CLI that runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub path: PathBuf,
    pub version: String,
    pub major: Major,
}

/// Releases that must not be used, and why.
const BROKEN: [(&str, &str); 1] = [("4.2.1", "it hangs when it waits and when it removes hooks")];

/// Finds the CLI: the named one, the installed one, or the fetched release.
pub(super) async fn find(run: &Run, options: &ClientOptions, home: &Path) -> Result<Program> {
    if let Some(path) = &options.binary {
        return probe(run, path, home).await;
    }
    if let Some(path) = on_path() {
        match probe(run, &path, home).await {
            Ok(program) => return Ok(program),
            Err(error) if options.version.is_none() => return Err(error),
            Err(error) => run.report().note(Level::Warning, format!("{error}: fetching another one")),
        }
    }
    let Some(version) = &options.version else {
        return Err(Error::refused("there is no `helm` on the PATH, and no release is named that could be fetched")
            .help("install Helm, or give `binary` or `version`: helm::client(k, charts::helm(c)) has the pinned one"));
    };
    probe(run, &fetch(run, version, options, home).await?, home).await
}

/// Whether a named executable can be one, without running it.
pub(super) fn check(options: &ClientOptions) -> Result<()> {
    let Some(path) = &options.binary else { return Ok(()) };
    let problem = match std::fs::metadata(path) {
        Err(error) => format!("can't read {}: {error}", path.display()),
        Ok(file) if !file.is_file() => format!("{} is not a file", path.display()),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => format!("{} is not executable", path.display()),
        Ok(_) => return Ok(()),
    };
    Err(Error::refused(problem)
        .help("`binary` must be a Helm CLI for this machine; leave it out to use the one on the PATH"))
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let runs = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path).map(|folder| folder.join("helm")).find(runs)
}

/// Asks a CLI for its version.
async fn probe(run: &Run, path: &Path, home: &Path) -> Result<Program> {
    let arguments = ["version", "--template", "{{.Version}}"].map(str::to_owned).to_vec();
    let call = Call { arguments, limit: Duration::from_secs(30), ..Call::default() };
    let answer = process::run(run, path, home, call).await?;
    let said = answer.stdout.trim();
    let Some((version, major)) = answer.ok.then(|| parse(said)).flatten() else {
        let error = Error::refused(format!("{} is no Helm of version 3 or 4", path.display()));
        return Err(error.output([said, answer.stderr.trim()].join("\n")).help("name another one, or leave it out"));
    };
    if let Some((_, why)) = BROKEN.iter().find(|(broken, _)| *broken == version) {
        let error = Error::refused(format!("{} is Helm {version}, which can't be used: {why}", path.display()));
        return Err(error.help("install a newer one"));
    }
    Ok(Program { path: path.to_owned(), version: version.to_owned(), major })
}

/// `v4.3.1`; a build from the module's sources says `v4.3`.
fn parse(said: &str) -> Option<(&str, Major)> {
    let version = said.strip_prefix('v').unwrap_or(said);
    let mut parts = version.split('.');
    let major = match parts.next()? {
        "3" => Major::Three,
        "4" => Major::Four,
        _ => return None,
    };
    parts.next()?.parse::<u32>().ok()?;
    Some((version, major))
}

/// The name of this machine's kind in the names of releases.
fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    format!("{system}-{processor}")
}

/// The executable of a release, from the cache or fetched and verified.
async fn fetch(run: &Run, version: &str, options: &ClientOptions, home: &Path) -> Result<PathBuf> {
    let platform = platform();
    let folder = home.join("programs");
    let path = folder.join(format!("helm-{version}-{platform}"));
    if path.is_file() {
        return Ok(path);
    }
    let mirror = options.mirror.as_deref().unwrap_or("https://get.helm.sh").trim_end_matches('/');
    let archive = format!("helm-{version}-{platform}.tar.gz");
    let url = format!("{mirror}/{archive}");
    let sum = match options.sha256.get(&platform) {
        Some(sum) => sum.to_lowercase(),
        None => {
            let list = download::text(run, &format!("{url}.sha256sum")).await?;
            let sum = list.split_whitespace().next().unwrap_or_default().to_lowercase();
            run.report().note(
                Level::Info,
                format!("Helm {version} is not pinned for {platform}; its publisher says sha256 {sum}"),
            );
            sum
        }
    };
    let data = download::verified(run, &url, &sum).await?;
    let wanted = format!("{platform}/helm");
    let executable = download::file_in(&data, &wanted)
        .ok_or_else(|| Error::host(format!("{url} has no {wanted} in it")).help("check `version` and `mirror`"))?;
    download::keep(&path, &executable, 0o755)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_and_without_their_last_number() {
        assert_eq!(parse("v4.3.1"), Some(("4.3.1", Major::Four)));
        assert_eq!(parse("v3.22"), Some(("3.22", Major::Three)));
        assert_eq!(parse("v2.17.0"), None);
        assert_eq!(parse("git version"), None);
    }

    #[test]
    fn a_file_that_can_not_be_the_cli_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("helm");
        let said = |path: &Path| {
            check(&ClientOptions { binary: Some(path.to_owned()), ..Default::default() }).unwrap_err().message
        };
        assert!(said(&file).starts_with("can't read"));
        assert!(said(folder.path()).ends_with("is not a file"));
        std::fs::write(&file, "").unwrap();
        assert!(said(&file).ends_with("is not executable"));
    }
}

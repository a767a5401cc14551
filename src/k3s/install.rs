//! Brings the executable and the archives of images to a host: verified before they take their place, and put there by
//! renaming, so that nobody ever runs half a file.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::artifact::{Artifacts, Binary, Sum, is_archive, sum_of};
use super::options::Options;
use super::probe::{Facts, Stamp};
use super::stage::{is_staged, take_staged};
use super::unit::{BINARY, STAGED};
use crate::error::{Error, Kind, Reason, Result};
use crate::host::{Host, ScriptOptions, quote};
use crate::net;
use crate::report::{Change, Event};

/// The functions that download, verify and place.
pub(super) const LIBRARY: &str = include_str!("install.sh");

/// How long a host may take to download the executable.
const DOWNLOAD: u64 = 900;

/// An archive of images as a host is to have it.
#[derive(Debug)]
struct Image {
    path: PathBuf,
    target: String,
    sha256: String,
    stamp: Stamp,
}

/// What a host lacks.
#[derive(Debug)]
pub struct Installation {
    binary: Option<(Binary, String)>,
    images: Vec<Image>,
    present: u64,
    /// Whether the host has a program that downloads.
    downloads: bool,
}

/// The path on the host of an archive of images.
pub fn image_target(data: &str, path: &Path) -> Result<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match is_archive(&name) && !name.contains(char::is_whitespace) {
        true => Ok(format!("{data}/agent/images/{name}")),
        false => Err(Error::refused(format!("{} is not an archive of images that k3s would import", path.display()))
            .help("its name must end with .tar, .tar.gz, .tar.zst, .tar.lz4 or .tar.bz2, and have no blanks")),
    }
}

impl Installation {
    /// Compares what a host has with what it is to get. An archive of images that has the size and the time of the one here
    /// is taken for the same, as rsync does: to read 200 MB on both sides would take most of a run that has nothing to do.
    ///
    /// # Errors
    /// Refused for another version than the installed one, and for files here that can't be read or are not what their
    /// checksum says.
    pub async fn new(options: &Options, artifacts: Artifacts, facts: &Facts) -> Result<Self> {
        let version = options.version.to_string();
        let binary = artifacts.binary;
        let why = match &facts.version {
            None => Some(format!("{version} from {}", binary.origin())),
            Some(installed) if *installed != version && facts.registered && !options.upgrade => {
                return Err(Error::refused(format!("this host runs k3s {installed}, and {version} is wanted")).help(
                    "another version needs a snapshot and an order of steps: k3srun scripts/upgrade.rhai takes them; or \
                     name the installed version to go on with it",
                ));
            }
            Some(installed) if *installed != version => {
                Some(format!("{installed} -> {version} from {}", binary.origin()))
            }
            Some(_) => binary
                .sha256()
                .filter(|sum| facts.sum.as_ref().is_some_and(|found| found != sum))
                .map(|_| format!("{version} again: its content is not that of {}", binary.origin())),
        };
        let mut missing = Vec::new();
        let mut present = u64::from(why.is_none());
        for (path, listed) in artifacts.images {
            let target = image_target(&facts.data, &path)?;
            let stamp = stamp_of_file(&path)?;
            if facts.stamps.get(&target) == Some(&stamp) {
                present += 1;
                continue;
            }
            let sha256 = sum_of_file(&path).await?;
            if let Some(listed) = listed.filter(|listed| *listed != sha256) {
                return Err(mismatch(&path, &listed, &sha256));
            }
            missing.push(Image { path, target, sha256, stamp });
        }
        if why.is_some()
            && let Binary::Upload { path, sha256 } = &binary
        {
            let found = sum_of_file(path).await?;
            if found != *sha256 {
                return Err(mismatch(path, sha256, &found));
            }
        }
        let downloads = ["curl", "wget"].iter().any(|name| facts.commands.contains(*name));
        Ok(Installation { binary: why.map(|why| (binary, why)), images: missing, present, downloads })
    }

    /// Whether the executable is replaced.
    pub fn replaces_binary(&self) -> bool {
        self.binary.is_some()
    }

    /// Whether anything is missing.
    pub fn changes(&self) -> bool {
        self.binary.is_some() || !self.images.is_empty()
    }

    /// How many things are there already.
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Brings what is missing, or in a plan only says so. An executable that was staged is taken.
    pub async fn apply(&self, host: &Host, options: &Options) -> Result<()> {
        let planned = host.run_context().is_plan();
        // The executable first: whether it is the right one is known sooner.
        if let Some((binary, why)) = &self.binary {
            let version = options.version.to_string();
            let staged = !planned && options.upgrade && take_staged(host, binary, &version).await?;
            if !planned && !staged {
                let keep = if options.upgrade { format!("keep {BINARY}\n") } else { String::new() };
                install(host, binary, &version, self.downloads, BINARY, &keep).await?;
            }
            report(host, format!("file:{BINARY}"), why.clone(), planned);
        }
        self.send_images(host).await
    }

    /// Brings what is missing without touching what runs: the executable to a place beside its own, the archives of images to
    /// theirs, from where a k3s that runs imports them. Returns whether anything was brought.
    pub async fn stage(&self, host: &Host, options: &Options) -> Result<bool> {
        let planned = host.run_context().is_plan();
        let version = options.version.to_string();
        let mut staged = !self.images.is_empty();
        if let Some((binary, why)) = &self.binary
            && !is_staged(host, binary, &version).await?
        {
            if !planned {
                install(host, binary, &version, self.downloads, STAGED, "").await?;
            }
            report(host, format!("file:{STAGED}"), format!("staged: {why}"), planned);
            staged = true;
        }
        self.send_images(host).await?;
        Ok(staged)
    }

    async fn send_images(&self, host: &Host) -> Result<()> {
        let planned = host.run_context().is_plan();
        for image in &self.images {
            if !planned {
                self.send_image(host, image).await?;
            }
            report(host, format!("file:{}", image.target), format!("sent from {}", image.path.display()), planned);
        }
        Ok(())
    }

    async fn send_image(&self, host: &Host, image: &Image) -> Result<()> {
        let temp = format!("{}.k3srun", image.target);
        let folder = Path::new(&image.target).parent().unwrap_or(Path::new("/")).display().to_string();
        let options = ScriptOptions::titled("making the folder of images");
        host.check(&format!("mkdir -p {}", quote(&folder)), &options).await?;
        send(host, &image.path, &temp).await?;
        let script = format!(
            "{LIBRARY}verify {0} {1}\ntouch -d @{3} {0}\nplace {0} {2} 0644",
            quote(&temp),
            image.sha256,
            quote(&image.target),
            image.stamp.modified
        );
        run(host, &script, "putting images in place", 300).await
    }
}

fn report(host: &Host, resource: String, summary: String, planned: bool) {
    let change = Change { resource, summary, diff: None };
    host.run_context().report().emit(Event::Changed { host: host.name().to_owned(), planned, change });
}

/// Brings the executable to `target`, verified; `before` are shell lines that run right before it takes its place.
async fn install(
    host: &Host,
    binary: &Binary,
    version: &str,
    downloads: bool,
    target: &str,
    before: &str,
) -> Result<()> {
    let temp = format!("{target}.k3srun");
    let begin = format!("{LIBRARY}temp={}\n", quote(&temp));
    let end = format!("prove \"$temp\" {0}\n{before}place_binary \"$temp\" {target} {0}\n", quote(version));
    match binary {
        Binary::Upload { path, sha256 } => {
            send(host, path, &temp).await?;
            let script = format!("{begin}verify \"$temp\" {sha256}\n{end}");
            run(host, &script, "installing k3s", 300).await
        }
        Binary::Download { url, sum } => {
            let sha256 = match sum {
                Sum::Known(sha256) => sha256.clone(),
                Sum::Listed { url, name } => listed(host, url, name).await?,
            };
            let mut fetch = format!("fetch {} \"$temp\"\n", quote(url));
            if !downloads {
                let here = Host::local(host.run_context());
                let data = net::download(&here, url).await.map_err(|error| explain(host, error))?;
                host.activity(format!("sending k3s {version} ({} MB)", data.len() >> 20));
                host.put(&temp, &data).await?;
                fetch.clear();
            }
            host.activity(format!("downloading k3s {version}"));
            let script = format!("{begin}{fetch}verify \"$temp\" {sha256}\n{end}");
            run(host, &script, "downloading k3s", DOWNLOAD).await
        }
    }
}

/// What the list at an address says about a file. It is all that proves what is downloaded, so we get it ourselves: as the host
/// would, or from here where its sshd doesn't let us.
async fn listed(host: &Host, url: &str, name: &str) -> Result<String> {
    let list = match net::download(host, url).await {
        Err(error) if error.reason == Some(Reason::Forbidden) => {
            net::download(&Host::local(host.run_context()), url).await
        }
        done => done,
    };
    let list = list.map_err(|error| explain(host, error))?;
    sum_of(&String::from_utf8_lossy(&list), name)
        .ok_or_else(|| Error::host(format!("{url} has no checksum of {name}")).on(host.name()).help(UNVERIFIED))
}

const UNVERIFIED: &str = "check `version` and `source`: nothing is installed unverified";

/// A download that failed, as one for k3s.
fn explain(host: &Host, error: Error) -> Error {
    let who = if error.host.as_deref() == Some(host.name()) { "this host" } else { "this machine" };
    let otherwise = "`source` with a path on this machine sends the file instead";
    let help = match error.reason {
        Some(Reason::NotFound) => "there is nothing at this address: check `version` and `source`".to_owned(),
        Some(Reason::NameNotFound) => format!("{who} can't resolve names: look at /etc/resolv.conf there. {otherwise}"),
        Some(Reason::Untrusted) => {
            format!(
                "is the clock of your machine right, and its list of authorities new? Or is a proxy in between? {otherwise}"
            )
        }
        Some(Reason::Timeout | Reason::BadAnswer) => {
            format!("the connection broke or stalled: run it again. {otherwise}")
        }
        _ => format!("can {who} reach it? {otherwise}"),
    };
    Error { kind: Kind::Host, ..error }.help(help)
}

async fn run(host: &Host, script: &str, title: &str, seconds: u64) -> Result<()> {
    let output = host.script(script, &ScriptOptions::titled(title).timeout(seconds)).await;
    host.activity("");
    let output = output?;
    let said = output.error_text();
    let (message, details) = said.trim().split_once('\n').unwrap_or((said.trim(), ""));
    let (message, details, help) = match output.status {
        0 => return Ok(()),
        41 => (message.to_owned(), details.to_owned(), download_help(details)),
        43 => (
            message.to_owned(),
            String::new(),
            "the file is not what its checksum says: a broken download, a changed file, or the page of a proxy. It was removed",
        ),
        44 => (
            message.to_owned(),
            details.to_owned(),
            "is it whole, of the wanted version, and for the processor of this host? Check `version` and `source`. It was removed",
        ),
        status => (
            format!("{title} failed with exit status {status}"),
            output.tail(),
            "look at the output, and at the free space under /usr/local/bin and /var/lib",
        ),
    };
    Err(Error::host(message).on(host.name()).output(details).help(help))
}

/// What to do about a download that failed, by what curl or wget said.
fn download_help(said: &str) -> &'static str {
    let lower = said.to_lowercase();
    let has = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    if has(&["could not resolve", "unable to resolve", "name or service", "name resolution"]) {
        "this host can't resolve names: look at /etc/resolv.conf there. `source` with a path on this machine sends the file instead"
    } else if has(&["certificate"]) {
        "is the host's clock right, and are its ca-certificates installed? Or is a proxy in between? `source` with a path on this machine sends the file instead"
    } else if has(&["404", "403", "410"]) {
        "there is nothing at this address: check `version` and `source`"
    } else if has(&["too slow", "timed out", "bytes remaining", "bytes missing", "connection closed", "read error"]) {
        "the connection broke or stalled: run it again. `source` with a path on this machine sends the file instead"
    } else {
        "can this host reach it? `source` with a path on this machine sends the file instead"
    }
}

async fn send(host: &Host, path: &Path, temp: &str) -> Result<()> {
    let unreadable = |error| unreadable(path, &error);
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let size = file.metadata().await.map_err(unreadable)?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut told = 0;
    host.activity(format!("sending {name} ({} MB)", size >> 20));
    let sent = host.put_from(temp, size, &mut file, |done| {
        let tenths = done * 10 / size.max(1);
        if tenths > told {
            told = tenths;
            host.activity(format!("sending {name} ({tenths}0% of {} MB)", size >> 20));
        }
    });
    let sent = sent.await;
    host.activity("");
    sent
}

fn stamp_of_file(path: &Path) -> Result<Stamp> {
    let file = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    Ok(Stamp { size: file.len(), modified: file.mtime() })
}

async fn sum_of_file(path: &Path) -> Result<String> {
    let file = path.to_owned();
    let sum = tokio::task::spawn_blocking(move || {
        let mut hasher = Sha256::new();
        std::io::copy(&mut std::fs::File::open(file)?, &mut hasher)?;
        std::io::Result::Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    match sum.await {
        Ok(sum) => sum.map_err(|error| unreadable(path, &error)),
        Err(error) => Err(Error::refused(format!("can't read {}: {error}", path.display()))),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::refused(format!("can't read {}: {error}", path.display()))
}

fn mismatch(path: &Path, wanted: &str, found: &str) -> Error {
    Error::refused(format!("the sha256 of {} is {found}, not {wanted}", path.display()))
        .help("the file is damaged, or the checksum is that of another one; nothing was changed")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// What `k3s --version` of a release prints: it begins with the name of the file that was called.
    const RELEASE: &str = "#!/bin/sh\necho \"${0##*/} version v1.34.3+k3s1 (48ffa7b6)\"\necho 'go version go1.24.11'\n";

    fn proven(program: &str, version: &str) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".k3s.new");
        std::fs::write(&file, program).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let script = format!("{LIBRARY}prove {} {}", quote(&file.display().to_string()), quote(version));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn an_executable_is_proven_under_whatever_name_it_is_staged() {
        assert_eq!(proven(RELEASE, "v1.34.3+k3s1"), (Some(0), String::new()));
        let (status, said) = proven(RELEASE, "v1.34.3+k3s10");
        assert_eq!(status, Some(44));
        let other = "the executable is not k3s v1.34.3+k3s10\n.k3s.new version v1.34.3+k3s1 (48ffa7b6)\n";
        assert!(said.starts_with(other), "{said}");
        assert_eq!(proven("#!/bin/sh\necho 'go version go1.24.11'\n", "v1.34.3+k3s1").0, Some(44));
        assert_eq!(proven("#!/bin/sh\nexit 1\n", "v1.34.3+k3s1").0, Some(44));
    }
}

//! `[k3s]`: which release, from where, and with which arguments.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Serialize, Serializer};

use crate::suggestion::nearest;

use super::{
    document::Table,
    reader::{Fault, Field, Reader},
    types::{Artifact, ArtifactSource, Checksum},
    values,
};

/// `[k3s]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct K3s {
    /// The release to install.
    pub version: K3sVersion,
    /// Where its executable comes from.
    pub source: ArtifactSource,
    /// Archives of container images to import, like the air-gap images of a release.
    pub images: Vec<PathBuf>,
    /// What the nodes get as k3s's registries.yaml, if they get one: mirrors and logins of registries.
    pub registries: Option<PathBuf>,
    /// How containerd stores the layers of images; k3s chooses where nothing is said.
    pub snapshotter: Option<String>,
    /// Arguments of the kubelet on every node, like all the following in the form `name=value`.
    pub kubelet_args: Vec<String>,
    /// Arguments of the API server.
    pub apiserver_args: Vec<String>,
    /// Arguments of the controller manager.
    pub controller_manager_args: Vec<String>,
    /// Arguments of the scheduler.
    pub scheduler_args: Vec<String>,
    /// Flags of k3s itself on the master, as `name=value` or `name`.
    pub server_args: Vec<String>,
    /// The same on the workers.
    pub agent_args: Vec<String>,
}

/// A version of a k3s release, like `v1.36.5+k3s1`.
///
/// ```
/// use k3srun::config::K3sVersion;
/// let version: K3sVersion = "v1.36.5+k3s1".parse().unwrap();
/// assert_eq!(version.to_string(), "v1.36.5+k3s1");
/// assert!("v1.36.5".parse::<K3sVersion>().is_err(), "the revision of k3s is missing");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct K3sVersion(semver::Version);

impl FromStr for K3sVersion {
    type Err = ();

    /// Accepts `v`, a semantic version and a revision that begins with `k3s`, as releases are named.
    fn from_str(text: &str) -> Result<Self, ()> {
        let version: semver::Version = text.strip_prefix('v').ok_or(())?.parse().map_err(|_| ())?;
        if version.build.starts_with("k3s") { Ok(Self(version)) } else { Err(()) }
    }
}

impl fmt::Display for K3sVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl Serialize for K3sVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What was read of `[k3s]`, as far as it could be.
pub(super) struct K3sDraft {
    version: Field<K3sVersion>,
    binary: Field<Artifact>,
    pub sha256: Field<String>,
    pub sums: Field<Artifact>,
    images: Field<Vec<PathBuf>>,
    registries: Field<PathBuf>,
    snapshotter: Field<String>,
    arguments: [Field<Vec<String>>; ARGUMENTS.len()],
    flags: [Field<Vec<String>>; FLAGS.len()],
}

/// The lists of arguments.
const ARGUMENTS: [&str; 4] = ["kubelet_args", "apiserver_args", "controller_manager_args", "scheduler_args"];

/// The lists of k3s's own flags.
const FLAGS: [&str; 2] = ["server_args", "agent_args"];

/// Reads the table.
pub(super) fn read(table: Option<&Table>, reader: &mut Reader<'_>) -> K3sDraft {
    let mut table = reader.table(table, "k3s", "[k3s]");
    let draft = K3sDraft {
        version: table.required("version", "v1.36.5+k3s1", release),
        binary: table.text_of("binary", values::artifact),
        sha256: table.text("sha256", values::sha256),
        sums: table.text_of("sums", values::artifact),
        images: table.list("images", values::file),
        registries: table.text_of("registries", values::file),
        snapshotter: table.text("snapshotter", snapshotter),
        arguments: ARGUMENTS.map(|key| table.list(key, |text, _| argument(text))),
        flags: FLAGS.map(|key| table.list(key, |text, _| flag(text))),
    };
    table.finish();
    draft
}

impl K3sDraft {
    /// The settings, with the defaults where nothing was said; nothing if something is missing or wrong.
    pub fn complete(self) -> Option<K3s> {
        let [kubelet_args, apiserver_args, controller_manager_args, scheduler_args] =
            self.arguments.map(|list| list.value().unwrap_or_default());
        let [server_args, agent_args] = self.flags.map(|list| list.value().unwrap_or_default());
        Some(K3s {
            version: self.version.value()?,
            source: ArtifactSource {
                binary: self.binary.value(),
                checksum: self.sha256.value().map(Checksum::Sha256).or(self.sums.value().map(Checksum::Sums)),
            },
            images: self.images.value().unwrap_or_default(),
            registries: self.registries.value(),
            snapshotter: self.snapshotter.value(),
            kubelet_args,
            apiserver_args,
            controller_manager_args,
            scheduler_args,
            server_args,
            agent_args,
        })
    }
}

fn release(text: &str) -> Result<K3sVersion, Fault> {
    text.parse().map_err(|()| {
        let near_misses = [format!("v{text}"), format!("{text}+k3s1"), format!("v{text}+k3s1")];
        let remedy = if ["stable", "latest", "testing"].contains(&text) {
            "name one release, so that every run installs the same: for example \"v1.36.5+k3s1\"".to_owned()
        } else if let Some(meant) = near_misses.iter().find(|meant| meant.parse::<K3sVersion>().is_ok()) {
            format!("write \"{meant}\", if that is the release")
        } else {
            "write it as its release is called: for example \"v1.36.5+k3s1\"".to_owned()
        };
        Fault::new(format!("is not the version of a k3s release: {text:?}"), remedy)
    })
}

/// The snapshotters that k3s knows.
const SNAPSHOTTERS: [&str; 6] = ["overlayfs", "native", "fuse-overlayfs", "stargz", "zfs", "btrfs"];

fn snapshotter(text: &str) -> Result<String, Fault> {
    if SNAPSHOTTERS.contains(&text) {
        return Ok(text.to_owned());
    }
    let remedy = match nearest(text, SNAPSHOTTERS) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write one of {}", SNAPSHOTTERS.join(", ")),
    };
    Err(Fault::new(format!("is not a snapshotter of k3s: {text:?}"), remedy))
}

/// An argument of one of the programs: `name=value`, without the dashes.
fn argument(text: &str) -> Result<String, Fault> {
    if text.contains('=') || text.starts_with('-') {
        return flag(text);
    }
    Err(Fault::new(format!("has no value: {text:?}"), format!("write \"{text}=true\", if it is a switch")))
}

/// A flag: `name=value` or `name`, without the dashes.
fn flag(text: &str) -> Result<String, Fault> {
    let bare = text.trim_start_matches('-');
    let fault = |reason: &str, remedy: String| Err(Fault::new(format!("{reason}: {text:?}"), remedy));
    if bare != text {
        return fault("begins with dashes", format!("write \"{bare}\""));
    }
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        return fault("is not an argument", "write name=value, for example \"max-pods=200\"".to_owned());
    }
    if text.contains(char::is_control) {
        return fault("has control characters", "write it in one line".to_owned());
    }
    Ok(text.to_owned())
}

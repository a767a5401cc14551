//! Releases as Helm keeps them in the cluster: one Secret for each revision.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::archive::Metadata;
use crate::error::{Error, Result};
use crate::kube::{GetOptions, Kube};

/// What state a revision is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nobody knows.
    Unknown,
    /// In force.
    Deployed,
    /// Removed, with its history kept.
    Uninstalled,
    /// Followed by another revision.
    Superseded,
    /// It didn't come to its end.
    Failed,
    /// Being removed.
    Uninstalling,
    /// Being installed.
    PendingInstall,
    /// Being upgraded.
    PendingUpgrade,
    /// Being rolled back.
    PendingRollback,
}

impl Status {
    fn parse(text: &str) -> Self {
        serde_json::from_value(Value::from(text)).unwrap_or(Status::Unknown)
    }

    /// Whether a Helm works on it, or was killed at it.
    pub fn is_pending(self) -> bool {
        matches!(self, Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback)
    }

    /// Helm's own word.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A revision, as the labels of its Secret tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Of the Secret.
    pub secret: String,
    pub revision: u64,
    pub status: Status,
}

/// A revision.
#[derive(Debug, Clone, Deserialize)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Counts from 1.
    #[serde(rename = "version")]
    pub revision: u64,
    /// State and times.
    pub info: Info,
    /// What it was made from.
    pub chart: Chart,
    /// The values that it was given. May hold secrets.
    #[serde(default)]
    pub config: Value,
    /// Its objects as YAML. May hold secrets.
    #[serde(default)]
    pub manifest: String,
}

/// The chart of a revision.
#[derive(Debug, Clone, Deserialize)]
pub struct Chart {
    /// What it says about itself.
    pub metadata: Metadata,
}

/// State and times of a revision.
#[derive(Debug, Clone, Deserialize)]
pub struct Info {
    /// The state.
    pub status: Status,
    /// Helm's words, or those that it was given.
    #[serde(default)]
    pub description: String,
    /// When it was made.
    #[serde(default)]
    pub last_deployed: String,
    /// What the chart tells its user.
    #[serde(default)]
    pub notes: String,
}

/// What identifies the Secrets of releases.
pub(super) fn selector(name: Option<&str>) -> String {
    name.map_or_else(|| "owner=helm".to_owned(), |name| format!("owner=helm,name={name}"))
}

/// The revisions of a release, the oldest first. Only their labels are read.
pub(super) async fn records(kube: &Kube, name: &str, namespace: &str) -> Result<Vec<Record>> {
    let options =
        GetOptions { namespace: Some(namespace.into()), selector: Some(selector(Some(name))), ..GetOptions::default() };
    let mut records: Vec<Record> = Vec::new();
    for metadata in kube.list_metadata("secrets", &options).await? {
        let labels = metadata.labels.unwrap_or_default();
        let label = |key: &str| labels.get(key).map(String::as_str).unwrap_or_default();
        let (Some(secret), Ok(revision)) = (metadata.name, label("version").parse()) else { continue };
        records.push(Record { secret, revision, status: Status::parse(label("status")) });
    }
    records.sort_by_key(|record| record.revision);
    Ok(records)
}

/// One revision; none where it is gone.
pub(super) async fn read(kube: &Kube, record: &Record, namespace: &str) -> Result<Option<Release>> {
    let secret = kube.get("secrets", &record.secret, Some(namespace)).await?;
    secret.map(|secret| decode(kube, &secret)).transpose()
}

/// A release in its Secret: JSON, packed, in base64, as data of a Secret again in base64.
pub(super) fn decode(kube: &Kube, secret: &Value) -> Result<Release> {
    unpack(secret).map_err(|why| {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        Error::host(format!("the Secret {name} is not a release that Helm has written: {why}"))
            .on(kube.host().name())
            .help("`helm history` shows the revisions; a broken one can be removed with `kubectl delete secret`")
    })
}

/// What a release may take unpacked: the API server keeps no Secret of more than 1 MiB, and text gets ten times smaller at most.
const LARGEST: u64 = 64 << 20;

fn unpack(secret: &Value) -> Result<Release, String> {
    let text = secret["data"]["release"].as_str().ok_or("it has no `release`")?;
    let inner = STANDARD.decode(text).map_err(|error| error.to_string())?;
    let data = STANDARD.decode(inner.trim_ascii()).map_err(|error| error.to_string())?;
    let mut json = Vec::new();
    if data.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(data.as_slice())
            .take(LARGEST)
            .read_to_end(&mut json)
            .map_err(|error| error.to_string())?;
    } else {
        json = data;
    }
    // Without what it says: that may quote values.
    serde_json::from_slice(&json).map_err(|error| format!("line {}, column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_is_read_from_its_secret() {
        let release = json!({
            "name": "web", "namespace": "apps", "version": 3,
            "info": { "status": "pending-upgrade", "description": "Preparing upgrade", "deleted": "" },
            "chart": { "metadata": { "name": "nginx", "version": "1.2.3", "appVersion": "9" }, "templates": [] },
            "config": { "replicas": 2 }, "manifest": "---\nkind: A\n",
        });
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(release.to_string().as_bytes()).unwrap();
        let inner = STANDARD.encode(packer.finish().unwrap());
        let secret = json!({ "data": { "release": STANDARD.encode(inner) } });
        let release = unpack(&secret).unwrap();
        assert_eq!((release.revision, release.info.status), (3, Status::PendingUpgrade));
        assert_eq!(release.chart.metadata.version, "1.2.3");
        assert!(release.info.status.is_pending());
        assert_eq!(Status::PendingRollback.name(), "pending-rollback");
    }

    #[test]
    fn another_secret_is_no_release() {
        assert_eq!(unpack(&json!({})).unwrap_err(), "it has no `release`");
        let secret = json!({ "data": { "release": STANDARD.encode(STANDARD.encode("{\"name\": \"hunter22\"}")) } });
        assert_eq!(unpack(&secret).unwrap_err(), "line 1, column 20");
    }
}

//! A registry that has the tiny chart: what the OCI distribution specification asks of one that is pulled from, by HTTPS on
//! this machine's loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::lab::{Lab, Step};
use crate::support::serve::serve;

/// Serves until it is dropped.
pub struct Registry {
    /// The chart's address.
    pub chart: String,
    /// The sha256 of its manifest.
    pub digest: String,
    /// The certificate that the registry shows.
    pub certificate: PathBuf,
    tls: Child,
}

impl Registry {
    pub fn new(lab: &Lab, helm: &str) -> Step<Registry> {
        let folder = PathBuf::from(lab.file("registry"));
        let make = r#"set -e
            rm -rf "$FOLDER"; mkdir -p "$FOLDER/v2/charts/tiny/manifests" "$FOLDER/v2/charts/tiny/blobs"
            "$HELM" package tests/platform/charts/tiny -d "$FOLDER" >/dev/null
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=registry \
              -addext subjectAltName=IP:127.0.0.1 -keyout "$FOLDER/tls.key" -out "$FOLDER/tls.pem" 2>/dev/null"#;
        let mut command = Command::new("sh");
        command.args(["-c", make]).env("HELM", helm).env("FOLDER", &folder);
        let made = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().map_err(|error| error.to_string())?;
        if !made.success() {
            return Err("the registry can't be made".into());
        }
        let digest = fill(&folder).map_err(|error| format!("the registry can't be filled: {error}"))?;

        let port = free_port()?;
        let key = |name: &str| folder.join(name).display().to_string();
        let listen = format!(
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,verify=0,cert={},key={}",
            key("tls.pem"),
            key("tls.key")
        );
        let tls =
            Command::new("socat").args([listen, format!("TCP:{}", serve(&folder)?)]).stderr(Stdio::null()).spawn();
        Ok(Registry {
            chart: format!("oci://127.0.0.1:{port}/charts/tiny"),
            digest,
            certificate: folder.join("tls.pem"),
            tls: tls.map_err(|error| format!("can't start socat: {error}"))?,
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tls.kill();
        let _ = self.tls.wait();
    }
}

/// Puts the chart in: its archive and its description are blobs, which the manifest names; the manifest is found by its
/// digest and by the chart's version. Returns the digest.
fn fill(folder: &Path) -> std::io::Result<String> {
    let chart = folder.join("v2/charts/tiny");
    let blob = |media: &str, data: &[u8]| {
        let digest = format!("sha256:{}", sha256(data));
        std::fs::write(chart.join("blobs").join(&digest), data)?;
        std::io::Result::Ok(json!({ "mediaType": media, "digest": digest, "size": data.len() }))
    };
    let archive = std::fs::read(folder.join("tiny-1.0.0.tgz"))?;
    let description = json!({ "apiVersion": "v2", "name": "tiny", "version": "1.0.0" }).to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "config": blob("application/vnd.cncf.helm.config.v1+json", description.as_bytes())?,
        "layers": [blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &archive)?],
    })
    .to_string();
    let digest = sha256(manifest.as_bytes());
    for name in [format!("sha256:{digest}"), "1.0.0".to_owned()] {
        std::fs::write(chart.join("manifests").join(name), &manifest)?;
    }
    Ok(digest)
}

fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn free_port() -> Step<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}

//! A publisher of charts and of Helm's releases, on this machine's loopback.

use std::path::PathBuf;
use std::process::Command;

use crate::support::lab::{Lab, Step};
use crate::support::serve::serve;

/// Serves as long as the test program runs.
pub struct Publisher {
    pub address: String,
    pub folder: PathBuf,
}

impl Publisher {
    /// A publisher of Helm `v4.3.1`, which is `program`, and of the tiny chart.
    pub fn new(lab: &Lab, program: &str) -> Step<Publisher> {
        let folder = PathBuf::from(lab.file("publisher"));
        let address = format!("http://{}", serve(&folder)?);
        let make = format!(
            r#"set -e
            rm -rf "$FOLDER"; mkdir -p "$FOLDER/linux-amd64"
            "$HELM" package tests/platform/charts/tiny -d "$FOLDER" >/dev/null
            "$HELM" repo index "$FOLDER" --url {address}
            cd "$FOLDER"; cp "$HELM" linux-amd64/helm; tar czf helm-v4.3.1-linux-amd64.tar.gz linux-amd64; rm -r linux-amd64
            sha256sum helm-v4.3.1-linux-amd64.tar.gz >helm-v4.3.1-linux-amd64.tar.gz.sha256sum
            echo v4.9.0 >helm4-latest-version"#
        );
        let mut command = Command::new("sh");
        command.args(["-c", &make]).env("HELM", program).env("FOLDER", &folder);
        let made = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().map_err(|error| error.to_string())?;
        if !made.success() {
            return Err("the publisher can't be made".into());
        }
        Ok(Publisher { address, folder })
    }
}

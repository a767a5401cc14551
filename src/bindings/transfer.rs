//! Files of hosts: read, upload, download, whole folders.

use rhai::plugin::*;
use serde::Deserialize;

use crate::host::UploadOptions;
use crate::script::Options;

/// Options of `upload`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Upload {
    mode: Option<Mode>,
    owner: Option<String>,
    group: Option<String>,
    sha256: Option<String>,
}

impl Options for Upload {
    const FUNCTIONS: &[&str] = &["Host.upload"];
}

/// Permission bits: `0o644` or `"0644"`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Bits")]
struct Mode(u32);

#[derive(Deserialize)]
#[serde(untagged)]
enum Bits {
    Number(i64),
    Text(String),
}

impl TryFrom<Bits> for Mode {
    type Error = String;

    fn try_from(bits: Bits) -> Result<Self, String> {
        let mode = match &bits {
            Bits::Number(number) => u32::try_from(*number).ok(),
            Bits::Text(text) => u32::from_str_radix(text, 8).ok(),
        };
        mode.filter(|mode| *mode <= 0o7777).map(Mode).ok_or_else(|| "write the mode as \"0644\" or 0o644".to_owned())
    }
}

impl Upload {
    fn options(self) -> UploadOptions {
        UploadOptions { mode: self.mode.map(|mode| mode.0), owner: self.owner, group: self.group, sha256: self.sha256 }
    }
}

/// Options of `sync_dir`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sync {
    delete: bool,
    exclude: Vec<String>,
}

impl Options for Sync {
    const FUNCTIONS: &[&str] = &["Host.sync_dir"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::path::Path;

    use rhai::{EvalAltResult, Map};

    use super::{Sync, Upload};
    use crate::error::Error;
    use crate::host::{Host, SyncOptions};
    use crate::script::{block, context, fail, options};

    /// The content of a file on the host, which must be text.
    ///
    /// # Example
    /// ```rhai
    /// let release = local().read("/etc/os-release");
    /// if !release.contains("NAME=") { throw release }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn read(call: NativeCallContext, host: &mut Host, path: &str) -> Result<String, Box<EvalAltResult>> {
        let content = block(&call, &context(&call), host.read(path))?;
        String::from_utf8(content).map_err(|_| {
            let error = Error::host(format!("{path} is no text in UTF-8")).on(host.name());
            fail(&call, error.help("fetch it with download(), or let a command on the host look at it"))
        })
    }

    /// Whether there is a file, folder or anything else at the path.
    ///
    /// # Example
    /// ```rhai
    /// if !local().exists("/etc/passwd") || local().exists("/no/such/file") { throw "no" }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn exists(call: NativeCallContext, host: &mut Host, path: &str) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), host.exists(path))
    }

    /// Copies a local file to the host, unless it is there already: compared and verified by sha256, put in place in one
    /// step. Returns whether anything differed. With `--plan` it only compares.
    ///
    /// # Example
    /// ```rhai
    /// local().upload("/etc/os-release", "/tmp/k3srun-example-release");
    /// local().run("rm -f /tmp/k3srun-example-release");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn upload(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        upload_with(call, host, local, remote, Map::new())
    }

    /// Copies a local file to the host. Options: `mode` (`"0644"`; default: that of the file there, or of the local one),
    /// `owner`, `group` (default: those of the file there, or root's), `sha256` (what the local file must have).
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").upload("k3s", "/usr/local/bin/k3s", #{ mode: "0755" });
    /// ```
    #[rhai_fn(global, name = "upload", return_raw, pure)]
    pub fn upload_with(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: Upload = options(&call, settings)?;
        block(&call, &context(&call), host.upload(Path::new(local), remote, &settings.options()))
    }

    /// Copies a file of the host to this machine, with its mode, unless it is here already. Returns whether anything
    /// differed. With `--plan` it only compares.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").download("/var/log/syslog", "master.log");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn download(
        call: NativeCallContext,
        host: &mut Host,
        remote: &str,
        local: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), host.download(remote, Path::new(local)))
    }

    /// Makes a folder on the host the same as a local one: files, symbolic links, permission bits; all of it belongs to root
    /// there. What is only on the host stays. Returns whether anything differed. With `--plan` it only compares.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").sync_dir("manifests", "/var/lib/rancher/k3s/server/manifests/mine");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn sync_dir(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        sync_dir_with(call, host, local, remote, Map::new())
    }

    /// Makes a folder on the host the same as a local one. Options: `delete` (false: what is only on the host stays),
    /// `exclude` (glob patterns; one without a slash is for names at any depth).
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").sync_dir("www", "/srv/www", #{ delete: true, exclude: ["*.log", ".git"] });
    /// ```
    #[rhai_fn(global, name = "sync_dir", return_raw, pure)]
    pub fn sync_dir_with(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: Sync = options(&call, settings)?;
        let settings = SyncOptions { delete: settings.delete, exclude: settings.exclude };
        block(&call, &context(&call), host.sync_dir(Path::new(local), remote, &settings))
    }
}

//! `backup::`: a cluster in one encrypted file.

use rhai::plugin::*;

use std::path::PathBuf;

use serde::Deserialize;

use crate::backup::MakeOptions;
use crate::script::{OptionSet, Options};

/// What opens a bundle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckOptions {
    #[serde(default)]
    identity_file: Option<PathBuf>,
    #[serde(default)]
    passphrase_file: Option<PathBuf>,
}

impl Options for MakeOptions {
    const FUNCTIONS: &[&str] = &["backup::make"];
}

impl Options for CheckOptions {
    const FUNCTIONS: &[&str] = &["backup::check", "backup::restore"];
}

/// The option maps.
pub fn options() -> [OptionSet; 2] {
    [OptionSet::of::<MakeOptions>(), OptionSet::of::<CheckOptions>()]
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::path::Path;

    use rhai::{EvalAltResult, Map};

    use super::CheckOptions;
    use crate::backup::{self, Key, MakeOptions};
    use crate::host::Host;
    use crate::script::{block, context, fail, options};

    /// Saves a server's datastore and streams it, with its token, settings and encryption keys, into one file on this machine:
    /// encrypted as soon as it leaves the host, of mode 0600, and there under its name only when it is complete. Returns a map
    /// of `file`, `size` in bytes and `removed` (older ones that made room). The content of volumes is not in it.
    ///
    /// Options: `cluster` (its name; needed), `folder` (on this machine; needed), `recipients` (public keys of age: `age1..`)
    /// or `passphrase_file` (readable by nobody else), `keep` (how many of this cluster stay in the folder; 0, the default:
    /// all), `volumes` (what is listed as missing: maps of `claim`, `size`, `node`), `members` (the nodes: maps of `name`,
    /// `role`, `version`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"];
    /// let made = backup::make(ssh::connect("master"), #{ cluster: "prod", folder: "backups", recipients: recipients, keep: 14 });
    /// print(made.file);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn make(call: NativeCallContext, host: Host, settings: Map) -> Result<Map, Box<EvalAltResult>> {
        let settings: MakeOptions = options(&call, settings)?;
        let made = block(&call, &context(&call), backup::make(&host, &settings))?;
        Ok(rhai::serde::to_dynamic(made)?.cast::<Map>())
    }

    /// Opens a backup and proves it without a cluster: every file by its sum, the snapshot by its own, the token by what the
    /// snapshot has of it. Returns a map of `manifest` (`cluster`, `made`, `version`, `etcd`, `node`, `node_ip`, `token_hash`,
    /// `members`, `volumes`, `entries`) and `problems`: empty, if it can be restored.
    ///
    /// Options: `identity_file` (private keys of age) or `passphrase_file`; nobody else may be able to read it.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let found = backup::check("backups/prod-20261127T190000Z.k3sbackup", #{ identity_file: "key.txt" });
    /// print(`${found.manifest.cluster}, k3s ${found.manifest.version}: ${found.problems}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn check(call: NativeCallContext, file: &str, settings: Map) -> Result<Map, Box<EvalAltResult>> {
        let settings: CheckOptions = options(&call, settings)?;
        let key = Key::new(settings.identity_file.as_deref(), settings.passphrase_file.as_deref());
        let found = key.and_then(|key| backup::check(Path::new(file), &key)).map_err(|error| fail(&call, error))?;
        Ok(rhai::serde::to_dynamic(found)?.cast::<Map>())
    }

    /// Makes the datastore of a server that of a backup: proves the backup, stops k3s, puts snapshot and token in place. The start
    /// is left to `k3s::server`, and `backup::restored` takes away what was needed. What the server had stays beside it. A run
    /// that was cut off is finished by the next one with the same backup. With `--plan` it is only shown.
    ///
    /// Options: those of `backup::check`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let master = ssh::connect("master");
    /// backup::restore(master, "backups/prod-20261127T190000Z.k3sbackup", #{ identity_file: "key.txt" });
    /// k3s::server(master, #{ version: "v1.36.5+k3s1", cluster_init: true });
    /// backup::restored(master);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn restore(call: NativeCallContext, host: Host, file: &str, settings: Map) -> Result<(), Box<EvalAltResult>> {
        let settings: CheckOptions = options(&call, settings)?;
        block(&call, &context(&call), async {
            let key = Key::new(settings.identity_file.as_deref(), settings.passphrase_file.as_deref())?;
            backup::restore(&host, Path::new(file), &key).await
        })
    }

    /// Takes away what a restore has left on a server for its next run, when that server is up.
    ///
    /// # Example
    /// ```rhai,no_run
    /// backup::restored(ssh::connect("master"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn restored(call: NativeCallContext, host: Host) -> Result<(), Box<EvalAltResult>> {
        block(&call, &context(&call), backup::finish(&host))
    }
}

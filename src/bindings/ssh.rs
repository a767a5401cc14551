//! `ssh::`: connections.

use std::path::PathBuf;

use rhai::plugin::*;
use serde::Deserialize;

use crate::host::{Destination, SshOptions};
use crate::script::{Options, Seconds, Secret};

/// Options of `ssh::connect`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Connect {
    name: Option<String>,
    user: Option<String>,
    port: Option<u16>,
    key: Option<PathBuf>,
    config: Option<PathBuf>,
    jump: Vec<String>,
    sudo: bool,
    sudo_password: Option<Secret>,
    connect_timeout: Option<Seconds>,
    accept_new_host_keys: bool,
}

impl Options for Connect {
    const FUNCTIONS: &[&str] = &["ssh::connect"];
}

impl Connect {
    fn destination(self, address: &str) -> Destination {
        let default = SshOptions::default();
        Destination {
            address: address.to_owned(),
            name: self.name,
            options: SshOptions {
                user: self.user,
                port: self.port,
                key: self.key,
                config: self.config,
                jump: self.jump,
                sudo: self.sudo,
                sudo_password: self.sudo_password.map(|secret| secret.reveal().to_owned()),
                connect_timeout: self.connect_timeout.map_or(default.connect_timeout, |seconds| seconds.0),
                accept_new_host_keys: self.accept_new_host_keys,
            },
        }
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{EvalAltResult, Map};

    use super::Connect;
    use crate::host::Host;
    use crate::script::{block, context, options};

    /// Connects to a host by the user's own ssh: `ssh_config`, agent, jump hosts and `known_hosts` count. The same
    /// destination gives the same connection for the whole run.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let host = ssh::connect("root@203.0.113.10");
    /// print(host.query("uptime").stdout);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn connect(call: NativeCallContext, destination: &str) -> Result<Host, Box<EvalAltResult>> {
        connect_with(call, destination, Map::new())
    }

    /// Connects to a host. Options: `name` (in reports), `user`, `port`, `key` (a file), `config` (an `ssh_config`), `jump`
    /// (hosts to go through), `sudo`, `sudo_password` (a secret), `connect_timeout` in seconds (15),
    /// `accept_new_host_keys` (false).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let host = ssh::connect("203.0.113.10", #{ name: "master", user: "ops", sudo: true });
    /// ```
    #[rhai_fn(name = "connect", return_raw)]
    pub fn connect_with(call: NativeCallContext, destination: &str, settings: Map) -> Result<Host, Box<EvalAltResult>> {
        let settings: Connect = options(&call, settings)?;
        let context = context(&call);
        if let Some(password) = &settings.sudo_password {
            context.run.secrets().add(password.reveal());
        }
        let destination = settings.destination(destination);
        block(&call, &context, context.connections.connect(&context.run, &destination))
    }
}

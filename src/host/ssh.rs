//! Connects with the user's own OpenSSH, and says in plain words why it didn't work.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder};

use crate::error::{Error, Result};

/// How to connect, beyond what `ssh_config` says.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// The user to log in as.
    pub user: Option<String>,
    /// sshd's port.
    pub port: Option<u16>,
    /// The private key file.
    pub key: Option<PathBuf>,
    /// An `ssh_config` to use instead of the user's own.
    pub config: Option<PathBuf>,
    /// Hosts to go through, in this order.
    pub jump: Vec<String>,
    /// Become root by sudo.
    pub sudo: bool,
    /// What sudo asks for.
    pub sudo_password: Option<String>,
    /// Limit for the connection to be set up. Default 15 s.
    pub connect_timeout: Duration,
    /// Trust the key of a host that was never seen before. Default: no.
    pub accept_new_host_keys: bool,
}

impl Default for SshOptions {
    fn default() -> Self {
        SshOptions {
            user: None,
            port: None,
            key: None,
            config: None,
            jump: Vec::new(),
            sudo: false,
            sudo_password: None,
            connect_timeout: Duration::from_secs(15),
            accept_new_host_keys: false,
        }
    }
}

/// A host to connect to: what `ssh` takes as its destination, and how.
#[derive(Debug, Clone)]
pub struct Destination {
    /// An alias of `ssh_config`, `host`, `user@host` or `ssh://user@host:port`.
    pub address: String,
    /// The name in reports; the address by default.
    pub name: Option<String>,
    /// How.
    pub options: SshOptions,
}

impl Destination {
    /// The name in reports.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.address)
    }
}

/// Where control sockets live. The path of a socket may have about 100 bytes, so it is short and not below `$TMPDIR`.
fn control_directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if dir.len() < 40 && PathBuf::from(&dir).is_dir() => PathBuf::from(dir),
        _ => PathBuf::from("/tmp"),
    }
}

pub(super) async fn connect(destination: &Destination) -> Result<Session> {
    let options = &destination.options;
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(if options.accept_new_host_keys { KnownHosts::Add } else { KnownHosts::Strict })
        .connect_timeout(options.connect_timeout)
        .server_alive_interval(Duration::from_secs(5))
        .control_directory(control_directory())
        .control_persist(ControlPersist::ClosedAfterInitialConnection)
        .jump_hosts(&options.jump);
    if let Some(user) = &options.user {
        builder.user(user.clone());
    }
    if let Some(port) = options.port {
        builder.port(port);
    }
    if let Some(key) = &options.key {
        builder.keyfile(key);
    }
    if let Some(config) = &options.config {
        builder.config_file(config);
    }
    builder.connect_mux(&destination.address).await.map_err(|error| explain(destination, &error))
}

/// Ends the master process.
pub(super) async fn close(session: Arc<Session>) {
    if let Ok(session) = Arc::try_unwrap(session) {
        // The connection is gone either way.
        let _ = session.close().await;
    }
}

/// Turns what ssh says into cause and remedy.
pub(super) fn explain(destination: &Destination, error: &openssh::Error) -> Error {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    let address = &destination.address;
    let host = address.rsplit('@').next().unwrap_or(address);
    let said_lower = said.to_lowercase();
    let has = |text: &str| said_lower.contains(text);
    let (message, help) = if has("remote host identification has changed") {
        (
            format!("the host key of {address} is not the one in known_hosts"),
            format!(
                "someone may listen in, or the machine was set up anew. If you know it was: ssh-keygen -R {host}, then connect once with ssh and compare the fingerprint"
            ),
        )
    } else if has("host key verification failed") || has("host key is known for") {
        (
            format!("the host key of {address} is not known yet"),
            format!(
                "connect once with `ssh {address}` and compare the fingerprint with the one your provider shows, or pass accept_new_host_keys"
            ),
        )
    } else if has("permission denied") {
        (
            format!("{address} does not let us in"),
            "check the user and the key: `ssh -v` shows which keys are offered; `ssh-add -l` lists the agent's"
                .to_owned(),
        )
    } else if has("could not resolve hostname") {
        (format!("the name {host} can't be resolved"), "check the spelling, or use the address".to_owned())
    } else if has("connection refused") {
        (
            format!("{address} refuses connections"),
            "is sshd running there, and on this port? Is the machine still booting?".to_owned(),
        )
    } else if has("timed out") || has("timeout") {
        (
            format!("{address} does not answer within {} s", options_timeout(destination)),
            "is the machine on, the address right, and port 22 open to your address in every firewall?".to_owned(),
        )
    } else if has("no route to host") || has("network is unreachable") {
        (format!("there is no way to {address} from here"), "check the address and your own network (IPv6?)".to_owned())
    } else {
        (format!("can't connect to {address}"), format!("try `ssh -v {address}`"))
    };
    Error::unreachable(message).on(destination.name()).help(help).output(said)
}

fn options_timeout(destination: &Destination) -> u64 {
    destination.options.connect_timeout.as_secs()
}

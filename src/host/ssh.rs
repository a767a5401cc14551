//! Connects with the user's own OpenSSH.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use backon::{ExponentialBuilder, Retryable as _};
use openssh::Session;

use super::address::Address;
use super::explain::{explain, is_denied, is_transient};
use super::keys::locked;
use super::master;
use super::options::quote;
use crate::error::{Error, Result};

/// How to connect, beyond what `ssh_config` says.
#[derive(Clone)]
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
    /// Limit for the connection to be set up, with all its tries, and for a shell on it to answer (at least 5 s). Default
    /// 15 s.
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

impl std::fmt::Debug for SshOptions {
    /// Everything but the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SshOptions { user, port, key, config, jump, sudo, sudo_password: _, connect_timeout, accept_new_host_keys } =
            self;
        (user, port, key, config, jump, sudo, connect_timeout, accept_new_host_keys).fmt(f)
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

impl Destination {
    /// The command with which a person opens the same way: from a port of this machine to one that the host reaches.
    pub(super) fn forward_command(&self, port: u16, target: &str) -> Result<String> {
        let (options, address) = (&self.options, Address::parse(&self.address)?);
        let mut words = vec!["ssh".to_owned(), "-N".to_owned(), "-L".to_owned(), format!("{port}:{target}")];
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), plain_or_quoted(&value)]));
        };
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        option("-F", path(&options.config));
        option("-i", path(&options.key));
        option("-p", address.port.or(options.port).map(|port| port.to_string()));
        option("-J", Some(options.jump.join(",")).filter(|jump| !jump.is_empty()));
        option("-l", address.user.or_else(|| options.user.clone()));
        words.push(plain_or_quoted(&address.host));
        Ok(words.join(" "))
    }
}

fn plain_or_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { quote(word) }
}

/// Where control sockets live. The path of a socket may have about 100 bytes, so it is short and not below `$TMPDIR`.
fn control_directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if dir.len() < 40 && PathBuf::from(&dir).is_dir() => PathBuf::from(dir),
        _ => PathBuf::from("/tmp"),
    }
}

/// Removes what runs that were killed left behind: folders of ours with a socket on which nobody listens, or without one for
/// longer than it takes to connect.
fn sweep(folder: &Path) {
    const OLD: Duration = Duration::from_secs(600);
    let me = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(master::FOLDER);
        let old = |at: SystemTime| at.elapsed().is_ok_and(|age| age > OLD);
        let over = |it: &Metadata| match UnixStream::connect(entry.path().join("master")) {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => true,
            Err(_) => it.modified().is_ok_and(old),
        };
        if named && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == me && over(&it)) {
            // Another run may do the same at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Connects, and tries again after failures that may be over in a moment, as long as the time limit allows.
pub(super) async fn connect(destination: &Destination) -> Result<Session> {
    let folder = control_directory();
    sweep(&folder);
    let start = Instant::now();
    let limit = destination.options.connect_timeout;
    let words = master::words(destination)?;
    let policy = ExponentialBuilder::default().with_min_delay(Duration::from_millis(500)).with_max_times(2);
    let tries = (|| master::start(&words, &folder)).retry(policy).when(|e| is_transient(e) && start.elapsed() < limit);
    // ssh's own limit covers the way to the host, not a login that hangs there.
    match tokio::time::timeout(limit + Duration::from_secs(5), tries).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => match broken_hop(destination).await? {
            Some(error) => Err(error),
            None if is_denied(&error) => Err(denied(destination, &error).await?),
            None => Err(explain(destination, &error)),
        },
        Err(_) => Err(Error::unreachable(format!(
            "{} did not finish the login within {} s",
            destination.address,
            limit.as_secs_f32() + 5.0
        ))
        .on(destination.name())
        .help(format!("see where `ssh -v {}` stops, or raise connect_timeout", destination.address))),
    }
}

/// The error of a login that was refused. A key that ssh couldn't even offer is the likely reason.
async fn denied(destination: &Destination, error: &openssh::Error) -> Result<Error> {
    let mut explained = explain(destination, error);
    if let Some(key) = locked(destination).await?.first() {
        let (key, help) = (key.display(), explained.help.unwrap_or_default());
        explained.help = Some(format!(
            "the key {key} has a passphrase, and only your agent can use it: ssh-add {key}. If it can: {help}"
        ));
    }
    Ok(explained)
}

/// Which jump host can't be connected to, and why. Of the hosts on the way ssh itself tells nothing.
async fn broken_hop(destination: &Destination) -> Result<Option<Error>> {
    let options = &destination.options;
    for (at, hop) in options.jump.iter().enumerate() {
        let hop = Destination {
            address: hop.clone(),
            name: destination.name.clone(),
            options: SshOptions {
                config: options.config.clone(),
                jump: options.jump[..at].to_vec(),
                connect_timeout: options.connect_timeout,
                accept_new_host_keys: options.accept_new_host_keys,
                ..SshOptions::default()
            },
        };
        match master::start(&master::words(&hop)?, &control_directory()).await {
            // What counts is that it was made.
            Ok(session) => drop(session.close().await),
            Err(error) => {
                let mut error = explain(&hop, &error).on(destination.name());
                error.message = format!("the way leads over a jump host: {}", error.message);
                return Ok(Some(error));
            }
        }
    }
    Ok(None)
}

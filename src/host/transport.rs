//! Opens a shell: here, or over SSH. Everything above this file is the same for both.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use openssh::Session;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::channel;
use super::explain::explain;
use super::ssh::{self, Destination};
use super::sudo;
use crate::error::{Error, Result};

/// The way to a host.
pub(super) struct Transport {
    /// With the connection's number it is what the shells are called: their only argument, by which they are found on the host.
    name: String,
    way: Way,
}

enum Way {
    Local,
    Ssh { connection: Mutex<Connection>, destination: Box<Destination> },
}

/// The one connection to a remote host, which may be replaced after it was lost.
pub(super) struct Connection {
    session: Option<Arc<Session>>,
    /// Counts the connections made.
    generation: u64,
}

/// A running shell. Dropping it ends the shell and what it runs.
pub(super) struct Pipes {
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    _child: Child,
}

/// Kept because the streams end with it.
enum Child {
    Local {
        _child: Box<tokio::process::Child>,
    },
    Ssh {
        _child: Box<openssh::Child<Arc<Session>>>,
    },
    #[cfg(test)]
    Nobody,
}

#[cfg(test)]
impl Pipes {
    /// Streams without a process at their ends.
    pub fn of(
        stdin: tokio::io::DuplexStream,
        stdout: tokio::io::DuplexStream,
        stderr: tokio::io::DuplexStream,
    ) -> Self {
        Pipes { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Box::new(stderr), _child: Child::Nobody }
    }
}

impl Transport {
    /// The way to this machine. The shells are called `name`, which is one word, `.` and the connection's number.
    pub fn local(name: &str) -> Self {
        Transport { name: name.to_owned(), way: Way::Local }
    }

    /// The way to a remote one; not connected yet.
    pub fn ssh(name: &str, destination: &Destination) -> Self {
        let connection = Mutex::new(Connection { session: None, generation: 0 });
        Transport { name: name.to_owned(), way: Way::Ssh { connection, destination: Box::new(destination.clone()) } }
    }

    /// Where a remote host is; None for the local one.
    pub fn destination(&self) -> Option<&Destination> {
        match &self.way {
            Way::Local => None,
            Way::Ssh { destination, .. } => Some(destination),
        }
    }

    /// None where no sudo is in between.
    pub fn sudo_password(&self) -> Option<Option<&str>> {
        let options = &self.destination()?.options;
        options.sudo.then_some(options.sudo_password.as_deref())
    }

    /// How long a shell may take until it answers. sudo alone takes two seconds where it has to refuse.
    pub fn shell_limit(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(5);
        self.destination().map_or(LEAST, |destination| destination.options.connect_timeout.max(LEAST))
    }

    /// Makes sure that there is a connection, and returns its number: another one than last time means that the old
    /// connection was lost and all shells with it. Asks only ssh's master process here, not the host.
    pub async fn ensure(&self) -> Result<u64> {
        match self.way {
            Way::Local => Ok(0),
            Way::Ssh { .. } => Ok(self.session().await?.1),
        }
    }

    /// The live connection.
    pub async fn session(&self) -> Result<(Arc<Session>, u64)> {
        let Way::Ssh { connection, destination } = &self.way else {
            return Err(Error::refused("the local host has no SSH connection"));
        };
        let mut connection = connection.lock().await;
        if let Some(session) = &connection.session
            && session.check().await.is_ok()
        {
            return Ok((session.clone(), connection.generation));
        }
        connection.session = None;
        let session = Arc::new(ssh::connect(destination).await?);
        connection.session = Some(session.clone());
        connection.generation += 1;
        Ok((session, connection.generation))
    }

    /// Opens one more shell on the host.
    pub async fn open(&self) -> Result<Pipes> {
        match &self.way {
            Way::Local => local_shell(&format!("{}.0", self.name)),
            Way::Ssh { destination, .. } => {
                let (session, generation) = self.session().await?;
                let name = format!("{}.{generation}", self.name);
                // Channels that are still closing count for sshd's MaxSessions: a refusal may be over in a moment.
                let policy = ConstantBuilder::default().with_delay(Duration::from_millis(200)).with_max_times(5);
                (|| remote_shell(&session, &name, destination))
                    .retry(policy)
                    .await
                    .map_err(|error| explain(destination, &error))
            }
        }
    }

    /// What ssh's master process said last about a connection that is gone, if it is.
    pub async fn last_words(&self) -> Option<String> {
        let Way::Ssh { connection, .. } = &self.way else { return None };
        let session = connection.lock().await.session.clone()?;
        if session.check().await.is_ok() {
            return None;
        }
        let log = session.control_socket().with_file_name("log");
        let said = tokio::fs::read_to_string(log).await.unwrap_or_default();
        Some(said.trim().lines().last().unwrap_or_default().trim().to_owned())
    }

    /// Ends the connection's master process.
    pub async fn close(&self) {
        if let Way::Ssh { connection, .. } = &self.way
            && let Some(session) = connection.lock().await.session.take()
            && let Ok(session) = Arc::try_unwrap(session)
        {
            // The connection is gone either way.
            let _ = channel::terminate(session.control_socket()).await;
            let _ = session.close().await;
        }
    }
}

fn local_shell(name: &str) -> Result<Pipes> {
    let mut child = Command::new("sh")
        .args(["-s", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for k3srun, which then ends the shell in an orderly way.
        .process_group(0)
        .spawn()
        .map_err(|error| Error::host(format!("can't start sh: {error}")))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::host("sh started without its three streams"));
    };
    Ok(Pipes {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        _child: Child::Local { _child: Box::new(child) },
    })
}

async fn remote_shell(session: &Arc<Session>, name: &str, destination: &Destination) -> Result<Pipes, openssh::Error> {
    let command = if destination.options.sudo { sudo::command(name) } else { format!("exec sh -s {name}") };
    let mut child = session
        .clone()
        .arc_raw_command(command)
        .stdin(openssh::Stdio::piped())
        .stdout(openssh::Stdio::piped())
        .stderr(openssh::Stdio::piped())
        .spawn()
        .await?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin().take(), child.stdout().take(), child.stderr().take())
    else {
        return Err(openssh::Error::Disconnected);
    };
    Ok(Pipes {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        _child: Child::Ssh { _child: Box::new(child) },
    })
}

//! Opens a shell: here, or over SSH. Everything above this file is the same for both.

use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::ssh::{self, Destination};
use crate::error::{Error, Result};

/// The way to a host.
pub(super) enum Transport {
    Local,
    Ssh { session: Mutex<Option<Arc<openssh::Session>>>, destination: Box<Destination> },
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
    Local { _child: Box<tokio::process::Child> },
    Ssh { _child: Box<openssh::Child<Arc<openssh::Session>>> },
}

/// What sudo is told to print when it wants a password.
pub(super) const SUDO_PROMPT: &str = "k3srun-sudo-password:";

impl Transport {
    pub fn local() -> Self {
        Transport::Local
    }

    pub async fn ssh(destination: &Destination) -> Result<Self> {
        let session = Mutex::new(Some(Arc::new(ssh::connect(destination).await?)));
        Ok(Transport::Ssh { session, destination: Box::new(destination.clone()) })
    }

    pub fn is_local(&self) -> bool {
        matches!(self, Transport::Local)
    }

    /// None where the shell is root's already.
    pub fn sudo_password(&self) -> Option<Option<&str>> {
        match self {
            Transport::Local => None,
            Transport::Ssh { destination, .. } => {
                destination.options.sudo.then_some(destination.options.sudo_password.as_deref())
            }
        }
    }

    /// Opens one more shell on the host.
    pub async fn open(&self) -> Result<Pipes> {
        match self {
            Transport::Local => {
                let mut child = Command::new("sh")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    // Ctrl-C is for k3srun, which then ends the shell in an orderly way.
                    .process_group(0)
                    .spawn()
                    .map_err(|error| Error::host(format!("can't start sh: {error}")))?;
                let (Some(stdin), Some(stdout), Some(stderr)) =
                    (child.stdin.take(), child.stdout.take(), child.stderr.take())
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
            Transport::Ssh { session, destination } => {
                let command = match destination.options.sudo {
                    false => "exec sh".to_owned(),
                    true => format!("exec sudo -S -p {SUDO_PROMPT} sh -c 'echo {}; exec sh'", super::shell::SUDO_DONE),
                };
                let Some(session) = session.lock().await.clone() else {
                    return Err(Error::unreachable("the connection is closed").help("connect again"));
                };
                let mut child = session
                    .arc_raw_command(command)
                    .stdin(openssh::Stdio::piped())
                    .stdout(openssh::Stdio::piped())
                    .stderr(openssh::Stdio::piped())
                    .spawn()
                    .await
                    .map_err(|error| ssh::explain(destination, &error))?;
                let (Some(stdin), Some(stdout), Some(stderr)) =
                    (child.stdin().take(), child.stdout().take(), child.stderr().take())
                else {
                    return Err(Error::unreachable("ssh opened a shell without its three streams"));
                };
                Ok(Pipes {
                    stdin: Box::new(stdin),
                    stdout: Box::new(stdout),
                    stderr: Box::new(stderr),
                    _child: Child::Ssh { _child: Box::new(child) },
                })
            }
        }
    }

    /// Ends the connection's master process.
    pub async fn close(&self) {
        if let Transport::Ssh { session, .. } = self
            && let Some(session) = session.lock().await.take()
        {
            ssh::close(session).await;
        }
    }
}

//! A port of this machine that leads to one that the host can reach.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use openssh::{ForwardType, Session, Socket};

use super::explain::explain;
use super::{Host, ScriptOptions};
use crate::error::{Error, Result};

/// A way to a port behind a host. Cloning gives the same tunnel. It ends with [`Tunnel::close`] or with the run.
#[derive(Clone)]
pub struct Tunnel {
    host: Host,
    forward: Option<Forward>,
    address: String,
    port: u16,
}

/// Why connections through a tunnel end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// No program on the host listens at the far end.
    NobodyListens,
    /// One does, so it is sshd that doesn't lead there.
    Forbidden,
}

/// What ssh was told to forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forward {
    listen: u16,
    host: String,
    port: u16,
}

impl Tunnel {
    /// The address to connect to on this machine.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The port to connect to on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is wrong with a tunnel whose connections end at once. None where its far end is not on the host itself.
    ///
    /// # Errors
    /// As [`Host::script`].
    pub async fn defect(&self) -> Result<Option<Defect>> {
        let Some(forward) = &self.forward else { return Ok(None) };
        if !forward.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            return Ok(None);
        }
        // 0A is LISTEN (Documentation/networking/proc_net_tcp.rst of Linux).
        let listening = format!(
            "awk -v port=:{:04X} '$4 == \"0A\" && substr($2, length($2) - 4) == port {{ found = 1 }} END {{ exit !found }}' \
             /proc/net/tcp /proc/net/tcp6 2>/dev/null",
            forward.port
        );
        Ok(match self.host.script(&listening, &ScriptOptions::titled("who listens")).await?.status {
            0 => Some(Defect::Forbidden),
            1 => Some(Defect::NobodyListens),
            _ => None,
        })
    }

    /// Ends the tunnel. Connections that go through it are cut.
    pub async fn close(&self) {
        let Some(forward) = &self.forward else { return };
        self.host.0.forwards.lock().await.retain(|known| known != forward);
        if let Ok((session, _)) = self.host.0.transport.session().await {
            // It is gone already if the connection was lost.
            let _ = session.close_port_forward(ForwardType::Local, forward.listener(), forward.target()).await;
        }
    }
}

impl Host {
    /// Opens a way from a free port of this machine's loopback interface to `port` of `host`, as this host sees it. On the
    /// local host that is the target itself.
    ///
    /// That a tunnel is open says nothing about its far end: connections through it end at once where nobody listens.
    ///
    /// # Errors
    /// Unreachable where the connection is gone; host where sshd forbids forwarding.
    pub async fn tunnel(&self, host: &str, port: u16) -> Result<Tunnel> {
        if self.is_local() {
            return Ok(Tunnel { host: self.clone(), forward: None, address: host.to_owned(), port });
        }
        let work = async {
            // A port that was free a moment ago may be taken now.
            const TRIES: usize = 5;
            let mut result = Err(Error::refused("no free port on 127.0.0.1"));
            for _ in 0..TRIES {
                let forward = Forward { listen: free_port()?, host: host.to_owned(), port };
                let (session, _) = self.0.transport.session().await?;
                result = self.request(&session, &forward).await.map(|()| forward);
                if result.is_ok() {
                    break;
                }
            }
            result
        };
        let forward = self.finish(self.0.run.until_cancelled(work).await).await?;
        self.0.forwards.lock().await.push(forward.clone());
        let port = forward.listen;
        Ok(Tunnel { host: self.clone(), forward: Some(forward), address: Ipv4Addr::LOCALHOST.to_string(), port })
    }

    /// The ssh command with which a person opens such a way, from this `port` of the loopback interface to `target` (`host:port`)
    /// as this host sees it. None on the local host, where no way is needed.
    ///
    /// # Errors
    /// Refused where the address of the host can't be read.
    pub fn tunnel_command(&self, port: u16, target: &str) -> Result<Option<String>> {
        self.0.transport.destination().map(|destination| destination.forward_command(port, target)).transpose()
    }

    async fn request(&self, session: &Session, forward: &Forward) -> Result<()> {
        let done = session.request_port_forward(ForwardType::Local, forward.listener(), forward.target()).await;
        done.map_err(|error| match self.0.transport.destination() {
            Some(destination) => explain(destination, &error),
            None => Error::unreachable(error.to_string()),
        })
    }

    /// Opens the tunnels again, at the same ports, after the connection was made again.
    pub(super) async fn restore_tunnels(&self) -> Result<()> {
        let forwards = self.0.forwards.lock().await.clone();
        for forward in &forwards {
            let (session, _) = self.0.transport.session().await?;
            self.request(&session, forward).await?;
        }
        Ok(())
    }
}

impl Forward {
    fn listener(&self) -> Socket<'_> {
        Socket::TcpSocket { host: "127.0.0.1".into(), port: self.listen }
    }

    fn target(&self) -> Socket<'_> {
        Socket::TcpSocket { host: self.host.as_str().into(), port: self.port }
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.port())
        .map_err(|error| Error::refused(format!("no free port on 127.0.0.1: {error}")))
}

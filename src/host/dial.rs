//! A connection to a port, made by this machine or by a host, and why there is none.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Host;
use super::channel::{self, Refusal};
use crate::error::{Error, Reason, Result};

/// What bytes go through both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection. Dropping it ends it.
pub type Stream = Box<dyn Duplex>;

impl Host {
    /// Connects to `port` of `address`, which is a name or an IP address, as this host does: it resolves the name, and its routes
    /// and firewalls count. Needs no program on the host, only sshd's permission to forward.
    ///
    /// # Errors
    /// Unreachable, with the reason: name not found, connection refused, timeout after `limit`, forbidden by sshd, else
    /// unavailable.
    pub async fn dial(&self, address: &str, port: u16, limit: Duration) -> Result<Stream> {
        let place = if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
        let work = async {
            let opening = async {
                match self.is_local() {
                    true => connect(address, port, limit).await.map_err(|error| explain_here(&place, address, &error)),
                    false => self.open_channel(&place, address, port).await,
                }
            };
            timeout(limit, opening).await.unwrap_or_else(|_| Err(silent(&place, limit)))
        };
        self.finish(self.0.run.until_cancelled(work).await).await
    }

    async fn open_channel(&self, place: &str, address: &str, port: u16) -> Result<Stream> {
        self.reconnect().await?;
        let (session, _) = self.0.transport.session().await?;
        let (control, address) = (session.control_socket().to_owned(), address.to_owned());
        let whom = address.clone();
        // In a task of its own, which goes on where nobody waits any more: see `channel::open`.
        let opening = tokio::spawn(async move { channel::open(&control, &address, port).await });
        match opening.await {
            Ok(Ok(Ok(channel))) => Ok(Box::new(channel)),
            Ok(Ok(Err(refusal))) => Err(explain_there(place, &whom, &refusal)),
            Ok(Err(error)) => Err(Error::unreachable(format!("ssh opens no connection to {place}: {error}"))
                .because(Reason::Unavailable)
                .help("is your OpenSSH at least 7.4, and the connection to the host still there?")),
            Err(error) => Err(Error::unreachable(format!("connecting to {place} broke off: {error}"))),
        }
    }
}

/// Tries the addresses of a name one after the other, each with its share of the time that is left.
async fn connect(address: &str, port: u16, limit: Duration) -> io::Result<Stream> {
    let end = Instant::now() + limit;
    let found: Vec<_> = tokio::net::lookup_host((address, port)).await.map_err(|_| unknown_name())?.collect();
    let mut last = unknown_name();
    for (index, at) in found.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now()) / (found.len() - index) as u32;
        match timeout(left, TcpStream::connect(at)).await {
            Ok(Ok(stream)) => return Ok(Box::new(stream)),
            Ok(Err(error)) => last = error,
            Err(_) => last = ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// No kind of error of the system says that a name is not known.
fn unknown_name() -> io::Error {
    ErrorKind::NotFound.into()
}

fn explain_here(place: &str, address: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => unknown(address),
        ErrorKind::ConnectionRefused => refused(place),
        ErrorKind::TimedOut => unanswered(place),
        _ => no_way(place, &error.to_string()),
    }
}

/// All that a host tells is sshd's text: `strerror` or `gai_strerror` of its system (`channels.c` of OpenSSH).
fn explain_there(place: &str, address: &str, refusal: &Refusal) -> Error {
    let said = match refusal {
        Refusal::Failed(said) => said,
        Refusal::Prohibited => {
            return Error::unreachable(format!("sshd may not connect to {place} for us"))
                .because(Reason::Forbidden)
                .help("set AllowTcpForwarding to local or yes in its sshd_config; do PermitOpen and DisableForwarding allow it?");
        }
    };
    let lower = said.to_lowercase();
    let has = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    if has(&["refused"]) {
        refused(place)
    } else if has(&["timed out"]) {
        unanswered(place)
    } else if has(&["not known", "resol", "no address associated", "does not exist", "nodename"]) {
        unknown(address)
    } else {
        no_way(place, said)
    }
}

fn unknown(address: &str) -> Error {
    Error::unreachable(format!("the name {address} can't be resolved"))
        .because(Reason::NameNotFound)
        .help("check the spelling, and the name servers in /etc/resolv.conf")
}

fn refused(place: &str) -> Error {
    Error::unreachable(format!("{place} refuses connections"))
        .because(Reason::ConnectionRefused)
        .help("does a program listen there, and on that address?")
}

fn silent(place: &str, limit: Duration) -> Error {
    let seconds = (limit.as_secs_f32() * 10.0).round() / 10.0;
    Error::unreachable(format!("{place} does not answer within {seconds} s")).because(Reason::Timeout).help(OPEN)
}

fn unanswered(place: &str) -> Error {
    Error::unreachable(format!("{place} does not answer")).because(Reason::Timeout).help(OPEN)
}

const OPEN: &str = "is the machine on, and the port open in every firewall on the way?";

fn no_way(place: &str, said: &str) -> Error {
    Error::unreachable(format!("there is no way to {place}"))
        .because(Reason::Unavailable)
        .output(said)
        .help("are the address and the routes right?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sshd_says_has_a_reason() {
        for (said, reason) in [
            ("Connection refused", Reason::ConnectionRefused),
            ("Connection timed out", Reason::Timeout),
            ("Operation timed out", Reason::Timeout),
            ("Name or service not known", Reason::NameNotFound),
            ("Temporary failure in name resolution", Reason::NameNotFound),
            ("No address associated with hostname", Reason::NameNotFound),
            ("No route to host", Reason::Unavailable),
            ("Network is unreachable", Reason::Unavailable),
            ("", Reason::Unavailable),
        ] {
            let error = explain_there("a:1", "a", &Refusal::Failed(said.into()));
            assert_eq!(error.reason, Some(reason), "{said}");
        }
        assert_eq!(explain_there("a:1", "a", &Refusal::Prohibited).reason, Some(Reason::Forbidden));
    }
}

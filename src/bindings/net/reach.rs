//! `tls::`, `tcp::`, `dns::`: connections and names.

use std::time::Duration;

use rhai::plugin::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{from, list};
use crate::error::Error;
use crate::net::Trust;
use crate::script::{Fallible, Options, Seconds, fail};

/// Options of a TLS connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Speak {
    #[serde(rename = "from")]
    _from: IgnoredAny,
    name: Option<String>,
    insecure: bool,
    ca: Option<String>,
    timeout: Option<Seconds>,
}

impl Options for Speak {
    const FUNCTIONS: &[&str] = &["tls::certificates"];
}

/// Options of what only connects or resolves.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Reach {
    #[serde(rename = "from")]
    _from: IgnoredAny,
    timeout: Option<Seconds>,
}

impl Options for Reach {
    const FUNCTIONS: &[&str] = &["tcp::connect", "tcp::open", "dns::lookup"];
}

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

impl Reach {
    fn limit(&self) -> Duration {
        self.timeout.map_or(CONNECT, |seconds| seconds.0)
    }
}

fn port(call: &NativeCallContext, port: i64) -> Fallible<u16> {
    let bad = || fail(call, Error::script(format!("{}(): {port} is not a port from 1 to 65535", call.fn_name())));
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(bad)
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod tls {
    use rhai::{Array, EvalAltResult, Map};

    use super::{CONNECT, Speak, Trust, from, list};
    use crate::net;
    use crate::script::{block, context, options};

    /// The certificates that are served at a port, the server's own first: maps of `subject`, `issuer`, `hosts`, `not_after`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let own = tls::certificates("mail.example.org", 993)[0];
    /// print(`${own.hosts} until ${own.not_after}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn certificates(call: NativeCallContext, address: &str, port: i64) -> Result<Array, Box<EvalAltResult>> {
        certificates_with(call, address, port, Map::new())
    }

    /// The certificates that are served at a port. One that proves nothing is an error with the `reason` `untrusted`. Options:
    /// `from` (the host that connects; this machine), `name` (the name for which a certificate is asked; the address),
    /// `insecure` (false; true: return it all the same), `ca` (PEM: the authorities that count instead of this machine's),
    /// `timeout` in seconds (5).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let master = ssh::connect("master");
    /// print(tls::certificates("127.0.0.1", 6443, #{ from: master, insecure: true }));
    /// ```
    #[rhai_fn(name = "certificates", return_raw)]
    pub fn certificates_with(
        call: NativeCallContext,
        address: &str,
        port: i64,
        mut settings: Map,
    ) -> Result<Array, Box<EvalAltResult>> {
        let (host, port) = (from(&call, &mut settings)?, super::port(&call, port)?);
        let settings: Speak = options(&call, settings)?;
        let limit = settings.timeout.map_or(CONNECT, |seconds| seconds.0);
        let name = settings.name.as_deref().unwrap_or(address);
        let trust = Trust { ca: settings.ca, insecure: settings.insecure };
        list(block(&call, &context(&call), net::served(&host, address, port, name, &trust, limit))?)
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod tcp {
    use std::time::Instant;

    use rhai::{EvalAltResult, Map};

    use super::{Reach, from};
    use crate::error::Reason;
    use crate::script::{block, context, options};

    /// Connects to a port, and returns how many seconds that took.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(tcp::connect("www.example.org", 443));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn connect(call: NativeCallContext, address: &str, port: i64) -> Result<f64, Box<EvalAltResult>> {
        connect_with(call, address, port, Map::new())
    }

    /// Connects to a port of a name or an IP address, and returns how many seconds that took. An error has the `reason`
    /// `name_not_found`, `connection_refused`, `timeout`, `unavailable` (no way there) or `forbidden` (sshd may not forward).
    /// Options: `from` (the host that connects; this machine), `timeout` in seconds (5).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let worker = ssh::connect("worker");
    /// try {
    ///     tcp::connect("10.0.0.10", 6443, #{ from: worker });
    /// } catch (error) {
    ///     warn(if error.reason == "connection_refused" { "nobody listens" } else { error.message });
    /// }
    /// ```
    #[rhai_fn(name = "connect", return_raw)]
    pub fn connect_with(
        call: NativeCallContext,
        address: &str,
        port: i64,
        mut settings: Map,
    ) -> Result<f64, Box<EvalAltResult>> {
        let (host, port) = (from(&call, &mut settings)?, super::port(&call, port)?);
        let settings: Reach = options(&call, settings)?;
        let start = Instant::now();
        block(&call, &context(&call), host.dial(address, port, settings.limit()))?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Whether a port takes connections.
    ///
    /// # Example
    /// ```rhai
    /// if tcp::open("127.0.0.1", 1) { log("somebody listens at port 1") }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn open(call: NativeCallContext, address: &str, port: i64) -> Result<bool, Box<EvalAltResult>> {
        open_with(call, address, port, Map::new())
    }

    /// Whether a port takes connections: false where they are refused, nobody answers in time, or there is no way. That the name
    /// isn't known, or sshd may not forward, is an error. The options are those of `tcp::connect`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let worker = ssh::connect("worker");
    /// while !tcp::open("10.0.0.10", 6443, #{ from: worker, timeout: 2 }) { sleep(1) }
    /// ```
    #[rhai_fn(name = "open", return_raw)]
    pub fn open_with(
        call: NativeCallContext,
        address: &str,
        port: i64,
        mut settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let (host, port) = (from(&call, &mut settings)?, super::port(&call, port)?);
        let settings: Reach = options(&call, settings)?;
        block(&call, &context(&call), async {
            match host.dial(address, port, settings.limit()).await {
                Ok(_) => Ok(true),
                Err(error) => match error.reason {
                    Some(Reason::ConnectionRefused | Reason::Timeout | Reason::Unavailable) => Ok(false),
                    _ => Err(error),
                },
            }
        })
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod dns {
    use rhai::{Array, EvalAltResult, Map};

    use super::{Reach, from};
    use crate::net;
    use crate::script::{block, context, options};

    /// The addresses that a name has for this machine, IPv4 before IPv6; an empty list where there are none.
    ///
    /// # Example
    /// ```rhai
    /// if !dns::lookup("localhost").contains("127.0.0.1") { warn("localhost is not this machine") }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lookup(call: NativeCallContext, name: &str) -> Result<Array, Box<EvalAltResult>> {
        lookup_with(call, name, Map::new())
    }

    /// The addresses that a name has. Options: `from` (the host that asks, in the way its programs do; this machine), `timeout`
    /// in seconds (5).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let master = ssh::connect("master");
    /// if dns::lookup("www.example.org", #{ from: master }) == [] { warn("not known there") }
    /// ```
    #[rhai_fn(name = "lookup", return_raw)]
    pub fn lookup_with(call: NativeCallContext, name: &str, mut settings: Map) -> Result<Array, Box<EvalAltResult>> {
        let host = from(&call, &mut settings)?;
        let settings: Reach = options(&call, settings)?;
        let found = block(&call, &context(&call), net::addresses(&host, name, settings.limit()))?;
        Ok(found.into_iter().map(|address| address.to_string().into()).collect())
    }
}

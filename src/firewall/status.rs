//! What the firewall of a host is and has done.

use serde::Serialize;

use super::apply::{NAME, TABLE};
use super::loaded::Loaded;
use super::policy::Protocol;
use super::ports::Ports;
use crate::error::Result;
use crate::host::Host;
use crate::resource::{Probe, decode, guard};

/// The firewall of a host.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// Whether the table is in force.
    pub active: bool,
    /// Whether it is what was loaded last, not changed by hand since, and will be loaded at the next boot.
    pub persistent: bool,
    /// Whether the host loads it again when another program has changed or removed it.
    pub watched: bool,
    /// Whether its rules did not load, at boot for example, so that everything but SSH is closed.
    pub minimal: bool,
    /// When it had to be loaded again, the last one at the end; at most twenty.
    pub restored: Vec<Restored>,
    /// Whether a change waits for its confirmation; the host takes it back within a minute.
    pub pending: bool,
    /// What is open: maps of `port`, `protocol`, `to` and `service`.
    pub open: Vec<OpenPort>,
    /// The addresses of each source that has any.
    pub sources: std::collections::BTreeMap<String, Vec<String>>,
    /// What was dropped since the table was loaded.
    pub dropped: Dropped,
    /// nftables tables of others, which are left alone.
    pub others: Vec<String>,
    /// Active firewalls of others: `ufw`, `firewalld`.
    pub rivals: Vec<String>,
}

/// Another program's doing that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// By the host's clock, in seconds since 1970.
    pub at: i64,
    /// What had happened to the table: `removed` or `changed`.
    pub what: String,
}

/// A port that is open.
#[derive(Debug, Clone, Serialize)]
pub struct OpenPort {
    /// The port, or the range as a text.
    pub port: Ports,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// To whom.
    pub to: String,
    /// What is behind it.
    pub service: String,
}

/// Packets that were not let in.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Dropped {
    /// How many.
    pub packets: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Looks at the firewall of a host, in one round trip.
///
/// # Errors
/// When the host can't be asked.
pub async fn status(host: &Host) -> Result<Status> {
    let mut probe = Probe::default();
    guard::ask(&mut probe, NAME);
    probe.ask(&TABLE, NAME);
    let facts = probe.read(host).await?;
    let mut status = Status { rivals: host.facts().await?.firewalls.clone(), ..Status::default() };
    status.pending = guard::is_pending(&facts, NAME);
    let Some([same, enabled, watched, table, held, restored, others]) = facts.get(&TABLE, NAME) else {
        return Ok(status);
    };
    status.others = others.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    status.watched = watched == "yes";
    status.restored = restored.split(',').filter_map(Restored::parse).collect();
    let parse = |listed: &str| Loaded::parse(&String::from_utf8_lossy(&decode(listed).unwrap_or_default()));
    // What came while the table was gone was dropped by its copy.
    let held = parse(held).unwrap_or_default();
    let Some(loaded) = parse(table) else { return Ok(status) };
    status.active = true;
    status.persistent = same == "yes" && enabled == "yes";
    status.minimal = loaded.minimal;
    status.dropped = Dropped { packets: loaded.packets + held.packets, bytes: loaded.bytes + held.bytes };
    status.sources = loaded.networks.into_iter().map(|(name, all)| (name, all.into_iter().collect())).collect();
    let open = |row: super::loaded::Row| {
        let super::loaded::Row { port, protocol, to, service } = row;
        OpenPort { port, protocol, to, service }
    };
    status.open = loaded.open.into_iter().map(open).collect();
    Ok(status)
}

impl Restored {
    /// Reads `1795764126 removed`.
    fn parse(line: &str) -> Option<Self> {
        let (at, what) = line.split_once(' ')?;
        Some(Restored { at: at.parse().ok()?, what: what.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_restored_is_read_line_by_line() {
        let removed = Restored { at: 1_795_764_126, what: "removed".into() };
        assert_eq!(Restored::parse("1795764126 removed"), Some(removed));
        assert_eq!(Restored::parse(""), None);
    }
}

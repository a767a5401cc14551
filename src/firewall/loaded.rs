//! What is in force on a host: the table as `nft` lists it in JSON (libnftables-json(5)).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::policy::Protocol;
use super::ports::Ports;

/// The table as it is in the kernel, as far as we wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What is open to whom.
    pub open: BTreeSet<Row>,
    /// The addresses of each source.
    pub networks: BTreeMap<String, BTreeSet<String>>,
    /// Packets that were dropped since the rules were loaded.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Whether these are the rules that are left where those of the policy don't load.
    pub minimal: bool,
}

/// A row of the port table: what is open to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The port or ports.
    pub port: Ports,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The name of the source.
    pub to: String,
    /// What is behind it.
    pub service: String,
}

impl Loaded {
    /// Reads the output of `nft -j list table inet k3srun`; None where there is no such table.
    pub fn parse(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(json).ok()?;
        let mut loaded = Loaded::default();
        for object in value["nftables"].as_array()? {
            if let Some(rule) = object.get("rule") {
                loaded.open.extend(rule["comment"].as_str().and_then(Row::of_comment));
            } else if let Some(set) = object.get("set") {
                let name = set["name"].as_str()?.trim_end_matches(['4', '6']).to_owned();
                let elements = set["elem"].as_array().into_iter().flatten().filter_map(element);
                loaded.networks.entry(name).or_default().extend(elements);
            } else if let Some(counter) = object.get("counter") {
                loaded.packets = counter["packets"].as_u64()?;
                loaded.bytes = counter["bytes"].as_u64()?;
            } else if let Some(chain) = object.get("chain") {
                loaded.minimal |= chain["name"] == "minimal";
            }
        }
        Some(loaded)
    }
}

impl Row {
    /// `22/tcp to admin: SSH`, as [`super::ruleset`] writes it.
    fn of_comment(text: &str) -> Option<Self> {
        let (what, to) = text.split_once(" to ")?;
        let (port, protocol) = what.split_once('/')?;
        let (to, service) = to.split_once(": ").unwrap_or((to, ""));
        let protocol = [Protocol::Tcp, Protocol::Udp].into_iter().find(|known| known.name() == protocol)?;
        Some(Row { port: Ports::parse(port)?, protocol, to: to.to_owned(), service: service.to_owned() })
    }
}

/// An address, `{"prefix": {"addr": .., "len": ..}}` or `{"range": [.., ..]}`.
fn element(value: &Value) -> Option<String> {
    if let Some(prefix) = value.get("prefix") {
        return Some(format!("{}/{}", prefix["addr"].as_str()?, prefix["len"].as_u64()?));
    }
    if let Some(range) = value.get("range") {
        return Some(format!("{}-{}", range[0].as_str()?, range[1].as_str()?));
    }
    Some(value.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_addresses_and_drops_are_read_from_the_kernels_list() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "inet", "name": "k3srun", "handle": 3}},
            {"counter": {"family": "inet", "name": "dropped", "table": "k3srun", "handle": 1, "packets": 5, "bytes": 300}},
            {"set": {"family": "inet", "name": "admin4", "table": "k3srun", "type": "ipv4_addr", "flags": ["interval"],
                     "elem": ["192.0.2.1", {"prefix": {"addr": "198.51.100.0", "len": 24}}]}},
            {"set": {"family": "inet", "name": "admin6", "table": "k3srun", "type": "ipv6_addr", "flags": ["interval"]}},
            {"rule": {"family": "inet", "table": "k3srun", "chain": "arriving", "expr": [], "comment": "22/tcp to admin: SSH"}},
            {"rule": {"family": "inet", "table": "k3srun", "chain": "arriving", "expr": [{"accept": null}]}}]}"#;
        let loaded = Loaded::parse(json).unwrap();
        let rows: Vec<String> =
            loaded.open.iter().map(|row| format!("{} {} {}", row.port, row.to, row.service)).collect();
        assert_eq!(rows, ["22 admin SSH"]);
        assert_eq!(loaded.networks["admin"].iter().collect::<Vec<_>>(), ["192.0.2.1", "198.51.100.0/24"]);
        assert_eq!((loaded.packets, loaded.bytes), (5, 300));
        assert_eq!(Loaded::parse(""), None);
    }
}

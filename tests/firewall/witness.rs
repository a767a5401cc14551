//! The witness: notes on a host each new connection that got past the firewall, to the host itself or through it, whether
//! anybody listens or not. With it a scan shows what is let in, not only what answers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use crate::place::Place;
use crate::scan::{Port, Ports};
use crate::support::lab::Step;

/// Ports are noted as they were before addresses were translated: so a NodePort is a NodePort.
const RULES: &str = "
table inet witness
delete table inet witness
table inet witness {
	set v4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags dynamic; size 1000000; }
	set v6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service; flags dynamic; size 1000000; }
	chain arrived {
		type filter hook input priority 1000; policy accept;
		jump note
	}
	chain routed {
		type filter hook forward priority 1000; policy accept;
		jump note
	}
	chain note {
		ct state != new return
		meta l4proto { tcp, udp } add @v4 { ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst }
		meta l4proto { tcp, udp } add @v6 { ip6 saddr . ct original ip6 daddr . meta l4proto . ct original proto-dst }
	}
}
";

/// A witness on a host; it leaves when this is dropped.
pub struct Witness {
    host: Place,
}

/// What it noted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The sender's address.
    pub from: String,
    /// The address that it sent to.
    pub to: String,
    /// And the port.
    pub port: Port,
}

impl Witness {
    /// Begins to take notes at a host.
    pub fn at(host: &Place) -> Step<Witness> {
        load(host, RULES)?;
        Ok(Witness { host: host.clone() })
    }

    /// Everything that was noted.
    pub fn seen(&self) -> Step<BTreeSet<Seen>> {
        let text = self.host.run(&["nft", "-j", "list", "table", "inet", "witness"])?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let objects = json["nftables"].as_array().ok_or("nft lists nothing")?;
        let elements = objects.iter().filter_map(|object| object["set"]["elem"].as_array()).flatten();
        let seen = elements.map(|element| {
            let part = |index: usize| &element["concat"][index];
            let text = |index| part(index).as_str().map(str::to_owned);
            let number = part(3).as_u64().and_then(|number| u16::try_from(number).ok());
            let port = Port { number: number?, protocol: text(2)? };
            Some(Seen { from: text(0)?, to: text(1)?, port })
        });
        seen.collect::<Option<_>>().ok_or_else(|| format!("an unknown note of the witness: {text}"))
    }

    /// The ports of `to` that were let in for `from`.
    pub fn ports(&self, from: &str, to: &str) -> Step<Ports> {
        let to = to.split('%').next().unwrap_or(to);
        let seen = self.seen()?.into_iter();
        Ok(seen.filter(|seen| seen.from == from && seen.to == to).map(|seen| seen.port).collect())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.host.run(&["nft", "delete", "table", "inet", "witness"]);
    }
}

/// Loads rules at a place.
pub fn load(place: &Place, rules: &str) -> Step {
    let mut nft = place.command(&["nft", "-f", "-"]);
    let mut nft = nft.stdin(Stdio::piped()).spawn().map_err(|error| format!("can't start nft: {error}"))?;
    nft.stdin.take().ok_or("no input")?.write_all(rules.as_bytes()).map_err(|error| error.to_string())?;
    if nft.wait().is_ok_and(|status| status.success()) { Ok(()) } else { Err(format!("nft refuses:\n{rules}")) }
}

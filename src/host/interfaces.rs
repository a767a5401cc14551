//! Network interfaces: from `ip -json addr`, or from the kernel's files where there is no `ip` that knows JSON.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One network interface of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// E.g. `eth0`.
    pub name: String,
    /// Its hardware address; empty where it has none.
    pub mac: String,
    /// The largest packet in bytes.
    pub mtu: u64,
    /// Whether it is switched on.
    pub up: bool,
    /// IPv4 and IPv6 addresses with their prefix lengths, e.g. `10.0.0.2/24`.
    pub addresses: Vec<String>,
}

#[derive(Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    address: String,
    mtu: u64,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    local: String,
    #[serde(default)]
    prefixlen: u64,
}

/// Reads the output of `ip -json addr`.
pub(super) fn from_ip(json: &str) -> Result<Vec<Interface>> {
    let links: Vec<Link> = serde_json::from_str(json)
        .map_err(|error| Error::host(format!("`ip -json addr` printed something unexpected: {error}")))?;
    let interface = |link: Link| Interface {
        name: link.ifname,
        mac: link.address,
        mtu: link.mtu,
        up: link.flags.iter().any(|flag| flag == "UP"),
        addresses: link.addr_info.iter().map(|address| format!("{}/{}", address.local, address.prefixlen)).collect(),
    };
    Ok(links.into_iter().map(interface).collect())
}

/// Reads `/sys/class/net` (lines `name mac mtu flags`), `/proc/net/if_inet6`, `/proc/net/route` and
/// `/proc/net/fib_trie`. An IPv4 address belongs to the interface that has a route to its network.
pub(super) fn from_proc(links: &str, inet6: &str, routes: &str, trie: &str) -> Vec<Interface> {
    let mut addresses: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for address in local_ipv4(trie) {
        if address.is_loopback() {
            addresses.entry("lo").or_default().push(format!("{address}/8"));
        } else if let Some((name, length)) = route_to(address, routes) {
            addresses.entry(name).or_default().push(format!("{address}/{length}"));
        }
    }
    for line in inet6.lines() {
        // Address, index, prefix length, scope, flags, name; numbers in hexadecimal.
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [address, _, length, _, _, name] = fields[..]
            && let (Ok(address), Ok(length)) = (u128::from_str_radix(address, 16), u8::from_str_radix(length, 16))
        {
            addresses.entry(name).or_default().push(format!("{}/{length}", Ipv6Addr::from(address)));
        }
    }
    let interface = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, mac, mtu, flags) = match fields[..] {
            [name, mac, mtu, flags] => (name, mac, mtu, flags),
            [name, mtu, flags] => (name, "", mtu, flags),
            _ => return None,
        };
        const UP: u32 = 1;
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or_default();
        Some(Interface {
            name: name.to_owned(),
            mac: mac.to_owned(),
            mtu: mtu.parse().ok()?,
            up: flags & UP != 0,
            addresses: addresses.remove(name).unwrap_or_default(),
        })
    };
    links.lines().filter_map(interface).collect()
}

/// The addresses before the lines `/32 host LOCAL`; each is there more than once.
fn local_ipv4(trie: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in trie.lines() {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.trim().parse().ok();
        } else if line.contains("/32 host LOCAL")
            && let Some(address) = last
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// The interface and prefix length of the most exact route to `address`; a default route is none.
fn route_to(address: Ipv4Addr, routes: &str) -> Option<(&str, u32)> {
    let route = |line| -> Option<(&str, u32)> {
        let fields: Vec<&str> = str::split_whitespace(line).collect();
        // In the byte order of the network, printed as a little-endian machine (x86, ARM, RISC-V) reads it.
        let number = |text: &str| u32::from_str_radix(text, 16).map(u32::swap_bytes).ok();
        let (name, target, mask) = (*fields.first()?, number(fields.get(1)?)?, number(fields.get(7)?)?);
        (mask != 0 && address.to_bits() & mask == target).then_some((name, mask.count_ones()))
    };
    routes.lines().skip(1).filter_map(route).max_by_key(|(_, length)| *length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_give_the_same() {
        let json = r#"[{"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"address":"00:00:00:00:00:00",
            "addr_info":[{"local":"127.0.0.1","prefixlen":8}]},
            {"ifname":"eth0","flags":["UP"],"mtu":1500,"address":"02:00:00:00:00:01",
            "addr_info":[{"local":"10.0.0.2","prefixlen":24},{"local":"fd00::2","prefixlen":64}]}]"#;
        let links = "lo 00:00:00:00:00:00 65536 0x9\neth0 02:00:00:00:00:01 1500 0x1003\n";
        let inet6 = "fd000000000000000000000000000002 02 40 00 80     eth0\n";
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                      eth0\t00000000\t0100000A\t3\t0\t0\t0\t00000000\neth0\t0000000A\t00000000\t1\t0\t0\t0\t00FFFFFF\n";
        let trie = "Main:\n  |-- 10.0.0.2\n     /32 host LOCAL\n  |-- 127.0.0.1\n     /32 host LOCAL\n  |-- 10.0.0.2\n     /32 host LOCAL\n";
        assert_eq!(from_proc(links, inet6, routes, trie), from_ip(json).unwrap());
    }
}

//! Which ports are open to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::ports::Ports;
use crate::host::{Facts, Login};
use crate::suggestion::nearest;

/// The source that is everybody.
pub const INTERNET: &str = "internet";

/// What is open. Everything else is closed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Who may be let in, by a name of the caller's choice. `internet` is everybody and need not be named here.
    pub sources: BTreeMap<String, Source>,
    /// What is open to them.
    pub open: Vec<Opening>,
    /// Firewalls of others that are to be disabled, because this table replaces them. Default: none; where one is active,
    /// the policy is refused.
    #[serde(default)]
    pub replace: Vec<Rival>,
    /// Units of systemd that don't start while the firewall isn't in force, e.g. `k3s.service`. Default: none.
    #[serde(default)]
    pub required_by: Vec<String>,
}

/// Somebody who may be let in: a packet's source address and the interface that it comes from must both fit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Addresses and networks, e.g. `10.0.0.2` or `2001:db8::/64`. None: any.
    #[serde(default, deserialize_with = "networks")]
    pub networks: Option<Vec<IpNet>>,
    /// Names of network interfaces; `*` at the end stands for the rest of a name. None: any.
    #[serde(default)]
    pub interfaces: Option<Vec<String>>,
    /// Whether the host forwards what comes from here to elsewhere, as for its pods. Default no.
    #[serde(default)]
    pub routes: bool,
}

/// A port, or a range of them, that is open to a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// As others see it, before any translation of addresses: so a NodePort, too.
    pub port: Ports,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The name of the source, or `internet`.
    pub to: String,
    /// What is behind it, for people.
    #[serde(default)]
    pub service: String,
}

/// What has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Somebody else's firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rival {
    /// Ubuntu's.
    Ufw,
    /// Fedora's and SUSE's.
    Firewalld,
}

impl Rival {
    /// Its name, which is also the name of its program or unit.
    pub fn name(self) -> &'static str {
        match self {
            Rival::Ufw => "ufw",
            Rival::Firewalld => "firewalld",
        }
    }
}

impl Protocol {
    /// `tcp` or `udp`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

impl Opening {
    /// `22/tcp`.
    pub fn what(&self) -> String {
        format!("{}/{}", self.port, self.protocol.name())
    }
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parsed = texts.iter().map(|text| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(|_| address())
            .map_err(|_| de::Error::custom(format!("{text} is neither an address nor a network, e.g. 198.51.100.0/24")))
    });
    Ok(Some(parsed.collect::<Result<Vec<_>, _>>()?))
}

impl Policy {
    /// All that is wrong with the policy itself.
    pub fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, source) in &self.sources {
            found.extend(source.mistakes(name));
        }
        let mut seen = BTreeSet::new();
        for opening in &self.open {
            let what = opening.what();
            if opening.to != INTERNET && !self.sources.contains_key(&opening.to) {
                let known = self.sources.keys().map(String::as_str).chain([INTERNET]);
                let meant = nearest(&opening.to, known).map(|name| format!("; did you mean {name}?"));
                found.push(format!("{what}: unknown source {}{}", opening.to, meant.unwrap_or_default()));
            }
            if opening.service.len() > 60 || opening.service.contains(|c: char| c.is_control() || "\"\\".contains(c)) {
                found.push(format!("{what}: the service is a short text without quotes"));
            }
            if !seen.insert((opening.port, opening.protocol, &opening.to)) {
                found.push(format!("{what} is opened to {} twice", opening.to));
            }
        }
        let is_unit = |name: &&String| {
            let known = |c: char| c.is_ascii_alphanumeric() || "@_-.".contains(c);
            name.ends_with(".service") && name.chars().all(known) && !name.starts_with('.')
        };
        let strange = self.required_by.iter().filter(|name| !is_unit(name));
        found.extend(strange.map(|name| format!("{name:?} is not the name of a service, e.g. k3s.service")));
        found
    }

    /// Why this policy must not be loaded on a host: it would lock us out, or another firewall is active there.
    pub fn objections(&self, facts: &Facts) -> Vec<String> {
        let rivals = facts.firewalls.iter().filter(|name| !self.replace.iter().any(|rival| rival.name() == **name));
        let mut found: Vec<String> =
            rivals.map(|name| format!("{name} is active there; two firewalls contradict each other")).collect();
        if let Some(login) = &facts.login
            && !self.admits(login, facts)
        {
            let open: Vec<&Opening> = self.over_ssh(login.port).collect();
            let reason = match open.as_slice() {
                [] => format!("{}/tcp, on which sshd listens, is open to nobody", login.port),
                open => {
                    let to: Vec<String> = open.iter().map(|opening| self.describe(&opening.to)).collect();
                    format!("{}/tcp is open only to {}", login.port, to.join(", "))
                }
            };
            found.push(format!("it would lock us out: we come from {}, and {reason}", login.from));
        }
        found
    }

    /// What opens a port of sshd.
    pub(super) fn over_ssh(&self, port: u16) -> impl Iterator<Item = &Opening> {
        let open = self.open.iter();
        open.filter(move |it| it.protocol == Protocol::Tcp && (it.port.first..=it.port.last).contains(&port))
    }

    fn admits(&self, login: &Login, facts: &Facts) -> bool {
        let own = login.to.to_string();
        let has = |text: &String| text.split('/').next() == Some(own.as_str());
        let arrival = facts.interfaces.iter().find(|interface| interface.addresses.iter().any(has));
        self.over_ssh(login.port).any(|opening| match self.sources.get(&opening.to) {
            None => opening.to == INTERNET,
            Some(source) => source.fits(login.from, arrival.map(|interface| interface.name.as_str())),
        })
    }

    /// `admin (198.51.100.0/24)`.
    fn describe(&self, name: &str) -> String {
        match self.sources.get(name).and_then(|source| source.networks.as_ref()) {
            Some(networks) => {
                let networks: Vec<String> = networks.iter().map(brief).collect();
                format!("{name} ({})", networks.join(", "))
            }
            None => name.to_owned(),
        }
    }
}

impl Source {
    fn mistakes(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name == INTERNET {
            found.push(format!("{INTERNET} is everybody: it can't be a source of yours"));
        } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(word) || name.len() > 14 {
            found.push(format!("{name:?} is not a valid source name: up to 14 lower-case letters, digits and _"));
        }
        if self.networks.as_ref().is_some_and(Vec::is_empty) {
            found.push(format!("the source {name} has no networks, so nobody could use what is open to it"));
        }
        if self.interfaces.as_ref().is_some_and(Vec::is_empty) {
            found.push(format!("the source {name} has no interfaces, so nobody could use what is open to it"));
        }
        if self.networks.is_none() && self.interfaces.is_none() {
            found.push(format!("the source {name} needs networks, interfaces or both"));
        }
        if self.routes && self.interfaces.is_none() {
            found.push(format!("the source {name} routes, so it needs interfaces: addresses alone can be forged"));
        }
        for interface in self.interfaces.iter().flatten() {
            let stem = interface.strip_suffix('*').unwrap_or(interface);
            let sign = |c: char| c.is_ascii_alphanumeric() || "._-@:".contains(c);
            if stem.is_empty() || interface.len() > 15 || !stem.chars().all(sign) {
                found.push(format!("{interface:?} is not a valid interface name"));
            }
        }
        found
    }

    /// Whether a packet from `address` that arrives at `interface` is from here.
    fn fits(&self, address: IpAddr, interface: Option<&str>) -> bool {
        let known = |names: &Vec<String>| {
            names.iter().any(|name| match (name.strip_suffix('*'), interface) {
                (Some(stem), Some(interface)) => interface.starts_with(stem),
                (None, Some(interface)) => name == interface,
                (_, None) => false,
            })
        };
        self.networks.as_ref().is_none_or(|networks| networks.iter().any(|net| net.contains(&address)))
            && self.interfaces.as_ref().is_none_or(known)
    }
}

/// A network as people write it: a single address without the length of its prefix.
pub(super) fn brief(network: &IpNet) -> String {
    match network.prefix_len() == network.max_prefix_len() {
        true => network.addr().to_string(),
        false => network.trunc().to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::Interface;

    /// The policy of a master.
    pub fn master() -> Policy {
        serde_json::from_value(serde_json::json!({
            "sources": {
                "admin": { "networks": ["198.51.100.0/24", "2001:db8:2::/64"] },
                "worker": { "networks": ["10.77.0.11"], "interfaces": ["eth1"] },
                "pods": { "interfaces": ["cni0", "flannel.1"], "routes": true },
            },
            "open": [
                { "port": 22, "protocol": "tcp", "to": "admin", "service": "SSH" },
                { "port": 6443, "protocol": "tcp", "to": "worker", "service": "k3s API server" },
                { "port": 8472, "protocol": "udp", "to": "worker", "service": "flannel VXLAN" },
                { "port": 10250, "protocol": "tcp", "to": "pods", "service": "kubelet API" },
                { "port": "30000-30010", "protocol": "tcp", "to": "internet", "service": "NodePorts" },
            ],
        }))
        .unwrap()
    }

    fn host(from: &str, port: u16) -> Facts {
        let eth = |name: &str, address: &str| Interface {
            name: name.into(),
            addresses: vec![address.into()],
            ..Interface::default()
        };
        Facts {
            login: Some(Login { from: from.parse().unwrap(), to: "203.0.113.10".parse().unwrap(), port }),
            interfaces: vec![eth("eth0", "203.0.113.10/24"), eth("eth1", "10.77.0.10/24")],
            ..Facts::default()
        }
    }

    #[test]
    fn a_good_policy_has_no_mistakes_and_lets_the_administrator_in() {
        assert_eq!(master().mistakes(), Vec::<String>::new());
        assert_eq!(master().objections(&host("198.51.100.10", 22)), Vec::<String>::new());
    }

    #[test]
    fn who_would_be_locked_out_is_told_from_where_they_come() {
        assert_eq!(
            master().objections(&host("192.0.2.10", 22)),
            [
                "it would lock us out: we come from 192.0.2.10, and 22/tcp is open only to admin (198.51.100.0/24, 2001:db8:2::/64)"
            ]
        );
        assert_eq!(
            master().objections(&host("198.51.100.10", 2222)),
            [
                "it would lock us out: we come from 198.51.100.10, and 2222/tcp, on which sshd listens, is open to nobody"
            ]
        );
    }

    #[test]
    fn the_interface_counts_too() {
        let mut policy = master();
        policy.sources.get_mut("admin").unwrap().interfaces = Some(vec!["eth1".into()]);
        assert_eq!(policy.objections(&host("198.51.100.10", 22)).len(), 1);
        policy.sources.get_mut("admin").unwrap().interfaces = Some(vec!["eth*".into()]);
        assert!(policy.objections(&host("198.51.100.10", 22)).is_empty());
    }

    #[test]
    fn another_firewall_must_be_replaced_on_purpose() {
        let facts = Facts { firewalls: vec!["ufw".into()], ..Facts::default() };
        assert_eq!(master().objections(&facts), ["ufw is active there; two firewalls contradict each other"]);
        assert!(Policy { replace: vec![Rival::Ufw], ..master() }.objections(&facts).is_empty());
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let mut policy = master();
        policy.sources.insert("Office".into(), Source { networks: Some(Vec::new()), ..Source::default() });
        policy.sources.insert("all".into(), Source::default());
        policy.open.push(Opening { to: "wroker".into(), ..policy.open[1].clone() });
        policy.open.push(policy.open[0].clone());
        assert_eq!(
            policy.mistakes(),
            [
                "\"Office\" is not a valid source name: up to 14 lower-case letters, digits and _",
                "the source Office has no networks, so nobody could use what is open to it",
                "the source all needs networks, interfaces or both",
                "6443/tcp: unknown source wroker; did you mean worker?",
                "22/tcp is opened to admin twice",
            ]
        );
    }
}

//! What a policy changes, in the terms of the port table: `master 6443/tcp: opened to worker (k3s API server)`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::loaded::{Loaded, Row};
use super::policy::{Policy, brief};

/// The differences between what is in force on `host` and the policy, a line each. Empty where nothing differs that the
/// table has a word for.
pub fn lines(host: &str, loaded: Option<&Loaded>, policy: &Policy) -> Vec<String> {
    let wanted = rows(policy);
    let networks = networks(policy);
    let Some(loaded) = loaded else {
        let mut lines: Vec<String> = wanted.iter().map(|row| told(host, row, "open")).collect();
        lines.push(format!("{host}: everything else closed"));
        return lines;
    };
    let mut lines: Vec<String> = Vec::new();
    lines.extend(wanted.iter().filter(|row| !has(&loaded.open, row)).map(|row| told(host, row, "opened")));
    lines.extend(loaded.open.iter().filter(|row| !has(&wanted, row)).map(|row| told(host, row, "closed")));
    let none = BTreeSet::new();
    for (name, wanted) in &networks {
        let live = loaded.networks.get(*name).unwrap_or(&none);
        lines.extend(wanted.difference(live).map(|network| format!("{host} {name}: {network} added")));
        lines.extend(live.difference(wanted).map(|network| format!("{host} {name}: {network} removed")));
    }
    lines
}

/// Whether the same is open to the same; what the service is called makes no difference.
fn has(rows: &BTreeSet<Row>, row: &Row) -> bool {
    rows.iter().any(|other| (other.port, other.protocol, &other.to) == (row.port, row.protocol, &row.to))
}

fn told(host: &str, row: &Row, verb: &str) -> String {
    let service = if row.service.is_empty() { String::new() } else { format!(" ({})", row.service) };
    format!("{host} {}/{}: {verb} to {}{service}", row.port, row.protocol.name(), row.to)
}

fn rows(policy: &Policy) -> BTreeSet<Row> {
    let row = |opening: &super::Opening| Row {
        port: opening.port,
        protocol: opening.protocol,
        to: opening.to.clone(),
        service: opening.service.clone(),
    };
    policy.open.iter().map(row).collect()
}

fn networks(policy: &Policy) -> BTreeMap<&String, BTreeSet<String>> {
    let sets = policy.sources.iter().filter_map(|(name, source)| Some((name, source.networks.as_ref()?)));
    sets.map(|(name, networks)| (name, IpNet::aggregate(networks).iter().map(brief).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::master;
    use super::*;

    fn loaded(policy: &Policy) -> Loaded {
        let networks = networks(policy).into_iter().map(|(name, networks)| (name.clone(), networks)).collect();
        Loaded { open: rows(policy), networks, ..Loaded::default() }
    }

    #[test]
    fn on_a_host_without_it_the_whole_table_is_told() {
        insta::assert_snapshot!(lines("master", None, &master()).join("\n"), @r"
        master 22/tcp: open to admin (SSH)
        master 6443/tcp: open to worker (k3s API server)
        master 8472/udp: open to worker (flannel VXLAN)
        master 10250/tcp: open to pods (kubelet API)
        master 30000-30010/tcp: open to internet (NodePorts)
        master: everything else closed
        ");
    }

    #[test]
    fn only_what_changes_is_told() {
        let before = loaded(&master());
        assert_eq!(lines("master", Some(&before), &master()), Vec::<String>::new());
        let mut policy = master();
        policy.open.remove(4);
        policy.open[1].to = "internet".into();
        policy.sources.get_mut("admin").unwrap().networks =
            Some(["198.51.100.0/24", "192.0.2.1/32"].map(|net| net.parse().unwrap()).into());
        insta::assert_snapshot!(lines("master", Some(&before), &policy).join("\n"), @r"
        master 6443/tcp: opened to internet (k3s API server)
        master 6443/tcp: closed to worker (k3s API server)
        master 30000-30010/tcp: closed to internet (NodePorts)
        master admin: 192.0.2.1 added
        master admin: 2001:db8:2::/64 removed
        ");
    }
}

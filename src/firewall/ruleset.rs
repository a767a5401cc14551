//! A policy as nftables rules.
//!
//! One chain sees every packet that arrives, after connections are known (priority -200) and before addresses are translated
//! (-100): so a published port, of a NodePort, a hostPort or an external address, is what others call it and can't slip past.
//! What is routed passes it, too. What the host itself sends is not looked at.

use ipnet::IpNet;

use super::policy::{Opening, Policy, Source, brief};

/// Messages without which IPv6 does not work on a link (RFC 4890, 4.4.1); from a router further away they are forged.
const NEIGHBOURS: &str = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, ind-neighbor-solicit, ind-neighbor-advert";

/// Who listens to which group, on a link.
const GROUPS: &str = "mld-listener-query, mld-listener-report, mld-listener-reduction, mld2-listener-report";

/// The answers of a DHCPv6 server.
const DHCP: &str = "ip6 saddr fe80::/10 ip6 daddr fe80::/10 udp sport 547 udp dport 546 accept";

/// The rules for a policy without mistakes, as a script for `nft -f` that puts them in the place of those that are there.
pub fn render(policy: &Policy) -> String {
    let mut text = String::from(
        "# Written by k3srun, and loaded at every boot by firewall-k3srun.service: changes are overwritten.\n\
         table inet k3srun\n\
         delete table inet k3srun\n\
         \n\
         table inet k3srun {\n\
         \tcounter dropped {\n\
         \t}\n",
    );
    for Set { name, family, elements } in sets(policy) {
        let elements = match elements.as_str() {
            "" => String::new(),
            elements => format!("\t\telements = {{ {elements} }}\n"),
        };
        text.push_str(&format!("\n\tset {name} {{\n\t\ttype {family}_addr\n\t\tflags interval\n{elements}\t}}\n"));
    }
    text.push_str(&chain(policy));
    text.push_str("}\n");
    text
}

/// The rules where those of a policy don't load, as one argument of `nft`: connections that exist, messages that networks
/// need, and the port `ssh` to whom the policy opens it.
pub fn minimal(policy: &Policy, ssh: u16) -> String {
    let mut rules = vec![
        "iifname lo accept".to_owned(),
        "ct state established,related accept".to_owned(),
        format!("icmpv6 type {{ {NEIGHBOURS}, {GROUPS}, packet-too-big, echo-request }} accept"),
        "icmp type echo-request accept".to_owned(),
        DHCP.to_owned(),
    ];
    for opening in policy.over_ssh(ssh) {
        let Some(source) = policy.sources.get(&opening.to) else {
            rules.push(format!("tcp dport {ssh} accept"));
            continue;
        };
        let from = match source.interfaces.as_deref() {
            None => String::new(),
            Some(names) => format!("iifname {{ {} }} ", names.join(", ")),
        };
        let Some(networks) = &source.networks else {
            rules.push(format!("{from}tcp dport {ssh} accept"));
            continue;
        };
        for family in ["ip", "ip6"] {
            let own = IpNet::aggregate(networks).into_iter().filter(|net| net.addr().is_ipv4() == (family == "ip"));
            let own: Vec<String> = own.map(|net| brief(&net)).collect();
            if !own.is_empty() {
                rules.push(format!("{from}{family} saddr {{ {} }} tcp dport {ssh} accept", own.join(", ")));
            }
        }
    }
    format!(
        "table inet k3srun; delete table inet k3srun; table inet k3srun {{ chain minimal {{ \
         type filter hook prerouting priority -150; policy drop; {}; }}; }}",
        rules.join("; ")
    )
}

/// The script for `nft -f` that only gives the sets their addresses, where nothing else differs from the rules `old`: then
/// the rules and what they counted stay.
pub fn update(policy: &Policy, old: &str) -> Option<String> {
    let rest =
        |text: &str| text.lines().filter(|line| !line.starts_with("\t\telements = ")).collect::<Vec<_>>().join("\n");
    if rest(old) != rest(&render(policy)) {
        return None;
    }
    let mut text = String::new();
    for Set { name, elements, .. } in sets(policy) {
        text.push_str(&format!("flush set inet k3srun {name}\n"));
        if !elements.is_empty() {
            text.push_str(&format!("add element inet k3srun {name} {{ {elements} }}\n"));
        }
    }
    Some(text)
}

/// The addresses of one family of a source.
struct Set {
    name: String,
    family: &'static str,
    elements: String,
}

fn sets(policy: &Policy) -> Vec<Set> {
    let named =
        policy.sources.iter().filter_map(|(name, source)| Some((name, IpNet::aggregate(source.networks.as_ref()?))));
    let both = named.flat_map(|(name, networks)| {
        [("ipv4", "4"), ("ipv6", "6")].map(|(family, suffix)| {
            let own = networks.iter().filter(|net| net.addr().is_ipv4() == (family == "ipv4"));
            let elements = own.map(brief).collect::<Vec<_>>().join(", ");
            Set { name: format!("{name}{suffix}"), family, elements }
        })
    });
    both.collect()
}

fn chain(policy: &Policy) -> String {
    let mut text = format!(
        "
\tchain arriving {{
\t\ttype filter hook prerouting priority -150; policy drop;

\t\tiifname \"lo\" accept
\t\tct state established,related accept
\t\tip6 hoplimit 255 icmpv6 type {{ {NEIGHBOURS} }} accept
\t\tip6 saddr fe80::/10 icmpv6 type {{ {GROUPS} }} accept
\t\tct state invalid counter name dropped drop

\t\t# What is to be forwarded: only for those who route. What links among each other is never forwarded.
"
    );
    for (name, source) in policy.sources.iter().filter(|(_, source)| source.routes) {
        for (family, networks) in families(source, name) {
            let from = from(source, &networks);
            let elsewhere = match family {
                "ip6" => "ip6 daddr != fe80::/10 fib daddr type unicast",
                _ => "meta nfproto ipv4 fib daddr type unicast",
            };
            text.push_str(&format!("\t\t{from}{elsewhere} accept\n"));
        }
    }
    text.push_str(
        "\t\tmeta pkttype { broadcast, multicast } drop
\t\tfib daddr type != local counter name dropped drop

\t\t# Errors, and being there (RFC 4890, 4.4.1), and the answers of a DHCPv6 server.
\t\ticmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept
\t\ticmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request } accept
\t\t",
    );
    text.push_str(DHCP);
    text.push_str(
        "

\t\t# What the policy opens.
",
    );
    for opening in &policy.open {
        text.push_str(&rules(policy, opening));
    }
    text.push_str(
        "
\t\t# Everything else is closed.
\t\tlimit rate 10/minute burst 20 packets log prefix \"k3srun dropped: \"
\t\tcounter name dropped drop
\t}
",
    );
    text
}

/// The rules of an opening: one for each family of addresses, all with the same comment.
fn rules(policy: &Policy, opening: &Opening) -> String {
    let what = format!("{} dport {}", opening.protocol.name(), opening.port);
    let comment = comment(opening);
    let Some(source) = policy.sources.get(&opening.to) else {
        return format!("\t\t{what} accept comment \"{comment}\"\n");
    };
    let rule =
        |(_, networks): (&str, String)| format!("\t\t{}{what} accept comment \"{comment}\"\n", from(source, &networks));
    match source.networks {
        Some(_) => families(source, &opening.to).into_iter().map(rule).collect(),
        None => rule(("", String::new())),
    }
}

/// By family, the match of a source's addresses, which is empty where it has none.
fn families(source: &Source, name: &str) -> Vec<(&'static str, String)> {
    let matched = |family: &str, suffix: &str| match &source.networks {
        Some(_) => format!("{family} saddr @{name}{suffix} "),
        None => String::new(),
    };
    vec![("ip", matched("ip", "4")), ("ip6", matched("ip6", "6"))]
}

fn from(source: &Source, networks: &str) -> String {
    let interfaces = match source.interfaces.as_deref() {
        None => String::new(),
        Some([one]) => format!("iifname \"{one}\" "),
        Some(all) => {
            let quoted: Vec<String> = all.iter().map(|name| format!("\"{name}\"")).collect();
            format!("iifname {{ {} }} ", quoted.join(", "))
        }
    };
    format!("{interfaces}{networks}")
}

/// What says in the rules which opening they are for; [`super::loaded`] reads it.
fn comment(opening: &Opening) -> String {
    let service = if opening.service.is_empty() { String::new() } else { format!(": {}", opening.service) };
    format!("{} to {}{service}", opening.what(), opening.to)
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::master;
    use super::super::ports::Ports;
    use super::*;

    #[test]
    fn the_rules_of_a_master() {
        insta::assert_snapshot!(render(&master()));
    }

    #[test]
    fn where_the_rules_do_not_load_administrators_get_in_and_nobody_else() {
        let mut policy = master();
        policy.open.push(Opening {
            port: Ports { first: 2222, last: 2222 },
            to: "worker".into(),
            ..policy.open[0].clone()
        });
        insta::assert_snapshot!(minimal(&policy, 22).replace("; ", ";\n"));
        assert!(minimal(&policy, 2222).contains("iifname { eth1 } ip saddr { 10.77.0.11 } tcp dport 2222 accept"));
        assert!(!minimal(&policy, 23).contains("tcp dport"));
    }

    #[test]
    fn another_administrator_is_one_element_more() {
        let old = render(&master());
        let mut policy = master();
        policy.sources.get_mut("admin").unwrap().networks =
            Some(["198.51.100.0/24", "192.0.2.1/32"].map(|net| net.parse().unwrap()).into());
        let update = update(&policy, &old).unwrap();
        assert!(update.starts_with(
            "flush set inet k3srun admin4\nadd element inet k3srun admin4 { 192.0.2.1, 198.51.100.0/24 }\n\
             flush set inet k3srun admin6\nflush set inet k3srun worker4\n"
        ));
        policy.open.pop();
        assert_eq!(super::update(&policy, &old), None);
    }

    #[test]
    fn networks_in_one_another_become_one() {
        let mut policy = master();
        let admin = policy.sources.get_mut("admin").unwrap();
        admin.networks = Some(["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1/32"].map(|net| net.parse().unwrap()).into());
        assert!(render(&policy).contains("elements = { 10.0.0.0/8, 192.0.2.1 }"));
    }
}

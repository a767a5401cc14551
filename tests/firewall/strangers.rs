//! Those who cheat: with a forged source address, or with a node as their router.

use libtest_mimic::Trial;

use crate::cluster::{Cluster, cluster};
use crate::place::Place;
use crate::scan::{Ports, ports, scan, shown};
use crate::support::lab::Step;
use crate::trial;
use crate::witness::Witness;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_forged_source_address_opens_nothing_that_is_of_use", forged),
        trial("nobody_uses_a_node_as_the_way_to_pods_services_or_the_other_network", routed),
    ]
}

/// Somebody who writes another's address on his packets.
struct Forgery {
    by: &'static str,
    as_if: &'static str,
    to: &'static str,
    address: &'static str,
    let_in: &'static str,
}

/// On the public side nobody passes for the other node. On the private network the other customer sits on the same wire,
/// so the first packet can't be told from the other node's; but the answer goes to that, so no connection comes of it, and
/// etcd is closed even so. The same holds for an administrator's address.
#[rustfmt::skip]
const FORGERIES: &[Forgery] = &[
    Forgery { by: "internet", as_if: "10.77.0.11", to: "master", address: "203.0.113.10", let_in: "" },
    Forgery { by: "internet", as_if: "10.77.0.10", to: "worker", address: "203.0.113.11", let_in: "80/tcp 443/tcp" },
    Forgery { by: "internet", as_if: "10.42.1.7", to: "master", address: "203.0.113.10", let_in: "" },
    Forgery { by: "internet", as_if: "203.0.113.11", to: "master", address: "203.0.113.10", let_in: "" },
    Forgery { by: "tenant", as_if: "10.42.0.7", to: "worker", address: "10.77.0.11", let_in: "80/tcp 443/tcp" },
    Forgery { by: "tenant", as_if: "10.77.0.11", to: "master", address: "10.77.0.10", let_in: "6443/tcp 8472/udp 10250/tcp" },
    Forgery { by: "tenant", as_if: "198.51.100.10", to: "master", address: "10.77.0.10", let_in: "22/tcp" },
];

/// What a forger is after.
const TARGETS: &str = "T:22,80,443,2379,2380,6443,6444,8888,9999,10248-10260,30000-30100,U:53,8472,30000-30010";

fn forged() -> Step {
    let (cluster, _turn) = cluster()?;
    let mut problems = Vec::new();
    for forgery in FORGERIES {
        let what = format!("{} as {} -> {} at {}", forgery.by, forgery.as_if, forgery.to, forgery.address);
        let (let_in, answered) = attempt(&cluster, forgery)?;
        if let_in != ports(forgery.let_in) {
            problems.push(format!("{what}: let in {}, not {}", shown(&let_in), forgery.let_in));
        }
        if !answered.is_empty() {
            problems.push(format!("{what}: the forger had an answer from {}", shown(&answered)));
        }
    }
    // A forger who does nothing would be let in nowhere.
    let control = Forgery { let_in: "", ..FORGERIES[0] };
    let (let_in, _) = cluster.without_firewall("master", || attempt(&cluster, &control))?;
    if !ports("22/tcp 2379/tcp 6443/tcp 10250/tcp 8472/udp").is_subset(&let_in) {
        problems.push(format!("without the firewall the forger's packets don't arrive either: {}", shown(&let_in)));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// What was let in, and what answered the forger.
fn attempt(cluster: &Cluster, forgery: &Forgery) -> Step<(Ports, Ports)> {
    let (forger, host) = (cluster.at(forgery.by), cluster.at(forgery.to));
    let witness = Witness::at(&host)?;
    let _disguise = Disguise::new(&forger, forgery.as_if)?;
    let options = [
        "--send-ip",
        "-S",
        forgery.as_if,
        "-e",
        "eth0",
        "-sS",
        "-sU",
        "-p",
        TARGETS,
        "--max-retries",
        "0",
        "--min-rate",
        "5000",
    ];
    let answered = scan(&forger, forgery.address, &options)?;
    Ok((witness.ports(forgery.as_if, forgery.address)?, answered))
}

/// Another's address, as long as this lives. To ask whose an address is, and to answer that, it isn't used: who the
/// hosts take for the other node would else be the forger.
struct Disguise<'a> {
    forger: &'a Place,
    address: &'static str,
}

impl Disguise<'_> {
    fn new<'a>(forger: &'a Place, address: &'static str) -> Step<Disguise<'a>> {
        let disguise = Disguise { forger, address };
        disguise.set(8, 2, "add")?;
        Ok(disguise)
    }

    fn set(&self, ignore: u8, announce: u8, verb: &str) -> Step {
        let all = "net.ipv4.conf.all";
        let quiet = format!("sysctl -q -w {all}.arp_ignore={ignore} {all}.arp_announce={announce}");
        self.forger.shell(&format!("{quiet} && ip address {verb} {}/32 dev lo", self.address)).map(drop)
    }
}

impl Drop for Disguise<'_> {
    fn drop(&mut self) {
        let _ = self.set(0, 0, "del");
    }
}

/// Who sends what over which node: routes that a stranger sets up on his own machine.
struct Detour {
    by: &'static str,
    over: &'static str,
    gateway: &'static str,
    to: Target,
}

enum Target {
    Pod(&'static str),
    Address(&'static str),
}

/// DNS and the API as cluster addresses, pods, and the networks behind the node.
#[rustfmt::skip]
const DETOURS: &[Detour] = &[
    Detour { by: "internet", over: "worker", gateway: "203.0.113.11", to: Target::Pod("worker") },
    Detour { by: "internet", over: "worker", gateway: "203.0.113.11", to: Target::Pod("master") },
    Detour { by: "internet", over: "master", gateway: "203.0.113.10", to: Target::Address("10.43.0.1") },
    Detour { by: "internet", over: "worker", gateway: "203.0.113.11", to: Target::Address("10.43.0.10") },
    Detour { by: "internet", over: "master", gateway: "203.0.113.10", to: Target::Address("10.77.0.66") },
    Detour { by: "internet", over: "worker", gateway: "203.0.113.11", to: Target::Address("10.77.0.10") },
    Detour { by: "tenant", over: "worker", gateway: "10.77.0.11", to: Target::Pod("worker") },
    Detour { by: "tenant", over: "master", gateway: "10.77.0.10", to: Target::Address("10.43.0.10") },
    Detour { by: "tenant", over: "master", gateway: "10.77.0.10", to: Target::Address("203.0.113.1") },
    Detour { by: "internet", over: "master", gateway: "2001:db8:1::10", to: Target::Address("fd4b:3373:77::66") },
    Detour { by: "tenant", over: "worker", gateway: "fd4b:3373:77::11", to: Target::Address("2001:db8:1::1") },
];

const DETOUR_PORTS: &str = "T:22,53,80,443,6443,8080,9153,10250,U:53,8472";

fn routed() -> Step {
    let (cluster, _turn) = cluster()?;
    // Somebody else may have made the nodes routers of IPv6.
    let forwards = |value: u8| {
        let set = format!("sysctl -qw net.ipv6.conf.all.forwarding={value}");
        ["master", "worker"].iter().try_for_each(|node| crate::place::console(&cluster.lab, node, &set).map(drop))
    };
    forwards(1)?;
    let outcome = detours(&cluster);
    forwards(0)?;
    outcome
}

fn detours(cluster: &Cluster) -> Step {
    let mut problems = Vec::new();
    for (what, let_in, answered) in take_all(cluster)? {
        if !let_in.is_empty() {
            problems.push(format!("{what}: let through {}", shown(&let_in)));
        }
        if !answered.is_empty() {
            problems.push(format!("{what}: an answer from {}", shown(&answered)));
        }
    }
    // Each way is one, if nobody closes it.
    let open = cluster.without_firewall("master", || cluster.without_firewall("worker", || take_all(cluster)))?;
    let dead = open.into_iter().filter(|(_, let_in, _)| let_in.is_empty());
    problems.extend(dead.map(|(what, ..)| format!("{what}: nothing passes even without the firewall")));
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// For each detour, all at once: what it is, what of it passed the node or was let in there, and what answered.
fn take_all(cluster: &Cluster) -> Step<Vec<(String, Ports, Ports)>> {
    let witnesses = [Witness::at(&cluster.at("master"))?, Witness::at(&cluster.at("worker"))?];
    std::thread::scope(|scope| {
        let take_one = |detour: &'static Detour| {
            let witness = &witnesses[usize::from(detour.over == "worker")];
            scope.spawn(move || take(cluster, detour, witness))
        };
        let taken: Vec<_> = DETOURS.iter().map(take_one).collect();
        taken.into_iter().map(|one| one.join().map_err(|_| "a scan failed".to_owned())?).collect()
    })
}

fn take(cluster: &Cluster, detour: &Detour, witness: &Witness) -> Step<(String, Ports, Ports)> {
    let target = match detour.to {
        Target::Pod(node) => cluster.pod_address(node).to_owned(),
        Target::Address(address) => address.to_owned(),
    };
    let by = cluster.at(detour.by);
    let _route = Route::new(&by, &target, detour.gateway)?;
    let answered = scan(&by, &target, &["-sS", "-sU", "-p", DETOUR_PORTS, "--max-retries", "1"])?;
    let let_in = witness.ports(&by.source_for(&target)?, &target)?;
    Ok((format!("{} over {} to {target}", detour.by, detour.over), let_in, answered))
}

/// A route that is gone when this is dropped.
struct Route<'a> {
    by: &'a Place,
    target: String,
}

impl Route<'_> {
    fn new<'a>(by: &'a Place, target: &str, gateway: &str) -> Step<Route<'a>> {
        by.run(&["ip", "route", "replace", target, "via", gateway])?;
        Ok(Route { by, target: target.to_owned() })
    }
}

impl Drop for Route<'_> {
    fn drop(&mut self) {
        let _ = self.by.run(&["ip", "route", "del", &self.target]);
    }
}

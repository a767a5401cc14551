//! The port table, packet by packet. From the internet all 65,535 TCP ports of each address are knocked at, from elsewhere
//! those at which there could be something, TCP and UDP, while the pods of `cluster.rs` publish ports. What is let in must
//! be what stands here, and nothing else.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Trial;

use crate::cluster::{BACK, Cluster, cluster};
use crate::place::{Place, console};
use crate::scan::{self, Port, Ports, ports, shown};
use crate::support::lab::Step;
use crate::trial;
use crate::witness::{Witness, load};

/// What somebody may reach at some addresses of a host.
struct View {
    from: &'static str,
    to: &'static str,
    addresses: &'static [&'static str],
    open: &'static str,
}

const MASTER_PUBLIC: &[&str] = &["203.0.113.10", "2001:db8:1::10"];
const WORKER_PUBLIC: &[&str] = &["203.0.113.11", "2001:db8:1::11"];
const MASTER_PRIVATE_6: &[&str] = &["fd4b:3373:77::10", "fe80::4b:33ff:fe00:110"];
const WORKER_PRIVATE_6: &[&str] = &["fd4b:3373:77::11", "fe80::4b:33ff:fe00:111"];

/// The port table, from the other end. Traefik's ports are open to everybody, so they are in each view of the worker.
#[rustfmt::skip]
const VIEWS: &[View] = &[
    View { from: "internet", to: "master", addresses: MASTER_PUBLIC, open: "" },
    View { from: "internet", to: "worker", addresses: WORKER_PUBLIC, open: "80/tcp 443/tcp" },

    View { from: "admin", to: "master", addresses: MASTER_PUBLIC, open: "22/tcp" },
    View { from: "admin", to: "worker", addresses: WORKER_PUBLIC, open: "22/tcp 80/tcp 443/tcp" },

    View { from: "tenant", to: "master", addresses: &["10.77.0.10"], open: "" },
    View { from: "tenant", to: "worker", addresses: &["10.77.0.11"], open: "80/tcp 443/tcp" },
    View { from: "tenant", to: "master", addresses: MASTER_PRIVATE_6, open: "" },
    View { from: "tenant", to: "worker", addresses: WORKER_PRIVATE_6, open: "80/tcp 443/tcp" },

    // The other node: on the private network, by its address there.
    View { from: "worker", to: "master", addresses: &["10.77.0.10"], open: "6443/tcp 8472/udp 10250/tcp" },
    View { from: "master", to: "worker", addresses: &["10.77.0.11"], open: "80/tcp 443/tcp 8472/udp 10250/tcp" },
    View { from: "worker", to: "master", addresses: MASTER_PRIVATE_6, open: "" },
    View { from: "master", to: "worker", addresses: WORKER_PRIVATE_6, open: "80/tcp 443/tcp" },
    View { from: "worker", to: "master", addresses: MASTER_PUBLIC, open: "" },
    View { from: "master", to: "worker", addresses: WORKER_PUBLIC, open: "80/tcp 443/tcp" },

    // A pod and its own node, by every address of that: the kubelet of a worker, since metrics-server is a pod there.
    View { from: "pod on master", to: "master", addresses: &["10.77.0.10", "203.0.113.10", "cni0 in IPv4", "cni0 in IPv6"], open: "" },
    View { from: "pod on worker", to: "worker", addresses: &["10.77.0.11", "203.0.113.11", "cni0 in IPv4"],
           open: "80/tcp 443/tcp 10250/tcp" },
    View { from: "pod on worker", to: "worker", addresses: &["cni0 in IPv6"], open: "80/tcp 443/tcp 10250/tcp" },
    // And the other node: flannel sends what a pod sends there from its node's address.
    View { from: "pod on worker", to: "master", addresses: &["10.77.0.10"], open: "6443/tcp 8472/udp 10250/tcp" },
    View { from: "pod on worker", to: "master", addresses: &["203.0.113.10"], open: "" },
    View { from: "pod on master", to: "worker", addresses: &["10.77.0.11"], open: "80/tcp 443/tcp 8472/udp 10250/tcp" },
    View { from: "pod on master", to: "worker", addresses: &["203.0.113.11"], open: "80/tcp 443/tcp" },
];

/// What really listens on each host's public addresses, if no firewall is there; hostPorts are of IPv4 alone, as pods are.
const LISTENING: &[(&str, &str, &str)] = &[
    ("master", "203.0.113.10", "22/tcp 80/tcp 443/tcp 6443/tcp 8888/tcp 9999/tcp 10250/tcp 30080/tcp"),
    ("worker", "203.0.113.11", "22/tcp 80/tcp 443/tcp 8888/tcp 9999/tcp 10250/tcp 30080/tcp"),
    ("master", "2001:db8:1::10", "22/tcp 6443/tcp 10250/tcp"),
    ("worker", "2001:db8:1::11", "22/tcp 10250/tcp"),
];

/// How many scans run side by side.
const SCANS: usize = 3;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("the_port_table_is_the_whole_truth_from_five_places_in_both_families", views),
        trial("without_the_firewall_the_same_scans_find_everything", unprotected),
        trial("a_hole_of_one_port_is_found", hole),
        trial("what_listens_on_80_and_443_of_the_worker_answers_the_internet", web),
        trial("preflight_tells_from_where_we_come_when_the_table_would_lock_us_out", preflight),
    ]
}

fn views() -> Step {
    let (cluster, _turn) = cluster()?;
    let witnesses = [Witness::at(&cluster.at("master"))?, Witness::at(&cluster.at("worker"))?];
    let all = VIEWS.iter().flat_map(|view| view.addresses.iter().map(move |address| (view, *address)));
    let queue: Mutex<VecDeque<(&View, &str)>> = Mutex::new(all.collect());
    let problems = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SCANS {
            scope.spawn(|| {
                while let Some((view, address)) = next(&queue) {
                    let witness = &witnesses[usize::from(view.to == "worker")];
                    if let Err(problem) = look(&cluster, view, address, witness) {
                        problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn next<T>(queue: &Mutex<VecDeque<T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn look(cluster: &Cluster, view: &View, address: &str, witness: &Witness) -> Step {
    let what = format!("{} -> {} at {address}", view.from, view.to);
    let target = scoped(cluster, view, address)?;
    let (from, source) = vantage(cluster, view, &target)?;
    let answered = scan::knock(&from, &target, if view.from == "internet" { scan::ALL } else { scan::LIKELY })?;
    let let_in = witness.ports(&source, &target)?;
    let open = ports(view.open);
    expect(&format!("{what}: let in"), &let_in, &open)?;
    let unexpected = answered.difference(&open).filter(|port| !of_ones_own(view, port)).cloned().collect();
    expect(&format!("{what}: answered"), &unexpected, &Ports::new())?;
    let open = open.into_iter().filter(|port| answers(port.number, &target)).collect();
    let candidates = ports(LISTENING[0].2).into_iter().filter(|port| !of_ones_own(view, port)).collect();
    expect(&format!("{what}: answers"), &scan::answering(&from, &target, &candidates)?, &open)
}

/// A service's external addresses and NodePorts are taken for the service by the node that a pod is on: what a pod
/// sends there never leaves the node.
fn of_ones_own(view: &View, port: &Port) -> bool {
    view.from.starts_with("pod") && port.number == 8888
}

/// UDP ports need not answer, and the web server's hostPorts are of IPv4.
fn answers(port: u16, address: &str) -> bool {
    port != 8472 && !(matches!(port, 80 | 443) && address.contains(':'))
}

/// A link-local address with the sender's interface, and the addresses of the bridge that a node's pods are plugged to.
fn scoped(cluster: &Cluster, view: &View, address: &str) -> Step<String> {
    let bridge = |family| {
        let show = format!("ip -o -f {family} address show dev cni0 | sed 's/.*{family} //; s/[/].*//'");
        cluster.at(view.to).shell(&show)
    };
    match (address, view.from) {
        ("cni0 in IPv4", _) => bridge("inet").map(|address| address.trim().to_owned()),
        ("cni0 in IPv6", _) => bridge("inet6").map(|address| format!("{}%eth0", address.trim())),
        (address, "tenant") if address.starts_with("fe80") => Ok(format!("{address}%eth0")),
        (address, _) if address.starts_with("fe80") => Ok(format!("{address}%eth1")),
        (address, _) => Ok(address.to_owned()),
    }
}

/// Where a view is from, and the address that the host sees.
fn vantage(cluster: &Cluster, view: &View, address: &str) -> Step<(Place, String)> {
    let Some(node) = view.from.strip_prefix("pod on ") else {
        let place = cluster.at(view.from);
        let source = place.source_for(address)?;
        return Ok((place, source));
    };
    let pod = cluster.pod(node)?;
    let source = if node == view.to { pod.source_for(address)? } else { cluster.at(node).source_for(address)? };
    Ok((pod, source))
}

fn expect(what: &str, found: &Ports, expected: &Ports) -> Step {
    if found == expected { Ok(()) } else { Err(format!("{what}: {}, not {}", shown(found), shown(expected))) }
}

/// The instruments see what there is to see: nothing is lost on the way, and what listens is found.
fn unprotected() -> Step {
    let (cluster, _turn) = cluster()?;
    let internet = cluster.at("internet");
    for (host, address, listening) in LISTENING {
        let listening = ports(listening);
        let found = cluster.without_firewall(host, || scan::answering(&internet, address, &listening))?;
        expect(&format!("{host} at {address}"), &found, &listening)?;
    }
    for (host, address, _) in [LISTENING[0], LISTENING[3]] {
        let witness = Witness::at(&cluster.at(host))?;
        cluster.without_firewall(host, || scan::knock(&internet, address, scan::ALL))?;
        let seen = witness.ports(&internet.source_for(address)?, address)?.len();
        if seen != 65_535 {
            return Err(format!("{host} at {address}: only {seen} of 65535 knocks arrived"));
        }
    }
    Ok(())
}

/// One rule too many, made by hand.
fn hole() -> Step {
    const PORT: &str = "61234";
    let (cluster, _turn) = cluster()?;
    let (internet, host) = (cluster.at("internet"), cluster.at("master"));
    let chain = "inet k3srun arriving";
    // The copy of the table would close it.
    console(&cluster.lab, "master", "systemctl stop firewall-k3srun-watch")?;
    load(&host, &format!("insert rule {chain} tcp dport {PORT} accept comment \"a hole\"\n"))?;
    let listener = host.start(&["nc", "-lk", PORT])?;
    let witness = Witness::at(&host)?;
    let knocked = scan::knock(&internet, "203.0.113.10", scan::ALL);
    let seen = witness.ports("192.0.2.10", "203.0.113.10")?;
    let found = scan::answering(&internet, "203.0.113.10", &ports("22/tcp 6443/tcp 61234/tcp"));
    drop(listener);
    console(&cluster.lab, "master", BACK)?;
    knocked?;
    expect("let in through the hole", &seen, &ports("61234/tcp"))?;
    expect("answering through the hole", &found?, &ports("61234/tcp"))
}

fn web() -> Step {
    let (cluster, _turn) = cluster()?;
    for port in ["80", "443"] {
        let url = format!("http://203.0.113.11:{port}/");
        let said = cluster.at("internet").run(&["curl", "-sS", "--max-time", "5", &url])?;
        if !said.starts_with("web-") {
            return Err(format!("{url} says {said}"));
        }
    }
    Ok(())
}

fn preflight() -> Step {
    let (cluster, _turn) = cluster()?;
    let (status, said) = cluster.lab.try_bootstrap(&["--set", "cluster.admin_networks=[\"192.0.2.0/24\"]"])?;
    let told = ["master", "worker"].into_iter().all(|node| {
        let line = format!("{node}: firewall: it would lock us out: we come from 198.51.100.10");
        said.split_whitespace().collect::<Vec<_>>().join(" ").contains(&line)
    });
    if status == 2 && told && said.contains(" 0 changed,") {
        Ok(())
    } else {
        Err(format!("bootstrap ended with {status}, and doesn't say it for both nodes:\n{said}"))
    }
}

//! What must go on behind the firewall: pods, services, names, the kubelet's probes, pings, and the messages without which
//! networks don't work.

use libtest_mimic::Trial;

use crate::cluster::{Cluster, cluster};
use crate::hosts::{Host, Kind};
use crate::place::{Place, console};
use crate::support::lab::Step;
use crate::trial;
use crate::witness::load;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("pods_reach_services_names_other_pods_and_the_internet", pods),
        trial("probes_and_metrics_of_both_nodes_go_on", probes),
        trial("a_network_policy_is_in_force_beside_the_firewall", policy),
        trial("ping_is_answered_in_both_families", ping),
        trial("large_packets_find_the_size_of_a_narrow_path", narrow_path),
        trial("neighbours_find_each_other_in_ipv6", neighbours),
    ]
}

/// Runs a check again until it passes, for at most so many seconds.
fn within(seconds: u64, check: impl Fn() -> Step) -> Step {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    loop {
        match check() {
            Err(_) if std::time::Instant::now() < end => std::thread::sleep(std::time::Duration::from_millis(500)),
            outcome => return outcome,
        }
    }
}

fn fetch(cluster: &Cluster, node: &str, url: &str, starts: &str) -> Step {
    let said = cluster.fetch(node, url)?;
    if said.starts_with(starts) { Ok(()) } else { Err(format!("the pod on {node}: {url} says {said:?}")) }
}

fn pods() -> Step {
    let (cluster, _turn) = cluster()?;
    let web = cluster.kubectl("-n published get service web -o jsonpath='{.spec.clusterIP}'")?;
    let page = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(page.path(), "HTTP/1.0 200 OK\r\n\r\nfrom outside\n").map_err(|error| error.to_string())?;
    let answer = format!("SYSTEM:cat {}", page.path().display());
    let listen = "TCP-LISTEN:8000,bind=192.0.2.10,fork,reuseaddr";
    let _stranger = cluster.at("internet").start(&["socat", listen, &answer])?;
    for (node, other) in [("master", "worker"), ("worker", "master")] {
        fetch(&cluster, node, &format!("http://{}:8080/", cluster.pod_address(other)), "web-")?;
        fetch(&cluster, node, &format!("http://{web}/"), "web-")?;
        fetch(&cluster, node, "http://web.published.svc.cluster.local/", "web-")?;
        within(5, || fetch(&cluster, node, "http://192.0.2.10:8000/", "from outside"))?;
    }
    Ok(())
}

/// metrics-server, a pod on the worker, asks both kubelets; the kubelets ask the pods on their nodes.
fn probes() -> Step {
    let (cluster, _turn) = cluster()?;
    within(90, || {
        let top = cluster.kubectl("top node --no-headers")?;
        let known = |node: &str| top.lines().any(|line| line.starts_with(node) && !line.contains("<unknown>"));
        if known("master") && known("worker") { Ok(()) } else { Err(format!("kubectl top node says:\n{top}")) }
    })?;
    let restarts = cluster.kubectl(
        "-n published get pods -l app=web -o jsonpath='{range .items[*]}{.status.containerStatuses[0].ready} {.status.containerStatuses[0].restartCount} {end}'",
    )?;
    let told: Vec<&str> = restarts.split_whitespace().collect();
    if told.chunks(2).filter(|pod| pod[0] == "true").count() == 2 {
        Ok(())
    } else {
        Err(format!("ready and restarts of the two pods: {restarts}"))
    }
}

/// Only the pod on the master may be asked by nobody; that on the worker still is.
fn policy() -> Step {
    const POLICY: &str = r#"{ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "closed", "namespace": "published" },
        "spec": { "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Ingress"] } }"#;
    let (cluster, _turn) = cluster()?;
    let url = format!("http://{}:8080/", cluster.pod_address("master"));
    let reached = || cluster.fetch("worker", &url).is_ok();
    if !reached() {
        return Err("the pod is not reached even without a policy".to_owned());
    }
    console(&cluster.lab, "master", &format!("k3s kubectl apply -f - <<'END'\n{POLICY}\nEND"))?;
    let closed = within(20, || if reached() { Err("a network policy has no effect".to_owned()) } else { Ok(()) });
    cluster.kubectl("-n published delete networkpolicy closed")?;
    closed?;
    within(20, || if reached() { Ok(()) } else { Err("it stays closed without the policy".to_owned()) })
}

fn ping() -> Step {
    const PINGS: &[(&str, &str)] = &[
        ("internet", "203.0.113.10"),
        ("internet", "2001:db8:1::11"),
        ("admin", "203.0.113.11"),
        ("admin", "2001:db8:1::10"),
        ("tenant", "10.77.0.10"),
        ("tenant", "fd4b:3373:77::11"),
        ("worker", "10.77.0.10"),
        ("master", "2001:db8:1::11"),
    ];
    let (cluster, _turn) = cluster()?;
    let dead = PINGS.iter().filter(|(from, to)| !cluster.at(from).can(&format!("ping -c 1 -W 3 {to}")));
    let dead: Vec<String> = dead.map(|(from, to)| format!("{to} from {from}")).collect();
    if dead.is_empty() { Ok(()) } else { Err(format!("no answer: {}", dead.join(", "))) }
}

/// The router's way to the office takes 1300 bytes, and only it knows: it tells the host, who must hear it.
fn narrow_path() -> Step {
    let host = Host::take(Kind::Protected)?;
    let (router, place) = (host.at("internet"), host.place());
    router.shell("ip link set eth1 mtu 1300")?;
    // What the host learned of the path is forgotten: addresses that nobody has used yet are new to it.
    let outcome = [(host.address(), "198.51.100.99/24"), (host.address6(), "2001:db8:2::99/64")]
        .into_iter()
        .try_for_each(|(address, office)| through(&host, &place, address, office));
    router.shell("ip link set eth1 mtu 1500")?;
    outcome
}

fn through(host: &Host, place: &Place, address: &str, office: &str) -> Step {
    let admin = host.at("admin");
    let own = office.split('/').next().unwrap_or_default();
    let nodad = if own.contains(':') { "nodad" } else { "" };
    admin.shell(&format!("ip address add {office} dev eth0 {nodad}"))?;
    let download = format!("{} 'head -c 300000 /dev/zero' | wc -c", host.ssh_to(address, own));
    // First without the message, which must fail, or nothing would be proved.
    let deaf = "table inet deaf { chain in { type filter hook prerouting priority -300; \
                icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }";
    load(place, deaf)?;
    let without = admin.shell(&format!("timeout 6 {download}")).unwrap_or_default();
    place.run(&["nft", "delete", "table", "inet", "deaf"])?;
    let with = admin.shell(&format!("timeout 20 {download}"));
    admin.shell(&format!("ip address del {office} dev eth0"))?;
    match (without.trim(), with?.trim()) {
        ("300000", _) => Err(format!("{address}: the path isn't narrow")),
        (_, "300000") => Ok(()),
        (_, said) => Err(format!("{address}: {said} of 300000 bytes came through")),
    }
}

/// All that was known of neighbours is forgotten, on both ends.
fn neighbours() -> Step {
    let host = Host::take(Kind::Protected)?;
    let (router, place) = (host.at("internet"), host.place());
    for at in [&router, &place] {
        at.shell("ip -6 neigh flush all")?;
    }
    let there = router.can(&format!("ping -c 1 -W 3 {}", host.address6()));
    place.shell("ip -6 neigh flush all")?;
    let back = place.can("ping -c 1 -W 3 2001:db8:1::1");
    if there && back { Ok(()) } else { Err(format!("found from outside: {there}, from the host: {back}")) }
}

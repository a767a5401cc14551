//! A host that boots: no packet of a stranger reaches a service before the firewall is up.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::cluster::cluster;
use crate::hosts::{Host, Kind};
use crate::place::{Place, Running, console};
use crate::support::lab::{Lab, Step};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_master_that_reboots_answers_no_stranger_at_any_moment", master),
        trial("with_the_firewalls_unit_disabled_the_same_strangers_are_answered", unprotected),
    ]
}

/// What strangers try all the time: what listens on a master, a NodePort, and the bait.
const PORTS: &str = "22,2379,2380,6443,7777,9999,10250,30080";

/// A socket that systemd opens as early as it opens any.
const BAIT: &str = "
    printf '[Socket]\\nListenStream=7777\\n[Install]\\nWantedBy=sockets.target\\n' >/etc/systemd/system/bait.socket
    printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/bait.service
    systemctl enable -q bait.socket";

const NO_BAIT: &str = "systemctl disable -q bait.socket; rm /etc/systemd/system/bait.*; systemctl daemon-reload";

/// What a capture on the public network saw of strangers' connections to a host.
struct Seen {
    /// SYNs that were sent to it.
    asked: usize,
    /// The answers that were not a refusal: address and port of the host.
    answered: Vec<String>,
}

/// Reboots a host while strangers knock, over IPv4 and IPv6.
fn reboot(lab: &Lab, host: &str, addresses: [&str; 2]) -> Step<Seen> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("packets").display().to_string();
    // The bridge stays when the host's own end of its cable goes; every packet passes it.
    let [four, six] = addresses;
    let filter = format!(
        "(host {four} and host 192.0.2.10 and tcp[tcpflags] & (tcp-syn | tcp-rst) == tcp-syn) or
         (host {six} and host 2001:db8:1::1 and ip6 proto 6 and ip6[53] & 6 == 2)"
    );
    let capture = Place::of(lab, "switch").start(&["tcpdump", "-i", "public", "-n", "-U", "-w", &file, &filter])?;
    let internet = Place::of(lab, "internet");
    let _knocking = [knock(&internet, "", four)?, knock(&internet, "-6", six)?];
    std::thread::sleep(Duration::from_secs(1));
    lab.reboot(host)?;
    std::thread::sleep(Duration::from_secs(3));
    drop(capture);
    let text = Place::of(lab, "switch").run(&["tcpdump", "-n", "-r", &file])?;
    // `IP 192.0.2.10.40000 > 203.0.113.10.22: Flags [S], ...`; an answer to it has [S.].
    let answered = text.lines().filter(|line| line.contains("Flags [S.]"));
    let answered = answered.filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned);
    let mut answered: Vec<String> = answered.collect();
    answered.sort();
    answered.dedup();
    Ok(Seen { asked: text.lines().filter(|line| line.contains("Flags [S],")).count(), answered })
}

/// Knocks at all of the ports about ten times a second. While the host is away nobody has its hardware address, and nping
/// gives up: it begins again.
fn knock(internet: &Place, family: &str, address: &str) -> Step<Running> {
    let nping = format!("nping {family} --tcp --send-ip -N -q -p {PORTS} --delay 10ms -c 20 {address}");
    internet.start(&["sh", "-c", &format!("while :; do timeout 5 {nping} >/dev/null 2>&1 || sleep 0.05; done")])
}

fn master() -> Step {
    let (mut cluster, mut turn) = cluster()?;
    console(&cluster.lab, "master", BAIT)?;
    let seen = reboot(&cluster.lab, "master", ["203.0.113.10", "2001:db8:1::10"])?;
    console(&cluster.lab, "master", NO_BAIT)?;
    cluster.settle()?;
    *turn = Some(Ok(cluster));
    if seen.asked < 500 {
        return Err(format!("only {} knocks were seen: that proves nothing", seen.asked));
    }
    if seen.answered.is_empty() { Ok(()) } else { Err(format!("strangers were answered from {:?}", seen.answered)) }
}

fn unprotected() -> Step {
    let host = Host::take(Kind::Protected)?;
    host.console(&format!("{BAIT}; systemctl disable -q k3srun-firewall"))?;
    let seen = reboot(host.lab(), host.name(), [host.address(), host.address6()]);
    host.console(&format!("{NO_BAIT}; systemctl enable -q --now k3srun-firewall"))?;
    let seen = seen?;
    let ends =
        [".22", ".7777"].into_iter().flat_map(|port| [host.address(), host.address6()].map(|a| format!("{a}{port}")));
    let missing: Vec<String> = ends.filter(|end| !seen.answered.contains(end)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("of {} knocks none was answered from {missing:?}, only from {:?}", seen.asked, seen.answered))
    }
}

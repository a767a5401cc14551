//! Strangers who knock at a host all the time, over IPv4 and IPv6, and what a capture on the wire sees of it.

use std::time::Duration;

use crate::place::{Place, Running};
use crate::support::lab::{Lab, Step};

/// What strangers try: what listens on a master, a NodePort, and the bait.
const PORTS: &str = "22,2379,2380,6443,7777,9999,10250,30080";

/// A socket that systemd opens as early as it opens any.
pub const BAIT: &str = "
    printf '[Socket]\\nListenStream=7777\\n[Install]\\nWantedBy=sockets.target\\n' >/etc/systemd/system/bait.socket
    printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/bait.service
    systemctl enable -q --now bait.socket";

/// Takes the bait away.
pub const NO_BAIT: &str =
    "systemctl disable -q --now bait.socket; rm /etc/systemd/system/bait.*; systemctl daemon-reload";

/// What a capture on the public network saw of strangers' connections to a host.
pub struct Seen {
    /// SYNs that were sent to it.
    pub asked: usize,
    /// The answers that were not a refusal: address and port of the host.
    pub answered: Vec<String>,
}

/// Does something while strangers knock at a host with these addresses of IPv4 and IPv6.
pub fn during(lab: &Lab, addresses: [&str; 2], action: impl FnOnce() -> Step) -> Step<Seen> {
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
    action()?;
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

impl Seen {
    /// Fails if a stranger was answered, or if too few knocked to prove anything.
    pub fn nobody_was_answered(&self, least: usize) -> Step {
        if self.asked < least {
            return Err(format!("only {} knocks were seen: that proves nothing", self.asked));
        }
        if self.answered.is_empty() { Ok(()) } else { Err(format!("strangers were answered from {:?}", self.answered)) }
    }

    /// Fails unless strangers were answered from each port at each address.
    pub fn answered_from(&self, ports: &[&str], addresses: [&str; 2]) -> Step {
        let ends = ports.iter().flat_map(|port| addresses.map(|address| format!("{address}.{port}")));
        let missing: Vec<String> = ends.filter(|end| !self.answered.contains(end)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "of {} knocks none was answered from {missing:?}, only from {:?}",
                self.asked, self.answered
            )),
        }
    }
}

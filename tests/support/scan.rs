//! Port scans with nmap. A SYN scan doesn't open connections, so nothing on the host has to keep up with it.

use std::collections::BTreeSet;
use std::fmt;

use super::lab::Step;
use super::place::Place;

/// A port as it is written in the port table: `22/tcp`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// Some of them.
pub type Ports = BTreeSet<Port>;

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

/// Reads `22/tcp 8472/udp`.
pub fn ports(text: &str) -> Ports {
    let port = |word: &str| {
        let (number, protocol) = word.split_once('/').expect("a port is written 22/tcp");
        Port { number: number.parse().expect("a port is a number"), protocol: protocol.to_owned() }
    };
    text.split_whitespace().map(port).collect()
}

/// `22/tcp 8472/udp`, or `nothing`.
pub fn shown(ports: &Ports) -> String {
    let words: Vec<String> = ports.iter().map(Port::to_string).take(50).collect();
    match words.len() {
        0 => "nothing".to_owned(),
        50 => format!("{} ... {} in all", words.join(" "), ports.len()),
        _ => words.join(" "),
    }
}

/// All TCP ports.
pub const ALL: &str = "T:1-65535";

/// Ports at which there is something to be found, if anywhere: those of services, of Kubernetes, and of NodePorts.
pub const LIKELY: &str =
    "T:1-1100,2000-2500,4000-4500,5000-6500,8000-8500,8888,9000-10500,30000-32767,61234,U:1-600,4789,8472,30000-30100";

/// Knocks at ports as fast as it goes, for the witness at the host. Returns those which answered; at this speed some
/// answers are missed.
pub fn knock(from: &Place, to: &str, ports: &str) -> Step<Ports> {
    let protocols: &[&str] = if ports.contains("U:") { &["-sS", "-sU"] } else { &["-sS"] };
    scan(from, to, &[protocols, &["-p", ports, "--max-retries", "0", "--min-rate", "20000"]].concat())
}

/// The ports, out of `of`, that answer at an address.
pub fn answering(from: &Place, to: &str, of: &Ports) -> Step<Ports> {
    let numbers: Vec<String> = of.iter().filter(|port| port.protocol == "tcp").map(|p| p.number.to_string()).collect();
    scan(from, to, &["-sS", "-p", &numbers.join(","), "--max-retries", "2"])
}

/// Knocks at some ports, `["-p", "22,80"]`, with further options of nmap.
pub fn scan(from: &Place, to: &str, options: &[&str]) -> Step<Ports> {
    let family: &[&str] = if to.contains(':') { &["-6"] } else { &[] };
    let words = [&["nmap", "-Pn", "-n", "-oG", "-"], family, options, &[to]].concat();
    let said = from.run(&words)?;
    // Without a way to the target nmap scans nothing, and is content.
    if !said.contains("1 IP address (1 host up) scanned") {
        return Err(format!("{words:?} scanned nothing:\n{said}"));
    }
    let listed = said.lines().filter_map(|line| line.split_once("Ports: ")).flat_map(|(_, list)| list.split(", "));
    let open = listed.filter_map(|entry| {
        let mut fields = entry.split('/');
        let (number, state, protocol) = (fields.next()?, fields.next()?, fields.next()?);
        (state == "open").then(|| Some(Port { number: number.trim().parse().ok()?, protocol: protocol.to_owned() }))?
    });
    Ok(open.collect())
}

//! Names for an address in `/etc/hosts`.

use std::net::IpAddr;

use super::hostname::is_host_name;
use super::input::Problems;
use super::probe::Probe;
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::{Error, Result};

const FILE: &str = "/etc/hosts";

/// Names that mean an address, in `/etc/hosts`. Other addresses of the same family lose these names there.
#[derive(Debug, Clone)]
pub struct HostsEntry {
    address: String,
    names: Vec<String>,
}

impl HostsEntry {
    /// `names` mean `address`, IPv4 or IPv6.
    pub fn new<N: Into<String>>(address: impl Into<String>, names: impl IntoIterator<Item = N>) -> Self {
        HostsEntry { address: address.into(), names: names.into_iter().map(Into::into).collect() }
    }

    fn put_in(&self, text: &str, address: IpAddr) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut place = None;
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let of: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
            let (ours, others): (Vec<&str>, Vec<&str>) =
                words.partition(|name| self.names.iter().any(|our| our == name));
            match of {
                Some(of) if of == address && place.is_none() && !ours.is_empty() => {
                    place = Some(lines.len());
                    lines.push(line.to_owned());
                    let missing: Vec<&str> =
                        self.names.iter().map(String::as_str).filter(|name| !ours.contains(name)).collect();
                    if !missing.is_empty() {
                        let known = [ours, others, missing].concat().join(" ");
                        lines.pop();
                        lines.push(format!("{} {known}", self.address));
                    }
                }
                Some(of) if of.is_ipv4() == address.is_ipv4() && !ours.is_empty() => {
                    if !others.is_empty() {
                        lines.push(format!("{of} {}", others.join(" ")));
                    }
                }
                _ => lines.push(line.to_owned()),
            }
        }
        if place.is_none() {
            lines.push(format!("{} {}", self.address, self.names.join(" ")));
        }
        let new = lines.join("\n");
        if new == text { new } else { new + "\n" }
    }
}

impl Kind for HostsEntry {
    fn id(&self) -> String {
        format!("hosts_entry:{}", self.address)
    }

    fn claims(&self) -> Vec<Claim> {
        // IPv4 and IPv6 may give the same name, two addresses of a family may not.
        let family = if self.address.contains(':') { 6 } else { 4 };
        let names = self.names.iter().map(|name| Claim::Whole(format!("host name:{name}:{family}")));
        names.chain([Claim::part_of(FILE)]).collect()
    }

    fn check(&self, problems: &mut Problems) {
        if self.address.parse::<IpAddr>().is_err() {
            problems.add(format_args!("{:?} is not an IPv4 or IPv6 address", self.address));
        }
        if self.names.is_empty() {
            problems.add("the list has no names");
        }
        for name in self.names.iter().filter(|name| !is_host_name(name)) {
            problems.add(format_args!("{name:?} is not a valid host name"));
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        edit::ask(probe, FILE);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let address = self.address.parse().map_err(|_| Error::refused("this is not a valid address"))?;
        let new = self.put_in(&edit::text(world, FILE)?, address);
        let edit = edit::edit(world, FILE, new)?;
        Ok(edit.map(|edit| Step::new(edit.summary(), &*edit.script).diff(edit.diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_in(text: &str, address: &str, names: &[&str]) -> String {
        HostsEntry::new(address, names.iter().copied()).put_in(text, address.parse().unwrap())
    }

    #[test]
    fn an_address_gets_its_names() {
        assert_eq!(put_in("127.0.0.1 localhost\n", "10.0.0.2", &["worker"]), "127.0.0.1 localhost\n10.0.0.2 worker\n");
        assert_eq!(put_in("10.0.0.2 worker\n", "10.0.0.2", &["worker", "w"]), "10.0.0.2 worker w\n");
    }

    #[test]
    fn an_entry_as_wanted_is_left_as_it_is_written() {
        let text = "# hosts\n10.0.0.2\tworker extra # ours\nfd00::2 worker\n";
        assert_eq!(put_in(text, "10.0.0.2", &["worker"]), text);
    }

    #[test]
    fn other_addresses_of_the_family_lose_the_names() {
        let text = "127.0.1.1 worker old\n10.0.0.9 worker\n";
        assert_eq!(put_in(text, "10.0.0.2", &["worker"]), "127.0.1.1 old\n10.0.0.2 worker\n");
    }
}

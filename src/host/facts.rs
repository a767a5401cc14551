//! What a host is: everything in one round trip.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::interfaces::{self, Interface};
use super::{Host, ScriptOptions};
use crate::error::{Error, Result};

/// What a host said about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Its own name, as `hostname` prints it.
    pub hostname: String,
    /// `ID` of os-release, e.g. `debian`.
    pub os_id: String,
    /// `VERSION_ID` of os-release, e.g. `12`.
    pub os_version: String,
    /// `PRETTY_NAME` of os-release.
    pub os_name: String,
    /// `ID_LIKE` of os-release: what else it is like, e.g. `rhel`, `fedora`.
    pub os_like: Vec<String>,
    /// `uname -m`, e.g. `x86_64`.
    pub arch: String,
    /// `uname -r`.
    pub kernel: String,
    /// Processors that are on.
    pub cpus: u64,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Memory in MiB that programs can have without swapping.
    pub memory_available_mb: u64,
    /// Swap in MiB.
    pub swap_mb: u64,
    /// Size of `/` in MiB.
    pub disk_mb: u64,
    /// Free space of `/` in MiB.
    pub disk_free_mb: u64,
    /// Another one after every boot.
    pub boot_id: String,
    /// `/etc/machine-id`; empty where there is none.
    pub machine_id: String,
    /// Who logged in; commands run as root all the same.
    pub user: String,
    /// Whether commands run as root.
    pub root: bool,
    /// `systemd`, `openrc`, or the name of process 1.
    pub init: String,
    /// `apt-get`, `dnf`, `yum`, `zypper`, `apk`, `pacman`, or empty.
    pub package_manager: String,
    /// What `systemd-detect-virt` says: `none`, `kvm`, `systemd-nspawn`, ...
    pub virtualization: String,
    /// The host's clock in seconds since 1970.
    pub time: f64,
    /// Active firewalls of others: `ufw`, `firewalld`.
    pub firewalls: Vec<String>,
    /// The way by which we logged in; none on the local host.
    pub login: Option<Login>,
    /// Network interfaces in the kernel's order.
    pub interfaces: Vec<Interface>,
}

/// The two ends of our SSH connection as the host sees them (`SSH_CONNECTION` in sshd(8)).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Login {
    /// Where we come from: our address, or that of a jump host or a router that translates addresses.
    pub from: IpAddr,
    /// The host's own address that we connected to.
    pub to: IpAddr,
    /// The port that sshd listens on.
    pub port: u16,
}

impl Login {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (from, _, to, port) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Login { from: from.parse().ok()?, to: to.parse().ok()?, port: port.parse().ok()? })
    }
}

impl Host {
    /// What this host is. Asked once in a run, and again after a reboot.
    ///
    /// # Errors
    /// Unreachable; host where it answers nonsense.
    pub async fn facts(&self) -> Result<Arc<Facts>> {
        let mut cached = self.0.facts.lock().await;
        if let Some(facts) = &*cached {
            return Ok(facts.clone());
        }
        let output = self.check(include_str!("facts.sh"), &ScriptOptions::titled("facts").timeout(60)).await?;
        let mut facts = Facts::parse(&output.text()).map_err(|error| error.on(self.name()))?;
        if self.is_local() {
            // k3srun itself may have been started in somebody's SSH session.
            facts.login = None;
        }
        let facts = Arc::new(facts);
        *cached = Some(facts.clone());
        Ok(facts)
    }

    /// Lets the next [`Host::facts`] ask again.
    pub async fn forget_facts(&self) {
        *self.0.facts.lock().await = None;
    }
}

impl Facts {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        let mut name = "";
        for line in text.lines() {
            match line.strip_prefix('@') {
                Some(next) => name = next,
                None => {
                    let section = sections.entry(name).or_default();
                    section.push_str(line);
                    section.push('\n');
                }
            }
        }
        let section = |name: &str| sections.get(name).map(String::as_str).unwrap_or_default();
        let values = pairs(section(""), '=');
        let os = pairs(section("os"), '=');
        let memory = pairs(section("memory"), ':');
        let text_of = |key: &str| values.get(key).map(|value| (*value).to_owned()).unwrap_or_default();
        let number = |key: &str| -> Result<u64> {
            let value = text_of(key);
            value.parse().map_err(|_| Error::host(format!("its {key} is not a number: `{value}`")))
        };
        let os_of = |key: &str| os.get(key).map(|value| value.trim_matches(['"', '\'']).to_owned()).unwrap_or_default();
        let mib_of = |key: &str| {
            let kib = memory.get(key).and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
            kib.unwrap_or_default() / 1024
        };
        Ok(Facts {
            hostname: text_of("hostname"),
            os_id: os_of("ID"),
            os_version: os_of("VERSION_ID"),
            os_name: os_of("PRETTY_NAME"),
            os_like: os_of("ID_LIKE").split_whitespace().map(str::to_owned).collect(),
            arch: text_of("arch"),
            kernel: text_of("kernel"),
            cpus: number("cpus")?,
            memory_mb: mib_of("MemTotal"),
            memory_available_mb: mib_of("MemAvailable"),
            swap_mb: mib_of("SwapTotal"),
            disk_mb: number("disk_kb")? / 1024,
            disk_free_mb: number("disk_free_kb")? / 1024,
            boot_id: text_of("boot_id"),
            machine_id: text_of("machine_id"),
            user: text_of("user"),
            root: text_of("uid") == "0",
            init: text_of("init"),
            package_manager: text_of("package_manager"),
            virtualization: text_of("virtualization"),
            // busybox's date leaves %N as it is.
            time: text_of("time").trim_end_matches(".%N").parse().unwrap_or_default(),
            firewalls: text_of("firewalls").split_whitespace().map(str::to_owned).collect(),
            login: Login::parse(&text_of("ssh_connection")),
            interfaces: match sections.get("ip") {
                Some(json) => interfaces::from_ip(json)?,
                None => interfaces::from_proc(section("links"), section("inet6"), section("routes"), section("trie")),
            },
        })
    }
}

fn pairs(text: &str, separator: char) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(separator)).map(|(key, value)| (key.trim(), value.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_from_one_text() {
        let text = "time=1700000000.5\nhostname=m1\ncpus=2\nuid=0\nuser=ops\ndisk_kb=2048\ndisk_free_kb=1024\n\
                    @os\nID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID_LIKE='a b'\n\
                    @memory\nMemTotal:       2048 kB\nSwapTotal: 0 kB\n@ip\n[]\n";
        let facts = Facts::parse(text).unwrap();
        assert_eq!((facts.hostname.as_str(), facts.cpus, facts.root, facts.user.as_str()), ("m1", 2, true, "ops"));
        assert_eq!(
            (facts.os_name.as_str(), facts.os_like),
            ("Debian GNU/Linux 12 (bookworm)", vec!["a".into(), "b".into()])
        );
        assert_eq!((facts.memory_mb, facts.disk_mb, facts.disk_free_mb, facts.time), (2, 2, 1, 1_700_000_000.5));
    }

    #[test]
    fn both_ends_of_the_login_are_known() {
        let login = Login::parse("198.51.100.10 40312 2001:db8::1 2222").unwrap();
        assert_eq!((login.from.to_string().as_str(), login.port), ("198.51.100.10", 2222));
        assert_eq!(Login::parse(""), None);
    }

    #[test]
    fn a_missing_number_is_named() {
        assert_eq!(Facts::parse("cpus=many\n").unwrap_err().message, "its cpus is not a number: `many`");
    }
}

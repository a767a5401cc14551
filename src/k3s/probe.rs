//! All facts about k3s on a host, read in one round trip.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use jiff::Timestamp;

use super::form::Taint;
use super::node::Node;
use super::settings::{DATA_DIR, Role};
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions, moment, quote};

/// Shell functions that read the state of the unit and of the node.
pub const STATE: &str = include_str!("state.sh");
const PROBE: &str = include_str!("probe.sh");

/// k3s on a host as it is.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The folder with everything that k3s keeps.
    pub data: String,
    /// The node's name: as configured, or the host's name.
    pub name: String,
    /// What `uname -m` says.
    pub machine: String,
    /// Whether the host was booted with systemd.
    pub systemd: bool,
    /// Which of curl, wget (GNU's), kubectl, crictl and ctr are there.
    pub commands: BTreeSet<String>,
    /// The network interfaces.
    pub interfaces: BTreeSet<String>,
    /// The version of the executable.
    pub version: Option<String>,
    /// The version of the executable that an upgrade replaced.
    pub previous: Option<String>,
    /// The version of the executable that is staged.
    pub staged: Option<String>,
    /// sha256 of the executable, where it was asked for.
    pub sum: Option<String>,
    /// Size and time by path, of the archives that were asked for.
    pub stamps: BTreeMap<String, Stamp>,
    /// config.yaml.
    pub config: String,
    /// Files that k3s reads after config.yaml.
    pub dropins: Vec<String>,
    /// The roles that have a unit here.
    pub units: Vec<Role>,
    /// The unit's file.
    pub definition: String,
    /// The unit's environment file.
    pub environment: Option<String>,
    /// `etcd`, `sqlite` or nothing.
    pub datastore: Option<String>,
    /// Whether the server has made its token.
    pub token: bool,
    /// Whether agents join this server with a password of their own.
    pub agent_password: bool,
    /// Whether [`super::token::FOR_AGENTS`] is there, and has that password where the server knows one.
    pub agent_token: bool,
    /// Whether the node was part of a cluster before.
    pub registered: bool,
    /// What an earlier cluster left on the host.
    pub leftovers: Vec<String>,
    /// When a file that k3s reads at its start was last changed, in seconds since 1970.
    pub changed: i64,
    /// The unit.
    pub unit: UnitState,
    /// The node, as the API server shows it.
    pub node: Option<Node>,
}

/// By what a large file is known again, as rsync does it: a copy gets the time of its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// When it was changed, in seconds since 1970.
    pub modified: i64,
}

/// A unit as systemd sees it. Times are seconds since 1970 by the host's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// Whether systemd knows it.
    pub loaded: bool,
    /// `active`, `activating`, `inactive`, `failed`, ..
    pub active: String,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// How often systemd has restarted it.
    pub restarts: u64,
    /// Which start it is.
    pub invocation: String,
    /// Whether its file was changed since systemd read it.
    pub outdated: bool,
    /// When its main process was started; 0: never.
    pub started: i64,
    /// When it became active; 0: never.
    pub active_since: i64,
    /// When this was read.
    pub now: i64,
}

impl UnitState {
    /// Whether it runs and has said that it is ready.
    pub fn is_active(&self) -> bool {
        self.active == "active"
    }

    /// Seconds since it became active.
    pub fn active_for(&self) -> i64 {
        if self.is_active() { self.now - self.active_since } else { 0 }
    }
}

impl Facts {
    /// Whether the node is ready, by what its kubelet said since the unit was started.
    pub fn is_ready(&self) -> bool {
        self.unit.is_active()
            && self.node.as_ref().is_some_and(|node| node.ready && node.heartbeat >= self.unit.started)
    }

    /// Whether the running process was started before the last change of what it reads at its start.
    pub fn is_stale(&self) -> bool {
        self.unit.started > 0 && self.changed > self.unit.started
    }
}

/// Reads the facts of `role`, or of whichever role is installed. `name` is the node's name where the caller knows it,
/// `paths` are files to look at: the executable and archives of images.
pub async fn probe(host: &Host, role: Option<Role>, name: Option<&str>, paths: &[String]) -> Result<Facts> {
    let unit = role.map_or("", Role::unit);
    let paths: Vec<String> = paths.iter().map(|path| quote(path)).collect();
    let script = format!(
        "unit={} node={}\nset -- {}\n{STATE}{PROBE}",
        quote(unit),
        quote(&name.unwrap_or_default().to_lowercase()),
        paths.join(" ")
    );
    let output = host.script(&script, &ScriptOptions::titled("reading the state of k3s").timeout(60)).await?;
    let facts = read(&output.text());
    match facts.machine.is_empty() {
        false => Ok(facts),
        true => Err(Error::host("the state of k3s can't be read").on(host.name()).output(output.tail())),
    }
}

/// Reads lines of `name=value`.
pub fn read(text: &str) -> Facts {
    let mut facts = Facts { data: DATA_DIR.to_owned(), ..Facts::default() };
    let mut node = Node::default();
    for line in text.lines() {
        let Some((word, value)) = line.split_once('=') else { continue };
        let number = || value.parse().unwrap_or_default();
        let owned = || value.to_owned();
        match word {
            "data" => facts.data = owned(),
            "nodename" => facts.name = owned(),
            "machine" => facts.machine = owned(),
            "systemd" => facts.systemd = true,
            "command" => drop(facts.commands.insert(owned())),
            "interface" => drop(facts.interfaces.insert(owned())),
            "version" => facts.version = release(value),
            "previous" => facts.previous = release(value),
            "staged" => facts.staged = release(value),
            "sum" => facts.sum = Some(owned()),
            "stamp" => facts.stamps.extend(read_stamp(value)),
            "config" => facts.config = decoded(value),
            "dropin" => facts.dropins.push(owned()),
            "unit" => facts.units.extend([Role::Server, Role::Agent].into_iter().find(|role| role.unit() == value)),
            "definition" => facts.definition = decoded(value),
            "environment" => facts.environment = Some(decoded(value)),
            "datastore" => {
                facts.datastore.get_or_insert_with(owned);
                facts.registered = true;
            }
            "token" => facts.token = true,
            "agentpassword" => facts.agent_password = true,
            "agenttoken" => facts.agent_token = true,
            "joined" => facts.registered = true,
            "leftover" => facts.leftovers.push(owned()),
            "changed" => facts.changed = number(),
            word => match word.strip_prefix("node.") {
                Some(word) => read_node(&mut node, word, value),
                None => read_unit(&mut facts.unit, word, value),
            },
        }
    }
    facts.node = (!node.name.is_empty()).then_some(node);
    facts
}

/// The release that `k3s --version` tells: `NAME version RELEASE (COMMIT)`, where the name is that of the file that was called.
fn release(said: &str) -> Option<String> {
    let (_, rest) = said.split_once(" version v")?;
    let (number, _) = rest.split_once(" (")?;
    Some(format!("v{number}"))
}

fn read_stamp(value: &str) -> Option<(String, Stamp)> {
    let (size, rest) = value.split_once(' ')?;
    let (modified, path) = rest.split_once(' ')?;
    Some((path.to_owned(), Stamp { size: size.parse().ok()?, modified: modified.parse().ok()? }))
}

fn read_unit(unit: &mut UnitState, word: &str, value: &str) {
    let number = || value.parse().unwrap_or_default();
    match word {
        "LoadState" => unit.loaded = value == "loaded",
        "ActiveState" => unit.active = value.to_owned(),
        "UnitFileState" => unit.enabled = value == "enabled",
        "NRestarts" => unit.restarts = value.parse().unwrap_or_default(),
        "InvocationID" => unit.invocation = value.to_owned(),
        "NeedDaemonReload" => unit.outdated = value == "yes",
        "ExecMainStartTimestamp" => unit.started = moment(value).map_or(0, Timestamp::as_second),
        "ActiveEnterTimestamp" => unit.active_since = moment(value).map_or(0, Timestamp::as_second),
        "Now" => unit.now = number(),
        _ => {}
    }
}

fn read_node(node: &mut Node, word: &str, value: &str) {
    match word {
        "name" => node.name = value.to_owned(),
        "labels" => node.labels = serde_json::from_str(value).unwrap_or_default(),
        "taints" => node.taints = serde_json::from_str::<Vec<Taint>>(value).unwrap_or_default(),
        "ready" => node.ready = value == "True",
        "message" => node.message = value.to_owned(),
        "heartbeat" => node.heartbeat = value.parse::<Timestamp>().map_or(0, Timestamp::as_second),
        "addresses" => node.addresses = value.split_whitespace().map(str::to_owned).collect(),
        "version" => node.version = value.to_owned(),
        _ => {}
    }
}

fn decoded(value: &str) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "unit=k3s\ndata=/var/lib/rancher/k3s\nnodename=master\nmachine=x86_64\nsystemd=yes\ncommand=curl\n\
        version=k3s version v1.36.5+k3s1 (8a3a3a01)\nconfig=Y2x1c3Rlci1pbml0OiB0cnVlCg==\ndatastore=etcd\ntoken=yes\nchanged=1000\n\
        LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=2\n\
        ExecMainStartTimestamp=Thu 1970-01-01 00:16:41 UTC\nActiveEnterTimestamp=Thu 1970-01-01 00:16:50 UTC\nNow=1020\n\
        node.name=master\nnode.labels={\"node-role\":\"master\"}\nnode.taints=[{\"effect\":\"NoSchedule\",\"key\":\"a\",\"value\":\"b\"}]\n\
        node.ready=True\nnode.heartbeat=1970-01-01T00:17:00Z\nnode.addresses=10.0.0.1\n\
        sum=0123\nstamp=7 1000 /images/a b.tar\n";

    #[test]
    fn a_running_server() {
        let facts = read(RUNNING);
        assert_eq!(facts.config, "cluster-init: true\n");
        assert_eq!(facts.sum.as_deref(), Some("0123"));
        assert_eq!(facts.stamps["/images/a b.tar"], Stamp { size: 7, modified: 1000 });
        assert!(facts.registered && facts.token && facts.unit.enabled && facts.unit.loaded);
        assert_eq!((facts.unit.restarts, facts.unit.active_for()), (2, 10));
        let node = facts.node.as_ref().unwrap();
        assert_eq!((node.heartbeat, node.labels["node-role"].as_str()), (1020, "master"));
        assert_eq!(node.taints, [Taint::parse("a=b:NoSchedule").unwrap()]);
        assert!(facts.is_ready() && !facts.is_stale());
    }

    #[test]
    fn the_release_is_told_under_any_name() {
        for name in ["k3s", "k3s.previous", ".k3s.tmp", "k3s-v1.34.3"] {
            let said = format!("version={name} version v1.34.3+k3s1 (48ffa7b6)\n");
            assert_eq!(read(&said).version.as_deref(), Some("v1.34.3+k3s1"), "{name}");
        }
        assert_eq!(read("version=go version go1.24.11\n").version, None);
    }

    #[test]
    fn what_the_kubelet_said_before_the_start_does_not_count() {
        let facts = read(&RUNNING.replace("00:16:41 UTC", "00:17:01 UTC"));
        assert!(!facts.is_ready());
    }

    #[test]
    fn a_file_changed_after_the_start_makes_the_process_stale() {
        assert!(read(&RUNNING.replace("changed=1000", "changed=1002")).is_stale());
        assert!(!read("machine=x86_64\nchanged=1002\n").is_stale());
    }
}

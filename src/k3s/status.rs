//! What k3s is and does on a host.

use std::collections::BTreeMap;

use serde::Serialize;

use super::probe::{Facts, probe};
use crate::error::Result;
use crate::host::Host;

/// k3s on a host.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Whether the executable is there.
    pub installed: bool,
    /// Its version; empty where it isn't installed.
    pub version: String,
    /// The version that runs, as the node's kubelet tells it; empty where the node can't be seen.
    pub running: String,
    /// The version that an upgrade replaced and kept; empty where there is none.
    pub previous: String,
    /// The version that is staged; empty where none is.
    pub staged: String,
    /// `server`, `agent` or empty.
    pub role: String,
    /// Whether the unit is active.
    pub active: bool,
    /// systemd's word for the state of the unit.
    pub state: String,
    /// Whether the unit starts at boot.
    pub enabled: bool,
    /// How often systemd has restarted it since it was started.
    pub restarts: u64,
    /// The node's name.
    pub node: String,
    /// Whether the node is ready.
    pub ready: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints, as `key=value:Effect`.
    pub taints: Vec<String>,
    /// Its internal addresses.
    pub addresses: Vec<String>,
    /// `etcd`, `sqlite` or empty.
    pub datastore: String,
    /// Whether it is or was part of a cluster.
    pub registered: bool,
    /// Whether something that k3s reads at its start was changed since it was started.
    pub restart_needed: bool,
    /// Whether agents join this server with a token of their own, which makes nobody an administrator.
    pub agent_token: bool,
    /// What a cluster has left on a host that has no unit of k3s any more.
    pub leftovers: Vec<String>,
}

/// Reads the state of k3s on a host, in one round trip.
pub async fn status(host: &Host) -> Result<Status> {
    Ok(Status::of(probe(host, None, None, &[]).await?))
}

impl Status {
    fn of(facts: Facts) -> Self {
        let role = facts.units.first().map(|role| role.name()).unwrap_or_default();
        let (ready, stale) = (facts.is_ready(), facts.is_stale());
        let node = facts.node.unwrap_or_default();
        Status {
            installed: facts.version.is_some(),
            version: facts.version.unwrap_or_default(),
            running: node.version,
            previous: facts.previous.unwrap_or_default(),
            staged: facts.staged.unwrap_or_default(),
            role: role.to_owned(),
            active: facts.unit.is_active(),
            state: facts.unit.active,
            enabled: facts.unit.enabled,
            restarts: facts.unit.restarts,
            node: facts.name,
            ready,
            labels: node.labels,
            taints: node.taints.iter().map(ToString::to_string).collect(),
            addresses: node.addresses,
            datastore: facts.datastore.unwrap_or_default(),
            registered: facts.registered,
            restart_needed: stale,
            agent_token: facts.agent_password,
            leftovers: if facts.units.is_empty() { facts.leftovers } else { Vec::new() },
        }
    }
}

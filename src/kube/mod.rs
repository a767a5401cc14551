//! A cluster's API, through an SSH tunnel to its server: read, apply, delete, wait.

mod apply;
mod containers;
mod delete;
mod diagnosis;
mod error;
mod forward;
mod link;
mod logs;
mod node;
mod patch;
mod pods;
mod read;
mod resources;
mod rollout;
mod state;
mod table;
mod trial;
mod wait;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ::kube::api::{Api, DynamicObject};
use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::discovery::Discovery;
use ::kube::{Client, Config};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::host::{Host, Tunnel};

pub use apply::{Applied, ApplyOptions, documents};
pub use forward::{ForwardOptions, PortForward};
pub use logs::{Follow, FollowOptions, LogOptions};
pub use node::DrainOptions;
pub use patch::{PatchOptions, PatchType};
pub use pods::ExecOptions;
pub use read::GetOptions;
pub use rollout::Progress;
pub use table::TableOptions;
pub use wait::WaitOptions;
pub use watch::{Sight, Watch, WatchOptions};

use resources::Resource;

/// The name under which the API server remembers which fields are ours.
const FIELD_MANAGER: &str = "k3srun";

/// A connection to a cluster's API. Cloning is cheap; all clones share the tunnel.
#[derive(Clone)]
pub struct Kube {
    host: Host,
    client: Client,
    discovery: Arc<Mutex<Option<Arc<Discovery>>>>,
    tunnel: Tunnel,
    kubeconfig: Arc<Kubeconfig>,
    /// Whether the API server has ever answered: then one that doesn't is likely to come back.
    answered: Arc<AtomicBool>,
}

/// Connects to the API server that `kubeconfig` names, as seen from `host`.
///
/// # Errors
/// Host when the kubeconfig can't be used, unreachable when there is no way to the host.
pub async fn connect(host: &Host, kubeconfig: Kubeconfig) -> Result<Kube> {
    let unusable =
        |why: String| Error::host(format!("the kubeconfig of this host can't be used: {why}")).on(host.name());
    let mut through = kubeconfig.clone();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(error.to_string()))?;
    let server = config.cluster_url.host().unwrap_or("127.0.0.1").trim_matches(['[', ']']).to_owned();
    let tunnel = host.tunnel(&server, config.cluster_url.port_u16().unwrap_or(6443)).await?;
    let url = format!("https://{}:{}", tunnel.address(), tunnel.port());
    config.cluster_url = url.parse().map_err(|_| unusable(format!("{url} is not a valid address")))?;
    for cluster in through.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.server = Some(url.clone());
        cluster.tls_server_name = Some(server.clone());
    }
    config.tls_server_name = Some(server);
    config.connect_timeout = Some(Duration::from_secs(10));
    // A watch that hears nothing for so long starts again.
    config.read_timeout = Some(Duration::from_secs(60));
    // What to ask again, and how long, is decided for each request (`link`); an eviction, for one, has to be told the refusal.
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| unusable(error.to_string()))?;
    Ok(Kube {
        host: host.clone(),
        client,
        discovery: Arc::default(),
        tunnel,
        kubeconfig: Arc::new(through),
        answered: Arc::default(),
    })
}

impl Kube {
    /// The host through which it goes.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The tunnel through which it goes.
    pub fn tunnel(&self) -> &Tunnel {
        &self.tunnel
    }

    /// The kubeconfig with which another program of this machine gets to the same cluster, through the tunnel. To be kept
    /// secret.
    pub fn kubeconfig(&self) -> &Kubeconfig {
        &self.kubeconfig
    }

    fn api(&self, resource: &Resource, namespace: Option<&str>, all: bool) -> Api<DynamicObject> {
        let client = self.client.clone();
        match namespace {
            _ if !resource.namespaced => Api::all_with(client, &resource.api),
            None if all => Api::all_with(client, &resource.api),
            namespace => Api::namespaced_with(client, namespace.unwrap_or("default"), &resource.api),
        }
    }
}

//! The Kubernetes API of a cluster, through a tunnel to its server: 6443 is open to the workers only.

mod explain;
mod objects;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::Discovery;
use tokio::sync::OnceCell;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::host::Host;

pub use objects::Query;

/// Where the API server listens on its own host.
const PORT: u16 = 6443;

/// A connection to the API. Cloning is cheap; all clones share it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    client: kube::Client,
    host: Host,
    discovery: OnceCell<Discovery>,
}

impl Client {
    /// Connects to the API server that runs on `host`, with the credentials of `config`.
    ///
    /// # Errors
    /// Unreachable when the tunnel can't be opened, host when the credentials can't be used. That the API answers shows
    /// with the first request.
    pub async fn connect(host: &Host, mut config: Kubeconfig) -> Result<Self> {
        let tunnel = host.tunnel("127.0.0.1", PORT).await?;
        for cluster in config.clusters.iter_mut().filter_map(|cluster| cluster.cluster.as_mut()) {
            cluster.server = Some(format!("https://{}:{}", tunnel.address(), tunnel.port()));
        }
        let unusable = |error: &dyn std::fmt::Display| {
            Error::host(format!("the kubeconfig of this host can't be used: {error}")).on(host.name())
        };
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .map_err(|error| unusable(&error))?;
        let client = kube::Client::try_from(config).map_err(|error| unusable(&error))?;
        Ok(Client(Arc::new(Inner { client, host: host.clone(), discovery: OnceCell::new() })))
    }

    /// Requests a path of the API, like `/readyz` or `/version`, and returns the body.
    ///
    /// # Errors
    /// What the API or the way to it says, with the remedy.
    pub async fn raw(&self, path: &str) -> Result<String> {
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(|error| Error::refused(format!("{path:?} is no path: {error}")).help("e.g. /readyz"))?;
        self.0.client.request_text(request).await.map_err(|error| self.explain(&format!("requesting {path}"), error))
    }

    fn explain(&self, what: &str, error: kube::Error) -> Error {
        explain::explain(what, error).on(self.0.host.name())
    }
}

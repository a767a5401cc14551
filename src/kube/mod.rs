//! A cluster's API, through an SSH tunnel to its server: read, apply, delete, wait.

mod apply;
mod error;
mod resources;
mod state;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use ::kube::api::{Api, DeleteParams, DynamicObject, ListParams, LogParams, PropagationPolicy};
use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::discovery::Discovery;
use ::kube::{Client, Config};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::host::{Host, Output, ScriptOptions, Tunnel, quote};
use crate::report::{Change, Event};

pub use apply::{Applied, ApplyOptions, documents};
pub use wait::WaitOptions;

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
}

/// Which objects to read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GetOptions {
    /// The namespace; default: all, or `default` for one object.
    pub namespace: Option<String>,
    /// One object.
    pub name: Option<String>,
    /// Labels to select by, e.g. `app=web`.
    pub selector: Option<String>,
    /// Fields to select by, e.g. `spec.nodeName=worker`.
    pub fields: Option<String>,
}

/// Which part of a pod's output to read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// The pod's namespace; `default`.
    pub namespace: Option<String>,
    /// The container, where the pod has several.
    pub container: Option<String>,
    /// So many of the last lines; all by default.
    pub tail: Option<i64>,
    /// That of the container's last run.
    pub previous: bool,
}

/// Where to run a command.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecOptions {
    /// The pod's namespace; `default`.
    pub namespace: Option<String>,
    /// The container, where the pod has several.
    pub container: Option<String>,
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
    config.cluster_url = url.parse().map_err(|_| unusable(format!("{url} is no address")))?;
    for cluster in through.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.server = Some(url.clone());
        cluster.tls_server_name = Some(server.clone());
    }
    config.tls_server_name = Some(server);
    config.connect_timeout = Some(Duration::from_secs(10));
    // A watch that hears nothing for so long begins anew.
    config.read_timeout = Some(Duration::from_secs(60));
    let client = Client::try_from(config).map_err(|error| unusable(error.to_string()))?;
    Ok(Kube { host: host.clone(), client, discovery: Arc::default(), tunnel, kubeconfig: Arc::new(through) })
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

    /// The objects of a kind, e.g. `pods`, `Deployment` or `certificates.cert-manager.io`.
    ///
    /// # Errors
    /// Refused for an unknown kind, host with what the API server said.
    pub async fn list(&self, kind: &str, options: &GetOptions) -> Result<Vec<Value>> {
        let resource = self.resource(kind).await?;
        let mut parameters = ListParams::default();
        parameters.label_selector.clone_from(&options.selector);
        parameters.field_selector.clone_from(&options.fields);
        let found = self.api(&resource, options.namespace.as_deref(), true).list(&parameters).await;
        let found = found.map_err(|error| self.error(&format!("reading {kind}"), error))?;
        Ok(found.items.iter().map(|object| resource.value(object)).collect())
    }

    /// One object, if there is one of this name.
    ///
    /// # Errors
    /// Like [`Kube::list`].
    pub async fn get(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<Option<Value>> {
        let resource = self.resource(kind).await?;
        self.read(&resource, name, namespace).await
    }

    async fn read(&self, resource: &Resource, name: &str, namespace: Option<&str>) -> Result<Option<Value>> {
        let found = self.api(resource, namespace, false).get_opt(name).await;
        let found = found.map_err(|error| self.error(&format!("reading {}", resource.id(name)), error))?;
        Ok(found.map(|object| resource.value(&object)))
    }

    /// What the API server answers to a GET of this path, e.g. `/readyz?verbose`.
    pub async fn raw(&self, path: &str) -> Result<String> {
        if !path.starts_with('/') {
            return Err(Error::refused(format!("{path:?} is no path: it must begin with /")));
        }
        let request = ::http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| Error::refused(format!("{path:?} is no path: {error}")))?;
        self.client.request_text(request).await.map_err(|error| self.error(&format!("GET {path}"), error))
    }

    /// Removes an object and waits until it is gone, at most 60 s. Returns whether there was one.
    pub async fn delete(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<bool> {
        let resource = self.resource(kind).await?;
        let id = resource.id(name);
        let run = self.host.run_context();
        let host = self.host.name().to_owned();
        if self.read(&resource, name, namespace).await?.is_none() {
            run.report().emit(Event::Unchanged { host, count: 1 });
            return Ok(false);
        }
        if !run.is_plan() {
            let parameters =
                DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
            let done = self.api(&resource, namespace, false).delete(name, &parameters).await;
            done.map_err(|error| self.error(&format!("removing {id}"), error))?;
            let options = WaitOptions { namespace: namespace.map(str::to_owned), ..WaitOptions::gone(60) };
            self.wait(kind, name, &options).await?;
        }
        let change = Change { resource: id, summary: "removed".into(), diff: None };
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(true)
    }

    /// What a pod has printed.
    pub async fn logs(&self, pod: &str, options: &LogOptions) -> Result<String> {
        let resource = self.resource("pods").await?;
        let parameters = LogParams {
            container: options.container.clone(),
            tail_lines: options.tail,
            previous: options.previous,
            ..LogParams::default()
        };
        let namespace = options.namespace.as_deref().unwrap_or("default");
        let api = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(self.client.clone(), namespace);
        let text = api.logs(pod, &parameters).await;
        text.map_err(|error| self.error(&format!("reading the log of {}", resource.id(pod)), error))
    }

    /// Runs a command in a pod, by kubectl on the server.
    pub async fn exec(&self, pod: &str, command: &[String], options: &ExecOptions) -> Result<Output> {
        let namespace = options.namespace.as_deref().unwrap_or("default");
        let mut line = format!("k3s kubectl exec --namespace {} {}", quote(namespace), quote(pod));
        if let Some(container) = &options.container {
            line.push_str(&format!(" --container {}", quote(container)));
        }
        line.push_str(" --");
        for word in command {
            line.push_str(&format!(" {}", quote(word)));
        }
        let title = format!("{} in the pod {namespace}/{pod}", command.join(" "));
        self.host.script(&line, &ScriptOptions::titled(title)).await
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

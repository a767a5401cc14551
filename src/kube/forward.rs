//! A port of this machine that leads into a pod, through the API.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::diagnosis::selector;
use super::link::Again;
use super::{GetOptions, Kube};
use crate::error::{Error, Reason, Result};
use crate::report::Level;

/// Where the port leads from and to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardOptions {
    /// The namespace; `default`.
    pub namespace: Option<String>,
    /// The port of this machine's loopback interface; default: a free one.
    pub local_port: Option<u16>,
}

/// A way into a pod. It ends with [`PortForward::close`], with its last clone, or with the run.
#[derive(Clone)]
pub struct PortForward {
    port: u16,
    listening: Arc<Listening>,
}

struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What connections are led to.
#[derive(Clone)]
struct Target {
    kube: Kube,
    kind: String,
    name: String,
    namespace: String,
    port: u16,
}

impl PortForward {
    /// The address to connect to on this machine.
    pub fn address(&self) -> String {
        Ipv4Addr::LOCALHOST.to_string()
    }

    /// The port to connect to on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it. Connections that are open go on until one side ends them.
    pub fn close(&self) {
        self.listening.0.abort();
    }
}

impl Kube {
    /// Opens a port of this machine that leads to `port` of a pod, of a service, or of a workload. Each connection goes to a
    /// pod that is ready then, so it outlives the pods.
    ///
    /// # Errors
    /// Host, with [`Reason::NotFound`] where there is no such object, service has no such port, or no pod is ready; refused
    /// where the port of this machine is taken.
    pub async fn port_forward(
        &self,
        kind: &str,
        name: &str,
        port: u16,
        options: &ForwardOptions,
    ) -> Result<PortForward> {
        let namespace = options.namespace.clone().unwrap_or_else(|| "default".into());
        let target = Target { kube: self.clone(), kind: kind.to_owned(), name: name.to_owned(), namespace, port };
        target.find().await?;
        let wanted = options.local_port.unwrap_or_default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await.map_err(|error| {
            Error::refused(format!("port {wanted} of 127.0.0.1 can't be opened: {error}"))
                .help("without the option `local_port` a free one is taken")
        })?;
        let port = listener.local_addr().map_err(|error| Error::refused(error.to_string()))?.port();
        let listening = Arc::new(Listening(tokio::spawn(target.serve(listener))));
        Ok(PortForward { port, listening })
    }
}

impl Target {
    async fn serve(self, listener: TcpListener) {
        // An error of one connection is not one of the next.
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let target = self.clone();
            tokio::spawn(async move {
                if let Err(error) = target.lead(stream).await {
                    target.kube.host().note(Level::Warning, format!("port forward: {error}"));
                }
            });
        }
    }

    async fn lead(&self, mut local: TcpStream) -> Result<()> {
        let (pod, port) = self.find().await?;
        let api = self.kube.pods(Some(&self.namespace));
        let what = format!("opening port {port} of pod:{pod}");
        let ports = [port];
        let mut forwarder =
            self.kube.ask(&what, Again::IfNotDone, async || api.portforward(&pod, &ports).await).await?;
        let refused = forwarder.take_error(port);
        if let Some(mut remote) = forwarder.take_stream(port) {
            // However it ends, it has ended.
            let _ = copy_bidirectional(&mut local, &mut remote).await;
            drop(remote);
        }
        // Nobody listens in the pod: the kubelet tells.
        let refused = async { if let Some(refused) = refused { refused.await } else { None } };
        match tokio::time::timeout(std::time::Duration::from_millis(200), refused).await {
            Ok(Some(why)) => Err(Error::host(format!("{what}: {why}"))),
            _ => Ok(()),
        }
    }

    /// A pod that is ready, and the port of it.
    async fn find(&self) -> Result<(String, u16)> {
        let missing = |what: String| {
            Error::host(what).because(Reason::NotFound).on(self.kube.host().name()).help(
                "k.get(\"pods\", #{ namespace: .. }) lists what there is; k.diagnosis() says why pods are not ready",
            )
        };
        let id = format!("{}:{}", self.kind.to_lowercase(), self.name);
        let found = self.kube.get(&self.kind, &self.name, Some(&self.namespace)).await?;
        let object = found.ok_or_else(|| missing(format!("there is no {id} in the namespace {}", self.namespace)))?;
        if object["kind"] == "Pod" {
            return Ok((self.name.clone(), self.port));
        }
        let selector = selector(&object).ok_or_else(|| missing(format!("{id} has no pods")))?;
        let options =
            GetOptions { namespace: Some(self.namespace.clone()), selector: Some(selector), ..GetOptions::default() };
        let pods = self.kube.list("pods", &options).await?;
        let pod =
            pods.iter().find(|pod| is_ready(pod)).ok_or_else(|| missing(format!("{id} has no pod that is ready")))?;
        let port = if object["kind"] == "Service" { service_port(&object, pod, self.port) } else { Some(self.port) };
        let port = port.ok_or_else(|| missing(format!("{id} has no port {}", self.port)))?;
        Ok((pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(), port))
    }
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The port of a pod that a service's port leads to.
fn service_port(service: &Value, pod: &Value, port: u16) -> Option<u16> {
    let mut ports = service["spec"]["ports"].as_array()?.iter();
    let ours = ports.find(|it| it["port"] == port)?;
    let number = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
    match &ours["targetPort"] {
        Value::Null => Some(port),
        Value::String(name) => {
            let containers = pod["spec"]["containers"].as_array()?.iter();
            let mut all = containers.filter_map(|container| container["ports"].as_array()).flatten();
            number(&all.find(|it| it["name"] == name.as_str())?["containerPort"])
        }
        value => number(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_port_of_a_service_leads_to_that_of_a_pod_by_number_or_name() {
        let service = json!({ "spec": { "ports": [{ "port": 80, "targetPort": "http" }, { "port": 81, "targetPort": 8081 }, { "port": 82 }] } });
        let pod = json!({ "spec": { "containers": [{ "name": "a" }, { "ports": [{ "name": "http", "containerPort": 8080 }] }] } });
        let ports = [80, 81, 82, 83].map(|port| service_port(&service, &pod, port));
        assert_eq!(ports, [Some(8080), Some(8081), Some(82), None]);
    }
}

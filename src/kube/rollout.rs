//! Workloads: how many, how far, and once again.

use serde_json::{Value, json};

use super::state::{self, State};
use super::{Kube, PatchOptions};
use crate::error::{Error, Reason, Result};

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Only new pods are left, and they work.
    pub done: bool,
    /// It will not get there by itself.
    pub failed: bool,
    /// What is still missing; empty when it is done.
    pub message: String,
}

impl Kube {
    /// Sets how many replicas there are. Returns whether there were others before, or would be in a plan.
    ///
    /// # Errors
    /// Host, with [`Reason::NotFound`] where there is no such object or its kind can't be scaled.
    pub async fn scale(&self, kind: &str, name: &str, replicas: u32, namespace: Option<&str>) -> Result<bool> {
        let options = part(namespace, Some("scale"));
        self.patch(kind, name, &json!({ "spec": { "replicas": replicas } }), &options).await
    }

    /// How far a rollout is, or any object that one can wait for.
    ///
    /// # Errors
    /// Host, with [`Reason::NotFound`] where there is no such object.
    pub async fn rollout_status(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<Progress> {
        let resource = self.resource(kind).await?;
        let object = self.read(&resource, name, namespace).await?;
        let object = object.ok_or_else(|| {
            Error::host(format!("there is no {}", resource.id(name)))
                .because(Reason::NotFound)
                .on(self.host().name())
                .help("check the name and the namespace")
        })?;
        Ok(match state::of(&object, None) {
            State::Done => Progress { done: true, failed: false, message: String::new() },
            State::Waiting(message) => Progress { done: false, failed: false, message },
            State::Failed(message) => Progress { done: false, failed: true, message },
        })
    }

    /// Replaces all pods of a workload by new ones, in the way of its update strategy. [`Kube::wait`] waits for them.
    ///
    /// # Errors
    /// Refused for a kind without pods of its own.
    pub async fn rollout_restart(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<()> {
        let resource = self.resource(kind).await?;
        if !matches!(resource.api.kind.as_str(), "Deployment" | "DaemonSet" | "StatefulSet") {
            return Err(Error::refused(format!("{} can't be restarted", resource.id(name)))
                .help("a deployment, a daemonset and a statefulset can; a pod is deleted"));
        }
        // kubectl's own annotation: each sees when the other did it.
        let now = jiff::Timestamp::now().to_string();
        let patch = annotate_pods(&now);
        self.patch(kind, name, &patch, &part(namespace, None)).await.map(drop)
    }
}

fn annotate_pods(time: &str) -> Value {
    let annotations = json!({ "kubectl.kubernetes.io/restartedAt": time });
    json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } })
}

fn part(namespace: Option<&str>, subresource: Option<&str>) -> PatchOptions {
    PatchOptions { namespace: namespace.map(str::to_owned), subresource: subresource.map(str::to_owned), form: None }
}

//! What pods print, and commands in them.

use ::kube::api::{Api, LogParams};
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;

use super::Kube;
use crate::error::Result;
use crate::host::{Output, ScriptOptions, quote};

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

impl LogOptions {
    fn parameters(&self) -> LogParams {
        LogParams {
            container: self.container.clone(),
            tail_lines: self.tail,
            previous: self.previous,
            ..LogParams::default()
        }
    }
}

impl Kube {
    /// What a pod has printed.
    pub async fn logs(&self, pod: &str, options: &LogOptions) -> Result<String> {
        let (api, parameters) = (self.pods(options.namespace.as_deref()), options.parameters());
        let what = format!("reading the log of pod:{pod}");
        self.read_only(&what, async || api.logs(pod, &parameters).await).await
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

    pub(super) fn pods(&self, namespace: Option<&str>) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace.unwrap_or("default"))
    }
}

//! Commands in pods.

use ::kube::api::{Api, AttachParams};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::Kube;
use super::link::Again;
use crate::error::{Error, Reason, Result};
use crate::host::Output;

/// Where to run a command.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecOptions {
    /// The pod's namespace; `default`.
    pub namespace: Option<String>,
    /// The container; default: the first.
    pub container: Option<String>,
}

impl Kube {
    /// Runs a command in a pod and returns its output, whatever its exit status.
    ///
    /// # Errors
    /// Host, with [`Reason::NotFound`] where there is no such pod, or where it can't run commands.
    pub async fn exec(&self, pod: &str, command: &[String], options: &ExecOptions) -> Result<Output> {
        let namespace = options.namespace.as_deref();
        let container = self.container(pod, namespace, options.container.as_deref()).await?;
        let parameters = AttachParams { container: Some(container), ..AttachParams::default() };
        let api = self.pods(namespace);
        let what = format!("`{}` in pod:{pod}", command.join(" "));
        let request = async || api.exec(pod, command.iter().map(String::as_str), &parameters).await;
        let mut process = self.ask(&what, Again::IfNotDone, request).await?;
        let status = process.take_status();
        let (stdout, stderr) = tokio::join!(all(process.stdout()), all(process.stderr()));
        let broken = |why: String| {
            Error::unreachable(format!("{what}: the connection was lost while it ran"))
                .because(Reason::Unavailable)
                .on(self.host().name())
                .help("whether it came to its end is not known")
                .output(why)
        };
        let (stdout, stderr) =
            (stdout.map_err(|it| broken(it.to_string()))?, stderr.map_err(|it| broken(it.to_string()))?);
        let ended = match status {
            Some(status) => status.await,
            None => None,
        };
        let status = exit_status(&ended.ok_or_else(|| broken(String::new()))?).map_err(|why| {
            Error::host(format!("{what}: {why}"))
                .on(self.host().name())
                .help("is there such a program in the container?")
        })?;
        Ok(Output { status, stdout, stderr, timed_out: false })
    }

    /// The container that is meant: the one that is named, or the pod's first.
    pub(super) async fn container(&self, pod: &str, namespace: Option<&str>, named: Option<&str>) -> Result<String> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        let api = self.pods(namespace);
        let found = self.read_only(&format!("reading pod:{pod}"), async || api.get(pod).await).await?;
        let chosen = found.metadata.annotations.unwrap_or_default().remove("kubectl.kubernetes.io/default-container");
        let first = found.spec.and_then(|spec| spec.containers.into_iter().next()).map(|container| container.name);
        Ok(chosen.or(first).unwrap_or_default())
    }

    pub(super) fn pods(&self, namespace: Option<&str>) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace.unwrap_or("default"))
    }
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The exit status that the kubelet tells; or why nothing was run.
fn exit_status(status: &Status) -> Result<i32, String> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.iter().filter_map(|details| details.causes.as_ref()).flatten();
    let mut codes = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode"));
    let code = codes.find_map(|cause| cause.message.as_ref()?.parse().ok());
    code.ok_or_else(|| status.message.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_in_the_causes() {
        let status = |value: serde_json::Value| serde_json::from_value::<Status>(value).unwrap();
        assert_eq!(exit_status(&status(serde_json::json!({ "status": "Success" }))), Ok(0));
        let failed = serde_json::json!({ "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
            "details": { "causes": [{ "reason": "ExitCode", "message": "3" }] } });
        assert_eq!(exit_status(&status(failed)), Ok(3));
        let missing = serde_json::json!({ "status": "Failure", "message": "exec: \"nope\": not found" });
        assert_eq!(exit_status(&status(missing)), Err("exec: \"nope\": not found".to_owned()));
    }
}

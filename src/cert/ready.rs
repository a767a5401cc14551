//! Whether cert-manager takes objects: its webhook has a say in each of them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::chain::{condition, text};
use super::reason::shortened;
use crate::error::{Error, Result};
use crate::kube::{GetOptions, Kube};

/// How long to wait for cert-manager.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadyOptions {
    /// Where it is installed; `cert-manager`.
    pub namespace: Option<String>,
    /// Limit in seconds; 120.
    pub timeout: Option<serde_json::Number>,
}

/// Waits until cert-manager's webhook accepts a certificate that is only tried. In a plan it looks once and is content with
/// any answer.
///
/// # Errors
/// Host when it doesn't in time: with what its pods lack.
pub async fn ready(kube: &Kube, options: &ReadyOptions) -> Result<()> {
    let limit = super::wait::limit(options.timeout.as_ref(), 120)?;
    let namespace = options.namespace.as_deref().unwrap_or("cert-manager");
    let begin = Instant::now();
    let trial = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": "k3srun-trial", "namespace": namespace },
        "spec": { "secretName": "k3srun-trial", "dnsNames": ["trial.invalid"], "issuerRef": { "name": "trial" } },
    });
    if kube.host().run_context().is_plan() {
        return Ok(());
    }
    loop {
        kube.host().activity("waiting for cert-manager's webhook");
        let tried = kube.try_out(&trial).await;
        kube.host().activity("");
        let Err(error) = tried else { return Ok(()) };
        if begin.elapsed() >= limit {
            let pods = GetOptions { namespace: Some(namespace.into()), ..GetOptions::default() };
            let lacking: Vec<String> = kube.list("pods", &pods).await?.iter().filter_map(lack).collect();
            return Err(explain(&error, &lacking, limit).on(kube.host().name()));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn explain(error: &Error, lacking: &[String], limit: Duration) -> Error {
    let said = shortened(&error.message);
    let help = if !lacking.is_empty() {
        "bring its pods up: `kubectl -n cert-manager describe pods` tells more"
    } else if said.contains("knows no") {
        "install cert-manager with its CRDs first: certificates::install() does"
    } else if said.contains("x509") {
        "its cainjector has not yet put the webhook's authority in place: wait, or look at `kubectl -n cert-manager logs deploy/cert-manager-cainjector`"
    } else if said.contains("no endpoints") || said.contains("connection refused") {
        "the webhook has no pod that is ready: `kubectl -n cert-manager get pods` shows whether it is scaled to 0 or fails"
    } else {
        "the API server on the master calls the webhook's pod on the worker at port 10250 over VXLAN (8472/udp between their private addresses): is that open?"
    };
    let pods = if lacking.is_empty() { String::new() } else { format!(" ({})", lacking.join("; ")) };
    Error::host(format!("cert-manager does not answer after {} s{pods}: {said}", limit.as_secs())).help(help)
}

/// What a pod lacks to be ready.
fn lack(pod: &Value) -> Option<String> {
    if text(pod, "/status/phase") == "Succeeded"
        || condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
    {
        return None;
    }
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let mut waiting = statuses.into_iter().flatten().map(|status| text(status, "/state/waiting/reason"));
    let reason = waiting.find(|reason| !reason.is_empty());
    let scheduled = condition(pod, "PodScheduled").filter(|condition| condition["status"] == "False");
    let said = reason.or(scheduled.map(|condition| text(condition, "/message"))).unwrap_or("not ready yet");
    Some(format!("{}: {said}", text(pod, "/metadata/name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_webhook_lacks_decides_on_the_remedy() {
        let said = |why: &str, lacking: &[String]| {
            let called = format!(
                "trying certificate:k3srun-trial: Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=15s\": {why}"
            );
            let error = explain(&Error::host(called), lacking, Duration::from_secs(120));
            format!("{}\n  -> {}", error.message, error.help.unwrap())
        };
        let cases = [
            said("tls: failed to verify certificate: x509: certificate signed by unknown authority", &[]),
            said("no endpoints available for service \"cert-manager-webhook\"", &[]),
            said("context deadline exceeded", &[]),
            said(
                "dial tcp 10.43.0.9:443: connect: connection refused",
                &["cert-manager-webhook-1: ImagePullBackOff".to_owned()],
            ),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }
}

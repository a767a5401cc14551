//! Nodes that get no new pods, and lose those that they have.

use std::collections::BTreeMap;
use std::time::Duration;

use ::kube::Error as Cause;
use ::kube::api::{DeleteParams, EvictParams};
use ::kube::core::Status;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::link::Again;
use super::wait::seconds;
use super::{GetOptions, Kube, PatchOptions};
use crate::error::{Error, Reason, Result};
use crate::report::{Change, Event};

/// How to empty a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrainOptions {
    /// Limit in seconds; 300.
    pub timeout: Option<serde_json::Number>,
    /// Also remove pods that nobody will make again elsewhere.
    pub force: bool,
    /// Also remove pods with volumes that live and die with them (emptyDir).
    pub discard_local_data: bool,
    /// Seconds that pods get to end; default: what each wants.
    pub grace_period: Option<u32>,
}

impl Kube {
    /// Lets a node get no new pods, or get them again. Returns whether that was different before.
    pub async fn cordon(&self, node: &str, closed: bool) -> Result<bool> {
        let unschedulable = if closed { json!(true) } else { Value::Null };
        self.patch("node", node, &json!({ "spec": { "unschedulable": unschedulable } }), &PatchOptions::default()).await
    }

    /// Lets a node get no new pods, and evicts those that it has, as fast as their disruption budgets allow; those of
    /// daemon sets, which would come back, stay. Ends when they are gone. Returns how many were evicted, or would be in a
    /// plan.
    ///
    /// # Errors
    /// Refused, with nothing changed, for pods that would be lost for good. Host with [`Reason::Timeout`] when the time is
    /// up: in the output why each pod is still there.
    pub async fn drain(&self, node: &str, options: &DrainOptions) -> Result<u64> {
        let limit = seconds(options.timeout.as_ref(), 300.0)?;
        let run = self.host().run_context();
        let pods = self.pods_on(node).await?;
        refuse_losses(node, &pods, options)?;
        self.cordon(node, true).await?;
        if pods.is_empty() {
            return Ok(0);
        }
        if !run.is_plan() {
            let done = self.evict_all(node, limit, options).await;
            self.host().activity("");
            done?;
        }
        let names: Vec<String> = pods.iter().map(full_name).collect();
        let summary = format!("{} pods evicted: {}", pods.len(), names.join(", "));
        let change = Change { resource: format!("node:{node}"), summary, diff: None };
        let host = self.host().name().to_owned();
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(pods.len() as u64)
    }

    async fn evict_all(&self, node: &str, limit: Duration, options: &DrainOptions) -> Result<()> {
        const PAUSE: Duration = Duration::from_secs(1);
        let begin = Instant::now();
        loop {
            let mut left: BTreeMap<String, String> = BTreeMap::new();
            for pod in self.pods_on(node).await? {
                let why = match pod["metadata"]["deletionTimestamp"].as_str() {
                    Some(until) => Some(format!("it has until {until} to end")),
                    None => self.evict(&pod, options).await?,
                };
                left.insert(full_name(&pod), why.unwrap_or_else(|| "it was just asked to end".into()));
            }
            if left.is_empty() {
                return Ok(());
            }
            let reasons = || left.iter().map(|(pod, why)| format!("{pod}: {why}"));
            if begin.elapsed() >= limit {
                let message = format!("{node} still has {} pods after {} s", left.len(), limit.as_secs_f32());
                return Err(Error::host(message)
                    .because(Reason::Timeout)
                    .on(self.host().name())
                    .output(reasons().collect::<Vec<_>>().join("\n"))
                    .help("it gets no new pods meanwhile: k.uncordon(node) changes that. Where a disruption budget is in the way, more replicas on other nodes help; the option `timeout` gives more time"));
            }
            let first = reasons().next().unwrap_or_default();
            self.host().activity(format!("draining {node}: {} pods left: {first}", left.len()));
            sleep(PAUSE).await;
        }
    }

    /// Asks for a pod to be evicted. Returns why it may not be now.
    async fn evict(&self, pod: &Value, options: &DrainOptions) -> Result<Option<String>> {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let api = self.pods(pod["metadata"]["namespace"].as_str());
        let delete = DeleteParams { grace_period_seconds: options.grace_period, ..DeleteParams::default() };
        let parameters = EvictParams { delete_options: Some(delete), ..EvictParams::default() };
        let request = async || match api.evict(name, &parameters).await {
            Ok(_) => Ok(None),
            Err(Cause::Api(status)) if status.code == 404 => Ok(None),
            // A budget says no for now.
            Err(Cause::Api(status)) if status.code == 429 => Ok(Some(budget(&status))),
            Err(error) => Err(error),
        };
        self.ask(&format!("evicting {}", full_name(pod)), Again::Always, request).await
    }

    /// The pods of a node that an eviction is about.
    async fn pods_on(&self, node: &str) -> Result<Vec<Value>> {
        let fields = Some(format!("spec.nodeName={node}"));
        if self.get("node", node, None).await?.is_none() {
            return Err(Error::refused(format!("no such node: {node}"))
                .because(Reason::NotFound)
                .on(self.host().name())
                .help("k.get(\"nodes\") lists them"));
        }
        let mut pods = self.list("pods", &GetOptions { fields, ..GetOptions::default() }).await?;
        pods.retain(is_moved);
        Ok(pods)
    }
}

/// Whether a pod would not be there again at once.
fn is_moved(pod: &Value) -> bool {
    let static_pod = pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
    !static_pod && controller(pod) != Some("DaemonSet")
}

fn controller(pod: &Value) -> Option<&str> {
    let mut owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.find(|owner| owner["controller"] == true).and_then(|owner| owner["kind"].as_str())
}

fn refuse_losses(node: &str, pods: &[Value], options: &DrainOptions) -> Result<()> {
    let ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let mut lost = Vec::new();
    for pod in pods.iter().filter(|pod| !ended(pod)) {
        if controller(pod).is_none() && !options.force {
            lost.push(format!("{}: nobody makes it again elsewhere; the option `force` removes it", full_name(pod)));
        }
        let volumes = pod["spec"]["volumes"].as_array();
        // What is in memory only is lost with every restart.
        let local = |volume: &Value| volume["emptyDir"].is_object() && volume["emptyDir"]["medium"] != "Memory";
        if volumes.into_iter().flatten().any(local) && !options.discard_local_data {
            let why = "it loses what it has stored on the node; the option `discard_local_data` allows that";
            lost.push(format!("{}: {why}", full_name(pod)));
        }
    }
    match lost.len() {
        0 => Ok(()),
        count => Err(Error::refused(format!("{node} has pods that would lose something for good: {count}"))
            .output(lost.join("\n"))
            .help("nothing was changed; move them yourself, or allow it by the options that are named")),
    }
}

fn full_name(pod: &Value) -> String {
    let field = |name: &str| pod["metadata"][name].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", field("namespace"), field("name"))
}

/// What a disruption budget says.
fn budget(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let said = causes.map(|cause| cause.message.as_str()).find(|message| !message.is_empty());
    said.unwrap_or(&status.message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(owner: Option<&str>, volume: Value) -> Value {
        let owners: Vec<Value> = owner.iter().map(|kind| json!({ "kind": kind, "controller": true })).collect();
        json!({ "metadata": { "namespace": "apps", "name": "web", "ownerReferences": owners }, "spec": { "volumes": [volume] } })
    }

    #[test]
    fn what_would_be_lost_is_refused_until_it_is_allowed() {
        let (alone, local) = (pod(None, json!({})), pod(Some("ReplicaSet"), json!({ "emptyDir": {} })));
        let pods = [alone, local, pod(Some("ReplicaSet"), json!({ "emptyDir": { "medium": "Memory" } }))];
        let error = refuse_losses("worker", &pods, &DrainOptions::default()).unwrap_err();
        insta::assert_snapshot!(format!("{error}\n{}", error.output.clone().unwrap()), @r"
        worker has pods that would lose something for good: 2
        apps/web: nobody makes it again elsewhere; the option `force` removes it
        apps/web: it loses what it has stored on the node; the option `discard_local_data` allows that
        ");
        let all = DrainOptions { force: true, discard_local_data: true, ..DrainOptions::default() };
        assert!(refuse_losses("worker", &pods, &all).is_ok());
    }

    #[test]
    fn pods_of_daemon_sets_and_of_the_node_itself_stay() {
        assert!(is_moved(&pod(Some("ReplicaSet"), json!({}))));
        assert!(!is_moved(&pod(Some("DaemonSet"), json!({}))));
        let mirror = json!({ "metadata": { "annotations": { "kubernetes.io/config.mirror": "x" } } });
        assert!(!is_moved(&mirror));
    }
}

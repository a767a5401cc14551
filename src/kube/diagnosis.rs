//! Why an object doesn't get where it should: what its pods say, what happened to it and them, what they printed last.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::containers::container_troubles;
use super::resources::Resource;
use super::{GetOptions, Kube, LogOptions};
use crate::error::Result;

/// How much is told of each.
const PODS: usize = 5;
const EVENTS: usize = 10;
const LINES: i64 = 10;
/// How long looking may take.
const LIMIT: Duration = Duration::from_secs(15);

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    object: Value,
    pods: Vec<Value>,
    claims: Vec<Value>,
    events: Vec<Value>,
    /// Pod, container and the last lines of it.
    logs: Vec<(String, String, String)>,
}

impl Kube {
    /// Why an object doesn't get where it should, in lines for a person: conditions that don't hold, pods that don't run, what
    /// happened last, and the last lines that failing containers printed. Empty where nothing speaks against it.
    ///
    /// # Errors
    /// Refused for an unknown kind. What can't be read is left out.
    pub async fn diagnosis(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<String> {
        let resource = self.resource(kind).await?;
        Ok(self.diagnose(&resource, name, namespace).await)
    }

    pub(super) async fn diagnose(&self, resource: &Resource, name: &str, namespace: Option<&str>) -> String {
        let mut findings = Findings::default();
        // What was found until then is better than nothing.
        let _ = timeout(LIMIT, self.look(resource, name, namespace, &mut findings)).await;
        findings.text()
    }

    /// What is wrong with the pods behind an object, in a few words.
    pub(super) async fn pods_trouble(&self, object: &Value) -> Option<String> {
        let pods = self.pods_of(object).await.ok()?;
        pods.iter().find_map(|pod| {
            let said = trouble(pod).into_iter().next()?;
            Some(format!("pod {}: {said}", pod["metadata"]["name"].as_str().unwrap_or_default()))
        })
    }

    async fn look(
        &self,
        resource: &Resource,
        name: &str,
        namespace: Option<&str>,
        findings: &mut Findings,
    ) -> Result<()> {
        let Some(object) = self.read(resource, name, namespace).await? else { return Ok(()) };
        findings.object = object.clone();
        findings.pods = self.pods_of(&object).await?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        let inside = GetOptions { namespace: Some(namespace.to_owned()), ..GetOptions::default() };
        let mut about: BTreeSet<String> =
            findings.pods.iter().chain([&object]).map(|it| text(&it["metadata"]["uid"])).collect();
        if object["kind"] == "Node" {
            // The kubelet calls its node by its name.
            about.insert(text(&object["metadata"]["name"]));
        }
        if object["kind"] == "Deployment" {
            let sets = self.list("replicasets", &GetOptions { selector: selector(&object), ..inside.clone() }).await?;
            about.extend(sets.iter().map(|set| text(&set["metadata"]["uid"])));
        }
        let claims: BTreeSet<String> = findings.pods.iter().flat_map(claims_of).collect();
        if !claims.is_empty() {
            let all = self.list("persistentvolumeclaims", &inside).await?;
            findings.claims = all.into_iter().filter(|it| claims.contains(&text(&it["metadata"]["name"]))).collect();
            about.extend(findings.claims.iter().map(|claim| text(&claim["metadata"]["uid"])));
        }
        findings.events = self.list("events", &inside).await?;
        findings.events.retain(|event| about.contains(&text(&event["involvedObject"]["uid"])));
        findings.events.sort_by_key(when);
        self.read_logs(findings).await;
        Ok(())
    }

    /// The pods that an object stands for.
    async fn pods_of(&self, object: &Value) -> Result<Vec<Value>> {
        if object["kind"] == "Pod" {
            return Ok(vec![object.clone()]);
        }
        let Some(selector) = selector(object) else { return Ok(Vec::new()) };
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        let options = GetOptions { namespace, selector: Some(selector), ..GetOptions::default() };
        self.list("pods", &options).await
    }

    async fn read_logs(&self, findings: &mut Findings) {
        let failing = findings.pods.iter().flat_map(|pod| failing_containers(pod).into_iter().map(move |it| (pod, it)));
        let mut logs = Vec::new();
        for (pod, (container, previous)) in failing.take(PODS) {
            let name = text(&pod["metadata"]["name"]);
            let options = LogOptions {
                namespace: pod["metadata"]["namespace"].as_str().map(str::to_owned),
                container: Some(container.clone()),
                tail: Some(LINES),
                previous,
            };
            if let Ok(lines) = self.logs(&name, &options).await
                && !lines.trim().is_empty()
            {
                logs.push((name, container, lines));
            }
        }
        findings.logs = logs;
    }
}

impl Findings {
    fn text(&self) -> String {
        let mut said = String::new();
        let mut tell = |line: &str| {
            let _ = writeln!(said, "{line}");
        };
        for line in removal(&self.object) {
            tell(&line);
        }
        if self.object["kind"] != "Pod" {
            for condition in self.object["status"]["conditions"].as_array().into_iter().flatten() {
                if let Some(line) = unmet(condition) {
                    tell(&line);
                }
            }
        }
        let mut sick: Vec<&Value> = self.pods.iter().filter(|pod| !trouble(pod).is_empty()).collect();
        sick.truncate(PODS);
        for pod in sick {
            let node = pod["spec"]["nodeName"].as_str().map(|node| format!(" on {node}")).unwrap_or_default();
            tell(&format!("pod {}{node}: {}", text(&pod["metadata"]["name"]), text(&pod["status"]["phase"])));
            for line in trouble(pod) {
                tell(&format!("  {line}"));
            }
        }
        for claim in self.claims.iter().filter(|claim| claim["status"]["phase"] != "Bound") {
            tell(&format!("volume claim {}: {}", text(&claim["metadata"]["name"]), text(&claim["status"]["phase"])));
        }
        let events = events(&self.events);
        if !events.is_empty() {
            tell("events:");
        }
        for event in events {
            tell(&format!("  {event}"));
        }
        for (pod, container, lines) in &self.logs {
            tell(&format!("the last lines of {pod}, container {container}:"));
            for line in lines.trim_end().lines() {
                tell(&format!("  {line}"));
            }
        }
        said
    }
}

/// What keeps an object that is being removed.
fn removal(object: &Value) -> Vec<String> {
    let metadata = &object["metadata"];
    let Some(since) = metadata["deletionTimestamp"].as_str() else { return Vec::new() };
    let of = |value: &Value| {
        let list = value.as_array().into_iter().flatten().map(text);
        list.collect::<Vec<_>>().join(", ")
    };
    let finalizers = [of(&metadata["finalizers"]), of(&object["spec"]["finalizers"])];
    let finalizers: Vec<&str> = finalizers.iter().map(String::as_str).filter(|list| !list.is_empty()).collect();
    match finalizers.as_slice() {
        [] => vec![format!("it is being removed since {since}")],
        list => vec![format!("it is being removed since {since}; what must be done before: {}", list.join(", "))],
    }
}

/// A condition that speaks for a problem. Those of some kinds are bad where they are true.
fn unmet(condition: &Value) -> Option<String> {
    const BAD: [&str; 7] = ["Failed", "ReplicaFailure", "Pressure", "Unavailable", "Failure", "Remaining", "Stalled"];
    let kind = condition["type"].as_str()?;
    let bad = BAD.iter().any(|word| kind.contains(word));
    let met = condition["status"] == if bad { "False" } else { "True" };
    let said = condition["message"].as_str().filter(|said| !said.is_empty()).or(condition["reason"].as_str());
    match (met, said) {
        (false, Some(said)) => Some(format!("condition {kind} is {}: {said}", text(&condition["status"]))),
        _ => None,
    }
}

/// Why a pod doesn't work, a line each; nothing where it does.
fn trouble(pod: &Value) -> Vec<String> {
    let status = &pod["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let ready = conditions.clone().any(|it| it["type"] == "Ready" && it["status"] == "True");
    if ready || status["phase"] == "Succeeded" {
        return Vec::new();
    }
    let mut lines = container_troubles(pod);
    lines.extend(status["message"].as_str().map(str::to_owned));
    if lines.is_empty() {
        let unmet = conditions.filter(|it| it["status"] == "False" && it["type"] != "ContainersReady");
        lines.extend(unmet.filter_map(|it| Some(format!("{}: {}", text(&it["type"]), it["message"].as_str()?))));
        lines.sort_by_key(|line| line.starts_with("Ready:"));
    }
    if lines.is_empty() {
        lines.push("it is not ready".to_owned());
    }
    lines
}

/// The containers of a pod whose output tells why it doesn't work, and whether it is that of their last run.
fn failing_containers(pod: &Value) -> Vec<(String, bool)> {
    if trouble(pod).is_empty() {
        return Vec::new();
    }
    let lists = ["initContainerStatuses", "containerStatuses"].map(|name| pod["status"][name].as_array());
    let failing = lists.into_iter().flatten().flatten().filter_map(|container| {
        let state = &container["state"];
        let again = container["lastState"]["terminated"].is_object();
        let ended = state["terminated"]["exitCode"].as_i64();
        match (ended, state["running"].is_object()) {
            (Some(0), _) => None,
            (Some(_), _) => Some((text(&container["name"]), false)),
            (None, true) if container["ready"] == true => None,
            (None, true) => Some((text(&container["name"]), false)),
            (None, false) if again => Some((text(&container["name"]), true)),
            (None, false) => None,
        }
    });
    failing.collect()
}

/// The last events, the bad ones where there are any.
fn events(all: &[Value]) -> Vec<String> {
    let warnings: Vec<&Value> = all.iter().filter(|event| event["type"] == "Warning").collect();
    let chosen = if warnings.is_empty() { all.iter().collect() } else { warnings };
    // The same again, only with another port or time in it, is told once.
    const SAME: usize = 60;
    let mut lines: Vec<(String, String)> = Vec::new();
    for event in chosen {
        let about = &event["involvedObject"];
        let times = match event["count"].as_i64().or(event["series"]["count"].as_i64()) {
            Some(times) if times > 1 => format!(" ({times} times)"),
            _ => String::new(),
        };
        let what = format!(
            "{} {}:{}: {}",
            text(&event["reason"]),
            text(&about["kind"]).to_lowercase(),
            text(&about["name"]),
            text(&event["message"]).trim().replace('\n', " "),
        );
        let begin: String = what.chars().take(SAME + text(&about["name"]).len()).collect();
        lines.retain(|(known, _)| *known != begin);
        lines.push((begin, format!("{what}{times}")));
    }
    lines.drain(..lines.len().saturating_sub(EVENTS));
    lines.into_iter().map(|(_, line)| line).collect()
}

fn when(event: &Value) -> String {
    let times = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ];
    times.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
}

/// How the pods of an object are found.
pub(super) fn selector(object: &Value) -> Option<String> {
    let selector = &object["spec"]["selector"];
    let labels = match object["kind"].as_str()? {
        "Service" => selector.as_object()?,
        _ => selector["matchLabels"].as_object()?,
    };
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
    Some(pairs.join(",")).filter(|pairs| !pairs.is_empty())
}

fn claims_of(pod: &Value) -> Vec<String> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| Some(volume["persistentVolumeClaim"]["claimName"].as_str()?.to_owned())).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_found_is_told_from_the_outside_in() {
        let pod = json!({
            "kind": "Pod", "metadata": { "name": "web-1", "uid": "2" }, "spec": { "nodeName": "worker" },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }],
                "containerStatuses": [{ "name": "web", "ready": false, "restartCount": 3,
                    "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
                    "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } } }] },
        });
        let waiting = json!({ "metadata": { "name": "web-2" }, "status": { "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "message": "0/2 nodes are available" }] } });
        let fine = json!({ "metadata": { "name": "web-3" }, "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
        let findings = Findings {
            object: json!({ "kind": "Deployment", "status": { "conditions": [
                { "type": "Available", "status": "False", "message": "Deployment does not have minimum availability." },
                { "type": "Progressing", "status": "True", "message": "progressing" }] } }),
            pods: vec![pod, waiting, fine],
            claims: vec![json!({ "metadata": { "name": "data" }, "status": { "phase": "Pending" } })],
            events: vec![
                json!({ "type": "Normal", "reason": "Pulled", "message": "pulled", "involvedObject": { "kind": "Pod", "name": "web-1" } }),
                json!({ "type": "Warning", "reason": "BackOff", "count": 4, "message": "Back-off restarting", "involvedObject": { "kind": "Pod", "name": "web-1" } }),
            ],
            logs: vec![("web-1".into(), "web".into(), "starting\nno database\n".into())],
        };
        insta::assert_snapshot!(findings.text(), @r"
        condition Available is False: Deployment does not have minimum availability.
        pod web-1 on worker: Running
          web: CrashLoopBackOff: back-off 40s; 3 restarts, ended with status 1 (Error)
        pod web-2: Pending
          PodScheduled: 0/2 nodes are available
        volume claim data: Pending
        events:
          BackOff pod:web-1: Back-off restarting (4 times)
        the last lines of web-1, container web:
          starting
          no database
        ");
        assert_eq!(failing_containers(&findings.pods[0]), [("web".to_owned(), true)]);
        assert!(failing_containers(&findings.pods[1]).is_empty());
    }

    #[test]
    fn what_keeps_a_removal_is_named() {
        let object = json!({ "kind": "Namespace", "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" }, "spec": { "finalizers": ["kubernetes"] },
            "status": { "conditions": [{ "type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: pods. has 1 resource instances" }] } });
        let findings = Findings { object, ..Findings::default() };
        insta::assert_snapshot!(findings.text(), @r"
        it is being removed since 2026-01-01T00:00:00Z; what must be done before: kubernetes
        condition NamespaceContentRemaining is True: Some resources are remaining: pods. has 1 resource instances
        ");
    }
}

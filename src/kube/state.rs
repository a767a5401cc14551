//! Whether an object has come as far as one waits for.

use serde_json::Value;

use super::containers::container_troubles;

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// As wanted.
    Done,
    /// On its way: what is still missing.
    Waiting(String),
    /// It will not get there.
    Failed(String),
}

/// How far an object is towards `until`: a condition like `Ready`, a phase of a pod, or nothing for what a person means by
/// "it works": rolled out, ready, completed.
pub(super) fn of(object: &Value, until: Option<&str>) -> State {
    let kind = object["kind"].as_str().unwrap_or_default();
    match (until, kind) {
        (Some(until), "Pod") if object["status"]["phase"] == until => State::Done,
        (until, "Deployment" | "StatefulSet" | "DaemonSet") if until.is_none_or(is_readiness) => workload(object),
        (Some(until), _) => condition(object, until),
        (None, "Pod") => pod(object),
        (None, "Job") => match condition(object, "Failed") {
            State::Done => State::Failed(reason(object, "Failed")),
            _ => condition(object, "Complete"),
        },
        (None, "Namespace" | "PersistentVolumeClaim") => match object["status"]["phase"].as_str() {
            Some("Active" | "Bound") => State::Done,
            phase => State::Waiting(phase.unwrap_or("no phase yet").to_owned()),
        },
        (None, "CustomResourceDefinition") => condition(object, "Established"),
        (None, "APIService") => condition(object, "Available"),
        (None, _) if object["status"]["conditions"].is_array() => condition(object, "Ready"),
        (None, _) => State::Done,
    }
}

/// Whether one who waits for this condition of a workload waits for its pods. The API server's own condition `Available` holds
/// with fewer of them than are wanted, down to none where `maxUnavailable` allows that.
fn is_readiness(until: &str) -> bool {
    ["available", "ready"].contains(&until.to_ascii_lowercase().as_str())
}

/// Whether what is said of an object is about its present generation: by `observedGeneration`, where its controller tells that.
fn is_seen(object: &Value, said: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    said["observedGeneration"].as_i64().is_none_or(|observed| observed >= generation)
}

const UNSEEN: &str = "not seen by its controller yet";

fn find<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name)))
}

fn condition(object: &Value, name: &str) -> State {
    match find(object, name) {
        Some(condition) if !is_seen(object, condition) => State::Waiting(UNSEEN.to_owned()),
        Some(condition) if condition["status"] == "True" => State::Done,
        _ => State::Waiting(reason(object, name)),
    }
}

/// What a condition says in its own words.
fn reason(object: &Value, name: &str) -> String {
    let condition = find(object, name).unwrap_or(&Value::Null);
    let said = [&condition["message"], &condition["reason"]];
    let said = said.into_iter().filter_map(Value::as_str).find(|text| !text.is_empty());
    said.map_or_else(|| format!("no condition {name} yet"), |said| format!("{name}: {said}"))
}

fn pod(object: &Value) -> State {
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => State::Done,
        Some("Failed") => State::Failed(object["status"]["message"].as_str().unwrap_or("the pod failed").to_owned()),
        _ => match condition(object, "Ready") {
            State::Waiting(said) => State::Waiting(container_troubles(object).into_iter().next().unwrap_or(said)),
            state => state,
        },
    }
}

/// Whether all pods that a workload wants are there, of its present generation and available, and no others.
fn workload(object: &Value) -> State {
    let status = &object["status"];
    // A controller that has not yet seen the object has said nothing at all.
    if status["observedGeneration"].is_null() || !is_seen(object, status) {
        return State::Waiting(UNSEEN.to_owned());
    }
    if find(object, "Progressing").is_some_and(|condition| condition["reason"] == "ProgressDeadlineExceeded") {
        return State::Failed(reason(object, "Progressing"));
    }
    let count = |name: &str| status[name].as_i64().unwrap_or_default();
    let (wanted, new, available, all) = if object["kind"] == "DaemonSet" {
        let [wanted, new, available] =
            ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"].map(count);
        (wanted, new, available, wanted)
    } else {
        let [new, available, all] = ["updatedReplicas", "availableReplicas", "replicas"].map(count);
        (object["spec"]["replicas"].as_i64().unwrap_or(1), new, available, all)
    };
    match available < wanted || new < wanted || all > wanted {
        false => State::Done,
        true if new < wanted => {
            State::Waiting(format!("{available} of {wanted} pods are available, {new} of them new"))
        }
        true if all > wanted => State::Waiting(format!("old pods are left: {}", all - wanted)),
        true => State::Waiting(format!("{available} of {wanted} pods are available")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_is_done_when_only_new_pods_are_left() {
        let mut object = json!({
            "kind": "Deployment", "metadata": { "generation": 2 }, "spec": { "replicas": 2 },
            "status": { "observedGeneration": 1, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2 },
        });
        assert_eq!(of(&object, None), State::Waiting(UNSEEN.into()));
        object["status"]["observedGeneration"] = 2.into();
        assert_eq!(of(&object, None), State::Waiting("old pods are left: 1".into()));
        object["status"]["replicas"] = 2.into();
        assert_eq!(of(&object, None), State::Done);
    }

    #[test]
    fn no_workload_is_available_without_all_of_its_pods() {
        // What k3s's metrics-server says with `maxUnavailable: 1` while it has no pod that works.
        let deployment = json!({
            "kind": "Deployment", "metadata": { "generation": 1 }, "spec": { "replicas": 1 },
            "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1,
                "conditions": [{ "type": "Available", "status": "True", "message": "Deployment has minimum availability." }] },
        });
        let stateful_set = json!({
            "kind": "StatefulSet", "metadata": { "generation": 1 }, "spec": { "replicas": 1, "minReadySeconds": 10 },
            "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 0 },
        });
        let daemon_set = json!({
            "kind": "DaemonSet", "metadata": { "generation": 1 },
            "status": { "observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": 1 },
        });
        for object in [&deployment, &stateful_set, &daemon_set] {
            for until in [None, Some("Available"), Some("available"), Some("Ready")] {
                let waiting = State::Waiting("0 of 1 pods are available".into());
                assert_eq!(of(object, until), waiting, "{} {until:?}", object["kind"]);
            }
        }
        assert_eq!(of(&deployment, Some("Progressing")), State::Waiting("no condition Progressing yet".into()));
    }

    #[test]
    fn what_was_said_of_an_earlier_generation_does_not_count() {
        let mut object = json!({
            "kind": "Prometheus", "metadata": { "generation": 2 },
            "status": { "conditions": [{ "type": "Available", "status": "True", "observedGeneration": 1 }] },
        });
        assert_eq!(of(&object, Some("Available")), State::Waiting(UNSEEN.into()));
        object["status"]["conditions"][0]["observedGeneration"] = 2.into();
        assert_eq!(of(&object, Some("Available")), State::Done);
        let fresh =
            json!({ "kind": "DaemonSet", "metadata": { "generation": 1 }, "status": { "desiredNumberScheduled": 0 } });
        assert_eq!(of(&fresh, None), State::Waiting(UNSEEN.into()));
    }

    #[test]
    fn a_rollout_that_has_failed_says_so_until_its_object_is_changed() {
        let mut object = json!({
            "kind": "Deployment", "metadata": { "generation": 3 }, "spec": { "replicas": 1 },
            "status": { "observedGeneration": 3, "conditions": [{ "type": "Progressing", "status": "False",
                "reason": "ProgressDeadlineExceeded", "message": "timed out progressing" }] },
        });
        assert_eq!(of(&object, Some("Available")), State::Failed("Progressing: timed out progressing".into()));
        object["metadata"]["generation"] = 4.into();
        assert_eq!(of(&object, Some("Available")), State::Waiting(UNSEEN.into()));
    }

    #[test]
    fn a_pod_is_done_failed_or_says_what_it_lacks() {
        let pod = |phase: &str| json!({ "kind": "Pod", "status": { "phase": phase } });
        assert_eq!(of(&pod("Succeeded"), None), State::Done);
        assert_eq!(of(&pod("Running"), Some("Running")), State::Done);
        assert_eq!(of(&pod("Failed"), None), State::Failed("the pod failed".into()));
        let mut waiting = pod("Pending");
        waiting["status"]["containerStatuses"] = json!([{ "name": "web", "state": { "waiting": { "reason": "ErrImagePull", "message": "no such image" } } }]);
        assert_eq!(of(&waiting, None), State::Waiting("web: ErrImagePull: no such image".into()));
    }

    #[test]
    fn a_condition_speaks_for_itself() {
        let node = |status: &str| json!({ "kind": "Node", "status": { "conditions": [{ "type": "Ready", "status": status, "message": "no CNI" }] } });
        assert_eq!(of(&node("True"), None), State::Done);
        assert_eq!(of(&node("False"), Some("ready")), State::Waiting("ready: no CNI".into()));
    }
}

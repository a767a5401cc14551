//! Whether an object has come as far as one waits for.

use serde_json::Value;

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
        (Some(until), _) => condition(object, until),
        (None, "Pod") => pod(object),
        (None, "Deployment") => rolled_out(object, "availableReplicas"),
        (None, "StatefulSet") => rolled_out(object, "readyReplicas"),
        (None, "DaemonSet") => daemon_set(object),
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

fn find<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name)))
}

fn condition(object: &Value, name: &str) -> State {
    match find(object, name) {
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

/// Why containers of a pod don't run, e.g. `web: ImagePullBackOff: ..`.
pub(super) fn container_troubles(object: &Value) -> Vec<String> {
    let status = &object["status"];
    let lists = ["initContainerStatuses", "containerStatuses"].map(|name| status[name].as_array());
    let containers = lists.into_iter().flatten().flatten();
    containers.filter_map(container_trouble).collect()
}

fn container_trouble(container: &Value) -> Option<String> {
    let (state, last) = (&container["state"], &container["lastState"]["terminated"]);
    let waiting = state["waiting"]["reason"].as_str();
    let now = match (waiting, state["terminated"]["exitCode"].as_i64()) {
        (Some("ContainerCreating" | "PodInitializing"), _) => return None,
        (Some(reason), _) => {
            let message = state["waiting"]["message"].as_str().unwrap_or_default();
            if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
        }
        (None, Some(status)) if status != 0 => ended(&state["terminated"]),
        _ => return None,
    };
    let name = container["name"].as_str().unwrap_or_default();
    let restarts = container["restartCount"].as_i64().unwrap_or_default();
    let before = if last.is_object() { format!("; {restarts} restarts, {}", ended(last)) } else { String::new() };
    Some(format!("{name}: {now}{before}"))
}

fn ended(state: &Value) -> String {
    let status = state["exitCode"].as_i64().unwrap_or_default();
    let reason = state["reason"].as_str().unwrap_or("Error");
    format!("ended with status {status} ({reason})")
}

fn rolled_out(object: &Value, field: &str) -> State {
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let (spec, status) = (&object["spec"], &object["status"]);
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    if let Some(progressing) = find(object, "Progressing")
        && progressing["reason"] == "ProgressDeadlineExceeded"
    {
        return State::Failed(reason(object, "Progressing"));
    }
    if number(&status["observedGeneration"]) < number(&object["metadata"]["generation"]) {
        return State::Waiting("not seen by its controller yet".into());
    }
    let (updated, there, total) =
        (number(&status["updatedReplicas"]), number(&status[field]), number(&status["replicas"]));
    match updated >= wanted && there >= wanted && total <= wanted {
        true => State::Done,
        false => State::Waiting(format!("{there} of {wanted} replicas are there, {updated} of them new")),
    }
}

fn daemon_set(object: &Value) -> State {
    let number = |name: &str| object["status"][name].as_i64().unwrap_or_default();
    let wanted = number("desiredNumberScheduled");
    let seen = number("observedGeneration") >= object["metadata"]["generation"].as_i64().unwrap_or_default();
    match seen && number("updatedNumberScheduled") >= wanted && number("numberAvailable") >= wanted {
        true => State::Done,
        false => State::Waiting(format!("{} of {wanted} pods are there", number("numberAvailable"))),
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
        assert_eq!(of(&object, None), State::Waiting("not seen by its controller yet".into()));
        object["status"]["observedGeneration"] = 2.into();
        assert!(matches!(of(&object, None), State::Waiting(_)));
        object["status"]["replicas"] = 2.into();
        assert_eq!(of(&object, None), State::Done);
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

//! Why the containers of a pod don't run, by the fields of its status.

use serde_json::Value;

/// A line for each container of a pod that isn't ready and says why, e.g. `web: ImagePullBackOff: ..`.
pub(super) fn container_troubles(pod: &Value) -> Vec<String> {
    let status = &pod["status"];
    let lists = ["initContainerStatuses", "containerStatuses"].map(|name| status[name].as_array());
    let containers = lists.into_iter().flatten().flatten();
    containers.filter_map(|container| trouble(pod, container)).collect()
}

fn trouble(pod: &Value, container: &Value) -> Option<String> {
    let (state, last) = (&container["state"], &container["lastState"]["terminated"]);
    let name = container["name"].as_str().unwrap_or_default();
    let waiting = state["waiting"]["reason"].as_str();
    let now = match (waiting, state["terminated"]["exitCode"].as_i64()) {
        (Some("ContainerCreating" | "PodInitializing"), _) => return None,
        (Some(reason), _) => {
            let message = state["waiting"]["message"].as_str().unwrap_or_default();
            if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
        }
        (None, Some(status)) if status != 0 => ended(pod, name, &state["terminated"]),
        (None, None) if state["running"].is_object() && container["ready"] == false && last.is_object() => {
            "runs again, and is not ready".to_owned()
        }
        _ => return None,
    };
    let restarts = container["restartCount"].as_i64().unwrap_or_default();
    let before =
        if last.is_object() { format!("; {restarts} restarts, {}", ended(pod, name, last)) } else { String::new() };
    Some(format!("{name}: {now}{before}"))
}

/// How a container of this name came to its end.
fn ended(pod: &Value, name: &str, state: &Value) -> String {
    let status = state["exitCode"].as_i64().unwrap_or_default();
    let reason = state["reason"].as_str().unwrap_or("Error");
    if reason == "OOMKilled" {
        let limit = memory_limit(pod, name).map(|limit| format!(", {limit}")).unwrap_or_default();
        return format!("killed because it used more memory than its limit{limit} ({reason})");
    }
    // What the runtime says where the program could not be started at all.
    match (reason, state["message"].as_str()) {
        ("StartError" | "ContainerCannotRun", Some(why)) => format!("could not be started: {} ({reason})", why.trim()),
        _ => format!("ended with status {status} ({reason})"),
    }
}

fn memory_limit<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array());
    let mut containers = lists.into_iter().flatten().flatten();
    containers.find(|container| container["name"] == name)?["resources"]["limits"]["memory"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn troubles(status: Value) -> Vec<String> {
        let mut pod =
            json!({ "spec": { "containers": [{ "name": "web", "resources": { "limits": { "memory": "256Mi" } } }] } });
        pod["status"]["containerStatuses"] = json!([status]);
        container_troubles(&pod)
    }

    #[test]
    fn a_container_that_was_killed_for_memory_names_its_limit() {
        let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        let said = "killed because it used more memory than its limit, 256Mi (OOMKilled)";
        assert_eq!(troubles(json!({ "name": "web", "ready": false, "state": killed })), [format!("web: {said}")]);
        let again = json!({ "name": "web", "ready": false, "restartCount": 2, "state": { "running": {} }, "lastState": killed });
        assert_eq!(troubles(again), [format!("web: runs again, and is not ready; 2 restarts, {said}")]);
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 20s" } });
        let looping =
            json!({ "name": "web", "ready": false, "restartCount": 3, "state": waiting, "lastState": killed });
        assert_eq!(troubles(looping), [format!("web: CrashLoopBackOff: back-off 20s; 3 restarts, {said}")]);
    }

    #[test]
    fn a_program_that_could_not_be_started_says_why() {
        let state = json!({ "terminated": { "exitCode": 128, "reason": "StartError", "message": "exec: \"/app\": permission denied\n" } });
        let said = "web: could not be started: exec: \"/app\": permission denied (StartError)";
        assert_eq!(troubles(json!({ "name": "web", "ready": false, "state": state })), [said]);
    }

    #[test]
    fn a_container_that_runs_or_is_being_made_is_no_trouble() {
        assert!(troubles(json!({ "name": "web", "ready": true, "state": { "running": {} }, "lastState": { "terminated": { "exitCode": 1 } } })).is_empty());
        assert!(troubles(json!({ "name": "web", "ready": false, "state": { "running": {} } })).is_empty());
        assert!(
            troubles(
                json!({ "name": "web", "ready": false, "state": { "waiting": { "reason": "ContainerCreating" } } })
            )
            .is_empty()
        );
    }
}

//! What keeps the pods of a Deployment from being ready.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{TOLD, plain};
use crate::object::Object;

/// Reasons that only say that it has not begun.
const NOT_BEGUN: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// Whether a ReplicaSet is one whose pods are wanted: not of an earlier form.
pub(super) fn is_in_use(set: &Object) -> bool {
    set.get(&["spec", "replicas"]).and_then(Value::as_u64) != Some(0)
}

/// The UID of an object's controller.
pub(super) fn owner(object: &Object) -> Option<&str> {
    list(object.get(&["metadata", "ownerReferences"]))
        .iter()
        .find(|owner| owner["controller"] == true)?
        .get("uid")?
        .as_str()
}

/// What keeps pods, each trouble once: `pod istiod-5d8f-x2: Unschedulable: 0/3 nodes are available`.
pub(super) fn lines(pods: &[Object]) -> Vec<String> {
    let mut by_trouble: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in pods {
        for trouble in troubles(pod) {
            by_trouble.entry(trouble).or_default().push(pod.name());
        }
    }
    let mut troubles: Vec<(String, Vec<&str>)> = by_trouble.into_iter().collect();
    troubles.sort_by_key(|(_, pods)| std::cmp::Reverse(pods.len()));
    let line = |(trouble, pods): (String, Vec<&str>)| match pods.as_slice() {
        [first, _, ..] => format!("{} pods, {first} among them: {trouble}", pods.len()),
        pods => format!("pod {}: {trouble}", pods.first().copied().unwrap_or_default()),
    };
    troubles.into_iter().take(TOLD).map(line).collect()
}

fn troubles(pod: &Object) -> Vec<String> {
    let conditions = list(pod.get(&["status", "conditions"]));
    let condition = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind);
    let is_true = |kind: &str| condition(kind).is_some_and(|condition| condition["status"] == "True");
    if is_true("Ready") {
        return Vec::new();
    }
    if pod.is_being_deleted() {
        return vec!["it is being deleted".to_owned()];
    }
    // Evicted, or a node that went away.
    if pod.text(&["status", "phase"]) == Some("Failed") {
        return vec![said(pod.text(&["status", "reason"]), pod.text(&["status", "message"]), "Failed")];
    }
    if let Some(condition) = condition("PodScheduled").filter(|condition| condition["status"] == "False") {
        return vec![said(condition["reason"].as_str(), condition["message"].as_str(), "Unschedulable")];
    }
    let mut troubles = Vec::new();
    for field in ["initContainerStatuses", "containerStatuses"] {
        troubles
            .extend(list(pod.get(&["status", field])).iter().filter_map(|status| container(status, field)));
    }
    if troubles.is_empty() {
        let phase = pod.text(&["status", "phase"]).unwrap_or("Pending");
        troubles.push(match pod.text(&["spec", "nodeName"]) {
            None => format!("{phase}, on no node yet"),
            Some(_) => format!("{phase}, its containers are not ready"),
        });
    }
    troubles
}

/// What keeps one container.
fn container(status: &Value, field: &str) -> Option<String> {
    let name = plain(status["name"].as_str().unwrap_or_default());
    let state = &status["state"];
    let restarts = status["restartCount"].as_u64().unwrap_or(0);
    let last = ended(&status["lastState"]["terminated"]);
    if let Some(waiting) = state.get("waiting").filter(|waiting| !waiting.is_null()) {
        let reason = waiting["reason"].as_str().unwrap_or_default();
        let message = waiting["message"].as_str().unwrap_or_default();
        if message.is_empty() && (reason.is_empty() || NOT_BEGUN.contains(&reason)) {
            return None;
        }
        return Some(match last {
            // How long the kubelet waits until it tries again matters less than why it has to.
            Some(last) => format!("container {name}: {}, it last {last}{}", plain(reason), again(restarts)),
            None => format!("container {name}: {}", said(Some(reason), Some(message), "waiting")),
        });
    }
    if let Some(ended) = ended(&state["terminated"]) {
        let is_done = state["terminated"]["exitCode"] == 0 && field == "initContainerStatuses";
        return (!is_done).then(|| format!("container {name} {ended}{}", again(restarts)));
    }
    let is_running = state.get("running").is_some_and(|running| !running.is_null());
    // An init container that runs is at its work; one that is a sidecar says that it has started.
    let is_fine = status["ready"] == true || (field == "initContainerStatuses" && status["started"] == true);
    (is_running && !is_fine).then(|| {
        let last = last.map(|last| format!(", it last {last}")).unwrap_or_default();
        format!("container {name} runs and is not ready{last}{}", again(restarts))
    })
}

/// How a container ended. What it printed may be anything, so it is not quoted.
fn ended(terminated: &Value) -> Option<String> {
    let code = terminated.get("exitCode")?;
    match terminated["reason"].as_str() {
        Some(reason) if !reason.is_empty() => Some(format!("ended with {}, exit code {code}", plain(reason))),
        Some(_) | None => Some(format!("ended with exit code {code}")),
    }
}

fn again(restarts: u64) -> String {
    match restarts {
        0 => String::new(),
        1 => ", restarted once".to_owned(),
        more => format!(", restarted {more} times"),
    }
}

/// `Reason: message`, as far as they are there.
fn said(reason: Option<&str>, message: Option<&str>, otherwise: &str) -> String {
    let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or(otherwise);
    match message.filter(|message| !message.is_empty()) {
        Some(message) => format!("{}: {}", plain(reason), plain(message)),
        None => plain(reason),
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, status: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n"},
            "spec": {"nodeName": "node1"}, "status": status,
        }))
        .expect("a pod")
    }

    fn one(status: Value) -> Vec<String> {
        lines(&[pod("p", status)])
    }

    fn container_in(state: Value) -> Value {
        json!({"phase": "Pending", "containerStatuses": [state]})
    }

    #[test]
    fn a_pod_that_no_node_takes_says_what_the_scheduler_says() {
        let status = json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu.",
        }]});
        assert_eq!(
            lines(&[pod("a", status.clone()), pod("b", status.clone())]),
            ["2 pods, a among them: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."]
        );
        assert_eq!(one(status), ["pod p: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."]);
    }

    #[test]
    fn an_image_that_cannot_be_had_is_named() {
        let status = container_in(json!({"name": "discovery", "state": {"waiting": {
            "reason": "ImagePullBackOff", "message": "Back-off pulling image \"x/pilot:1\""}}}));
        assert_eq!(
            one(status),
            ["pod p: container discovery: ImagePullBackOff: Back-off pulling image \"x/pilot:1\""]
        );
    }

    #[test]
    fn a_crash_tells_how_it_last_ended_and_nothing_that_was_printed() {
        let status = container_in(json!({"name": "discovery", "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed"}},
            "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": "key=hunter2"}}}));
        assert_eq!(
            one(status),
            [
                "pod p: container discovery: CrashLoopBackOff, it last ended with OOMKilled, exit code 137, restarted 4 times"
            ]
        );
    }

    #[test]
    fn a_container_that_runs_and_is_not_ready_is_told_and_one_that_is_ready_is_not() {
        let status = json!({"phase": "Running", "containerStatuses": [
            {"name": "a", "ready": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
            {"name": "b", "ready": false, "state": {"running": {}}},
        ]});
        assert_eq!(one(status), ["pod p: container b runs and is not ready"]);
        let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(one(ready), Vec::<String>::new());
    }

    #[test]
    fn a_pod_of_which_nothing_is_known_says_where_it_stands() {
        assert_eq!(one(json!({})), ["pod p: Pending, its containers are not ready"]);
        let creating =
            container_in(json!({"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}));
        assert_eq!(one(creating), ["pod p: Pending, its containers are not ready"]);
        assert_eq!(
            one(json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."})),
            ["pod p: Evicted: The node was low on memory."]
        );
    }

    #[test]
    fn no_status_makes_it_panic() {
        for status in [json!(null), json!([]), json!({"containerStatuses": 1, "conditions": [1, null]})] {
            assert_eq!(one(status).len(), 1);
        }
    }
}

//! What Kubernetes recorded of objects that are not getting ready: their warnings.

use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::{Cluster, Selection};
use crate::diagnostic::lasting;
use crate::object::{GroupKind, Object, ObjectRef};

/// How many warnings are told.
const TOLD: usize = 3;

/// The latest warnings about objects and, for workloads, about their pods, one line each:
/// `SyncLoadBalancerFailed (12 times, last 8s ago): quota exceeded`.
///
/// Best effort: an error is about something else already.
pub(super) async fn warnings(cluster: &Cluster, objects: &[ObjectRef]) -> Vec<String> {
    let kind = GroupKind { group: String::new(), kind: "Event".to_owned() };
    let mut namespaces: Vec<&str> = objects.iter().filter_map(|object| object.namespace.as_deref()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut found = Vec::new();
    for namespace in namespaces {
        let selection = Selection { namespace: Some(namespace.to_owned()), ..Selection::default() };
        if let Ok(listing) = cluster.list(&kind, &selection).await {
            found.extend(listing.objects.into_iter().filter(|event| is_about(event, objects)));
        }
    }
    told(found, Timestamp::now())
}

fn is_about(event: &Object, objects: &[ObjectRef]) -> bool {
    let involved = |field: &str| event.text(&["involvedObject", field]).unwrap_or_default();
    event.text(&["type"]) == Some("Warning")
        && objects.iter().any(|object| {
            let itself = involved("kind") == object.kind && involved("name") == object.name;
            let its_pods = object.kind == "Deployment"
                && matches!(involved("kind"), "Pod" | "ReplicaSet")
                && involved("name")
                    .strip_prefix(object.name.as_str())
                    .is_some_and(|rest| rest.starts_with('-'));
            involved("namespace") == object.namespace.as_deref().unwrap_or_default() && (itself || its_pods)
        })
}

/// The latest ones, latest first, each reason and message once.
fn told(events: Vec<Object>, now: Timestamp) -> Vec<String> {
    let mut events: Vec<(Option<Timestamp>, Object)> =
        events.into_iter().map(|event| (last_seen(&event), event)).collect();
    events.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let mut lines: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for (time, event) in events {
        let reason = plain(event.text(&["reason"]).unwrap_or("Warning"));
        let message = plain(event.text(&["message"]).unwrap_or_default());
        if seen.contains(&(reason.clone(), message.clone())) {
            continue;
        }
        let count = event.get(&["count"]).and_then(Value::as_u64).unwrap_or(1);
        let mut about = Vec::new();
        if count > 1 {
            about.push(format!("{count} times"));
        }
        if let Some(ago) = time.and_then(|time| std::time::Duration::try_from(now.duration_since(time)).ok())
        {
            about.push(format!("last {} ago", lasting(ago)));
        }
        let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        lines.push(format!("{reason}{about}: {message}"));
        seen.push((reason, message));
        if lines.len() == TOLD {
            break;
        }
    }
    lines
}

fn last_seen(event: &Object) -> Option<Timestamp> {
    ["lastTimestamp", "eventTime", "firstTimestamp"]
        .iter()
        .find_map(|field| event.text(&[field])?.parse().ok())
}

/// A cluster's words without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_latest_warnings_are_told_once_with_count_and_age() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let event = |reason: &str, count: u64, time: &str| {
            Object::from_value(json!({
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "type": "Warning",
                "reason": reason, "message": "quota exceeded", "count": count, "lastTimestamp": time,
            }))
            .expect("an object")
        };
        let events = vec![
            event("Old", 1, "2026-01-01T00:00:00Z"),
            event("SyncLoadBalancerFailed", 12, "2026-01-01T00:00:52Z"),
            event("SyncLoadBalancerFailed", 3, "2026-01-01T00:00:40Z"),
        ];
        assert_eq!(
            told(events, now),
            [
                "SyncLoadBalancerFailed (12 times, last 8s ago): quota exceeded",
                "Old (last 1m ago): quota exceeded",
            ]
        );
    }
}

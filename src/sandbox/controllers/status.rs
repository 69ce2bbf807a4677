//! Statuses: their conditions, the times in them, and writing only what differs.

use serde_json::{Map, Value, json};

use super::controlled::Part;
use super::reading::text;
use super::world::Member;
use crate::object::Object;

/// Writes fields of a status, unless they stand so already; a null takes a field out.
pub(super) fn write(member: &Member, object: &Object, fields: Map<String, Value>, manager: &str) {
    let is_so = fields
        .iter()
        .all(|(name, wanted)| is_same(object.get(&["status", name]).unwrap_or(&Value::Null), wanted));
    if !is_so {
        // The object may be gone by now; its deletion is the next change to be seen.
        let status = json!({"status": fields});
        let _ = member.cluster.merge(&object.reference(), Part::Status, &status, manager);
    }
}

/// Whether two values are the same to a server: it writes some empty fields as nulls (`startedAt`,
/// `lastProbeTime`), which were not sent and say nothing.
fn is_same(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let empty = Value::Null;
            live.keys()
                .chain(wanted.keys())
                .all(|key| is_same(live.get(key).unwrap_or(&empty), wanted.get(key).unwrap_or(&empty)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| is_same(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// Gives conditions their times: a transition is a change of the status and of nothing else.
pub(super) fn with_times(live: &[Value], wanted: Vec<Value>, now: &str) -> Vec<Value> {
    let timed = wanted.into_iter().map(|mut condition| {
        let before = live.iter().find(|one| text(one, "type") == text(&condition, "type"));
        let kept = before.filter(|before| text(before, "status") == text(&condition, "status"));
        let time = kept.and_then(|before| text(before, "lastTransitionTime")).unwrap_or(now);
        condition["lastTransitionTime"] = time.into();
        condition
    });
    timed.collect()
}

/// The same with the time of the last change of anything, as Deployments have it.
pub(super) fn with_update_times(live: &[Value], wanted: Vec<Value>, now: &str) -> Vec<Value> {
    let timed = with_times(live, wanted, now).into_iter().map(|mut condition| {
        let before = live.iter().find(|one| text(one, "type") == text(&condition, "type"));
        let same = before.filter(|before| {
            ["status", "reason", "message"].into_iter().all(|key| before.get(key) == condition.get(key))
        });
        let time = same.and_then(|before| text(before, "lastUpdateTime")).unwrap_or(now);
        condition["lastUpdateTime"] = time.into();
        condition
    });
    timed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_that_a_server_adds_is_no_difference() {
        let sent = json!([{"type": "Ready", "state": {"running": {}}}]);
        let kept =
            json!([{"type": "Ready", "state": {"running": {"startedAt": null}}, "lastProbeTime": null}]);
        assert!(is_same(&kept, &sent));
        assert!(!is_same(&kept, &json!([{"type": "Ready", "state": {"waiting": {}}}])));
        assert!(!is_same(&kept, &json!([])));
        assert!(!is_same(&json!("x"), &Value::Null));
    }

    #[test]
    fn a_transition_keeps_its_time_until_the_status_changes() {
        let first = with_update_times(&[], vec![json!({"type": "A", "status": "False", "reason": "x"})], "1");
        assert_eq!(
            first,
            [
                json!({"type": "A", "status": "False", "reason": "x", "lastTransitionTime": "1", "lastUpdateTime": "1"})
            ]
        );
        let second =
            with_update_times(&first, vec![json!({"type": "A", "status": "False", "reason": "y"})], "2");
        assert_eq!(
            second,
            [
                json!({"type": "A", "status": "False", "reason": "y", "lastTransitionTime": "1", "lastUpdateTime": "2"})
            ]
        );
        let third =
            with_update_times(&second, vec![json!({"type": "A", "status": "True", "reason": "y"})], "3");
        assert_eq!(
            third,
            [
                json!({"type": "A", "status": "True", "reason": "y", "lastTransitionTime": "3", "lastUpdateTime": "3"})
            ]
        );
    }
}

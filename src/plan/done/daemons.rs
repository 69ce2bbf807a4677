//! Whether a DaemonSet runs on all nodes that it is for.

use serde_json::Value;

use super::not_found;
use crate::object::ObjectRef;
use crate::plan::{Lookup, Sighting, Unmet};
use crate::topology::ClusterName;

/// What a DaemonSet lacks to run everywhere in its newest form; where no node is for it, nothing.
///
/// As `kubectl rollout status` has it, but that one with strategy OnDelete, which it does not answer for, is done
/// where it runs: new pods come only as somebody deletes the old ones.
pub(super) fn not_rolled_out(
    cluster: &ClusterName,
    daemon_set: &ObjectRef,
    live: &impl Lookup,
) -> Option<Unmet> {
    let what = format!("{daemon_set} to run on every node");
    let sighting = live.object(cluster, daemon_set);
    let Sighting::Found(found) = sighting else {
        return Some(Unmet { what, facts: not_found(cluster, daemon_set, sighting).into_iter().collect() });
    };
    let number = |path: &[&str]| found.get(path).and_then(Value::as_u64).unwrap_or(0);
    if number(&["status", "observedGeneration"]) < number(&["metadata", "generation"]) {
        return Some(Unmet {
            what,
            facts: vec!["its controller has not seen the last change yet".to_owned()],
        });
    }
    let [wanted, updated, available] =
        ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"]
            .map(|name| number(&["status", name]));
    let waits_for_deletes = found.text(&["spec", "updateStrategy", "type"]) == Some("OnDelete");
    if available >= wanted && (updated >= wanted || waits_for_deletes) {
        return None;
    }
    let mut facts = vec![format!(
        "its newest form is on {updated} of {wanted} nodes, and it is available on {available}"
    )];
    if available < wanted {
        facts.push("pods that are injected meanwhile do not begin on the others".to_owned());
    }
    Some(Unmet { what, facts })
}

//! Whether a Deployment runs what it should.

use serde_json::Value;

use super::{Condition, condition, not_found};
use crate::object::{Object, ObjectRef};
use crate::plan::{Lookup, Sighting, Unmet};
use crate::topology::ClusterName;

/// What a Deployment lacks to be available in its newest form.
///
/// As `kubectl rollout status` has it: an old replica that still serves does not make a change done.
pub(super) fn unavailable(
    cluster: &ClusterName,
    deployment: &ObjectRef,
    live: &impl Lookup,
) -> Option<Unmet> {
    let what = format!("{deployment} to be available");
    let sighting = live.object(cluster, deployment);
    let Sighting::Found(found) = sighting else {
        return Some(Unmet { what, facts: not_found(cluster, deployment, sighting).into_iter().collect() });
    };
    let generation = found.get(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or(0);
    let observed = found.get(&["status", "observedGeneration"]).and_then(Value::as_i64).unwrap_or(0);
    if observed < generation {
        return Some(Unmet {
            what,
            facts: vec!["its controller has not seen the last change yet".to_owned()],
        });
    }
    let wanted = found.get(&["spec", "replicas"]).and_then(Value::as_u64).unwrap_or(1);
    let [updated, available, all] = ["updatedReplicas", "availableReplicas", "replicas"]
        .map(|name| found.get(&["status", name]).and_then(Value::as_u64).unwrap_or(0));
    let is_available = matches!(condition(found, "Available"), Some(Condition { status: "True", .. }));
    if is_available && updated >= wanted && available >= updated && all <= updated {
        return None;
    }
    let mut facts =
        vec![format!("{updated} of {wanted} replicas are of the newest form, {available} are available")];
    facts.extend(quoted(found));
    Some(Unmet { what, facts })
}

/// Since when Kubernetes counts a Deployment as failed: it made no progress for its
/// `progressDeadlineSeconds`. It stays so until there is progress, so the time tells whether it is this
/// change that has failed or an earlier one.
pub(super) fn failed_since(
    cluster: &ClusterName,
    deployment: &ObjectRef,
    live: &impl Lookup,
) -> Option<String> {
    let Sighting::Found(found) = live.object(cluster, deployment) else { return None };
    let progress = condition(found, "Progressing")?;
    let is_over = progress.status == "False" && progress.reason == "ProgressDeadlineExceeded";
    is_over.then(|| progress.since.to_owned())
}

/// The conditions that say why.
fn quoted(deployment: &Object) -> Vec<String> {
    let is_good = |condition: &Condition<'_>| match condition.kind {
        "ReplicaFailure" => condition.status == "False",
        _ => condition.status == "True" && condition.reason != "ReplicaSetUpdated",
    };
    ["Progressing", "Available", "ReplicaFailure"]
        .into_iter()
        .filter_map(|kind| condition(deployment, kind))
        .filter(|condition| !is_good(condition))
        .map(|condition| condition.to_string())
        .collect()
}

//! DaemonSets: one Pod each, for a simulated cluster has one node, and nothing keeps a Pod off it.
//!
//! Of a new template the old Pod goes before the new one comes, as where one node at a time may lack it; with strategy
//! OnDelete it stays until somebody deletes it.

use serde_json::{Map, Value, json};

use super::events::warn;
use super::pods;
use super::reading::{is_leaving, is_ready};
use super::status;
use super::workloads::{MANAGER, create_pod, delete, owned, pod_name, template_hash};
use super::world::World;
use crate::object::Object;

/// The label that tells the Pods of templates apart.
const REVISION: &str = "controller-revision-hash";

/// Brings the Pods of all DaemonSets of a cluster to what their templates say.
pub(super) fn reconcile(world: &World, member: usize) {
    for daemons in world.members[member].cluster.list("apps", "DaemonSet", None) {
        if !is_leaving(&daemons) {
            roll(world, member, &daemons);
        }
    }
}

fn roll(world: &World, member: usize, daemons: &Object) {
    let target = &world.members[member];
    let hash = template_hash(daemons);
    let is_current = |pod: &Object| pod.label(REVISION) == Some(&hash);
    let waits_for_deletes = daemons.text(&["spec", "updateStrategy", "type"]) == Some("OnDelete");
    for pod in owned(target, daemons, "", "Pod") {
        if !is_current(&pod) && !waits_for_deletes {
            delete(target, &pod);
        }
    }
    if owned(target, daemons, "", "Pod").is_empty() {
        let name = pod_name(daemons, hash.bytes().map(u32::from).sum());
        if let Err(reason) = create_pod(world, member, daemons, &name, Some((REVISION, &hash))) {
            warn(
                target,
                daemons,
                "daemonset-controller",
                "FailedCreate",
                &format!("Error creating: {reason}"),
            );
        }
    }
    for pod in owned(target, daemons, "", "Pod") {
        let _ = pods::run(world, member, &pod);
    }
    let pods = owned(target, daemons, "", "Pod");
    let scheduled = usize::from(!pods.is_empty());
    let updated = usize::from(pods.iter().any(|pod| is_current(pod)));
    let ready = usize::from(pods.iter().any(|pod| is_ready(pod)));
    // A server writes these even where they are zero, and leaves out the others.
    let some = |count: usize| if count == 0 { Value::Null } else { count.into() };
    let fields: [(&str, Value); 8] = [
        ("currentNumberScheduled", json!(scheduled)),
        ("desiredNumberScheduled", json!(1)),
        ("numberMisscheduled", json!(0)),
        ("numberReady", json!(ready)),
        ("numberAvailable", some(ready)),
        ("numberUnavailable", some(1 - ready)),
        ("updatedNumberScheduled", some(updated)),
        ("observedGeneration", daemons.get(&["metadata", "generation"]).cloned().unwrap_or(Value::Null)),
    ];
    let fields: Map<String, Value> =
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    status::write(target, daemons, fields, MANAGER);
}

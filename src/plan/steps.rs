//! What plans of either way share: refusals, unknown clusters, and what they hold back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Live, PlannedCluster, Reading, Step, StepId, codes, root};
use crate::compile::Desired;
use crate::diagnostic::Failure;
use crate::graph::Unit;
use crate::topology::ClusterName;

/// Inventories that were written for other clusters or other members than those of the topology.
pub(super) fn refuse_inventories(desired: &Desired, live: &Live) -> Result<(), Vec<Failure>> {
    let mut failures = Vec::new();
    let mut vanished: BTreeMap<&str, Vec<&ClusterName>> = BTreeMap::new();
    for name in desired.clusters.keys() {
        let Some(cluster) = live.cluster(name) else { continue };
        let Some(inventory) = &cluster.inventory else { continue };
        if inventory.cluster_uid != cluster.uid {
            let context = &desired.clusters[name].context;
            let message = format!("{name}: context {context} reaches another cluster than last time");
            failures.push(
                Failure::new(&codes::CONTEXT_MOVED, message)
                    .with_fact(format!("applied to the cluster whose kube-system has UID {}", inventory.cluster_uid))
                    .with_fact(format!("reaches the one with {}", cluster.uid))
                    .with_help(format!("point context {context} at the right cluster, or name another in clusters.{name}.context")),
            );
        }
        for member in &inventory.members {
            if !desired.clusters.contains_key(member.as_str()) {
                vanished.entry(member).or_default().push(name);
            }
        }
    }
    for (member, named_by) in vanished {
        let names: Vec<&str> = named_by.iter().map(|name| name.as_str()).collect();
        let message = format!("{member} is a member of the mesh and no longer in the topology");
        failures.push(
            Failure::new(&codes::CLUSTER_VANISHED, message)
                .with_fact(format!("the inventory of {} names it", crate::diagnostic::listed(names)))
                .with_help(format!(
                    "put clusters.{member} back: nothing is deleted because a name is missing"
                )),
        );
    }
    failures.extend(reached_twice(desired, live));
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// Clusters of the topology that are one cluster.
fn reached_twice(desired: &Desired, live: &Live) -> Vec<Failure> {
    let mut by_uid: BTreeMap<&str, Vec<&ClusterName>> = BTreeMap::new();
    for name in desired.clusters.keys() {
        if let Some(cluster) = live.cluster(name).filter(|cluster| !cluster.uid.is_empty()) {
            by_uid.entry(&cluster.uid).or_default().push(name);
        }
    }
    let same = by_uid.into_iter().filter(|(_, names)| names.len() > 1);
    same.map(|(uid, names)| {
        let listed = crate::diagnostic::listed(names.iter().map(|name| name.as_str()).collect::<Vec<_>>());
        let failure = Failure::new(&codes::CLUSTER_REACHED_TWICE, format!("{listed} are the same cluster"))
            .with_fact(format!("each reaches the one whose kube-system has UID {uid}"));
        let contexts = names.iter().fold(failure, |failure, name| {
            failure.with_fact(format!("{name}: context {}", desired.clusters[*name].context))
        });
        contexts.with_help(
            "give each cluster a context of its own: clusters.X.context, or --context CLUSTER=CONTEXT",
        )
    })
    .collect()
}

/// The clusters of which nothing is known, and why.
pub(super) fn unread(desired: &Desired, live: &Live) -> BTreeMap<ClusterName, Failure> {
    let why = |name: &ClusterName| match live.clusters.get(name) {
        Some(Reading::Read(_)) => None,
        Some(Reading::Unreachable(failure)) => Some((name.clone(), failure.clone())),
        None => Some((name.clone(), root::not_read(name))),
    };
    desired.clusters.keys().filter_map(why).collect()
}

/// What the plan keeps of each cluster.
pub(super) fn planned_clusters(desired: &Desired, live: &Live) -> BTreeMap<ClusterName, PlannedCluster> {
    let planned = |name: &ClusterName| {
        let read = live.cluster(name);
        PlannedCluster {
            facts: desired.clusters[name].clone(),
            uid: read.map(|cluster| cluster.uid.clone()),
            inventory: read.and_then(|cluster| cluster.inventory.clone()),
            unseen: read.map(|cluster| cluster.stays_unseen().cloned().collect()).unwrap_or_default(),
        }
    };
    desired.clusters.keys().map(|name| (name.clone(), planned(name))).collect()
}

/// Says of each step which unknown clusters it waits for, at whatever distance, beside those that it is
/// held back by already.
///
/// `units` are all of the topology's; those of unknown clusters have no step.
pub(super) fn hold_back<'u>(
    steps: &mut [Step],
    units: impl Iterator<Item = &'u Unit>,
    unknown: &BTreeMap<ClusterName, Failure>,
) {
    if unknown.is_empty() {
        return;
    }
    let mut held: BTreeMap<StepId, BTreeSet<ClusterName>> = units
        .filter(|unit| unknown.contains_key(&unit.cluster))
        .map(|unit| (unit.clone().into(), BTreeSet::from([unit.cluster.clone()])))
        .collect();
    // Steps come in the order of their stages: what a step waits for stands before it.
    for step in steps {
        let behind = step.after.iter().filter_map(|first| held.get(first)).flatten().cloned();
        step.held_by.extend(behind.collect::<Vec<_>>());
        held.insert(step.id(), step.held_by.clone());
        if !step.held_by.is_empty() && step.writes().next().is_none() {
            // What its condition looks at may be out of sight: not known is not the same as not met.
            step.unmet = None;
        }
    }
}

//! What a plan was made from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::seal::Sealer;
use super::{Binding, BoundChange, BoundCluster};
use crate::compile::Hole;
use crate::object::ObjectRef;
use crate::plan::codes::CLUSTER_NOT_READ;
use crate::plan::compare::compared;
use crate::plan::{Action, Change, Inventory, Live, LiveCluster, Plan, RootOutlook};
use crate::topology::ClusterName;

/// Seals what is live where a plan looked.
pub(super) fn binding(plan: &Plan, live: &Live, salt: &str) -> Binding {
    let mut changes: Vec<BoundChange> = Vec::new();
    for step in &plan.steps {
        let Some(cluster) = live.cluster(&step.unit.cluster) else { continue };
        let sealer = Sealer::new(salt, &cluster.uid);
        for change in step.changes.iter().filter(|change| change.action != Action::NoOp) {
            changes.push(bound_change(&step.unit.cluster, change, cluster, &sealer));
        }
    }
    changes.sort_by(|a, b| (&a.cluster, &a.object).cmp(&(&b.cluster, &b.object)));
    Binding {
        root: root(&plan.root),
        clusters: plan
            .clusters
            .keys()
            .map(|name| (name.as_str().to_owned(), bound_cluster(name, plan, live, salt)))
            .collect(),
        values: values(plan, live, salt),
        changes,
    }
}

/// What one change was made from.
pub(super) fn bound_change(
    name: &ClusterName,
    change: &Change,
    cluster: &LiveCluster,
    sealer: &Sealer,
) -> BoundChange {
    let live = cluster.objects.get(&change.object);
    let fields =
        live.map(|live| compared(change.desired.as_ref(), &change.renamed, live)).unwrap_or_default();
    let seal = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), |value| sealer.seal(value));
    BoundChange {
        cluster: name.as_str().to_owned(),
        object: full_name(&change.object),
        action: change.action,
        uid: change.uid.clone(),
        desired: change.digest.as_ref().map(|digest| sealer.seal_text(digest)),
        conflicts: change.conflicts,
        kept: change.note.clone().filter(|_| change.action == Action::Keep),
        fields: fields
            .into_iter()
            .map(|(path, (value, holders))| {
                (path.to_string(), format!("{} {}", seal(value), holders.join(" ")))
            })
            .collect(),
    }
}

/// A name that no other object of the cluster has: `Deployment.apps istio-system/istiod`.
pub(super) fn full_name(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.group_kind(), object.name),
        None => format!("{} {}", object.group_kind(), object.name),
    }
}

fn bound_cluster(name: &ClusterName, plan: &Plan, live: &Live, salt: &str) -> BoundCluster {
    let Some(cluster) = live.cluster(name) else {
        let why = plan.unknown.get(name);
        return BoundCluster::Unknown {
            code: why.map_or(CLUSTER_NOT_READ.name, |failure| failure.code.name).to_owned(),
            message: why.map_or_else(|| format!("{name} was not read"), |failure| failure.message.clone()),
            facts: why.map(|failure| failure.facts.clone()).unwrap_or_default(),
        };
    };
    let sealer = Sealer::new(salt, &cluster.uid);
    BoundCluster::Read {
        uid: sealer.seal_text(&cluster.uid),
        inventory: cluster.inventory.as_ref().map(|inventory| inventory_seal(inventory, plan, &sealer)),
    }
}

/// What an inventory records, whichever plans it has seen and whoever wrote it.
fn inventory_seal(inventory: &Inventory, plan: &Plan, sealer: &Sealer) -> String {
    let recorded = Inventory { plans: Vec::new(), ..inventory.clone() }.to_object(&plan.mesh);
    sealer.seal(recorded.get(&["data"]).unwrap_or(&Value::Null))
}

/// The values that steps with something to send put into their objects.
fn values(plan: &Plan, live: &Live, salt: &str) -> BTreeMap<String, String> {
    let busy = plan.steps.iter().filter(|step| step.writes().next().is_some());
    let holes: BTreeSet<Hole> =
        busy.filter_map(|step| step.desired.as_ref()).flat_map(|unit| unit.holes()).collect();
    let sealed = holes.into_iter().filter_map(|hole| {
        let value = plan.values.get(&hole)?;
        let cluster = match &hole {
            Hole::Observed { unit, .. } => &unit.cluster,
            Hole::Minted { cluster, .. } | Hole::Context { cluster } => cluster,
        };
        let sealer = Sealer::new(salt, &live.cluster(cluster)?.uid);
        Some((hole.to_string(), sealer.seal_text(value.expose())))
    });
    sealed.collect()
}

fn root(root: &RootOutlook) -> String {
    match root {
        RootOutlook::Known { fingerprint, keeper: Some(keeper) } => {
            format!("{fingerprint}, kept by {keeper}")
        }
        RootOutlook::Known { fingerprint, keeper: None } => format!("{fingerprint}, from files"),
        RootOutlook::New { keeper } => format!("new, kept by {keeper}"),
        RootOutlook::None => "none".to_owned(),
    }
}

//! What is no longer asked for: deleted, released, or kept and named.
//!
//! Only what the inventory names is ever touched, only where it is still the object that we
//! recorded and still ours, and only in clusters that were read.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Ownership;
use super::contents::foreign;
use super::{Action, Cause, Change, Conflicts, Inventory, InventoryEntry, LiveCluster, Origin};
use crate::compile::{Desired, PART_OF, applyset_id};
use crate::diagnostic::{counted, listed};
use crate::graph::{Unit, UnitKind};
use crate::object::{Object, ObjectRef};

/// The changes to the objects of one cluster that are recorded and not `asked` for, by unit, dependants first.
pub(super) fn prunes(
    desired: &Desired,
    cluster: &LiveCluster,
    asked: &BTreeSet<ObjectRef>,
) -> BTreeMap<Unit, Vec<Change>> {
    let Some(inventory) = &cluster.inventory else { return BTreeMap::new() };
    let gone: Vec<(&ObjectRef, &InventoryEntry)> =
        inventory.entries.iter().filter(|(object, _)| !asked.contains(*object)).collect();
    let fates: BTreeMap<&ObjectRef, Fate> = gone
        .iter()
        .filter_map(|(object, entry)| Some((*object, fate(desired, cluster, object, entry)?)))
        .collect();
    let leaving: BTreeSet<&ObjectRef> =
        fates.iter().filter(|(_, fate)| fate.goes()).map(|(object, _)| *object).collect();

    let mut changes: BTreeMap<Unit, Vec<Change>> = BTreeMap::new();
    for (object, entry) in gone {
        let Some(fate) = fates.get(object) else { continue };
        let fate = match fate {
            Fate::Deleted => holding(desired, cluster, inventory, object, &leaving),
            Fate::Leaving | Fate::Released(_) | Fate::HandedOver | Fate::Kept(_) => fate.clone(),
        };
        changes.entry(entry.unit.clone()).or_default().push(change(cluster, object, entry, fate));
    }
    for changes in changes.values_mut() {
        changes.sort_by_key(|change| deletion_rank(&change.object));
    }
    changes
}

/// The mesh namespace, where it goes and the inventory in it has gone already: nothing else tells of it then.
pub(super) fn going_namespace(desired: &Desired, cluster: &LiveCluster, unit: &Unit) -> Option<Change> {
    let object = ObjectRef {
        group: String::new(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: desired.mesh.namespace.clone(),
    };
    let live = cluster.objects.get(&object).filter(|_| cluster.inventory.is_none())?;
    let is_ours = has_our_label(desired, live);
    let entry = InventoryEntry {
        uid: live.uid().map(str::to_owned),
        origin: Origin::Created,
        unit: unit.clone(),
        digest: String::new(),
    };
    (is_ours && live.is_being_deleted()).then(|| change(cluster, &object, &entry, Fate::Leaving))
}

/// What becomes of an object that is no longer asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Deleted,
    /// It is deleted already, and not gone yet.
    Leaving,
    Released(Option<String>),
    /// It is a part of what others install from now on.
    HandedOver,
    Kept(String),
}

impl Fate {
    /// Whether it is gone in the end.
    fn goes(&self) -> bool {
        match self {
            Self::Deleted | Self::Leaving => true,
            Self::Released(_) | Self::HandedOver | Self::Kept(_) => false,
        }
    }
}

/// What becomes of an object by itself; none where it is gone already, or goes and is not ours to delete.
fn fate(
    desired: &Desired,
    cluster: &LiveCluster,
    object: &ObjectRef,
    entry: &InventoryEntry,
) -> Option<Fate> {
    let live = cluster.objects.get(object)?;
    if desired.mesh.hands_over(&entry.unit.kind, object) {
        let is_ours = has_our_label(desired, live) || Ownership::of(live).ours.is_some();
        return (is_ours && !live.is_being_deleted()).then_some(Fate::HandedOver);
    }
    let fate = fate_of(desired, live, object, entry);
    match (live.is_being_deleted(), fate) {
        (false, fate) => Some(fate),
        (true, Fate::Deleted | Fate::Leaving) => Some(Fate::Leaving),
        (true, Fate::Released(_) | Fate::HandedOver | Fate::Kept(_)) => None,
    }
}

fn has_our_label(desired: &Desired, live: &Object) -> bool {
    live.label(PART_OF) == Some(applyset_id(&desired.mesh).as_str())
}

/// What becomes of an object that is there, whoever deleted it meanwhile.
fn fate_of(desired: &Desired, live: &Object, object: &ObjectRef, entry: &InventoryEntry) -> Fate {
    if let Some(recorded) = &entry.uid
        && live.uid() != Some(recorded.as_str())
    {
        return Fate::Kept("is another object of this name than the one that was applied".to_owned());
    }
    if !has_our_label(desired, live) {
        return Fate::Kept(format!("is no longer ours: label {PART_OF} is not there or names another set"));
    }
    if Ownership::of(live).ours.is_none() {
        return Fate::Kept("is no longer ours: field manager stolos holds nothing of it".to_owned());
    }
    if object.kind == "Namespace" && entry.unit.kind == UnitKind::AppNamespaces {
        return Fate::Released(Some("application namespaces are never deleted".to_owned()));
    }
    match entry.origin {
        Origin::Created => Fate::Deleted,
        Origin::Adopted => Fate::Released(Some("was there before".to_owned())),
    }
}

/// Whether a namespace or a definition may go with what it holds.
fn holding(
    desired: &Desired,
    cluster: &LiveCluster,
    inventory: &Inventory,
    object: &ObjectRef,
    leaving: &BTreeSet<&ObjectRef>,
) -> Fate {
    if !matches!(object.kind.as_str(), "Namespace" | "CustomResourceDefinition") {
        return Fate::Deleted;
    }
    let is_where_the_inventory_lies = object.kind == "Namespace" && object.name == desired.mesh.namespace;
    if let Some(other) = cluster.stays_unseen().find(|other| *other != object)
        && is_where_the_inventory_lies
    {
        return Fate::Kept(format!("is kept: the inventory in it still names {other}"));
    }
    match foreign(desired, cluster, inventory, object, leaving) {
        None => {
            let why = cluster.unseen.get(object).map(|why| format!(": {why}")).unwrap_or_default();
            Fate::Kept(format!("is kept: what it holds is not known{why}"))
        }
        Some(foreign) if foreign.is_empty() => Fate::Deleted,
        Some(foreign) => {
            let names: Vec<String> = foreign.iter().map(ToString::to_string).collect();
            Fate::Kept(format!(
                "is kept: it holds {} of others: {}",
                counted(foreign.len(), "object", "objects"),
                listed(names.iter().map(String::as_str))
            ))
        }
    }
}

fn change(cluster: &LiveCluster, object: &ObjectRef, entry: &InventoryEntry, fate: Fate) -> Change {
    let (action, note) = match fate {
        Fate::Deleted => (Action::Delete, None),
        Fate::Leaving => (Action::Delete, Some("still being deleted".to_owned())),
        Fate::Released(note) => (Action::Release, note),
        Fate::HandedOver => (Action::HandOver, None),
        Fate::Kept(note) => (Action::Keep, Some(note)),
    };
    Change {
        object: object.clone(),
        action,
        cause: Cause::Topology,
        fields: Vec::new(),
        note,
        uid: cluster.objects.get(object).and_then(Object::uid).map(str::to_owned),
        origin: entry.origin,
        desired: None,
        digest: None,
        conflicts: Conflicts::Refuse,
        renamed: Vec::new(),
        migrated: Vec::new(),
    }
}

/// The order of deletion: what calls others first, then what runs, then what it runs on.
///
/// Webhooks go before the istiod that answers them, or else nothing could be created in between
/// (istio/istio#39694, #36905); custom resources before their definitions.
fn deletion_rank(object: &ObjectRef) -> u8 {
    match object.kind.as_str() {
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => 0,
        "ValidatingAdmissionPolicyBinding" => 1,
        "ValidatingAdmissionPolicy" => 2,
        "HorizontalPodAutoscaler" | "PodDisruptionBudget" => 4,
        "Deployment" | "DaemonSet" | "ReplicaSet" => 5,
        "Service" | "Endpoints" | "EndpointSlice" | "NetworkPolicy" => 6,
        "RoleBinding" | "ClusterRoleBinding" => 7,
        "Role" | "ClusterRole" => 8,
        "ConfigMap" | "Secret" => 9,
        "ServiceAccount" => 10,
        "CustomResourceDefinition" => 11,
        "Namespace" => 12,
        // Custom resources.
        _ => 3,
    }
}

//! What has to be read of each cluster before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inventory, done, inventory_ref, root};
use crate::compile::{CompileError, Desired, Values};
use crate::cores::on_all_cores;
use crate::diagnostic::Failure;
use crate::object::{GroupKind, Object, ObjectRef};
use crate::topology::ClusterName;

/// What has to be read of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterReads {
    /// Kinds to list by the label of our apply set: what is ours, in one request each.
    pub lists: BTreeSet<GroupKind>,
    /// Objects to know of. Those that the lists lack are read by name; a kind that the cluster does not
    /// know yet holds none.
    pub objects: BTreeSet<ObjectRef>,
}

/// What has to be read of each cluster of a mesh, to plan or to destroy. The inventory is among the objects.
pub fn reads(desired: &Desired) -> Result<BTreeMap<ClusterName, ClusterReads>, Vec<Failure>> {
    let mut reads: BTreeMap<ClusterName, ClusterReads> = BTreeMap::new();
    for name in desired.clusters.keys() {
        let cluster = reads.entry(name.clone()).or_default();
        cluster.add(inventory_ref(&desired.mesh));
        for secret in root::trust_secrets(&desired.mesh.namespace) {
            cluster.add(secret);
        }
    }
    let mut failures = Vec::new();
    let names = on_all_cores(&desired.units, |unit| {
        let objects = unit.objects(&desired.mesh, &Values::default())?;
        Ok(objects.iter().map(Object::reference).collect::<Vec<_>>())
    });
    for (unit, own) in desired.units.iter().zip(names) {
        match own {
            Ok(own) => {
                for (cluster, object) in done::reads(&unit.unit, &unit.done, &own) {
                    reads.entry(cluster).or_default().objects.insert(object);
                }
                let cluster = reads.entry(unit.unit.cluster.clone()).or_default();
                own.into_iter().for_each(|object| cluster.add(object));
            }
            Err(error) => failures.push(CompileError::failure(&error)),
        }
    }
    if failures.is_empty() { Ok(reads) } else { Err(failures) }
}

impl ClusterReads {
    /// Adds what an inventory names, so that what is no longer asked for is seen.
    pub fn add_inventory(&mut self, inventory: &Inventory) {
        self.add_objects(inventory.entries.keys().cloned());
    }

    /// Adds objects that an inventory names, or would.
    pub fn add_objects(&mut self, objects: impl IntoIterator<Item = ObjectRef>) {
        objects.into_iter().for_each(|object| self.add(object));
    }

    fn add(&mut self, object: ObjectRef) {
        // A list of Secrets would hand over every secret that carries the label: they are read by name.
        if object.kind != "Secret" {
            self.lists.insert(object.group_kind());
        }
        self.objects.insert(object);
    }
}

/// Every object that the topology asks for in a cluster; none where a unit does not render.
pub(super) fn desired_refs(desired: &Desired, cluster: &ClusterName) -> Option<BTreeSet<ObjectRef>> {
    let mut references = BTreeSet::new();
    for unit in desired.units.iter().filter(|unit| unit.unit.cluster == *cluster) {
        let objects = unit.objects(&desired.mesh, &Values::default()).ok()?;
        references.extend(objects.iter().map(Object::reference));
    }
    Some(references)
}

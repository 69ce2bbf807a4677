//! What lies in namespaces and definitions that would be deleted, and whose it is.
//!
//! To delete a namespace or a CustomResourceDefinition is to delete all that it holds. So one
//! that holds anything which is neither ours nor made by Kubernetes or istiod is kept and named.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Inventory, Live, LiveCluster, Mode, Origin};
use crate::compile::{Desired, parent_name};
use crate::graph::UnitKind;
use crate::object::{Object, ObjectRef};
use crate::topology::ClusterName;

/// One look into something that would be deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentRead {
    /// The namespace or definition: the key of [`LiveCluster::contents`].
    pub holder: ObjectRef,
    /// What to list.
    pub what: Held,
}

/// What a namespace or a definition holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// Every object of a namespace, of whatever kind can be listed.
    InNamespace(String),
    /// Every object of a kind.
    OfKind {
        /// Its group.
        group: String,
        /// A version that serves it.
        version: String,
        /// Its plural.
        plural: String,
    },
}

/// Objects that Kubernetes or istiod puts into namespaces by itself.
struct Made {
    kind: &'static str,
    name: Name,
}

enum Name {
    Any,
    Is(&'static str),
    Starts(&'static str),
}

/// The table. istiod's locks are those of `pilot/pkg/leaderelection/leaderelection.go`, 1.30.3.
const MADE: &[Made] = &[
    Made { kind: "ServiceAccount", name: Name::Is("default") },
    Made { kind: "ConfigMap", name: Name::Is("kube-root-ca.crt") },
    Made { kind: "ConfigMap", name: Name::Is("istio-ca-root-cert") },
    Made { kind: "ConfigMap", name: Name::Is("istio-ca-crl") },
    Made { kind: "ConfigMap", name: Name::Is("istio-namespace-controller-election") },
    Made { kind: "ConfigMap", name: Name::Is("istio-clustertrustbundle-controller-election") },
    Made { kind: "ConfigMap", name: Name::Is("istio-serviceexport-controller-election") },
    Made { kind: "ConfigMap", name: Name::Is("istio-leader") },
    Made { kind: "ConfigMap", name: Name::Is("istio-gateway-status-leader") },
    Made { kind: "ConfigMap", name: Name::Is("istio-status-leader") },
    Made { kind: "ConfigMap", name: Name::Is("istio-analyze-leader") },
    Made { kind: "ConfigMap", name: Name::Is("istio-gateway-inferencepool") },
    Made { kind: "ConfigMap", name: Name::Is("istio-node-untaint") },
    Made { kind: "ConfigMap", name: Name::Is("istio-ip-autoallocate") },
    Made { kind: "Lease", name: Name::Starts("istio-") },
    Made { kind: "Secret", name: Name::Is("istio-ca-secret") },
    Made { kind: "Secret", name: Name::Starts("default-token-") },
    Made { kind: "Event", name: Name::Any },
    Made { kind: "PodMetrics", name: Name::Any },
];

impl Made {
    fn is(&self, object: &Object) -> bool {
        let name = object.name();
        self.kind == object.kind()
            && match self.name {
                Name::Any => true,
                Name::Is(exact) => name == exact,
                Name::Starts(start) => name.starts_with(start),
            }
    }
}

/// Which contents a plan needs to know of: those of the namespaces and definitions that we created
/// and that it would delete. Empty for most plans.
pub fn content_reads(
    desired: &Desired,
    live: &Live,
    mode: Mode,
) -> BTreeMap<ClusterName, BTreeSet<ContentRead>> {
    let mut reads: BTreeMap<ClusterName, BTreeSet<ContentRead>> = BTreeMap::new();
    for name in desired.clusters.keys() {
        let Some(cluster) = live.cluster(name) else { continue };
        let Some(inventory) = &cluster.inventory else { continue };
        let asked: BTreeSet<ObjectRef> = match mode {
            Mode::Destroy => BTreeSet::new(),
            // A unit that does not render fails the plan anyway.
            Mode::Apply => super::reads::desired_refs(desired, name).unwrap_or_default(),
        };
        let goes = inventory.entries.iter().filter(|(object, entry)| {
            entry.origin == Origin::Created
                && entry.unit.kind != UnitKind::AppNamespaces
                && !asked.contains(object)
                && !desired.mesh.hands_over(&entry.unit.kind, object)
        });
        let found: BTreeSet<ContentRead> =
            goes.filter_map(|(object, _)| content_read(object, cluster)).collect();
        if !found.is_empty() {
            reads.insert(name.clone(), found);
        }
    }
    reads
}

fn content_read(object: &ObjectRef, cluster: &LiveCluster) -> Option<ContentRead> {
    let what = match object.kind.as_str() {
        "Namespace" => Held::InNamespace(object.name.clone()),
        "CustomResourceDefinition" => {
            let definition = cluster.objects.get(object)?;
            let versions = definition.get(&["spec", "versions"])?.as_array()?;
            let served = versions.iter().find(|version| version["served"] == Value::Bool(true))?;
            Held::OfKind {
                group: definition.text(&["spec", "group"])?.to_owned(),
                version: served["name"].as_str()?.to_owned(),
                plural: definition.text(&["spec", "names", "plural"])?.to_owned(),
            }
        }
        _ => return None,
    };
    Some(ContentRead { holder: object.clone(), what })
}

/// What others put into a namespace or a definition; none where nobody looked.
///
/// `leaving` are our objects that are deleted with or before it.
pub(super) fn foreign(
    desired: &Desired,
    cluster: &LiveCluster,
    inventory: &Inventory,
    holder: &ObjectRef,
    leaving: &BTreeSet<&ObjectRef>,
) -> Option<Vec<ObjectRef>> {
    let contents = cluster.contents.get(holder)?;
    let is_ours = |object: &Object| {
        let reference = object.reference();
        leaving.contains(&reference)
            // The inventory itself, and the Lease beside it.
            || object.name() == parent_name(&desired.mesh) && matches!(object.kind(), "ConfigMap" | "Lease")
            // What `stolos rbac` says how to bind: the right to look in here.
            || object.kind() == "RoleBinding"
                && object.name().ends_with("-in-namespace")
                && object.name().starts_with(&format!("{}-", parent_name(&desired.mesh)))
    };
    let services: BTreeSet<&str> = inventory
        .entries
        .keys()
        .filter(|object| object.kind == "Service" && leaving.contains(object))
        .map(|object| object.name.as_str())
        .collect();
    let is_made = |object: &Object| {
        MADE.iter().any(|made| made.is(object))
            // Endpoints carry no owner: they go with the Service of their name.
            || object.kind() == "Endpoints" && services.contains(object.name())
    };
    let mut owners: BTreeSet<&str> =
        leaving.iter().filter_map(|object| cluster.objects.get(object)?.uid()).collect();
    let (accepted, mut rest): (Vec<&Object>, Vec<&Object>) =
        contents.iter().partition(|object| is_ours(object) || is_made(object));
    owners.extend(accepted.iter().filter_map(|object| object.uid()));
    // Pods belong to ReplicaSets, which belong to Deployments: until nothing more is found.
    loop {
        let (owned, left): (Vec<&Object>, Vec<&Object>) =
            rest.iter().copied().partition(|object| is_owned(object, &owners));
        if owned.is_empty() {
            break;
        }
        owners.extend(owned.iter().filter_map(|object| object.uid()));
        rest = left;
    }
    let mut foreign: Vec<ObjectRef> = rest.iter().map(|object| object.reference()).collect();
    foreign.sort();
    Some(foreign)
}

fn is_owned(object: &Object, owners: &BTreeSet<&str>) -> bool {
    let references = object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    references
        .into_iter()
        .flatten()
        .filter_map(|reference| reference["uid"].as_str())
        .any(|uid| owners.contains(uid))
}

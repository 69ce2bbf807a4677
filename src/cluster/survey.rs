//! Reading the live state of all clusters for a plan.
//!
//! The inventory, one labelled LIST for each kind that is asked for and a GET for each Secret, side by
//! side; then what the inventory names beside, and a GET for each object that is asked for and that the
//! lists lacked. Secrets are never listed. A cluster of which any read fails is unreachable as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cluster, ClusterError, Fault, Selection, together};
use crate::chart::KubeVersion;
use crate::compile::{MeshFacts, PART_OF, applyset_id};
use crate::diagnostic::Failure;
use crate::object::{GroupKind, Object, ObjectRef};
use crate::plan::{ClusterReads, ContentRead, Inventory, Live, LiveCluster, Reading, inventory_ref};
use crate::topology::ClusterName;

/// How many requests to one cluster are under way at once.
const SIDE_BY_SIDE: usize = 16;
/// How many clusters are read at once.
const CLUSTERS: usize = 64;

/// Clusters that said who they are, or why they did not.
pub struct Greeted(Vec<(Cluster, Result<String, Box<Failure>>)>);

/// Asks every cluster who it is.
///
/// First of all, and this alone: one that does not answer is waited for once.
pub async fn greet(clusters: &BTreeMap<ClusterName, Cluster>) -> Greeted {
    let asks: Vec<_> = clusters
        .values()
        .map(|cluster| {
            let cluster = cluster.clone();
            async move {
                let uid = cluster.uid().await.map_err(|error| Box::new(error.failure()));
                (cluster, uid)
            }
        })
        .collect();
    Greeted(together(CLUSTERS, asks).await)
}

/// Asks clusters for their Kubernetes: what each said, and why it did not.
pub async fn kube_versions(
    clusters: Vec<Cluster>,
) -> (BTreeMap<ClusterName, KubeVersion>, BTreeMap<ClusterName, Failure>) {
    let asks: Vec<_> = clusters
        .into_iter()
        .map(|cluster| async move { (cluster.name().clone(), cluster.kube_version().await) })
        .collect();
    let mut said = BTreeMap::new();
    let mut silent = BTreeMap::new();
    for (name, answer) in together(CLUSTERS, asks).await {
        match answer {
            Ok(version) => drop(said.insert(name, version)),
            Err(error) => drop(silent.insert(name, error.failure())),
        }
    }
    (said, silent)
}

/// Reads, side by side, the objects that a plan asks for.
pub async fn survey(mesh: &MeshFacts, asked: &BTreeMap<ClusterName, ClusterReads>, greeted: Greeted) -> Live {
    let reads: Vec<_> = greeted
        .0
        .into_iter()
        .map(|(cluster, uid)| {
            let (name, mesh) = (cluster.name().clone(), mesh.clone());
            let asked = asked.get(&name).cloned().unwrap_or_default();
            async move {
                let uid = match uid {
                    Ok(uid) => uid,
                    Err(failure) => return (name, Reading::Unreachable(*failure)),
                };
                let reading = match read(&cluster, uid, &mesh, asked).await {
                    Ok(live) => Reading::Read(live),
                    Err(failure) => Reading::Unreachable(*failure),
                };
                (name, reading)
            }
        })
        .collect();
    Live { clusters: together(CLUSTERS, reads).await.into_iter().collect() }
}

/// Looks into namespaces and definitions that would be deleted. One that cannot be looked into
/// is kept, and the plan says why it could not.
pub async fn look_into(
    live: &mut Live,
    reads: BTreeMap<ClusterName, BTreeSet<ContentRead>>,
    clusters: &BTreeMap<ClusterName, Cluster>,
) {
    let mut looks = Vec::new();
    for (name, reads) in reads {
        let Some(cluster) = clusters.get(&name) else { continue };
        for read in reads {
            let (name, cluster) = (name.clone(), cluster.clone());
            looks.push(async move {
                let found = cluster.contents(&read.what).await;
                (name, read.holder, found)
            });
        }
    }
    for (name, holder, found) in together(SIDE_BY_SIDE, looks).await {
        let Some(Reading::Read(cluster)) = live.clusters.get_mut(&name) else { continue };
        match found {
            Ok(found) => {
                cluster.contents.insert(holder, found);
            }
            Err(error) => {
                cluster.unseen.insert(holder, error.of_request());
            }
        }
    }
}

/// Reads one cluster whole.
async fn read(
    cluster: &Cluster,
    uid: String,
    mesh: &MeshFacts,
    mut asked: ClusterReads,
) -> Result<LiveCluster, Box<Failure>> {
    let failed = |error: ClusterError| Box::new(error.failure());
    let parent = inventory_ref(mesh);
    asked.objects.remove(&parent);
    let unlisted = asked.objects.iter().filter(|object| !asked.lists.contains(&object.group_kind()));
    let unlisted: BTreeSet<ObjectRef> = unlisted.cloned().collect();
    let (inventory, listed, found) = tokio::join!(
        cluster.get(&parent),
        lists(cluster, mesh, asked.lists.clone()),
        named(cluster, unlisted.iter().cloned().collect()),
    );
    let (mut objects, mut absent) = listed.map_err(failed)?;
    objects.extend(found.map_err(failed)?);
    let inventory = match inventory.map_err(failed)? {
        Some(object) => Some(
            Inventory::from_object(&object, cluster.name())
                .map_err(|fault| Box::new(fault.failure(cluster.name(), &parent)))?,
        ),
        None => None,
    };
    let ClusterReads { lists: kinds, objects: mut wanted } = asked;
    if let Some(inventory) = &inventory {
        let mut more = ClusterReads::default();
        more.add_inventory(inventory);
        let unseen = more.lists.difference(&kinds).cloned().collect();
        let (ours, unknown) = lists(cluster, mesh, unseen).await.map_err(failed)?;
        objects.extend(ours);
        absent.extend(unknown);
        wanted.extend(more.objects);
    }
    wanted.retain(|object| {
        *object != parent
            && !unlisted.contains(object)
            && !objects.contains_key(object)
            && !absent.contains(&object.group_kind())
    });
    let (namespaces, others): (Vec<ObjectRef>, Vec<ObjectRef>) =
        wanted.into_iter().partition(|object| object.group.is_empty() && object.kind == "Namespace");
    objects.extend(named(cluster, namespaces.clone()).await.map_err(failed)?);
    // What would lie in a namespace that is not there is not there either.
    let missing: BTreeSet<String> = namespaces
        .into_iter()
        .filter(|namespace| !objects.contains_key(namespace))
        .map(|namespace| namespace.name)
        .collect();
    let others: Vec<ObjectRef> = others
        .into_iter()
        .filter(|object| object.namespace.as_ref().is_none_or(|namespace| !missing.contains(namespace)))
        .collect();
    objects.extend(named(cluster, others).await.map_err(failed)?);
    Ok(LiveCluster {
        uid,
        server: cluster.server().to_owned(),
        inventory,
        objects,
        contents: BTreeMap::new(),
        unseen: BTreeMap::new(),
    })
}

/// Our objects of each kind, and the kinds that the cluster does not know yet.
async fn lists(
    cluster: &Cluster,
    mesh: &MeshFacts,
    kinds: BTreeSet<GroupKind>,
) -> Result<(BTreeMap<ObjectRef, Object>, BTreeSet<GroupKind>), ClusterError> {
    let selection = Selection::labelled(PART_OF, &applyset_id(mesh));
    let reads: Vec<_> = kinds
        .into_iter()
        .map(|kind| {
            let (cluster, selection) = (cluster.clone(), selection.clone());
            async move {
                let listing = cluster.list(&kind, &selection).await;
                (kind, listing)
            }
        })
        .collect();
    let mut objects = BTreeMap::new();
    let mut absent = BTreeSet::new();
    for (kind, listing) in together(SIDE_BY_SIDE, reads).await {
        match listing {
            Ok(listing) => {
                objects.extend(listing.objects.into_iter().map(|object| (object.reference(), object)));
            }
            // Its definition is not there yet, so nothing of it is.
            Err(ClusterError { fault: Fault::KindUnknown(_), .. }) => {
                absent.insert(kind);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((objects, absent))
}

/// Those of the objects that are there.
async fn named(
    cluster: &Cluster,
    objects: Vec<ObjectRef>,
) -> Result<BTreeMap<ObjectRef, Object>, ClusterError> {
    let reads: Vec<_> = objects
        .into_iter()
        .map(|object| {
            let cluster = cluster.clone();
            async move {
                let found = cluster.find(&object).await;
                (object, found)
            }
        })
        .collect();
    let mut found = BTreeMap::new();
    for (reference, read) in together(SIDE_BY_SIDE, reads).await {
        if let Some(object) = read? {
            found.insert(reference, object);
        }
    }
    Ok(found)
}

//! Deployments: a ReplicaSet for each template, Pods for each replica.
//!
//! A new template gets its Pods first; the old ones go once all new ones are
//! ready (with strategy Recreate, at once). An old ReplicaSet goes with its
//! Pods: there is no history here to roll back to. Nothing scales by itself.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::controlled::time_of;
use super::daemons;
use super::events::warn;
use super::injection::admit;
use super::istiod::account_name;
use super::pods;
use super::reading::{is_leaving, is_owned_by, is_ready, items, text};
use super::status::{self, with_update_times};
use super::world::{Member, World};
use crate::object::Object;

pub(super) const MANAGER: &str = "kube-controller-manager";
const HASH: &str = "pod-template-hash";

/// Brings the Pods of all Deployments of a cluster to what their templates say.
pub(super) fn reconcile(world: &World, member: usize) {
    collect_garbage(&world.members[member]);
    for deployment in world.members[member].cluster.list("apps", "Deployment", None) {
        if !is_leaving(&deployment) {
            roll(world, member, &deployment);
        }
    }
    daemons::reconcile(world, member);
}

/// Deletes what an owner that is gone left behind. The cluster takes dependants along with their
/// owner; a round that began before the deletion may have made one more since.
fn collect_garbage(member: &Member) {
    for (owner_group, owner_kind, group, kind) in [
        ("apps", "Deployment", "apps", "ReplicaSet"),
        ("apps", "ReplicaSet", "", "Pod"),
        ("apps", "DaemonSet", "", "Pod"),
    ] {
        let owners = member.cluster.list(owner_group, owner_kind, None);
        let is_orphan = |object: &Object| {
            items(object, &["metadata", "ownerReferences"])
                .iter()
                .any(|owner| text(owner, "kind") == Some(owner_kind) && text(owner, "uid").is_some())
                && !owners.iter().any(|owner| owner.uid().is_some_and(|uid| is_owned_by(object, uid)))
        };
        let dependants = member.cluster.list(group, kind, None);
        dependants.iter().filter(|object| is_orphan(object)).for_each(|object| delete(member, object));
    }
}

/// How the Pods of a Deployment stand.
#[derive(Debug, Default)]
struct Standing {
    /// All its Pods.
    all: usize,
    /// Those of the present template.
    updated: usize,
    /// Those that are ready.
    ready: usize,
    /// Those of the present template that are ready.
    updated_ready: usize,
    /// Why a Pod could not be created.
    failure: Option<String>,
    /// What holds the first Pod up that is not ready.
    trouble: Option<String>,
}

fn roll(world: &World, member: usize, deployment: &Arc<Object>) {
    let target = &world.members[member];
    let wanted = replicas(deployment);
    let name = format!("{}-{}", deployment.name(), template_hash(deployment));
    let is_paused = deployment.get(&["spec", "paused"]).and_then(Value::as_bool) == Some(true);
    let (current, old): (Vec<_>, Vec<_>) =
        owned(target, deployment, "apps", "ReplicaSet").into_iter().partition(|set| set.name() == name);
    let recreates = deployment.text(&["spec", "strategy", "type"]) == Some("Recreate");
    if recreates && current.is_empty() && !is_paused {
        old.iter().for_each(|set| delete(target, set));
    }
    let current = match current.into_iter().next() {
        Some(set) => Some(scaled(target, set, wanted)),
        None if is_paused => None,
        None => create_set(target, deployment, &name),
    };
    let mut standing = Standing::default();
    if let Some(set) = &current {
        standing.failure = fill(world, member, set, wanted).err();
        for pod in owned(target, set, "", "Pod") {
            if let Err(trouble) = pods::run(world, member, &pod) {
                standing.trouble.get_or_insert(format!("pod {}: {}", pod.name(), trouble.summary()));
            }
        }
        count(target, set, &mut standing);
        (standing.updated, standing.updated_ready) = (standing.all, standing.ready);
    }
    let is_complete = current.is_some() && standing.updated_ready >= wanted;
    for set in &old {
        if is_complete {
            delete(target, set);
        } else {
            owned(target, set, "", "Pod").iter().for_each(|pod| drop(pods::run(world, member, pod)));
            count(target, set, &mut standing);
        }
    }
    write_status(target, deployment, &name, wanted, &standing);
}

fn replicas(object: &Object) -> usize {
    object
        .get(&["spec", "replicas"])
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(1)
}

pub(super) fn owned(member: &Member, owner: &Object, group: &str, kind: &str) -> Vec<Arc<Object>> {
    let Some(uid) = owner.uid() else { return Vec::new() };
    let objects = member.cluster.list(group, kind, owner.namespace());
    objects.into_iter().filter(|object| is_owned_by(object, uid) && !is_leaving(object)).collect()
}

pub(super) fn delete(member: &Member, object: &Object) {
    let _ = member.cluster.delete(object);
}

fn owner_reference(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true,
    })
}

fn create_set(member: &Member, deployment: &Object, name: &str) -> Option<Arc<Object>> {
    let hash = template_hash(deployment);
    let mut template = deployment.get(&["spec", "template"]).cloned().unwrap_or_default();
    add_label(&mut template, &hash);
    let mut selector = deployment.get(&["spec", "selector"]).cloned().unwrap_or_default();
    if let Value::Object(map) = &mut selector {
        let labels = map.entry("matchLabels").or_insert_with(|| json!({}));
        labels[HASH] = hash.as_str().into();
    }
    let labels = template.get("metadata").and_then(|metadata| metadata.get("labels")).cloned();
    let set = Object::from_value(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": deployment.namespace(), "labels": labels,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": replicas(deployment), "selector": selector, "template": template},
    }));
    let set = set.expect("a ReplicaSet is written whole above");
    member.cluster.create(set, MANAGER).ok()
}

fn scaled(member: &Member, set: Arc<Object>, wanted: usize) -> Arc<Object> {
    if replicas(&set) == wanted {
        return set;
    }
    let mut changed = Object::clone(&set);
    if let Some(Value::Object(spec)) = changed.as_map_mut().get_mut("spec") {
        spec.insert("replicas".to_owned(), wanted.into());
    }
    member.cluster.update(changed, MANAGER).unwrap_or(set)
}

fn add_label(template: &mut Value, hash: &str) {
    if let Value::Object(map) = template {
        let metadata = map.entry("metadata").or_insert_with(|| json!({}));
        if let Value::Object(metadata) = metadata {
            let labels = metadata.entry("labels").or_insert_with(|| json!({}));
            if let Value::Object(labels) = labels {
                labels.insert(HASH.to_owned(), hash.into());
            }
        }
    }
}

/// Creates the missing Pods of a ReplicaSet and deletes those that are too many.
fn fill(world: &World, member: usize, set: &Object, wanted: usize) -> Result<(), String> {
    let target = &world.members[member];
    let present = owned(target, set, "", "Pod");
    present.iter().skip(wanted).for_each(|pod| delete(target, pod));
    let names = (0..)
        .map(|ordinal: u32| pod_name(set, ordinal))
        .filter(|name| present.iter().all(|pod| pod.name() != name));
    for name in names.take(wanted.saturating_sub(present.len())) {
        if let Err(reason) = create_pod(world, member, set, &name, None) {
            warn(target, set, "replicaset-controller", "FailedCreate", &format!("Error creating: {reason}"));
            return Err(reason);
        }
    }
    Ok(())
}

/// Makes a Pod of the template of its owner, with a name and a label of its own.
pub(super) fn create_pod(
    world: &World,
    member: usize,
    set: &Object,
    name: &str,
    label: Option<(&str, &str)>,
) -> Result<(), String> {
    let cluster = &world.members[member].cluster;
    let metadata = set.get(&["spec", "template", "metadata"]);
    let part =
        |key: &str| metadata.and_then(|metadata| metadata.get(key)).cloned().unwrap_or_else(|| json!({}));
    let mut labels = part("labels");
    if let Some((key, value)) = label {
        labels[key] = value.into();
    }
    let pod = Object::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "generateName": format!("{}-", set.name()), "namespace": set.namespace(),
            "labels": labels, "annotations": part("annotations"),
            "ownerReferences": [owner_reference(set)],
        },
        "spec": set.get(&["spec", "template", "spec"]),
    }));
    let mut pod = pod.expect("a Pod is written whole above");
    admit(world, member, &mut pod)?;
    let account = account_name(&pod);
    let namespace = set.namespace().unwrap_or_default();
    if cluster.find("", "ServiceAccount", Some(namespace), account).is_none() {
        return Err(format!(
            "pods \"{}-\" is forbidden: error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found",
            set.name()
        ));
    }
    cluster.create(pod, MANAGER).map(drop).map_err(|error| error.to_string())
}

fn count(member: &Member, set: &Object, standing: &mut Standing) {
    let pods = owned(member, set, "", "Pod");
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    standing.all += pods.len();
    standing.ready += ready;
    let mut fields = counts(&[
        ("fullyLabeledReplicas", pods.len()),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
    ]);
    fields.insert("replicas".to_owned(), pods.len().into());
    fields.insert(
        "observedGeneration".to_owned(),
        set.get(&["metadata", "generation"]).cloned().unwrap_or(Value::Null),
    );
    status::write(member, set, fields, MANAGER);
}

/// Counts as statuses hold them: a zero is left out.
fn counts(fields: &[(&str, usize)]) -> Map<String, Value> {
    let value = |count: usize| if count == 0 { Value::Null } else { count.into() };
    fields.iter().map(|(name, count)| ((*name).to_owned(), value(*count))).collect()
}

fn write_status(member: &Member, deployment: &Object, set: &str, wanted: usize, standing: &Standing) {
    let mut conditions = vec![available(deployment, wanted, standing), progressing(set, wanted, standing)];
    if let Some(failure) = &standing.failure {
        conditions.push(
            json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure}),
        );
    }
    let live = items(deployment, &["status", "conditions"]);
    let conditions = with_update_times(live, conditions, &time_of(&*member.cluster));
    let mut fields = counts(&[
        ("replicas", standing.all),
        ("updatedReplicas", standing.updated),
        ("readyReplicas", standing.ready),
        ("availableReplicas", standing.ready),
        ("unavailableReplicas", wanted.max(standing.all).saturating_sub(standing.ready)),
    ]);
    fields.insert("conditions".to_owned(), conditions.into());
    let generation = deployment.get(&["metadata", "generation"]).cloned().unwrap_or(Value::Null);
    fields.insert("observedGeneration".to_owned(), generation);
    status::write(member, deployment, fields, MANAGER);
}

fn available(deployment: &Object, wanted: usize, standing: &Standing) -> Value {
    let may_lack = deployment.get(&["spec", "strategy", "rollingUpdate", "maxUnavailable"]);
    let may_lack = match may_lack {
        Some(Value::Number(count)) => {
            count.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
        }
        Some(Value::String(share)) => {
            share.trim_end_matches('%').parse().unwrap_or(0_usize).min(100) * wanted / 100
        }
        Some(_) | None => 0,
    };
    if standing.ready + may_lack >= wanted {
        return json!({
            "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
        });
    }
    let mut message = "Deployment does not have minimum availability.".to_owned();
    // A real one leaves the reader to look at the Pods.
    if let Some(trouble) = &standing.trouble {
        message = format!("{message} {trouble}");
    }
    json!({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": message})
}

fn progressing(set: &str, wanted: usize, standing: &Standing) -> Value {
    let is_complete = standing.updated_ready >= wanted && standing.all == standing.updated;
    let (reason, message) = match is_complete {
        true => ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed.")),
        false => ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing.")),
    };
    json!({"type": "Progressing", "status": "True", "reason": reason, "message": message})
}

/// The hash that tells templates apart, whatever the order of their keys.
pub(super) fn template_hash(deployment: &Object) -> String {
    let mut hash = Sha256::new();
    feed(&mut hash, deployment.get(&["spec", "template"]).unwrap_or(&Value::Null));
    letters(&hash.finalize(), 10)
}

fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            hash.update(b"{");
            for key in keys {
                hash.update(Value::from(key.as_str()).to_string());
                feed(hash, &map[key]);
            }
            hash.update(b"}");
        }
        Value::Array(list) => {
            hash.update(b"[");
            list.iter().for_each(|item| feed(hash, item));
            hash.update(b"]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hash.update(value.to_string());
            hash.update(b",");
        }
    }
}

pub(super) fn pod_name(set: &Object, ordinal: u32) -> String {
    let digest = Sha256::digest(format!("{}\n{ordinal}", set.uid().unwrap_or_default()));
    format!("{}-{}", set.name(), letters(&digest, 5))
}

/// The letters that Kubernetes makes names of: none that spell words.
fn letters(digest: &[u8], count: usize) -> String {
    const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    digest.iter().take(count).map(|byte| char::from(SAFE[usize::from(*byte) % SAFE.len()])).collect()
}

//! Whether istiod serves a cluster: its effects there, and the three things that they need.
//!
//! istiod patches a remote's webhook and publishes the root there only where the remote secret, the
//! annotation `topology.istio.io/controlPlaneClusters` and `EXTERNAL_ISTIOD` allow it
//! (`pilot/pkg/bootstrap/istio_ca.go` and `pilot/pkg/serviceregistry/kube/controller/multicluster.go`,
//! 1.30.3). Each of them missing looks the same from outside: nothing happens. So each is named.

use serde_json::Value;

use super::not_found;
use crate::compile::Effects;
use crate::object::{Object, ObjectRef};
use crate::plan::{Lookup, Sighting, Unmet};
use crate::topology::ClusterName;

/// Which clusters may manage a remote's namespace.
const CONTROLLERS: &str = "topology.istio.io/controlPlaneClusters";

/// The only thing by which istiod finds remote secrets.
const REMOTE_SECRET_LABEL: &str = "istio/multiCluster";

/// The cluster ID that a remote secret is for.
const SECRET_CLUSTER: &str = "networking.istio.io/cluster";

/// What a webhook configuration lacks for the API server to trust it.
pub(super) fn without_ca_bundle(
    cluster: &ClusterName,
    webhook: &ObjectRef,
    live: &impl Lookup,
) -> Option<Unmet> {
    let fact = ca_bundle_fact(cluster, webhook, live)?;
    Some(Unmet { what: format!("istiod to fill the caBundle of {webhook}"), facts: vec![fact] })
}

/// What a primary has not done in its remote yet, and what it needs to do so.
pub(super) fn without_effects(
    primary: &ClusterName,
    remote: &ClusterName,
    effects: &Effects,
    live: &impl Lookup,
) -> Option<Unmet> {
    let mut facts: Vec<String> = ca_bundle_fact(remote, &effects.webhook, live).into_iter().collect();
    facts.extend(root_fact(remote, &effects.root, live));
    if facts.is_empty() {
        return None;
    }
    facts.dedup();
    facts.push(secret_fact(primary, &effects.secret, live));
    facts.push(annotation_fact(remote, effects, live));
    facts.push(external_fact(primary, &effects.deployment, live));
    Some(Unmet { what: format!("istiod of {primary} to serve {remote}"), facts })
}

pub(super) fn ca_bundle_fact(
    cluster: &ClusterName,
    webhook: &ObjectRef,
    live: &impl Lookup,
) -> Option<String> {
    let sighting = live.object(cluster, webhook);
    let Sighting::Found(found) = sighting else { return not_found(cluster, webhook, sighting) };
    let entries = found.get(&["webhooks"]).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_filled =
        |entry: &Value| entry["clientConfig"]["caBundle"].as_str().is_some_and(|bundle| !bundle.is_empty());
    let empty = entries.iter().filter(|entry| !is_filled(entry)).count();
    match entries.len() {
        0 => Some(format!("{webhook} in {cluster} has no webhooks")),
        _ if empty == 0 => None,
        all => Some(format!("{webhook} in {cluster}: caBundle is empty in {empty} of {all} webhooks")),
    }
}

fn root_fact(cluster: &ClusterName, root: &ObjectRef, live: &impl Lookup) -> Option<String> {
    let sighting = live.object(cluster, root);
    let Sighting::Found(found) = sighting else { return not_found(cluster, root, sighting) };
    let is_empty = found.text(&["data", "root-cert.pem"]).is_none_or(str::is_empty);
    is_empty.then(|| format!("{root} in {cluster}: key root-cert.pem is missing"))
}

fn secret_fact(primary: &ClusterName, secret: &ObjectRef, live: &impl Lookup) -> String {
    let said = |what: &str| format!("{what}: remote {secret} in {primary}");
    let sighting = live.object(primary, secret);
    let Sighting::Found(found) = sighting else {
        return match sighting {
            Sighting::Unread => format!("unknown, {primary} could not be read: remote {secret}"),
            _ => said("MISSING"),
        };
    };
    if found.label(REMOTE_SECRET_LABEL) != Some("true") {
        return format!("{}, which lacks label {REMOTE_SECRET_LABEL}=true", said("MISSING"));
    }
    let keys: Vec<&str> = found
        .get(&["data"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    match found.annotation(SECRET_CLUSTER) {
        Some(id) if !keys.contains(&id) => format!("{}, which lacks key {id}", said("MISSING")),
        None if keys.is_empty() => format!("{}, which holds nothing", said("MISSING")),
        _ => said("there"),
    }
}

fn annotation_fact(remote: &ClusterName, effects: &Effects, live: &impl Lookup) -> String {
    let Effects { namespace, primary_id, .. } = effects;
    let wanted = format!("annotation {CONTROLLERS} on {namespace} in {remote}");
    let sighting = live.object(remote, namespace);
    let Sighting::Found(found) = sighting else {
        return match sighting {
            Sighting::Unread => format!("unknown, {remote} could not be read: {wanted}"),
            _ => format!("MISSING: {namespace} in {remote}"),
        };
    };
    match found.annotation(CONTROLLERS) {
        None => format!("MISSING: {wanted}, naming {primary_id} or *"),
        Some(named) if named.split(',').map(str::trim).any(|id| id == primary_id || id == "*") => {
            format!("there: {wanted}")
        }
        Some(named) => format!("MISSING: {wanted} is {named:?} and does not name {primary_id}"),
    }
}

fn external_fact(primary: &ClusterName, deployment: &ObjectRef, live: &impl Lookup) -> String {
    let wanted = format!("EXTERNAL_ISTIOD=true on {deployment} in {primary}");
    match live.object(primary, deployment) {
        Sighting::Unread => format!("unknown, {primary} could not be read: {wanted}"),
        Sighting::Found(found) if is_external(found) => format!("there: {wanted}"),
        Sighting::Found(_) | Sighting::Absent => format!("MISSING: {wanted}"),
    }
}

fn is_external(deployment: &Object) -> bool {
    let containers = deployment.get(&["spec", "template", "spec", "containers"]).and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("env")?.as_array())
        .flatten()
        .any(|variable| variable["name"] == "EXTERNAL_ISTIOD" && variable["value"] == "true")
}

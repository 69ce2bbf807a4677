//! When a unit is done, and what it then gives to others: predicates on live objects.
//!
//! A unit's condition and what was read enter; what it still lacks leaves, in words that name
//! it. The plan asks once, `apply` asks again and again while it waits: both get the same answer.

mod daemons;
mod gone;
mod installed;
mod registration;
mod workload;

pub use gone::still_there;
pub(super) use installed::to_start_anew;

use serde_json::Value as Json;

use super::{Lookup, Sighting, Unmet};
use crate::compile::{Done, Hole, Output, Value, Values};
use crate::graph::Unit;
use crate::object::{Object, ObjectRef};
use crate::topology::ClusterName;

/// What the condition of a unit looks at, and what its outputs are read from.
///
/// `objects` are the unit's own.
pub fn reads(unit: &Unit, done: &Done, objects: &[ObjectRef]) -> Vec<(ClusterName, ObjectRef)> {
    let here = |objects: &[&ObjectRef]| -> Vec<(ClusterName, ObjectRef)> {
        objects.iter().map(|object| (unit.cluster.clone(), (*object).clone())).collect()
    };
    match done {
        Done::Exists => here(&objects.iter().collect::<Vec<_>>()),
        Done::Established => here(&definitions(objects).collect::<Vec<_>>()),
        Done::RolledOut { daemon_set } => here(&[daemon_set]),
        Done::ControlPlane { deployment, webhook } => here(&[deployment, webhook]),
        Done::Gateway { deployment, address } => {
            let service = address.iter().chain(objects.iter().filter(|object| object.kind == "Service"));
            here(&std::iter::once(deployment).chain(service).collect::<Vec<_>>())
        }
        Done::Installed(awaited) => here(&installed::objects(awaited)),
        Done::Address { service } => here(&[service]),
        Done::Token { secret } => here(&[secret]),
        Done::Registered { cluster, effects: Some(effects) } => {
            let mut reads = here(&[&effects.secret, &effects.deployment]);
            let there = [&effects.webhook, &effects.root, &effects.namespace];
            reads.extend(there.map(|object| (cluster.clone(), object.clone())));
            reads
        }
        Done::Registered { effects: None, .. } => here(&objects.iter().collect::<Vec<_>>()),
    }
}

/// What has to be Established: the rest of a base is there once it was written.
fn definitions(objects: &[ObjectRef]) -> impl Iterator<Item = &ObjectRef> {
    objects.iter().filter(|object| object.kind == "CustomResourceDefinition")
}

/// What a unit's condition still lacks; none where the unit is done.
pub fn unmet(unit: &Unit, done: &Done, objects: &[ObjectRef], live: &impl Lookup) -> Option<Unmet> {
    let cluster = &unit.cluster;
    match done {
        Done::Exists => missing(cluster, objects, live),
        Done::Established => {
            let definitions: Vec<ObjectRef> = definitions(objects).cloned().collect();
            missing(cluster, &definitions, live).or_else(|| not_established(cluster, &definitions, live))
        }
        Done::RolledOut { daemon_set } => daemons::not_rolled_out(cluster, daemon_set, live),
        Done::ControlPlane { deployment, webhook } => workload::unavailable(cluster, deployment, live)
            .or_else(|| registration::without_ca_bundle(cluster, webhook, live)),
        Done::Gateway { deployment, address } => workload::unavailable(cluster, deployment, live)
            .or_else(|| address.as_ref().and_then(|service| without_address(cluster, service, live))),
        // Objects of ours beside it are written once that is so, and are there then.
        Done::Installed(awaited) => installed::lacking(cluster, awaited, live),
        Done::Address { service } => without_address(cluster, service, live),
        Done::Token { secret } => without_token(cluster, secret, live),
        Done::Registered { cluster: registered, effects: Some(effects) } => {
            registration::without_effects(cluster, registered, effects, live)
        }
        Done::Registered { effects: None, .. } => missing(cluster, objects, live),
    }
}

/// Since when Kubernetes counts a unit as failed, though it goes on trying; none where it does not.
pub fn failed_since(unit: &Unit, done: &Done, live: &impl Lookup) -> Option<String> {
    match done {
        Done::ControlPlane { deployment, .. } | Done::Gateway { deployment, .. } => {
            workload::failed_since(&unit.cluster, deployment, live)
        }
        // Whoever installs a release may still mend it. A DaemonSet has no deadline by which Kubernetes would count
        // it as failed.
        Done::Installed(_)
        | Done::Exists
        | Done::Established
        | Done::RolledOut { .. }
        | Done::Address { .. }
        | Done::Token { .. }
        | Done::Registered { .. } => None,
    }
}

/// What a unit gives to others, as far as it is there. Of several addresses the one that is `in_use` stays.
pub fn outputs(unit: &Unit, done: &Done, live: &impl Lookup, in_use: &Values) -> Values {
    let mut values = Values::default();
    let mut give = |output: Output, value: Option<String>| {
        if let Some(value) = value {
            values.insert(Hole::Observed { unit: unit.clone(), output }, value);
        }
    };
    match done {
        Done::Gateway { address: Some(service), .. } | Done::Address { service } => {
            if let Sighting::Found(service) = live.object(&unit.cluster, service) {
                let hole = Hole::Observed { unit: unit.clone(), output: Output::Address };
                let kept = match in_use.get(&hole) {
                    Some(Value::Public(address)) => addresses(service).find(|reported| reported == address),
                    Some(Value::Secret(_)) | None => None,
                };
                give(Output::Address, kept.map(str::to_owned).or_else(|| address_of(service)));
            }
        }
        Done::Token { secret } => {
            if let Sighting::Found(secret) = live.object(&unit.cluster, secret) {
                give(Output::Token, decoded(secret, "token"));
                // A kubeconfig holds the authority as the Secret does: PEM in base64.
                let ca = secret.text(&["data", "ca.crt"]).filter(|ca| !ca.is_empty());
                give(Output::Ca, ca.map(str::to_owned));
            }
        }
        Done::Exists
        | Done::Established
        | Done::RolledOut { .. }
        | Done::ControlPlane { .. }
        | Done::Gateway { address: None, .. }
        // An address that hangs on an installation by others is declared: their values are complete.
        | Done::Installed(_)
        | Done::Registered { .. } => {}
    }
    values
}

/// The address of a load balancer, or its hostname where it reports no address: the first of
/// [`addresses`] that nobody uses yet.
pub(super) fn address_of(service: &Object) -> Option<String> {
    addresses(service).next().map(str::to_owned)
}

/// All that a load balancer reports, those first that are taken first: addresses of IPv4, which remotes of
/// Istio before 1.30 need, those of IPv6, hostnames. Whether kube-proxy short-cuts one (`ipMode`) makes no
/// difference from outside.
pub(super) fn addresses(service: &Object) -> impl Iterator<Item = &str> {
    let ingress = service.get(&["status", "loadBalancer", "ingress"]).and_then(Json::as_array);
    let texts = move |name: &'static str| {
        let points = ingress.into_iter().flatten();
        points.filter_map(move |point| point.get(name)?.as_str()).filter(|text| !text.is_empty())
    };
    let is_ipv4 = |ip: &&str| ip.parse::<std::net::Ipv4Addr>().is_ok();
    let ipv6 = texts("ip").filter(move |ip| !is_ipv4(ip));
    texts("ip").filter(is_ipv4).chain(ipv6).chain(texts("hostname"))
}

/// A text of a Secret; none where it is missing, empty or no text.
pub(in crate::plan) fn decoded(secret: &Object, key: &str) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(secret.text(&["data", key])?).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Says of an object that cannot be looked at why; none where it is there.
fn not_found(cluster: &ClusterName, object: &ObjectRef, sighting: Sighting<'_>) -> Option<String> {
    match sighting {
        Sighting::Found(_) => None,
        Sighting::Absent => Some(format!("{object} does not exist in {cluster}")),
        Sighting::Unread => Some(format!("{cluster} could not be read")),
    }
}

/// The objects that are not there, or not for long: what is being deleted never comes back.
fn missing(cluster: &ClusterName, objects: &[ObjectRef], live: &impl Lookup) -> Option<Unmet> {
    let lacking = |object: &ObjectRef| match live.object(cluster, object) {
        Sighting::Found(found) if found.is_being_deleted() => {
            Some(format!("{object} of {cluster} is being deleted"))
        }
        sighting => not_found(cluster, object, sighting),
    };
    let lacking: Vec<(&ObjectRef, String)> =
        objects.iter().filter_map(|object| Some((object, lacking(object)?))).collect();
    let (first, _) = lacking.first()?;
    let what = match lacking.len() {
        1 => first.to_string(),
        more => format!("{first} and {} more", more - 1),
    };
    let mut facts: Vec<String> = lacking.into_iter().map(|(_, fact)| fact).collect();
    facts.dedup();
    Some(Unmet { what, facts })
}

/// The CustomResourceDefinitions that are not yet served.
fn not_established(cluster: &ClusterName, kinds: &[ObjectRef], live: &impl Lookup) -> Option<Unmet> {
    let facts: Vec<String> = kinds
        .iter()
        .filter_map(|kind| {
            let Sighting::Found(definition) = live.object(cluster, kind) else { return None };
            // Why it is not says `NamesAccepted`: another definition has its names.
            let refused = condition(definition, "NamesAccepted").filter(|seen| seen.status == "False");
            match condition(definition, "Established") {
                Some(Condition { status: "True", .. }) => None,
                // Only the process that accepted its names goes on to establish it, and no other takes that up
                // (pkg/controller/establish and status of apiextensions-apiserver, 1.35).
                Some(Condition { reason: "Installing", .. }) if refused.is_none() => Some(format!(
                    "{}: its names are accepted, and it is not established; an API server that ended just then \
                     leaves it so for good: where it lasts, delete it, and run the same command again",
                    kind.name
                )),
                seen => Some(match refused.or(seen) {
                    Some(seen) => format!("{}: {seen}", kind.name),
                    None => format!("{}: no condition Established", kind.name),
                }),
            }
        })
        .collect();
    let what = format!("{} of {} CustomResourceDefinitions to be Established", facts.len(), kinds.len());
    (!facts.is_empty()).then_some(Unmet { what, facts })
}

/// What a Service lacks to be reached from outside.
fn without_address(cluster: &ClusterName, service: &ObjectRef, live: &impl Lookup) -> Option<Unmet> {
    let what = format!("an address on {service}");
    let sighting = live.object(cluster, service);
    let Sighting::Found(found) = sighting else {
        return Some(Unmet { what, facts: not_found(cluster, service, sighting).into_iter().collect() });
    };
    if address_of(found).is_some() {
        return None;
    }
    let kind = found.text(&["spec", "type"]).unwrap_or("ClusterIP");
    let mut facts = vec![format!("{service} is of type {kind} and its status.loadBalancer.ingress is empty")];
    if kind != "LoadBalancer" {
        facts.push("only a Service of type LoadBalancer is given an address".to_owned());
    }
    Some(Unmet { what, facts })
}

/// What a token Secret lacks.
fn without_token(cluster: &ClusterName, secret: &ObjectRef, live: &impl Lookup) -> Option<Unmet> {
    let what = format!("a token in {secret}");
    let sighting = live.object(cluster, secret);
    let Sighting::Found(found) = sighting else {
        return Some(Unmet { what, facts: not_found(cluster, secret, sighting).into_iter().collect() });
    };
    let mut facts: Vec<String> = ["token", "ca.crt"]
        .into_iter()
        .filter(|key| decoded(found, key).is_none())
        .map(|key| format!("key {key} is missing or empty"))
        .collect();
    if facts.is_empty() {
        return None;
    }
    let account = found.annotation("kubernetes.io/service-account.name");
    facts.push(match account {
        Some(account) => format!("Kubernetes fills it once ServiceAccount {account} exists"),
        None => {
            "annotation kubernetes.io/service-account.name is missing: Kubernetes does not fill it".to_owned()
        }
    });
    Some(Unmet { what, facts })
}

/// A condition of an object's status.
struct Condition<'o> {
    kind: &'o str,
    status: &'o str,
    reason: &'o str,
    message: &'o str,
    since: &'o str,
}

impl std::fmt::Display for Condition<'_> {
    /// `Available is False: MinimumReplicasUnavailable: Deployment does not have minimum availability.`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {}", self.kind, self.status)?;
        for part in [self.reason, self.message] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        Ok(())
    }
}

impl<'o> Condition<'o> {
    /// All conditions of an object.
    fn all(object: &'o Object) -> impl Iterator<Item = Self> {
        let conditions = object.get(&["status", "conditions"]).and_then(Json::as_array);
        conditions.into_iter().flatten().map(|condition| {
            let text = |name: &str| condition.get(name).and_then(Json::as_str).unwrap_or_default();
            Self {
                kind: text("type"),
                status: text("status"),
                reason: text("reason"),
                message: text("message"),
                since: text("lastTransitionTime"),
            }
        })
    }
}

/// The condition of a type, if the object has it.
fn condition<'o>(object: &'o Object, kind: &str) -> Option<Condition<'o>> {
    Condition::all(object).find(|condition| condition.kind == kind)
}

#[cfg(test)]
mod tests;

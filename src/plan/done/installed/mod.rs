//! Whether others have installed their release as the topology asks.
//!
//! Demands and what was read enter; what is lacking leaves, a line for each: the object, what was found, what
//! is wanted, and the value of the chart that makes it so. What is wrong is waited for, since whoever installs
//! may be about to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{daemons, decoded, not_established, registration, without_address, workload};
use crate::compile::{Awaited, Demand, Look, Place};
use crate::diagnostic::{counted, listed};
use crate::document::SourceId;
use crate::document::yaml::{Limits, Schema, parse_one};
use crate::object::{Object, ObjectRef};
use crate::plan::{Lookup, Sighting, Unmet};
use crate::topology::{ClusterName, IstioVersion};
use crate::trust;

/// How many characters of a value are shown.
const SHOWN: usize = 300;

/// From how many on objects of a kind are counted and no longer named.
const MANY: usize = 4;

/// What Istio's source says instead of a version: `manifests/charts/*/Chart.yaml`, 1.24 to 1.31.
const UNRELEASED: &str = "1.0.0";

/// The label by which each object of Istio's charts says of which version its chart is
/// (`istio.labels` in manifests/charts/*/templates/zzz_profile.yaml, 1.24.6 to 1.31.0-rc.0).
const VERSION: &str = "app.kubernetes.io/version";

/// The key of the root of trust, in Secret `cacerts` and in the ConfigMap that istiod writes.
const ROOT: &str = "root-cert.pem";

/// The objects that are looked at.
pub(super) fn objects(awaited: &Awaited) -> Vec<&ObjectRef> {
    let mut objects: Vec<&ObjectRef> = Vec::new();
    for demand in &awaited.demands {
        let secret = root_of(&demand.look).map(|(secret, _)| secret);
        objects.extend([&demand.object].into_iter().chain(secret));
    }
    objects.sort();
    objects.dedup();
    objects
}

/// The Secret whose root is looked for, and what mends it.
fn root_of(look: &Look) -> Option<(&ObjectRef, &str)> {
    match look {
        Look::RootOf { secret, mend } => Some((secret, mend)),
        Look::Exists
        | Look::Established
        | Look::Available
        | Look::RolledOut
        | Look::Version(_)
        | Look::Value { .. }
        | Look::Trusted
        | Look::Path(_)
        | Look::LeadsTo(_)
        | Look::Port { .. }
        | Look::Addressed => None,
    }
}

/// What an istiod of others that runs lacks once it is given a certificate; none where none runs, and where the one
/// that does has that root already. `root` is the digest of that root; none where it is yet to be made.
pub(in crate::plan) fn to_start_anew(
    cluster: &ClusterName,
    awaited: &Awaited,
    root: Option<&str>,
    live: &impl Lookup,
) -> Option<Unmet> {
    let (object, mend) =
        awaited.demands.iter().find_map(|demand| Some((&demand.object, root_of(&demand.look)?.1)))?;
    let Sighting::Found(published) = live.object(cluster, object) else { return None };
    let has = published.text(&["data", ROOT]).map(trust::root_digest);
    (has.is_none() || has.as_deref() != root).then(|| Unmet {
        what: format!(
            "release {}, which others install, to start anew with the root of trust",
            awaited.release
        ),
        facts: vec![format!("istiod reads its root once, when it starts; after the step before: {mend}")],
    })
}

/// What is lacking; none where all is as it should be.
pub(super) fn lacking(cluster: &ClusterName, awaited: &Awaited, live: &impl Lookup) -> Option<Unmet> {
    let mut absent: Vec<&ObjectRef> = Vec::new();
    let mut facts: Vec<String> = Vec::new();
    for demand in &awaited.demands {
        match live.object(cluster, &demand.object) {
            // istiod writes the root: until it has, nothing is wrong.
            Sighting::Absent if root_of(&demand.look).is_some() => {}
            Sighting::Absent => absent.push(&demand.object),
            Sighting::Unread => facts.push(format!("{cluster} could not be read")),
            Sighting::Found(found) if found.is_being_deleted() => {
                facts.push(format!("{} is being deleted", demand.object));
            }
            Sighting::Found(found) => facts.extend(fact(cluster, demand, found, live)),
        }
    }
    absent.sort();
    absent.dedup();
    facts.dedup();
    if absent.is_empty() && facts.is_empty() {
        return None;
    }
    let release = &awaited.release;
    let is_there = |object: &&ObjectRef| matches!(live.object(cluster, object), Sighting::Found(_));
    let what = if demanded(awaited).any(|object| is_there(&object)) {
        if !absent.is_empty() {
            facts.insert(0, format!("not there: {}", named(&absent)));
        }
        format!("release {release}, which others install, to be as the topology asks")
    } else {
        format!("others to install release {release}")
    };
    facts.push(format!("its values: {} of `stolos compile --values`", awaited.values));
    Some(Unmet { what, facts })
}

/// The objects of the release itself.
fn demanded(awaited: &Awaited) -> impl Iterator<Item = &ObjectRef> {
    let own = awaited.demands.iter().filter(|demand| root_of(&demand.look).is_none());
    own.map(|demand| &demand.object)
}

/// The names of objects; those of a kind of which there are many are counted.
fn named(objects: &[&ObjectRef]) -> String {
    let mut kinds: BTreeMap<&str, Vec<&ObjectRef>> = BTreeMap::new();
    for object in objects {
        kinds.entry(&object.kind).or_default().push(object);
    }
    let words = kinds.into_iter().flat_map(|(kind, objects)| match objects.len() {
        MANY.. => vec![counted(objects.len(), kind, &format!("{kind}s"))],
        _ => objects.into_iter().map(ToString::to_string).collect(),
    });
    listed(words.collect::<Vec<_>>().iter().map(String::as_str))
}

/// What an object that is there lacks.
fn fact(cluster: &ClusterName, demand: &Demand, found: &Object, live: &impl Lookup) -> Option<String> {
    let Demand { object, look, key } = demand;
    let set = key.map(|key| format!(": value {key}")).unwrap_or_default();
    let told = |unmet: Unmet| format!("{object}: {}", unmet.facts.join("; "));
    match look {
        Look::Exists => None,
        Look::Established => {
            let unmet = not_established(cluster, std::slice::from_ref(object), live)?;
            Some(unmet.facts.join("; "))
        }
        Look::Available => workload::unavailable(cluster, object, live).map(told),
        Look::RolledOut => daemons::not_rolled_out(cluster, object, live).map(told),
        Look::Addressed => without_address(cluster, object, live).map(|unmet| unmet.facts.join("; ")),
        Look::Trusted => registration::ca_bundle_fact(cluster, object, live),
        Look::Version(version) => another_version(found, *version)
            .map(|other| format!("{object}: its chart is of {other}, wanted {version}: istio.version")),
        Look::Value { at, wanted } => {
            let there = value_at(found, at);
            let words = there.as_ref().map_or_else(|| "not set".to_owned(), shown);
            (there.as_ref() != Some(wanted))
                .then(|| format!("{object}: {} is {words}, wanted {}{set}", place_words(at), shown(wanted)))
        }
        Look::Path(path) => {
            let other = paths(found).find(|other| *other != path)?;
            Some(format!("{object}: its webhooks ask at {other:?}, wanted {path:?}{set}"))
        }
        Look::LeadsTo(address) => {
            let there: Vec<&str> = addresses(found).collect();
            (there != [address.as_str()])
                .then(|| format!("{object}: leads to {}, wanted {address}{set}", listed(there)))
        }
        Look::Port { port, node_port } => without_port(found, *port, *node_port)
            .map(|lacks| format!("{object}: {lacks}{set}")),
        Look::RootOf { secret, mend } => another_root(cluster, found, secret, live).then(|| {
            format!(
                "{object} holds another root of trust than {secret}, so istiod started before that was there: \
                 {mend}"
            )
        }),
    }
}

/// The version of an object's chart, where it says one and that is another. A distribution's own suffix is none.
fn another_version(found: &Object, wanted: IstioVersion) -> Option<&str> {
    let said = found.label(VERSION).filter(|said| *said != UNRELEASED)?;
    let rest = said.strip_prefix(&wanted.to_string());
    (!rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))).then_some(said)
}

/// A value in an object; none where there is none.
fn value_at(found: &Object, at: &Place) -> Option<Value> {
    match at {
        Place::Field(path) => found.get(path).cloned(),
        Place::Env(name) => {
            let containers = found.get(&["spec", "template", "spec", "containers"])?.as_array()?;
            let mut variables =
                containers.iter().filter_map(|container| container.get("env")?.as_array()).flatten();
            variables.find(|variable| variable["name"] == **name)?.get("value").cloned()
        }
        Place::Data(key, path) => {
            let text = found.text(&["data", key])?;
            let node = parse_one(SourceId(0), text, Schema::Go, Limits::MANIFESTS).into_result().ok()??;
            path.iter().try_fold(&node.to_json(), |value, key| value.get(key)).cloned()
        }
    }
}

/// `CLUSTER_ID`, `global.network in values`.
fn place_words(at: &Place) -> String {
    match at {
        Place::Field(path) => path.last().copied().unwrap_or_default().to_owned(),
        Place::Env(name) => (*name).to_owned(),
        Place::Data(key, path) => format!("{} in its {key}", path.join(".")),
    }
}

/// A value in a line. The networks of a large mesh are longer than anybody reads.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The paths at which the webhooks of a configuration ask a Service.
fn paths(found: &Object) -> impl Iterator<Item = &str> {
    let webhooks = found.get(&["webhooks"]).and_then(Value::as_array);
    webhooks.into_iter().flatten().map(|webhook| {
        webhook.pointer("/clientConfig/service/path").and_then(Value::as_str).unwrap_or_default()
    })
}

/// The addresses of Endpoints or of an EndpointSlice.
fn addresses(found: &Object) -> impl Iterator<Item = &str> {
    let list = |name: &str| found.get(&[name]).and_then(Value::as_array).into_iter().flatten();
    let of_slices = list("endpoints")
        .filter_map(|endpoint| endpoint.get("addresses")?.as_array())
        .flatten()
        .filter_map(Value::as_str);
    let of_endpoints = list("subsets")
        .filter_map(|subset| subset.get("addresses")?.as_array())
        .flatten()
        .filter_map(|address| address.get("ip")?.as_str());
    of_slices.chain(of_endpoints)
}

fn without_port(service: &Object, port: u16, node_port: Option<u16>) -> Option<String> {
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array);
    let Some(found) = ports.into_iter().flatten().find(|found| found["port"] == port) else {
        return Some(format!("has no port {port}"));
    };
    let wanted = node_port?;
    match found["nodePort"].as_u64() {
        Some(there) if there == u64::from(wanted) => None,
        Some(there) => Some(format!("port {port} is {there} on the nodes, wanted {wanted}")),
        None => Some(format!("port {port} is none of the nodes', wanted {wanted}")),
    }
}

/// Whether a ConfigMap holds no certificate of those that are a Secret's root.
fn another_root(cluster: &ClusterName, found: &Object, secret: &ObjectRef, live: &impl Lookup) -> bool {
    let Sighting::Found(secret) = live.object(cluster, secret) else { return false };
    let wanted = decoded(secret, ROOT);
    let there = found.text(&["data", ROOT]);
    matches!((wanted, there), (Some(wanted), Some(there)) if !trust::shares_root(there, &wanted))
}

#[cfg(test)]
mod tests;

//! Addresses that are in use: of several that a load balancer reports, the one that a remote leans on.
//!
//! The order of `status.loadBalancer.ingress` means nothing, and servers change it. So an address that
//! was once taken stays for as long as it is reported at all; only which is taken first follows an order.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Live;
use super::live::{Lookup, Sighting};
use crate::compile::{Desired, Done, Hole, Output, Values};
use crate::graph::Unit;
use crate::object::ObjectRef;

/// Of each gateway that reports several addresses, the one that live objects of others hold.
pub(super) fn addresses_in_use(desired: &Desired, live: &Live) -> Values {
    let mut in_use = Values::default();
    for (unit, service) in services(desired) {
        let Sighting::Found(found) = live.object(&unit.cluster, service) else { continue };
        let reported: Vec<&str> = super::done::addresses(found).collect();
        if reported.len() < 2 {
            continue;
        }
        let hole = Hole::Observed { unit: unit.clone(), output: Output::Address };
        let kept = reported.into_iter().find(|address| is_in_use(&hole, address, desired, live));
        if let Some(address) = kept {
            in_use.insert(hole, address);
        }
    }
    in_use
}

/// The Services by which units give an address.
fn services(desired: &Desired) -> BTreeMap<&Unit, &ObjectRef> {
    let given = desired.units.iter().filter_map(|unit| match &unit.done {
        Done::Gateway { address: Some(service), .. } | Done::Address { service } => {
            Some((&unit.unit, service))
        }
        Done::Exists
        | Done::Established
        | Done::RolledOut { .. }
        | Done::ControlPlane { .. }
        | Done::Installed(_)
        | Done::Gateway { address: None, .. }
        | Done::Token { .. }
        | Done::Registered { .. } => None,
    });
    given.collect()
}

/// Whether an object holds this address where it is to hold that of the hole.
fn is_in_use(hole: &Hole, address: &str, desired: &Desired, live: &Live) -> bool {
    let marker = hole.marker();
    let takers = desired.units.iter().filter(|unit| unit.holes().contains(hole));
    takers.filter_map(|unit| Some((unit, unit.objects(&desired.mesh, &Values::default()).ok()?))).any(
        |(unit, objects)| {
            objects.iter().any(|object| match live.object(&unit.unit.cluster, &object.reference()) {
                Sighting::Found(found) => holds(object.as_value(), found.as_value(), &marker, address),
                Sighting::Absent | Sighting::Unread => false,
            })
        },
    )
}

/// Whether a text of `live` is that of `desired` with the address in the place of the marker.
fn holds(desired: &Json, live: &Json, marker: &str, address: &str) -> bool {
    match (desired, live) {
        (Json::Object(desired), Json::Object(live)) => desired
            .iter()
            .any(|(key, desired)| live.get(key).is_some_and(|live| holds(desired, live, marker, address))),
        // Servers and people may have put the items of a list in another order.
        (Json::Array(desired), Json::Array(live)) => {
            desired.iter().any(|desired| live.iter().any(|live| holds(desired, live, marker, address)))
        }
        (Json::String(desired), Json::String(live)) => {
            desired.contains(marker) && desired.replace(marker, address) == *live
        }
        _ => false,
    }
}

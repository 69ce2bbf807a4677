//! What a cluster gives a Service: addresses and node ports.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::{default_to, inner, items, text};
use crate::sandbox::api_error::{ApiError, FieldFault, Reason};
use crate::sandbox::resource::{Provider, ResourceInfo};

/// The first address that is given out; those below are kept for names by hand.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 1, 0);
const LAST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 255, 254);

/// The range of node ports.
const NODE_PORTS: std::ops::RangeInclusive<u64> = 30000..=32767;

/// The addresses and node ports in use.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Taken {
    addresses: BTreeSet<String>,
    ports: BTreeSet<u64>,
}

impl Taken {
    /// What these Services use.
    pub(in crate::sandbox) fn by<'s>(services: impl Iterator<Item = &'s Map<String, Value>>) -> Self {
        let mut taken = Self::default();
        for spec in services.filter_map(|service| service.get("spec")?.as_object()) {
            taken.addresses.insert(text(spec, "clusterIP").to_owned());
            taken.ports.extend(node_ports(spec));
        }
        taken
    }
}

fn node_ports(spec: &Map<String, Value>) -> impl Iterator<Item = u64> + '_ {
    let ports = spec.get("ports").and_then(Value::as_array).into_iter().flatten();
    let of_ports = ports.filter_map(|port| port.get("nodePort")?.as_u64());
    of_ports.chain(spec.get("healthCheckNodePort").and_then(Value::as_u64)).filter(|port| *port != 0)
}

fn is_service(resource: &ResourceInfo) -> bool {
    resource.provider == Provider::BuiltIn && resource.kind == "Service"
}

/// What a client may leave out of a replaced Service stays as it was.
pub(in crate::sandbox) fn carry_over(
    resource: &ResourceInfo,
    live: &Map<String, Value>,
    new: &mut Map<String, Value>,
) {
    if resource.provider == Provider::BuiltIn && resource.kind == "Namespace" {
        // The finalizer of a namespace is not its writer's to drop.
        if let Some(spec) = live.get("spec") {
            new.insert("spec".into(), spec.clone());
        }
    }
    if !is_service(resource) {
        return;
    }
    let (Some(live), Some(spec)) = (live.get("spec").and_then(Value::as_object), inner(new, "spec")) else {
        return;
    };
    if text(spec, "type") == "ExternalName" {
        return;
    }
    // An address that is blanked is one that is not spoken of.
    if spec.get("clusterIP") == Some(&json!("")) {
        spec.remove("clusterIP");
    }
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"] {
        if let Some(value) = live.get(key) {
            default_to(spec, key, value.clone());
        }
    }
    keep_node_ports(live, spec);
}

fn keep_node_ports(live: &Map<String, Value>, spec: &mut Map<String, Value>) {
    if !matches!(text(spec, "type"), "NodePort" | "LoadBalancer") {
        return;
    }
    let before = live.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
    for port in items(spec, "ports") {
        let same = before
            .iter()
            .find(|b| b.get("port") == port.get("port") && b.get("protocol") == port.get("protocol"));
        if let Some(number) = same.and_then(|before| before.get("nodePort")) {
            default_to(port, "nodePort", number.clone());
        }
    }
}

/// Gives a Service its addresses and ports.
pub(in crate::sandbox) fn allocate(
    resource: &ResourceInfo,
    object: &mut Map<String, Value>,
    live: Option<&Map<String, Value>>,
    taken: &Taken,
) -> Result<(), ApiError> {
    if !is_service(resource) {
        return Ok(());
    }
    let name = object
        .get("metadata")
        .and_then(|m| m.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let Some(spec) = inner(object, "spec") else { return Ok(()) };
    let live_spec = live.and_then(|live| live.get("spec")).and_then(Value::as_object);
    if let Some(live) = live_spec {
        drop_fields_of_old_type(live, spec);
    }
    if text(spec, "type") == "ExternalName" {
        for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            spec.remove(key);
        }
        items(spec, "ports").for_each(|port| drop(port.remove("nodePort")));
        return Ok(());
    }
    give_address(resource, &name, spec, live_spec, taken)?;
    give_node_ports(resource, &name, spec, live_spec, taken)
}

/// What was a default of another type goes with that type.
fn drop_fields_of_old_type(live: &Map<String, Value>, spec: &mut Map<String, Value>) {
    let kind = text(spec, "type").to_owned();
    if text(live, "type") == kind {
        return;
    }
    let needs = |key: &str| match key {
        "allocateLoadBalancerNodePorts" => kind == "LoadBalancer",
        "externalTrafficPolicy" => matches!(kind.as_str(), "NodePort" | "LoadBalancer"),
        _ => kind != "ExternalName",
    };
    for key in ["allocateLoadBalancerNodePorts", "externalTrafficPolicy", "internalTrafficPolicy"] {
        if !needs(key) && live.get(key) == spec.get(key) {
            spec.remove(key);
        }
    }
}

fn give_address(
    resource: &ResourceInfo,
    name: &str,
    spec: &mut Map<String, Value>,
    live: Option<&Map<String, Value>>,
    taken: &Taken,
) -> Result<(), ApiError> {
    let wanted = match text(spec, "clusterIP") {
        "" => spec.get("clusterIPs").and_then(|list| list.get(0)).and_then(Value::as_str).unwrap_or_default(),
        address => address,
    }
    .to_owned();
    let address = if wanted.is_empty() {
        let range = u32::from(FIRST_ADDRESS)..=u32::from(LAST_ADDRESS);
        let mut free = range.map(|bits| Ipv4Addr::from(bits).to_string());
        free.find(|address| !taken.addresses.contains(address))
            .ok_or_else(|| ApiError::new(Reason::InternalError, "no service address is free"))?
    } else {
        let is_ours = wanted.parse().is_ok_and(|address: Ipv4Addr| address.octets()[..2] == [10, 96]);
        if wanted.parse::<Ipv4Addr>().is_ok() && !is_ours {
            let why = "the provided network does not match the current range";
            let detail = format!("failed to allocate IP {wanted}: {why}");
            let fault = FieldFault::invalid("spec.clusterIPs", json!([wanted]), detail);
            return Err(ApiError::invalid(resource, name, &[fault]));
        }
        let is_kept = live.is_some_and(|live| text(live, "clusterIP") == wanted);
        if wanted != "None" && !is_kept && taken.addresses.contains(&wanted) {
            let detail = format!("failed to allocate IP {wanted}: provided IP is already allocated");
            let fault = FieldFault::invalid("spec.clusterIPs", json!([wanted]), detail);
            return Err(ApiError::invalid(resource, name, &[fault]));
        }
        wanted
    };
    if address == "None" && spec.get("selector").is_none() {
        // Whatever its endpoints are.
        default_to(spec, "ipFamilies", json!(["IPv4", "IPv6"]));
        default_to(spec, "ipFamilyPolicy", json!("RequireDualStack"));
    }
    let family = if address.contains(':') { "IPv6" } else { "IPv4" };
    default_to(spec, "clusterIPs", json!([address]));
    spec.insert("clusterIP".into(), address.into());
    default_to(spec, "ipFamilies", json!([family]));
    default_to(spec, "ipFamilyPolicy", json!("SingleStack"));
    Ok(())
}

fn give_node_ports(
    resource: &ResourceInfo,
    name: &str,
    spec: &mut Map<String, Value>,
    live: Option<&Map<String, Value>>,
    taken: &Taken,
) -> Result<(), ApiError> {
    let kind = text(spec, "type").to_owned();
    let own: BTreeSet<u64> = live.into_iter().flat_map(node_ports).collect();
    let mut used: BTreeSet<u64> = taken.ports.difference(&own).copied().collect();
    let declined = spec.get("allocateLoadBalancerNodePorts") == Some(&Value::Bool(false));
    let wants_ports = kind == "NodePort" || (kind == "LoadBalancer" && !declined);
    for (position, port) in items(spec, "ports").enumerate() {
        let field = format!("spec.ports[{position}].nodePort");
        match port.get("nodePort").and_then(Value::as_u64).filter(|number| *number != 0) {
            Some(number) if kind == "ClusterIP" => {
                // A port that was given earlier goes with the type; one that is asked for is a fault.
                if !own.contains(&number) {
                    let detail = "may not be used when `type` is 'ClusterIP'";
                    return Err(ApiError::invalid(resource, name, &[FieldFault::forbidden(field, detail)]));
                }
                port.remove("nodePort");
            }
            Some(number) => {
                let detail = if !NODE_PORTS.contains(&number) {
                    "provided port is not in the valid range. The range of valid ports is 30000-32767"
                } else if !used.insert(number) {
                    "provided port is already allocated"
                } else {
                    continue;
                };
                return Err(ApiError::invalid(
                    resource,
                    name,
                    &[FieldFault::invalid(field, number.into(), detail)],
                ));
            }
            None if wants_ports => {
                let before = live.and_then(|live| live.get("ports")).and_then(Value::as_array);
                let same = before
                    .into_iter()
                    .flatten()
                    .find(|b| b.get("port") == port.get("port") && b.get("protocol") == port.get("protocol"));
                let kept = same
                    .and_then(|port| port.get("nodePort")?.as_u64())
                    .filter(|number| !used.contains(number));
                let number = kept
                    .or_else(|| {
                        NODE_PORTS.clone().find(|number| !used.contains(number) && !own.contains(number))
                    })
                    .ok_or_else(|| ApiError::new(Reason::InternalError, "no node port is free"))?;
                used.insert(number);
                port.insert("nodePort".into(), number.into());
            }
            None => {}
        }
    }
    if kind == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local" {
        let free = NODE_PORTS.clone().rev().find(|number| !used.contains(number));
        if let Some(number) = free {
            default_to(spec, "healthCheckNodePort", number.into());
        }
    } else {
        spec.remove("healthCheckNodePort");
    }
    Ok(())
}

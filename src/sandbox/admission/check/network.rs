//! Services and what they lead to.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{listed, names};
use crate::object::Object;
use crate::sandbox::admission::text;
use crate::sandbox::api_error::FieldFault;

const SERVICE_TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];

/// `spec` of a Service.
pub(super) fn check_service(object: &Object, faults: &mut Vec<FieldFault>) {
    let empty = Map::new();
    let spec = object.get(&["spec"]).and_then(Value::as_object).unwrap_or(&empty);
    let kind = text(spec, "type");
    if !SERVICE_TYPES.contains(&kind) {
        faults.push(FieldFault::not_supported("spec.type", kind.into(), SERVICE_TYPES));
    }
    let affinity = text(spec, "sessionAffinity");
    if !matches!(affinity, "ClientIP" | "None") {
        let allowed = ["ClientIP", "None"];
        faults.push(FieldFault::not_supported("spec.sessionAffinity", affinity.into(), &allowed));
    }
    if kind == "ExternalName" {
        let name = text(spec, "externalName");
        if name.is_empty() {
            faults.push(FieldFault::required("spec.externalName", ""));
        } else if let Some(detail) = names::subdomain_fault(name.trim_end_matches('.')) {
            faults.push(FieldFault::invalid("spec.externalName", name.into(), detail));
        }
    }
    let ports: Vec<_> = listed(spec, "ports", "spec").collect();
    if ports.is_empty() && kind != "ExternalName" && text(spec, "clusterIP") != "None" {
        faults.push(FieldFault::required("spec.ports", ""));
    }
    let mut seen: Vec<(&Value, &str)> = Vec::new();
    let mut seen_names: Vec<&str> = Vec::new();
    for (field, port) in &ports {
        let name = text(port, "name");
        if name.is_empty() && ports.len() > 1 {
            faults.push(FieldFault::required(format!("{field}.name"), ""));
        } else if !name.is_empty() {
            if let Some(detail) = names::label_fault(name) {
                faults.push(FieldFault::invalid(format!("{field}.name"), name.into(), detail));
            }
            if seen_names.contains(&name) {
                faults.push(FieldFault::duplicate(format!("{field}.name"), name.into()));
            }
            seen_names.push(name);
        }
        check_port_number(&format!("{field}.port"), port.get("port"), faults);
        let protocol = text(port, "protocol");
        if !PROTOCOLS.contains(&protocol) {
            faults.push(FieldFault::not_supported(format!("{field}.protocol"), protocol.into(), PROTOCOLS));
        }
        if let Some(target @ Value::Number(_)) = port.get("targetPort") {
            check_port_number(&format!("{field}.targetPort"), Some(target), faults);
        }
        let key = (port.get("port").unwrap_or(&Value::Null), protocol);
        if seen.contains(&key) {
            faults.push(FieldFault::duplicate(field.clone(), json!({"port": key.0, "protocol": protocol})));
        }
        seen.push(key);
    }
    for (at, range) in
        spec.get("loadBalancerSourceRanges").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let is_network = range.as_str().is_some_and(|text| text.trim().parse::<ipnet::IpNet>().is_ok());
        if !is_network {
            let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            faults.push(FieldFault::invalid(
                format!("spec.LoadBalancerSourceRanges[{at}]"),
                range.clone(),
                detail,
            ));
        }
    }
    let address = text(spec, "clusterIP");
    if !matches!(address, "" | "None") && address.parse::<IpAddr>().is_err() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        faults.push(FieldFault::invalid("spec.clusterIPs[0]", address.into(), detail));
    }
}

/// A Service keeps its address as long as it has one.
pub(super) fn check_kept_address(live: &Object, new: &Object, faults: &mut Vec<FieldFault>) {
    let is_external = |object: &Object| object.text(&["spec", "type"]) == Some("ExternalName");
    if is_external(live) || is_external(new) {
        return;
    }
    let path = ["spec", "clusterIP"];
    if live.text(&path).is_some_and(|address| !address.is_empty()) && live.get(&path) != new.get(&path) {
        let value = new.get(&path).cloned().map(|address| Value::Array(vec![address])).unwrap_or_default();
        faults.push(FieldFault::invalid("spec.clusterIPs[0]", value, "may not change once set"));
    }
}

fn check_port_number(field: &str, value: Option<&Value>, faults: &mut Vec<FieldFault>) {
    let is_port = value.and_then(Value::as_i64).is_some_and(|number| (1..=65535).contains(&number));
    if !is_port {
        let value = value.cloned().unwrap_or_else(|| 0.into());
        faults.push(FieldFault::invalid(field, value, "must be between 1 and 65535, inclusive"));
    }
}

/// `subsets` of Endpoints.
pub(super) fn check_endpoints(object: &Object, faults: &mut Vec<FieldFault>) {
    for (field, subset) in listed(object.as_map(), "subsets", "") {
        let addresses =
            listed(subset, "addresses", &field).chain(listed(subset, "notReadyAddresses", &field));
        for (field, address) in addresses {
            check_endpoint_address(&format!("{field}.ip"), text(address, "ip"), faults);
        }
        for (field, port) in listed(subset, "ports", &field) {
            check_port_number(&format!("{field}.port"), port.get("port"), faults);
        }
    }
}

/// An EndpointSlice.
pub(super) fn check_endpoint_slice(object: &Object, faults: &mut Vec<FieldFault>) {
    let kind = object.text(&["addressType"]).unwrap_or_default();
    if kind.is_empty() {
        faults.push(FieldFault::required("addressType", ""));
    } else if !ADDRESS_TYPES.contains(&kind) {
        faults.push(FieldFault::not_supported("addressType", kind.into(), ADDRESS_TYPES));
    }
    for (field, endpoint) in listed(object.as_map(), "endpoints", "") {
        let addresses = endpoint.get("addresses").and_then(Value::as_array);
        if addresses.is_none_or(Vec::is_empty) {
            faults
                .push(FieldFault::required(format!("{field}.addresses"), "must contain at least 1 address"));
        }
        for (at, address) in addresses.into_iter().flatten().enumerate() {
            let field = format!("{field}.addresses[{at}]");
            let address = address.as_str().unwrap_or_default();
            let parsed = address.parse::<IpAddr>();
            match (kind, parsed) {
                ("IPv4", Ok(IpAddr::V4(_))) | ("IPv6", Ok(IpAddr::V6(_))) => {
                    check_endpoint_address(&field, address, faults);
                }
                ("IPv4", _) => {
                    faults.push(FieldFault::invalid(field, address.into(), "must be an IPv4 address"))
                }
                ("IPv6", _) => {
                    faults.push(FieldFault::invalid(field, address.into(), "must be an IPv6 address"))
                }
                ("FQDN", _) => {
                    if let Some(detail) = names::subdomain_fault(address) {
                        faults.push(FieldFault::invalid(field, address.into(), detail));
                    }
                }
                _ => {}
            }
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for (field, port) in listed(object.as_map(), "ports", "") {
        let name = text(port, "name");
        if seen.contains(&name) {
            faults.push(FieldFault::duplicate(format!("{field}.name"), name.into()));
        }
        seen.push(name);
        if !name.is_empty()
            && let Some(detail) = names::label_fault(name)
        {
            faults.push(FieldFault::invalid(format!("{field}.name"), name.into(), detail));
        }
    }
}

/// `ValidateEndpointIP`: addresses that mean something else on every host.
fn check_endpoint_address(field: &str, text: &str, faults: &mut Vec<FieldFault>) {
    let detail = match text.parse::<IpAddr>() {
        Err(_) => "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        Ok(address) if address.is_unspecified() => "may not be unspecified (0.0.0.0 or ::)",
        Ok(address) if address.is_loopback() => "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        Ok(address) if is_link_local(address) => {
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        }
        Ok(address) if is_link_local_multicast(address) => {
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        }
        Ok(_) => return,
    };
    faults.push(FieldFault::invalid(field, text.into(), detail));
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

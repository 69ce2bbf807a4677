//! Tables, as `kubectl get` asks for them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::object::Object;
use crate::sandbox::clock::Clock;
use crate::sandbox::resource::ResourceInfo;

/// Whether a client would rather have a table.
pub(super) fn is_wanted(accept: &str) -> bool {
    accept.split(',').next().is_some_and(|first| first.contains("as=Table"))
}

/// A column between the name and the age: its title, and the text of an object.
type Column = (&'static str, fn(&Object) -> String);

fn columns(kind: &str) -> &'static [Column] {
    match kind {
        "Namespace" => &[("Status", |o| text(o, &["status", "phase"]))],
        "Secret" => &[("Type", |o| text(o, &["type"])), ("Data", |o| count(o, &["data"]))],
        "ConfigMap" => &[("Data", |o| count(o, &["data"]))],
        "Service" => &[
            ("Type", |o| text(o, &["spec", "type"])),
            ("Cluster-IP", |o| text(o, &["spec", "clusterIP"])),
            ("External-IP", external_addresses),
            ("Port(s)", ports),
        ],
        "Deployment" => &[
            ("Ready", |o| {
                format!("{}/{}", number(o, &["status", "readyReplicas"]), number(o, &["spec", "replicas"]))
            }),
            ("Up-to-date", |o| number(o, &["status", "updatedReplicas"])),
            ("Available", |o| number(o, &["status", "availableReplicas"])),
        ],
        "Pod" => &[("Status", |o| text(o, &["status", "phase"]))],
        "CustomResourceDefinition" => &[("Scope", |o| text(o, &["spec", "scope"]))],
        "Lease" => &[("Holder", |o| o.text(&["spec", "holderIdentity"]).unwrap_or_default().to_owned())],
        "EndpointSlice" => &[("AddressType", |o| text(o, &["addressType"]))],
        _ => &[],
    }
}

/// The table of some objects.
pub(super) fn of(
    resource: &ResourceInfo,
    objects: &[Arc<Object>],
    metadata: &Value,
    clock: &Arc<dyn Clock>,
) -> Value {
    let columns = columns(&resource.kind);
    let definition = |name: &str, format: &str| json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0});
    let mut definitions = vec![definition("Name", "name")];
    definitions.extend(columns.iter().map(|(title, _)| definition(title, "")));
    definitions.push(definition("Age", ""));
    let now = clock.now();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut cells = vec![object.name().to_owned()];
            cells.extend(columns.iter().map(|(_, cell)| cell(object)));
            cells.push(age(object, now));
            json!({"cells": cells, "object": {
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.as_map().get("metadata"),
            }})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn text(object: &Object, path: &[&str]) -> String {
    object.text(path).unwrap_or("<none>").to_owned()
}

fn number(object: &Object, path: &[&str]) -> String {
    object.get(path).and_then(Value::as_i64).unwrap_or_default().to_string()
}

fn count(object: &Object, path: &[&str]) -> String {
    object.get(path).and_then(Value::as_object).map_or(0, serde_json::Map::len).to_string()
}

fn external_addresses(service: &Object) -> String {
    if service.text(&["spec", "type"]) == Some("ExternalName") {
        return text(service, &["spec", "externalName"]);
    }
    let ingress = service.get(&["status", "loadBalancer", "ingress"]).and_then(Value::as_array);
    let addresses = ingress.into_iter().flatten();
    let addresses: Vec<&str> =
        addresses.filter_map(|entry| entry.get("ip").or_else(|| entry.get("hostname"))?.as_str()).collect();
    match (addresses.is_empty(), service.text(&["spec", "type"])) {
        (false, _) => addresses.join(","),
        (true, Some("LoadBalancer")) => "<pending>".to_owned(),
        (true, _) => "<none>".to_owned(),
    }
}

fn ports(service: &Object) -> String {
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let words: Vec<String> = ports
        .map(|port| {
            let part = |key: &str| port.get(key).map(Value::to_string).unwrap_or_default();
            let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
            match port.get("nodePort") {
                Some(node) => format!("{}:{node}/{protocol}", part("port")),
                None => format!("{}/{protocol}", part("port")),
            }
        })
        .collect();
    if words.is_empty() { "<none>".to_owned() } else { words.join(",") }
}

/// `5s`, `12m`, `3h`, `2d`.
fn age(object: &Object, now: Timestamp) -> String {
    let made =
        object.text(&["metadata", "creationTimestamp"]).and_then(|text| text.parse::<Timestamp>().ok());
    let Some(made) = made else { return "<unknown>".to_owned() };
    let seconds = now.duration_since(made).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

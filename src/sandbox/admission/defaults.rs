//! Which defaults a kind has.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::{default_to, inner, items, pods, text, workloads};
use crate::sandbox::resource::{Provider, ResourceInfo};

/// Fills in what a server fills in when it decodes an object.
pub(in crate::sandbox) fn set_defaults(resource: &ResourceInfo, object: &mut Map<String, Value>) {
    drop_empty_metadata(object);
    if resource.provider == Provider::Custom {
        return;
    }
    drop_nulls(object);
    if resource.kind != "CustomResourceDefinition" {
        drop_empties(object);
    }
    match resource.kind.as_str() {
        "Namespace" => namespace(object),
        "Secret" => secret(object),
        "Service" => {
            if let Some(spec) = inner(object, "spec") {
                spec.retain(|key, value| key != "selector" || value != &json!({}));
                service(spec);
            }
        }
        "Endpoints" => {
            for subset in items(object, "subsets") {
                items(subset, "ports").for_each(|port| default_to(port, "protocol", json!("TCP")));
            }
        }
        "EndpointSlice" => endpoint_slice(object),
        "Pod" => {
            if let Some(spec) = inner(object, "spec") {
                pods::set_pod_defaults(spec);
                default_to(spec, "enableServiceLinks", json!(true));
                default_to(spec, "serviceAccountName", json!("default"));
                pods::mirror_service_account(spec);
            }
        }
        "Deployment" => workloads::deployment(object),
        "ReplicaSet" => workloads::replica_set(object),
        "DaemonSet" => workloads::daemon_set(object),
        "HorizontalPodAutoscaler" => workloads::autoscaler(object),
        "RoleBinding" | "ClusterRoleBinding" => binding(object),
        "MutatingWebhookConfiguration" => webhooks(object, Some("Never")),
        "ValidatingWebhookConfiguration" => webhooks(object, None),
        "ValidatingAdmissionPolicy" => admission_policy(object),
        "CustomResourceDefinition" => definition(object),
        "NetworkPolicy" => network_policy(object),
        "Role" | "ClusterRole" if object.get("rules").is_none_or(|rules| rules == &json!([])) => {
            object.insert("rules".into(), Value::Null);
        }
        _ => {}
    }
}

/// Lists that Go encodes although they are empty, being without `omitempty`.
const KEPT_LISTS: &[&str] = &[
    "addresses",
    "admissionReviewVersions",
    "containers",
    "endpoints",
    "managedFields",
    "nodeSelectorTerms",
    "ports",
    "rules",
    "sources",
    "verbs",
];

/// Maps of texts, which Go leaves out when they are empty; other maps are types and stay.
const TEXT_MAPS: &[&str] =
    &["binaryData", "data", "limits", "matchLabels", "nodeSelector", "requests", "stringData"];

/// A server keeps no empty list and no empty map of texts.
fn drop_empties(map: &mut Map<String, Value>) {
    map.retain(|key, value| match value {
        Value::Array(items) => !items.is_empty() || KEPT_LISTS.contains(&key.as_str()),
        Value::Object(map) => !map.is_empty() || !TEXT_MAPS.contains(&key.as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    });
    for value in map.values_mut() {
        match value {
            Value::Object(map) => drop_empties(map),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(drop_empties),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Metadata is of one type for all kinds, and leaves out what is empty.
fn drop_empty_metadata(object: &mut Map<String, Value>) {
    let Some(metadata) = inner(object, "metadata") else { return };
    metadata.retain(|key, value| {
        let is_empty = match value {
            Value::Object(map) => map.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        let may_be_empty =
            matches!(key.as_str(), "labels" | "annotations" | "finalizers" | "ownerReferences");
        !(is_empty && may_be_empty)
    });
}

/// A typed kind has no nulls.
fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        drop_nulls_in(value);
    }
}

fn drop_nulls_in(value: &mut Value) {
    match value {
        Value::Object(map) => drop_nulls(map),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn namespace(object: &mut Map<String, Value>) {
    let Some(metadata) = inner(object, "metadata") else { return };
    let name = text(metadata, "name").to_owned();
    default_to(metadata, "labels", json!({}));
    if let Some(labels) = inner(metadata, "labels") {
        default_to(labels, "kubernetes.io/metadata.name", name.into());
    }
}

/// `stringData` is for writing only.
fn secret(object: &mut Map<String, Value>) {
    default_to(object, "type", json!("Opaque"));
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    let data = object.entry("data").or_insert_with(|| json!({}));
    if let Value::Object(data) = data {
        for (key, value) in texts {
            let encoded = BASE64_STANDARD.encode(value.as_str().unwrap_or_default());
            data.insert(key, encoded.into());
        }
    }
}

fn service(spec: &mut Map<String, Value>) {
    default_to(spec, "sessionAffinity", json!("None"));
    default_to(spec, "type", json!("ClusterIP"));
    if text(spec, "sessionAffinity") == "ClientIP" {
        default_to(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10800}}));
    }
    for port in items(spec, "ports") {
        default_to(port, "protocol", json!("TCP"));
        if let Some(number) = port.get("port").cloned() {
            default_to(port, "targetPort", number);
        }
    }
    let kind = text(spec, "type").to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        default_to(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind != "ExternalName" {
        default_to(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        default_to(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
}

fn endpoint_slice(object: &mut Map<String, Value>) {
    for port in items(object, "ports") {
        default_to(port, "name", json!(""));
        default_to(port, "protocol", json!("TCP"));
    }
    items(object, "endpoints").for_each(|endpoint| default_to(endpoint, "conditions", json!({})));
}

fn binding(object: &mut Map<String, Value>) {
    if let Some(role) = inner(object, "roleRef") {
        default_to(role, "apiGroup", json!("rbac.authorization.k8s.io"));
    }
    for subject in items(object, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            default_to(subject, "apiGroup", json!("rbac.authorization.k8s.io"));
        }
    }
}

fn webhooks(object: &mut Map<String, Value>, reinvocation: Option<&str>) {
    for webhook in items(object, "webhooks") {
        default_to(webhook, "failurePolicy", json!("Fail"));
        default_to(webhook, "matchPolicy", json!("Equivalent"));
        default_to(webhook, "namespaceSelector", json!({}));
        default_to(webhook, "objectSelector", json!({}));
        default_to(webhook, "timeoutSeconds", json!(10));
        if let Some(policy) = reinvocation {
            default_to(webhook, "reinvocationPolicy", policy.into());
        }
        if let Some(service) = inner(webhook, "clientConfig").and_then(|client| inner(client, "service")) {
            default_to(service, "port", json!(443));
        }
        items(webhook, "rules").for_each(|rule| default_to(rule, "scope", json!("*")));
    }
}

fn admission_policy(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    default_to(spec, "failurePolicy", json!("Fail"));
    if let Some(constraints) = inner(spec, "matchConstraints") {
        default_to(constraints, "matchPolicy", json!("Equivalent"));
        default_to(constraints, "namespaceSelector", json!({}));
        default_to(constraints, "objectSelector", json!({}));
        items(constraints, "resourceRules").for_each(|rule| default_to(rule, "scope", json!("*")));
    }
}

fn definition(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    default_to(spec, "conversion", json!({"strategy": "None"}));
    let Some(names) = inner(spec, "names") else { return };
    let kind = text(names, "kind").to_owned();
    default_to(names, "singular", kind.to_lowercase().into());
    default_to(names, "listKind", format!("{kind}List").into());
}

fn network_policy(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    let has_egress = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    let types = if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    default_to(spec, "policyTypes", types);
    for direction in ["ingress", "egress"] {
        for rule in items(spec, direction) {
            items(rule, "ports").for_each(|port| default_to(port, "protocol", json!("TCP")));
        }
    }
}

//! What a server refuses in an object's content.

mod configuration;
mod network;
mod workload;

use serde_json::{Map, Value};

use super::{names, text};
use crate::object::Object;
use crate::sandbox::api_error::{ApiError, FieldFault};
use crate::sandbox::resource::{Provider, ResourceInfo};

/// The most bytes that the annotations of an object have.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// Refuses a new object that no server takes.
pub(in crate::sandbox) fn check_new(resource: &ResourceInfo, object: &Object) -> Result<(), ApiError> {
    let mut faults = Vec::new();
    check_metadata(resource, object, &mut faults);
    check_content(resource, object, &mut faults)?;
    verdict(resource, object, &faults)
}

/// Refuses a change that no server makes.
pub(in crate::sandbox) fn check_changed(
    resource: &ResourceInfo,
    live: &Object,
    new: &Object,
) -> Result<(), ApiError> {
    let mut faults = Vec::new();
    check_metadata(resource, new, &mut faults);
    if resource.provider == Provider::BuiltIn {
        check_immutable(resource, live, new, &mut faults);
    }
    check_content(resource, new, &mut faults)?;
    check_finalizers(live, new, &mut faults);
    verdict(resource, new, &faults)
}

fn verdict(resource: &ResourceInfo, object: &Object, faults: &[FieldFault]) -> Result<(), ApiError> {
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(resource, object.name(), faults)) }
}

fn check_metadata(resource: &ResourceInfo, object: &Object, faults: &mut Vec<FieldFault>) {
    let name = object.name();
    let fault_of = |name: &str| match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => names::label_fault(name),
        ("", "Service") => names::label_1035_fault(name),
        ("rbac.authorization.k8s.io", _) => names::path_segment_fault(name),
        _ => names::subdomain_fault(name),
    };
    if let Some(prefix) = object.text(&["metadata", "generateName"]).filter(|prefix| !prefix.is_empty())
        // What is generated may begin with a name that ends with a dash.
        && let Some(detail) = fault_of(&prefix.strip_suffix('-').map_or(prefix.to_owned(), |p| format!("{p}a")))
    {
        faults.push(FieldFault::invalid("metadata.generateName", prefix.into(), detail));
    }
    if let Some(detail) = fault_of(name) {
        faults.push(FieldFault::invalid("metadata.name", name.into(), detail));
    }
    for (_, owner) in object
        .get(&["metadata"])
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|metadata| listed(metadata, "ownerReferences", "metadata"))
    {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, key).is_empty() {
                let field = format!("metadata.ownerReferences.{key}");
                faults.push(FieldFault::invalid(field, "".into(), "must not be empty"));
            }
        }
    }
    let finalizers = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
    for (place, finalizer) in finalizers.into_iter().flatten().enumerate() {
        let finalizer = finalizer.as_str().unwrap_or_default();
        let field = format!("metadata.finalizers[{place}]");
        if let Some(detail) = names::key_fault(finalizer) {
            faults.push(FieldFault::invalid("metadata.finalizers", finalizer.into(), detail));
        } else if !finalizer.contains('/')
            && !matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion")
        {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            faults.push(FieldFault::invalid(field, finalizer.into(), detail));
        }
    }
    let map = |key: &str| object.get(&["metadata", key]).and_then(Value::as_object);
    check_labels("metadata.labels", map("labels"), faults);
    let mut size = 0;
    for (key, value) in map("annotations").into_iter().flatten() {
        if let Some(detail) = names::key_fault(key) {
            faults.push(FieldFault::invalid("metadata.annotations", key.as_str().into(), detail));
        }
        match value {
            Value::String(text) => size += key.len() + text.len(),
            other => {
                let field = format!("metadata.annotations.{key}");
                faults.push(FieldFault::invalid(field, other.clone(), "must be a string"));
            }
        }
    }
    if size > MOST_ANNOTATIONS {
        faults.push(FieldFault::too_long("metadata.annotations", MOST_ANNOTATIONS));
    }
}

fn check_labels(field: &str, labels: Option<&Map<String, Value>>, faults: &mut Vec<FieldFault>) {
    for (key, value) in labels.into_iter().flatten() {
        if let Some(detail) = names::key_fault(key) {
            faults.push(FieldFault::invalid(field, key.as_str().into(), detail));
        }
        let fault = match value {
            Value::String(text) => names::value_fault(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Some("must be a string".to_owned())
            }
        };
        if let Some(detail) = fault {
            faults.push(FieldFault::invalid(field, value.clone(), detail));
        }
    }
}

/// An object on its way out takes no new finalizers.
fn check_finalizers(live: &Object, new: &Object, faults: &mut Vec<FieldFault>) {
    if live.get(&["metadata", "deletionTimestamp"]).is_none() {
        return;
    }
    let list = |object: &Object| -> Vec<Value> {
        object.get(&["metadata", "finalizers"]).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let held = list(live);
    let added: Vec<Value> = list(new).into_iter().filter(|finalizer| !held.contains(finalizer)).collect();
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
        );
        faults.push(FieldFault::forbidden("metadata.finalizers", detail));
    }
}

/// What stays as it was made.
fn check_immutable(resource: &ResourceInfo, live: &Object, new: &Object, faults: &mut Vec<FieldFault>) {
    let mut keep = |path: &[&str], detail: &str| {
        if live.get(path) != new.get(path) {
            let value = new.get(path).map(capitalised).unwrap_or_default();
            faults.push(FieldFault::invalid(path.join("."), value, detail));
        }
    };
    match resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "DaemonSet" => keep(&["spec", "selector"], "field is immutable"),
        "RoleBinding" | "ClusterRoleBinding" => keep(&["roleRef"], "cannot change roleRef"),
        "Secret" => keep(&["type"], "field is immutable"),
        "EndpointSlice" => keep(&["addressType"], "field is immutable"),
        "CustomResourceDefinition" => {
            keep(&["spec", "group"], "field is immutable");
            keep(&["spec", "names", "plural"], "field is immutable");
            keep(&["spec", "scope"], "field is immutable");
        }
        "Service" => network::check_kept_address(live, new, faults),
        _ => {}
    }
    if matches!(resource.kind.as_str(), "ConfigMap" | "Secret")
        && live.get(&["immutable"]) == Some(&Value::Bool(true))
    {
        if new.get(&["immutable"]) != Some(&Value::Bool(true)) {
            faults.push(FieldFault::forbidden("immutable", "field is immutable when `immutable` is set"));
        }
        for field in ["data", "binaryData"] {
            if live.get(&[field]) != new.get(&[field]) {
                faults.push(FieldFault::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
}

/// A reference to a role as a server's internal type prints it.
fn capitalised(value: &Value) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let capital = |key: &String| match key.as_str() {
        "apiGroup" => "APIGroup".to_owned(),
        "kind" => "Kind".to_owned(),
        "name" => "Name".to_owned(),
        other => other.to_owned(),
    };
    Value::Object(map.iter().map(|(key, value)| (capital(key), value.clone())).collect())
}

fn check_content(
    resource: &ResourceInfo,
    object: &Object,
    faults: &mut Vec<FieldFault>,
) -> Result<(), ApiError> {
    if resource.provider == Provider::Custom {
        return Ok(());
    }
    match resource.kind.as_str() {
        "Service" => network::check_service(object, faults),
        "Endpoints" => network::check_endpoints(object, faults),
        "EndpointSlice" => network::check_endpoint_slice(object, faults),
        "Secret" => configuration::check_secret(object, faults)?,
        "ConfigMap" => configuration::check_config_map(object, faults),
        "Deployment" | "ReplicaSet" | "DaemonSet" => workload::check_workload(object, faults)?,
        "Pod" => {
            if let Some(spec) = object.get(&["spec"]).and_then(Value::as_object) {
                workload::check_pod_spec("spec", spec, faults)?;
            } else {
                faults.push(FieldFault::required("spec.containers", ""));
            }
        }
        "HorizontalPodAutoscaler" => workload::check_autoscaler(object, faults),
        "RoleBinding" | "ClusterRoleBinding" => configuration::check_binding(object, faults),
        "Lease" => configuration::check_lease(object, faults),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            configuration::check_webhooks(object, faults);
        }
        "CustomResourceDefinition" => configuration::check_definition(object, faults),
        _ => {}
    }
    Ok(())
}

/// The maps of a list at a path, with the field's name for faults.
fn listed<'o>(
    map: &'o Map<String, Value>,
    key: &str,
    prefix: &str,
) -> impl Iterator<Item = (String, &'o Map<String, Value>)> + use<'o> {
    let field = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    let items = map.get(key).and_then(Value::as_array).into_iter().flatten();
    items.enumerate().filter_map(move |(at, item)| Some((format!("{field}[{at}]"), item.as_object()?)))
}

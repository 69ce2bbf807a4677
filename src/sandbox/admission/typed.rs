//! Whether an object is of its type: no unknown fields, no wrong kinds of values.
//!
//! The types are those of `k8s-openapi`. An object is read into its type and
//! written out again; what is gone by then was unknown to the type.

use k8s_openapi::api::admissionregistration::v1 as admissionregistration;
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::autoscaling::v2 as autoscaling;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::api::networking::v1 as networking;
use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::api::rbac::v1 as rbac;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use serde_json::{Map, Value};

use crate::object::{FieldPath, PathElement};
use crate::sandbox::resource::{Provider, ResourceInfo};

/// A value of another kind than its field's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct TypeFault {
    /// `.spec.replicas`.
    pub(in crate::sandbox) field: String,
    /// `invalid type: string "three", expected i32`.
    pub(in crate::sandbox) detail: String,
}

/// The fields that an object's type does not know; custom resources know every field.
pub(in crate::sandbox) fn unknown_fields(
    resource: &ResourceInfo,
    object: &Map<String, Value>,
) -> Result<Vec<FieldPath>, TypeFault> {
    let Some(round) = round_of(resource) else { return Ok(Vec::new()) };
    if resource.kind == "Lease" {
        check_micro_times(object)?;
    }
    let whole = Value::Object(object.clone());
    match round(&whole) {
        Ok(known) => {
            let mut unknown = Vec::new();
            collect_missing(&FieldPath::default(), &whole, &known, &mut unknown);
            Ok(unknown)
        }
        Err(error) => {
            let path = culprit(&whole, round);
            Err(TypeFault { field: path.server_text(), detail: error.to_string() })
        }
    }
}

/// The times of a Lease are read with six digits of a second, no more and no fewer.
fn check_micro_times(lease: &Map<String, Value>) -> Result<(), TypeFault> {
    for key in ["acquireTime", "renewTime"] {
        let time = lease.get("spec").and_then(|spec| spec.get(key)).and_then(Value::as_str);
        let has_micros = |time: &str| {
            let fraction = time.split_once('.').map(|(_, rest)| rest);
            fraction.is_some_and(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() == 6)
        };
        if let Some(time) = time.filter(|time| !has_micros(time)) {
            let detail = format!("parsing time {time:?} as \"2006-01-02T15:04:05.000000Z07:00\"");
            return Err(TypeFault { field: format!(".spec.{key}"), detail });
        }
    }
    Ok(())
}

/// Takes fields out of an object.
pub(in crate::sandbox) fn drop_fields(object: &mut Map<String, Value>, fields: &[FieldPath]) {
    // The last first, so that positions in lists stay true.
    for path in fields.iter().rev() {
        let pointer: String = path.0.iter().map(|element| format!("/{}", pointer_part(element))).collect();
        let Some((parent, _)) = pointer.rsplit_once('/') else { continue };
        let parent = match parent.strip_prefix('/') {
            None => Some(&mut *object),
            Some(parent) => {
                let (first, rest) =
                    parent.split_once('/').map_or((parent, ""), |(first, rest)| (first, rest));
                let first = first.replace("~1", "/").replace("~0", "~");
                let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
                object
                    .get_mut(&first)
                    .and_then(|value| value.pointer_mut(&rest))
                    .and_then(Value::as_object_mut)
            }
        };
        if let (Some(parent), Some(PathElement::Field(name))) = (parent, path.0.last()) {
            parent.remove(name);
        }
    }
}

fn pointer_part(element: &PathElement) -> String {
    match element {
        PathElement::Field(name) => name.replace('~', "~0").replace('/', "~1"),
        PathElement::Index(index) => index.to_string(),
        PathElement::Key(_) | PathElement::Value(_) => String::new(),
    }
}

type Round = fn(&Value) -> Result<Value, serde_json::Error>;

fn round<T: serde::de::DeserializeOwned + serde::Serialize>(
    value: &Value,
) -> Result<Value, serde_json::Error> {
    serde_json::to_value(T::deserialize(value)?)
}

fn round_of(resource: &ResourceInfo) -> Option<Round> {
    if resource.provider == Provider::Custom {
        return None;
    }
    let round: Round = match resource.kind.as_str() {
        "Namespace" => round::<core::Namespace>,
        "ServiceAccount" => round::<core::ServiceAccount>,
        "Secret" => round::<core::Secret>,
        "ConfigMap" => round::<core::ConfigMap>,
        "Service" => round::<core::Service>,
        "Endpoints" => round::<core::Endpoints>,
        "Pod" => round::<core::Pod>,
        "Node" => round::<core::Node>,
        "Event" => round::<core::Event>,
        "Deployment" => round::<apps::Deployment>,
        "ReplicaSet" => round::<apps::ReplicaSet>,
        "DaemonSet" => round::<apps::DaemonSet>,
        "HorizontalPodAutoscaler" => round::<autoscaling::HorizontalPodAutoscaler>,
        "PodDisruptionBudget" => round::<policy::PodDisruptionBudget>,
        "Role" => round::<rbac::Role>,
        "RoleBinding" => round::<rbac::RoleBinding>,
        "ClusterRole" => round::<rbac::ClusterRole>,
        "ClusterRoleBinding" => round::<rbac::ClusterRoleBinding>,
        "MutatingWebhookConfiguration" => round::<admissionregistration::MutatingWebhookConfiguration>,
        "ValidatingWebhookConfiguration" => round::<admissionregistration::ValidatingWebhookConfiguration>,
        "ValidatingAdmissionPolicy" => round::<admissionregistration::ValidatingAdmissionPolicy>,
        "ValidatingAdmissionPolicyBinding" => {
            round::<admissionregistration::ValidatingAdmissionPolicyBinding>
        }
        "CustomResourceDefinition" => round::<apiextensions::CustomResourceDefinition>,
        "EndpointSlice" => round::<discovery::EndpointSlice>,
        "Lease" => round::<coordination::Lease>,
        "NetworkPolicy" => round::<networking::NetworkPolicy>,
        _ => return None,
    };
    Some(round)
}

fn collect_missing(path: &FieldPath, sent: &Value, known: &Value, missing: &mut Vec<FieldPath>) {
    match (sent, known) {
        (Value::Object(sent), Value::Object(known)) => {
            for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
                let here = path.then(PathElement::field(name.as_str()));
                match known.get(name) {
                    Some(known) => collect_missing(&here, value, known, missing),
                    None => missing.push(here),
                }
            }
        }
        (Value::Array(sent), Value::Array(known)) => {
            for (index, (sent, known)) in sent.iter().zip(known).enumerate() {
                collect_missing(&path.then(PathElement::Index(index)), sent, known, missing);
            }
        }
        _ => {}
    }
}

/// The smallest part without which the object would be of its type.
///
/// The errors of the types do not say where they are; this is asked only once there is one.
fn culprit(whole: &Value, round: Round) -> FieldPath {
    let mut path = FieldPath::default();
    let mut pointer = String::new();
    loop {
        let children: Vec<PathElement> = match whole.pointer(&pointer) {
            Some(Value::Object(map)) => map.keys().map(|key| PathElement::field(key.as_str())).collect(),
            Some(Value::Array(items)) => (0..items.len()).map(PathElement::Index).collect(),
            _ => return path,
        };
        let is_guilty = |child: &&PathElement| {
            let mut without = whole.clone();
            match (without.pointer_mut(&pointer), child) {
                (Some(Value::Object(map)), PathElement::Field(name)) => drop(map.remove(name)),
                (Some(Value::Array(items)), PathElement::Index(index)) => drop(items.remove(*index)),
                _ => return false,
            }
            round(&without).is_ok()
        };
        let Some(child) = children.iter().find(is_guilty) else { return path };
        pointer.push('/');
        pointer.push_str(&pointer_part(child));
        path = path.then(child.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::resource::built_in;

    fn fields(kind: &str, object: &Value) -> Result<Vec<String>, TypeFault> {
        let resource = built_in().iter().find(|resource| resource.kind == kind).expect("it is built in");
        let map = object.as_object().expect("a map");
        unknown_fields(resource, map).map(|paths| paths.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_built_in_kind_has_its_type() {
        for resource in built_in() {
            assert!(round_of(resource).is_some(), "{}", resource.kind);
        }
    }

    #[test]
    fn unknown_fields_are_found_and_dropped_where_they_are() {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"any/thing": "x"}},
            "spec": {"replica": 1, "selector": {}, "template": {"spec": {"containers": [
                {"name": "a", "image": "i", "resources": {"limits": {"cpu": 1}}}, {"name": "b", "imag": "i"},
            ]}}},
        });
        assert_eq!(
            fields("Deployment", &deployment),
            Ok(vec!["spec.replica".to_owned(), "spec.template.spec.containers[1].imag".to_owned()])
        );
        let resource =
            built_in().iter().find(|resource| resource.kind == "Deployment").expect("it is built in");
        let mut map = deployment.as_object().expect("a map").clone();
        let unknown = unknown_fields(resource, &map).expect("of its type");
        drop_fields(&mut map, &unknown);
        assert_eq!(unknown_fields(resource, &map), Ok(Vec::new()));
        assert_eq!(map["spec"]["template"]["spec"]["containers"][1], json!({"name": "b"}));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_found_where_it_is() {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"selector": {}, "template": {"spec": {"containers": [
                {"name": "a", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": true}]},
            ]}}},
        });
        assert_eq!(
            fields("Deployment", &deployment),
            Err(TypeFault {
                field: ".spec.template.spec.containers[0].env[1].value".into(),
                detail: "invalid type: boolean `true`, expected a string".into(),
            })
        );
    }
}

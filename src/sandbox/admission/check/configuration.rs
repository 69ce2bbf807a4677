//! Secrets, ConfigMaps, bindings, webhooks and definitions.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::{listed, names};
use crate::object::Object;
use crate::sandbox::admission::text;
use crate::sandbox::api_error::{ApiError, FieldFault};

/// The most bytes that the data of a Secret or a ConfigMap have.
const MOST_DATA: usize = 1024 * 1024;

/// `data` of a Secret, and what its type asks for.
pub(super) fn check_secret(object: &Object, faults: &mut Vec<FieldFault>) -> Result<(), ApiError> {
    let empty = Map::new();
    let data = object.get(&["data"]).and_then(Value::as_object).unwrap_or(&empty);
    let mut size = 0;
    for (key, value) in data {
        check_key("data", key, faults);
        let decoded = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let Some(decoded) = decoded else {
            // A server fails here before it looks at the object as a whole.
            let message = format!(
                "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data in data[{key:?}]"
            );
            return Err(ApiError::bad_request(message));
        };
        size += decoded.len();
    }
    if size > MOST_DATA {
        faults.push(FieldFault::too_long("data", MOST_DATA));
    }
    let needed: &[&str] = match object.text(&["type"]).unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/service-account-token" => {
            let annotation = "kubernetes.io/service-account.name";
            if object.annotation(annotation).is_none_or(str::is_empty) {
                faults.push(FieldFault::required(format!("metadata.annotations[{annotation}]"), ""));
            }
            &[]
        }
        _ => &[],
    };
    let missing = needed.iter().filter(|key| !data.contains_key(**key));
    faults.extend(missing.map(|key| FieldFault::required(format!("data[{key}]"), "")));
    Ok(())
}

/// `data` and `binaryData` of a ConfigMap.
pub(super) fn check_config_map(object: &Object, faults: &mut Vec<FieldFault>) {
    let map = |field: &str| object.get(&[field]).and_then(Value::as_object);
    let mut size = 0;
    for (key, value) in map("data").into_iter().flatten() {
        check_key("data", key, faults);
        match value {
            Value::String(text) => size += text.len(),
            other => {
                faults.push(FieldFault::invalid(format!("data.{key}"), other.clone(), "must be a string"))
            }
        }
        if map("binaryData").is_some_and(|binary| binary.contains_key(key)) {
            let detail = "duplicate of key present in binaryData";
            faults.push(FieldFault::invalid(format!("data[{key}]"), key.as_str().into(), detail));
        }
    }
    for (key, value) in map("binaryData").into_iter().flatten() {
        check_key("binaryData", key, faults);
        size += value.as_str().map_or(0, str::len) * 3 / 4;
    }
    if size > MOST_DATA {
        faults.push(FieldFault::too_long("", MOST_DATA));
    }
}

fn check_key(field: &str, key: &str, faults: &mut Vec<FieldFault>) {
    let is_word = !key.is_empty()
        && key.len() <= 253
        && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c))
        && key != "."
        && !key.starts_with("..");
    if !is_word {
        let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
        faults.push(FieldFault::invalid(format!("{field}[{key}]"), key.into(), detail));
    }
}

/// How long a lease lasts and how often it changed hands (`pkg/apis/coordination/validation`, 1.35).
pub(super) fn check_lease(object: &Object, faults: &mut Vec<FieldFault>) {
    let number = |key: &str| object.get(&["spec", key]).filter(|value| !value.is_null());
    if let Some(seconds) = number("leaseDurationSeconds")
        && seconds.as_i64().is_some_and(|seconds| seconds <= 0)
    {
        let field = "spec.leaseDurationSeconds";
        faults.push(FieldFault::invalid(field, seconds.clone(), "must be greater than 0"));
    }
    if let Some(count) = number("leaseTransitions")
        && count.as_i64().is_some_and(|count| count < 0)
    {
        let detail = "must be greater than or equal to 0";
        faults.push(FieldFault::invalid("spec.leaseTransitions", count.clone(), detail));
    }
}

/// `roleRef` and `subjects` of a binding.
pub(super) fn check_binding(object: &Object, faults: &mut Vec<FieldFault>) {
    let role = |key: &str| object.text(&["roleRef", key]).unwrap_or_default();
    let kinds: &[&str] =
        if object.kind() == "RoleBinding" { &["ClusterRole", "Role"] } else { &["ClusterRole"] };
    if !kinds.contains(&role("kind")) {
        faults.push(FieldFault::not_supported("roleRef.kind", role("kind").into(), kinds));
    }
    if role("name").is_empty() {
        faults.push(FieldFault::required("roleRef.name", ""));
    }
    for (field, subject) in listed(object.as_map(), "subjects", "") {
        if text(subject, "name").is_empty() {
            faults.push(FieldFault::required(format!("{field}.name"), ""));
        }
        let kinds = ["ServiceAccount", "User", "Group"];
        if !kinds.contains(&text(subject, "kind")) {
            faults.push(FieldFault::not_supported(
                format!("{field}.kind"),
                text(subject, "kind").into(),
                &kinds,
            ));
        }
        let lacks_place = text(subject, "kind") == "ServiceAccount" && text(subject, "namespace").is_empty();
        if lacks_place && object.kind() == "ClusterRoleBinding" {
            faults.push(FieldFault::required(format!("{field}.namespace"), ""));
        }
    }
}

/// `webhooks` of an admission configuration.
pub(super) fn check_webhooks(object: &Object, faults: &mut Vec<FieldFault>) {
    let mut seen: Vec<&str> = Vec::new();
    for (field, webhook) in listed(object.as_map(), "webhooks", "") {
        let name = text(webhook, "name");
        if name.split('.').count() < 3 || names::subdomain_fault(name).is_some() {
            let detail = "should be a domain with at least three segments separated by dots";
            faults.push(FieldFault::invalid(format!("{field}.name"), name.into(), detail));
        }
        if seen.contains(&name) {
            faults.push(FieldFault::duplicate(format!("{field}.name"), name.into()));
        }
        seen.push(name);
        let versions = webhook.get("admissionReviewVersions").and_then(Value::as_array);
        if versions.is_none_or(Vec::is_empty) {
            let detail = "must specify one of v1, v1beta1";
            faults.push(FieldFault::required(format!("{field}.admissionReviewVersions"), detail));
        }
        let side_effects = text(webhook, "sideEffects");
        let allowed = ["None", "NoneOnDryRun"];
        if side_effects.is_empty() {
            let detail = "must specify one of None, NoneOnDryRun";
            faults.push(FieldFault::required(format!("{field}.sideEffects"), detail));
        } else if !allowed.contains(&side_effects) {
            faults.push(FieldFault::not_supported(
                format!("{field}.sideEffects"),
                side_effects.into(),
                &allowed,
            ));
        }
        let policies = ["Fail", "Ignore"];
        if !policies.contains(&text(webhook, "failurePolicy")) {
            let policy = text(webhook, "failurePolicy").into();
            faults.push(FieldFault::not_supported(format!("{field}.failurePolicy"), policy, &policies));
        }
        let seconds = webhook.get("timeoutSeconds").and_then(Value::as_i64).unwrap_or_default();
        if !(1..=30).contains(&seconds) {
            let detail = "the timeout value must be between 1 and 30 seconds";
            faults.push(FieldFault::invalid(format!("{field}.timeoutSeconds"), seconds.into(), detail));
        }
        check_client(&format!("{field}.clientConfig"), webhook.get("clientConfig"), faults);
    }
}

fn check_client(field: &str, client: Option<&Value>, faults: &mut Vec<FieldFault>) {
    let has = |key: &str| client.and_then(|client| client.get(key)).is_some();
    let part = |path: &str| client.and_then(|c| c.pointer(path)).and_then(Value::as_str).unwrap_or_default();
    if has("url") == has("service") {
        faults.push(FieldFault::required(field, "exactly one of url or service is required"));
        return;
    }
    if has("url") && !part("/url").starts_with("https://") {
        let detail = "'https' is the only allowed URL scheme";
        faults.push(FieldFault::invalid(format!("{field}.url"), part("/url").into(), detail));
    }
    if has("service") {
        for key in ["name", "namespace"] {
            if part(&format!("/service/{key}")).is_empty() {
                faults.push(FieldFault::required(
                    format!("{field}.service.{key}"),
                    format!("service {key} is required"),
                ));
            }
        }
        let path = part("/service/path");
        if !path.is_empty() && !path.starts_with('/') {
            faults.push(FieldFault::invalid(
                format!("{field}.service.path"),
                path.into(),
                "must start with a '/'",
            ));
        }
    }
    if has("caBundle") && BASE64_STANDARD.decode(part("/caBundle")).is_err() {
        faults.push(FieldFault::invalid(format!("{field}.caBundle"), "".into(), "illegal base64 data"));
    }
}

/// `spec` of a CustomResourceDefinition.
pub(super) fn check_definition(object: &Object, faults: &mut Vec<FieldFault>) {
    let part = |path: &[&str]| object.text(path).unwrap_or_default();
    let (group, plural) = (part(&["spec", "group"]), part(&["spec", "names", "plural"]));
    for (field, value) in [
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", part(&["spec", "names", "kind"])),
    ] {
        if value.is_empty() {
            faults.push(FieldFault::required(field, ""));
        }
    }
    let scopes = ["Cluster", "Namespaced"];
    if !scopes.contains(&part(&["spec", "scope"])) {
        faults.push(FieldFault::not_supported("spec.scope", part(&["spec", "scope"]).into(), &scopes));
    }
    if object.name() != format!("{plural}.{group}") {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        faults.push(FieldFault::invalid("metadata.name", object.name().into(), detail));
    }
    let empty = Map::new();
    let spec = object.get(&["spec"]).and_then(Value::as_object).unwrap_or(&empty);
    let mut stored = 0;
    for (field, version) in listed(spec, "versions", "spec") {
        if version.get("storage") == Some(&Value::Bool(true)) {
            stored += 1;
        }
        let has_schema = version.get("schema").is_some_and(|schema| schema.get("openAPIV3Schema").is_some());
        if !has_schema {
            let field = format!("{field}.schema.openAPIV3Schema");
            faults.push(FieldFault::required(field, "schemas are required"));
        }
    }
    if stored != 1 {
        let versions = spec.get("versions").cloned().unwrap_or_default();
        let names =
            versions.as_array().into_iter().flatten().filter_map(|version| version.get("name").cloned());
        let detail = "must have exactly one version marked as storage version";
        faults.push(FieldFault::invalid("spec.versions", names.collect(), detail));
    }
}

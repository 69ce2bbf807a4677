//! Pods and what makes them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{check_labels, listed, names};
use crate::object::Object;
use crate::sandbox::admission::{quantity, text};
use crate::sandbox::api_error::{ApiError, FieldFault};

/// A Deployment, ReplicaSet or DaemonSet.
pub(super) fn check_workload(object: &Object, faults: &mut Vec<FieldFault>) -> Result<(), ApiError> {
    let selector = object.get(&["spec", "selector"]);
    let wanted = selector.and_then(|s| s.get("matchLabels")).and_then(Value::as_object);
    let expressions = selector.and_then(|s| s.get("matchExpressions")).and_then(Value::as_array);
    let is_empty = wanted.is_none_or(Map::is_empty) && expressions.is_none_or(Vec::is_empty);
    if selector.is_none() {
        faults.push(FieldFault::required("spec.selector", ""));
    } else if is_empty {
        let detail = "empty selector is invalid for deployment";
        faults.push(FieldFault::invalid("spec.selector", selector.cloned().unwrap_or_default(), detail));
    }
    check_labels("spec.selector.matchLabels", wanted, faults);
    let labels = object.get(&["spec", "template", "metadata", "labels"]).and_then(Value::as_object);
    check_labels("spec.template.metadata.labels", labels, faults);
    let is_matched = wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
    if !is_matched {
        let labels = labels.cloned().map(Value::Object).unwrap_or_default();
        let detail = "`selector` does not match template `labels`";
        faults.push(FieldFault::invalid("spec.template.metadata.labels", labels, detail));
    }
    if object.kind() == "Deployment" {
        check_strategy(object, faults);
    }
    let replicas = object.get(&["spec", "replicas"]);
    if let Some(number) = replicas.and_then(Value::as_i64)
        && number < 0
    {
        faults.push(FieldFault::invalid(
            "spec.replicas",
            number.into(),
            "must be greater than or equal to 0",
        ));
    }
    match object.get(&["spec", "template", "spec"]).and_then(Value::as_object) {
        Some(spec) => {
            let policy = text(spec, "restartPolicy");
            if policy != "Always" {
                let field = "spec.template.spec.restartPolicy";
                faults.push(FieldFault::not_supported(field, policy.into(), &["Always"]));
            }
            check_pod_spec("spec.template.spec", spec, faults)
        }
        None => {
            faults.push(FieldFault::required("spec.template.spec.containers", ""));
            Ok(())
        }
    }
}

/// How a Deployment replaces its pods.
fn check_strategy(object: &Object, faults: &mut Vec<FieldFault>) {
    let kind = object.text(&["spec", "strategy", "type"]).unwrap_or_default();
    let rolling = object.get(&["spec", "strategy", "rollingUpdate"]);
    match (kind, rolling) {
        ("Recreate", Some(_)) => faults.push(FieldFault::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        )),
        ("Recreate" | "RollingUpdate", _) => {}
        (other, _) => {
            // As a server's internal type prints it.
            let strategy = serde_json::json!({"Type": other, "RollingUpdate": rolling});
            let allowed = ["Recreate", "RollingUpdate"];
            faults.push(FieldFault::not_supported("spec.strategy", strategy, &allowed));
        }
    }
}

/// A pod's spec, in a pod or in a template.
pub(super) fn check_pod_spec(
    prefix: &str,
    spec: &Map<String, Value>,
    faults: &mut Vec<FieldFault>,
) -> Result<(), ApiError> {
    let mut volumes = BTreeSet::new();
    for (field, volume) in listed(spec, "volumes", prefix) {
        let name = text(volume, "name");
        if let Some(detail) = names::label_fault(name) {
            faults.push(FieldFault::invalid(format!("{field}.name"), name.into(), detail));
        }
        if !volumes.insert(name) {
            faults.push(FieldFault::duplicate(format!("{field}.name"), name.into()));
        }
        if volume.len() > 2 {
            faults.push(FieldFault::forbidden(field, "may not specify more than 1 volume type"));
        }
    }
    if spec.get("containers").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        faults.push(FieldFault::required(format!("{prefix}.containers"), ""));
    }
    let mut seen = BTreeSet::new();
    for (field, container) in listed(spec, "initContainers", prefix).chain(listed(spec, "containers", prefix))
    {
        let name = text(container, "name");
        match name {
            "" => faults.push(FieldFault::required(format!("{field}.name"), "")),
            _ => {
                if let Some(detail) = names::label_fault(name) {
                    faults.push(FieldFault::invalid(format!("{field}.name"), name.into(), detail));
                }
                if !seen.insert(name) {
                    faults.push(FieldFault::duplicate(format!("{field}.name"), name.into()));
                }
            }
        }
        if text(container, "image").is_empty() {
            faults.push(FieldFault::required(format!("{field}.image"), ""));
        }
        check_container(&field, container, &volumes, faults)?;
    }
    Ok(())
}

fn check_container(
    field: &str,
    container: &Map<String, Value>,
    volumes: &BTreeSet<&str>,
    faults: &mut Vec<FieldFault>,
) -> Result<(), ApiError> {
    let mut paths = BTreeSet::new();
    for (field, mount) in listed(container, "volumeMounts", field) {
        let name = text(mount, "name");
        if !volumes.contains(name) {
            faults.push(FieldFault::not_found(format!("{field}.name"), name.into()));
        }
        if !paths.insert(text(mount, "mountPath")) {
            let path = text(mount, "mountPath").into();
            faults.push(FieldFault::invalid(format!("{field}.mountPath"), path, "must be unique"));
        }
    }
    for (field, port) in listed(container, "ports", field) {
        let number = port.get("containerPort").and_then(Value::as_i64);
        match number {
            None => faults.push(FieldFault::required(format!("{field}.containerPort"), "")),
            Some(number) if !(1..=65535).contains(&number) => {
                let detail = "must be between 1 and 65535, inclusive";
                faults.push(FieldFault::invalid(format!("{field}.containerPort"), number.into(), detail));
            }
            Some(_) => {}
        }
    }
    for (field, variable) in listed(container, "env", field) {
        if text(variable, "name").is_empty() {
            faults.push(FieldFault::required(format!("{field}.name"), ""));
        }
        match variable.get("value") {
            None | Some(Value::String(_)) => {}
            // A server cannot even decode such a variable.
            Some(other) => {
                return Err(ApiError::bad_request(format!(
                    "json: cannot unmarshal {other} into Go struct field EnvVar.{field}.value of type string"
                )));
            }
        }
    }
    for list in ["limits", "requests"] {
        let amounts =
            container.get("resources").and_then(|resources| resources.get(list)).and_then(Value::as_object);
        for (name, amount) in amounts.into_iter().flatten() {
            let written = match amount {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let Some(canonical) = quantity::canonical(&written) else {
                return Err(ApiError::bad_request(
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                ));
            };
            if canonical.starts_with('-') {
                let field = format!("{field}.resources.{list}.{name}");
                faults.push(FieldFault::invalid(field, written.into(), "must be greater than or equal to 0"));
            }
        }
    }
    Ok(())
}

/// `spec` of a HorizontalPodAutoscaler.
pub(super) fn check_autoscaler(object: &Object, faults: &mut Vec<FieldFault>) {
    for key in ["kind", "name"] {
        if object.text(&["spec", "scaleTargetRef", key]).is_none_or(str::is_empty) {
            faults.push(FieldFault::required(format!("spec.scaleTargetRef.{key}"), ""));
        }
    }
    let number = |key: &str| object.get(&["spec", key]).and_then(Value::as_i64).unwrap_or_default();
    let (least, most) = (number("minReplicas"), number("maxReplicas"));
    if most < 1 {
        faults.push(FieldFault::invalid("spec.maxReplicas", most.into(), "must be greater than 0"));
    } else if most < least {
        let detail = "must be greater than or equal to `minReplicas`";
        faults.push(FieldFault::invalid("spec.maxReplicas", most.into(), detail));
    }
}

//! Defaults of pod specs, in pods and in templates.

use serde_json::{Map, Value, json};

use super::{default_to, inner, items, quantity, text};

/// Fills in what every pod spec gets.
pub(super) fn set_pod_defaults(spec: &mut Map<String, Value>) {
    default_to(spec, "restartPolicy", json!("Always"));
    default_to(spec, "dnsPolicy", json!("ClusterFirst"));
    default_to(spec, "terminationGracePeriodSeconds", json!(30));
    default_to(spec, "securityContext", json!({}));
    default_to(spec, "schedulerName", json!("default-scheduler"));
    let shares_host = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in items(spec, list) {
            set_container_defaults(container);
            if shares_host {
                for port in items(container, "ports") {
                    if let Some(number) = port.get("containerPort").cloned() {
                        default_to(port, "hostPort", number);
                    }
                }
            }
        }
    }
    items(spec, "volumes").for_each(set_volume_defaults);
}

/// The old name of the field is kept equal to the new one.
pub(super) fn mirror_service_account(spec: &mut Map<String, Value>) {
    match spec.get("serviceAccountName").cloned() {
        Some(name) => drop(spec.insert("serviceAccount".into(), name)),
        None => {
            if let Some(name) = spec.get("serviceAccount").cloned() {
                spec.insert("serviceAccountName".into(), name);
            }
        }
    }
}

fn set_container_defaults(container: &mut Map<String, Value>) {
    let image = text(container, "image").to_owned();
    default_to(container, "imagePullPolicy", pull_policy(&image).into());
    default_to(container, "terminationMessagePath", json!("/dev/termination-log"));
    default_to(container, "terminationMessagePolicy", json!("File"));
    default_to(container, "resources", json!({}));
    if let Some(resources) = inner(container, "resources") {
        for list in ["limits", "requests"] {
            if let Some(amounts) = inner(resources, list) {
                canonical_amounts(amounts);
            }
        }
    }
    items(container, "ports").for_each(|port| default_to(port, "protocol", json!("TCP")));
    for variable in items(container, "env") {
        if let Some(field) = inner(variable, "valueFrom").and_then(|from| inner(from, "fieldRef")) {
            default_to(field, "apiVersion", json!("v1"));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = inner(container, probe) {
            default_to(probe, "timeoutSeconds", json!(1));
            default_to(probe, "periodSeconds", json!(10));
            default_to(probe, "successThreshold", json!(1));
            default_to(probe, "failureThreshold", json!(3));
            set_handler_defaults(probe);
        }
    }
    if let Some(lifecycle) = inner(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = inner(lifecycle, hook) {
                set_handler_defaults(hook);
            }
        }
    }
}

fn set_handler_defaults(handler: &mut Map<String, Value>) {
    if let Some(get) = inner(handler, "httpGet") {
        default_to(get, "path", json!("/"));
        default_to(get, "scheme", json!("HTTP"));
    }
    if let Some(grpc) = inner(handler, "grpc") {
        default_to(grpc, "service", json!(""));
    }
}

/// `Always` for what may change under its name.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

fn set_volume_defaults(volume: &mut Map<String, Value>) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = inner(volume, source) {
            default_to(source, "defaultMode", json!(420));
        }
    }
    if let Some(source) = inner(volume, "downwardAPI") {
        set_downward_defaults(source);
    }
    if let Some(path) = inner(volume, "hostPath") {
        default_to(path, "type", json!(""));
    }
    if let Some(projected) = inner(volume, "projected") {
        for source in items(projected, "sources") {
            if let Some(token) = inner(source, "serviceAccountToken") {
                default_to(token, "expirationSeconds", json!(3600));
            }
            if let Some(downward) = inner(source, "downwardAPI") {
                set_downward_defaults(downward);
            }
        }
    }
}

fn set_downward_defaults(source: &mut Map<String, Value>) {
    for item in items(source, "items") {
        if let Some(field) = inner(item, "fieldRef") {
            default_to(field, "apiVersion", json!("v1"));
        }
    }
}

/// Amounts are kept in one form, whatever they are written in.
fn canonical_amounts(amounts: &mut Map<String, Value>) {
    for amount in amounts.values_mut() {
        let written = match &*amount {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if let Some(canonical) = quantity::of_container(&written) {
            *amount = canonical.into();
        }
    }
}

//! The sandbox answers as a real API server does.
//!
//! Each case says the same to both and asserts what must come back; beyond that, whole answers are compared, so that
//! a difference that nobody thought of fails too. Differences that are meant are asserted as such, by a comment at the
//! place where they are left out of the record. Without binaries the cases run on the sandbox alone.

mod apply;
mod defaults;
mod definitions;
mod deletes;
mod dry_run;
mod errors;
mod immutable;
mod lists;
mod names;
mod namespaces;
mod ownership;
mod patches;
mod plain;
mod tokens;
mod versions;
mod watches;
mod world;

use serde_json::{Value, json};

/// A ConfigMap.
fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// A small Deployment with one container.
fn deployment(name: &str, container: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    })
}

/// A Service with one port.
fn service(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
}

/// The managers of an object with how and to what part they wrote, sorted.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let part = if text("subresource").is_empty() { "" } else { "/" };
            format!("{} {}{part}{}", text("manager"), text("operation"), text("subresource"))
        })
        .collect();
    names.sort();
    names
}

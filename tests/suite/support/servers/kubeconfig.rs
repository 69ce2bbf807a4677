//! Kubeconfig files.

use std::path::Path;

use serde_json::{Value, json};

use super::encoded;

/// A context with its own cluster and user.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The name of all three.
    pub(crate) name: String,
    /// The URL of the API server.
    pub(crate) server: String,
    /// Who signs for it, in PEM.
    pub(crate) authority: String,
    /// The user entry.
    pub(crate) user: Value,
}

/// Writes a file in JSON, which is YAML too. Its current context is the first, which kube-controller-manager needs.
pub(crate) fn write(path: &Path, contexts: &[Context]) {
    let named = |what: &str, of: &dyn Fn(&Context) -> Value| -> Vec<Value> {
        contexts.iter().map(|context| json!({"name": context.name, what: of(context)})).collect()
    };
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts.first().map(|context| &context.name),
        "clusters": named("cluster", &|context| json!({
            "server": context.server,
            "certificate-authority-data": encoded(&context.authority),
        })),
        "users": named("user", &|context| context.user.clone()),
        "contexts": named("context", &|context| json!({"cluster": context.name, "user": context.name})),
    });
    let text = serde_json::to_string_pretty(&kubeconfig).expect("JSON");
    std::fs::write(path, text).expect("a kubeconfig");
}

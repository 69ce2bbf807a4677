//! What an API server was asked, from its audit log.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Who asked; whose place was taken, where somebody's was.
    pub(crate) user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub(crate) verb: String,
    /// Path and query.
    pub(crate) uri: String,
    pub(crate) agent: String,
    /// The status of the answer, once it is complete.
    pub(crate) code: Option<u16>,
}

/// What is logged: everything but what a cluster does for itself.
pub(super) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [
            {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager"]},
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
            {"level": "Metadata"},
        ],
    })
}

/// The requests of a log, in the order in which they came.
///
/// The line that a request has come is written before it is answered, so that none is missed.
pub(super) fn read(log: &Path) -> Vec<Request> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut places = BTreeMap::new();
    let mut requests: Vec<Request> = Vec::new();
    for line in text.lines() {
        // The last line may be half written.
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
        let code = code.and_then(|code| u16::try_from(code).ok());
        let place = *places.entry(text("/auditID")).or_insert_with(|| {
            let user = text("/impersonatedUser/username").or_else(|| text("/user/username"));
            requests.push(Request {
                user: user.unwrap_or_default(),
                verb: text("/verb").unwrap_or_default(),
                uri: text("/requestURI").unwrap_or_default(),
                agent: text("/userAgent").unwrap_or_default(),
                code,
            });
            requests.len() - 1
        });
        // Whose place is taken is known after the first line.
        if let Some(user) = text("/impersonatedUser/username") {
            requests[place].user = user;
        }
        requests[place].code = code.or(requests[place].code);
    }
    requests
}

//! What differs between any two clusters, replaced by names that are the same on both.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

/// The uids and versions that were seen, in the order in which they were.
///
/// The same value has the same name throughout a case, so that a write that changes nothing shows.
#[derive(Default)]
pub(super) struct Plain {
    uids: BTreeMap<String, usize>,
    has_free_uids: bool,
    versions: BTreeMap<String, usize>,
}

/// The moments that a server writes; the same second is not asked for.
const TIMES: &[&str] = &[
    "creationTimestamp",
    "deletionTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "expirationTimestamp",
    "time",
];

impl Plain {
    /// A request's path without versions and tokens of its query.
    pub(super) fn path(&self, path: &str) -> String {
        static VOLATILE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\b(resourceVersion|continue)=[^&]+").expect("a pattern"));
        VOLATILE.replace_all(path, "$1=…").into_owned()
    }

    /// An answer's body.
    pub(super) fn value(&mut self, value: Value) -> Value {
        match value {
            Value::Object(map) => self.map(map),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            other => other,
        }
    }

    fn map(&mut self, mut map: Map<String, Value>) -> Value {
        let is_list = map.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        if is_list && let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            // What else happens in a cluster counts too.
            for key in ["resourceVersion", "continue"] {
                if let Some(value) = metadata.get_mut(key).filter(|value| *value != "") {
                    *value = "…".into();
                }
            }
        }
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            self.metadata(metadata);
        }
        if let Some(Value::Array(causes)) = map.get_mut("causes") {
            // A server may find one fault twice, and conflicts come as Go's maps have them.
            causes.dedup();
            if causes.iter().all(|cause| cause["reason"] == "FieldManagerConflict") {
                causes.sort_by_key(|cause| cause["field"].to_string());
            }
        }
        if let Some(Value::String(message)) = map.get_mut("message") {
            *message = self.text(message);
        }
        let plain = map.into_iter().map(|(key, value)| {
            let key = if key.contains("uid") { self.text(&key) } else { key };
            let value = match value {
                Value::String(_) if TIMES.contains(&key.as_str()) => "<time>".into(),
                Value::String(uid) if key == "uid" => self.uid(&uid).into(),
                Value::String(_) if key == "ca.crt" => "<certificate>".into(),
                Value::String(address) if key == "clusterIP" => plain_address(&address).into(),
                Value::Array(addresses) if key == "clusterIPs" => addresses
                    .iter()
                    .map(|address| plain_address(address.as_str().unwrap_or_default()))
                    .collect(),
                Value::Number(_) if matches!(key.as_str(), "nodePort" | "healthCheckNodePort") => {
                    "<port>".into()
                }
                other => self.value(other),
            };
            (key, value)
        });
        Value::Object(plain.collect())
    }

    fn metadata(&mut self, metadata: &mut Map<String, Value>) {
        if let Some(Value::String(version)) = metadata.get("resourceVersion").cloned()
            && version.parse::<u64>().is_ok()
        {
            let next = self.versions.len() + 1;
            let number = *self.versions.entry(version).or_insert(next);
            metadata.insert("resourceVersion".into(), format!("<version {number}>").into());
        }
        if let Some(generated) = metadata.get("generateName").and_then(Value::as_str).map(str::to_owned)
            && let Some(name) = metadata.get_mut("name")
            && name.as_str().is_some_and(|name| name.starts_with(&generated) && name.len() > generated.len())
        {
            *name = format!("{generated}<5>").into();
        }
        if let Some(Value::Array(managers)) = metadata.get_mut("managedFields") {
            // Their order follows their times, which are whole seconds.
            let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            managers.sort_by_key(|entry| {
                ["manager", "operation", "subresource", "apiVersion"].map(|key| text(entry, key))
            });
        }
    }

    /// From now on every uid has one name.
    pub(super) fn forget_uids(&mut self) {
        self.has_free_uids = true;
    }

    fn uid(&mut self, uid: &str) -> String {
        if self.has_free_uids {
            return "<uid>".to_owned();
        }
        let next = self.uids.len() + 1;
        let number = *self.uids.entry(uid.to_owned()).or_insert(next);
        format!("<uid {number}>")
    }

    /// A message, which may quote a uid or a version.
    fn text(&self, message: &str) -> String {
        static VERSION: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(ResourceVersion in (?:precondition|object meta): |resource version: |[ (])(\d+)")
                .expect("a pattern")
        });
        let mut text = message.to_owned();
        for (uid, number) in &self.uids {
            text = text.replace(uid, &format!("<uid {number}>"));
        }
        let named =
            VERSION.replace_all(&text, |found: &regex::Captures<'_>| match self.versions.get(&found[2]) {
                Some(number) => format!("{}<version {number}>", &found[1]),
                None => found[0].to_owned(),
            });
        named.into_owned()
    }
}

fn plain_address(address: &str) -> String {
    if address.parse::<IpAddr>().is_ok() { "<address>".to_owned() } else { address.to_owned() }
}

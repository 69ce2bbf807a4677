//! What the inventory remembers of a desired object: enough to tell drift from a changed topology.

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::object::Object;

/// The digest of a desired object whose holes are all open.
///
/// Holes count by their names, so that the digest depends on the topology alone. Texts of a
/// Secret that are written out in the topology are salted with the object's name first.
pub fn digest(object: &Object) -> String {
    let mut entries: Vec<_> = object.as_map().iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let salt = object.reference().to_string();
    let mut hash = Sha256::new();
    for (key, value) in entries {
        hash.update(key.as_bytes());
        match key.as_str() {
            "data" | "stringData" if object.kind() == "Secret" => salted(&mut hash, &salt, value),
            _ => canonical(&mut hash, value),
        }
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// Hashes a value with its keys sorted and every part delimited.
pub(in crate::plan) fn canonical(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            hash.update(b"{");
            for (key, value) in entries {
                hash.update(Value::from(key.as_str()).to_string());
                hash.update(b":");
                canonical(hash, value);
            }
            hash.update(b"}");
        }
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                canonical(hash, item);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hash.update(value.to_string());
        }
    }
}

/// Hashes the salted hashes of a Secret's texts, so that no short text can be found by its hash alone.
fn salted(hash: &mut Sha256, salt: &str, value: &Value) {
    let mut inner = Sha256::new();
    inner.update(salt.as_bytes());
    canonical(&mut inner, value);
    hash.update(inner.finalize());
}

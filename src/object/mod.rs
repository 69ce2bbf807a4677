//! Kubernetes objects as values: what names one, what it is made of.

pub mod fields;
pub mod kinds;
pub mod path;
mod reference;
mod sensitive;

pub use fields::{FieldSet, ManagedEntry, managed_fields};
pub use kinds::{KindInfo, Scope};
pub use path::{FieldPath, PathElement};
pub use reference::{GroupKind, ObjectRef};
pub use sensitive::{Sensitive, fingerprint};

use serde_json::{Map, Value};

/// One Kubernetes object: a map with `apiVersion`, `kind` and `metadata.name`.
///
/// A desired object may hold markers of holes in its texts; a live one holds
/// whatever the server said. Its `Debug` leaves out what a Secret holds.
#[derive(Clone, PartialEq)]
pub struct Object(Value);

/// Why a value is no Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// A list, a text, nothing.
    #[error("it is not a map")]
    NotAMap,
    /// A field that every object has is missing or is no text.
    #[error("`{0}` is missing or is not a text")]
    Lacks(&'static str),
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.kind() == "Secret" { write!(f, "{} (sensitive)", self.reference()) } else { self.0.fmt(f) }
    }
}

impl Object {
    /// Takes a value for an object if it has what names one.
    pub fn from_value(value: Value) -> Result<Self, NotAnObject> {
        if !value.is_object() {
            return Err(NotAnObject::NotAMap);
        }
        let object = Self(value);
        if object.text(&["apiVersion"]).is_none() {
            return Err(NotAnObject::Lacks("apiVersion"));
        }
        if object.text(&["kind"]).is_none() {
            return Err(NotAnObject::Lacks("kind"));
        }
        if object.text(&["metadata", "name"]).is_none() {
            return Err(NotAnObject::Lacks("metadata.name"));
        }
        Ok(object)
    }

    /// What names it.
    pub fn reference(&self) -> ObjectRef {
        let (group, _) = split_api_version(self.api_version());
        ObjectRef {
            group: group.to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// `apiVersion`: `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"]).unwrap_or_default()
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        self.text(&["kind"]).unwrap_or_default()
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"]).unwrap_or_default()
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> Option<&str> {
        self.text(&["metadata", "namespace"])
    }

    /// `metadata.uid`, which only a live object has.
    pub fn uid(&self) -> Option<&str> {
        self.text(&["metadata", "uid"])
    }

    /// Whether somebody deleted it already: what holds it back is a finalizer, or what it holds.
    pub fn is_being_deleted(&self) -> bool {
        self.get(&["metadata", "deletionTimestamp"]).is_some()
    }

    /// `metadata.labels[key]`.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.text(&["metadata", "labels", key])
    }

    /// `metadata.annotations[key]`.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.text(&["metadata", "annotations", key])
    }

    /// Sets `metadata.labels[key]`.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.metadata_map("labels").insert(key.to_owned(), value.into());
    }

    /// Sets `metadata.annotations[key]`.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.metadata_map("annotations").insert(key.to_owned(), value.into());
    }

    /// Sets `metadata.managedFields`.
    pub fn set_managed_fields(&mut self, managers: Value) {
        if let Some(Value::Object(metadata)) = self.as_map_mut().get_mut("metadata") {
            metadata.insert("managedFields".to_owned(), managers);
        }
    }

    /// The text at a path of map keys.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The value at a path of map keys.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, key| value.get(*key))
    }

    /// The whole object as a map.
    pub fn as_map(&self) -> &Map<String, Value> {
        self.0.as_object().expect("an object is a map")
    }

    /// The whole object as a value.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The whole object as a map, to change.
    pub fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        self.0.as_object_mut().expect("an object is a map")
    }

    /// The whole object as a value.
    pub fn into_value(self) -> Value {
        self.0
    }

    fn metadata_map(&mut self, key: &str) -> &mut Map<String, Value> {
        let metadata = self.as_map_mut().entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if !metadata[key].is_object() {
            metadata[key] = Value::Object(Map::new());
        }
        metadata[key].as_object_mut().expect("was made a map above")
    }
}

/// Splits `apps/v1` into group and version; the core group is empty.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

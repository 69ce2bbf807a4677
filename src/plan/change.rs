//! One object's difference between desired and live.

use crate::compile::Hole;
use crate::object::{Object, ObjectRef};

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It does not exist.
    Create,
    /// It exists, is not ours, and becomes ours field by field.
    Adopt,
    /// It is ours and differs.
    Update,
    /// It is ours and differs in a field that cannot change: deleted and created again.
    Replace,
    /// It is ours and no longer asked for.
    Delete,
    /// It stays, without our fields and label: adopted objects and application namespaces that are no longer asked for.
    Release,
    /// Live is as desired.
    NoOp,
}

/// Why an object changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The topology asks for something else than last time.
    Topology,
    /// Live differs though the topology did not change.
    Drift {
        /// Who changed it, by field manager, if the server says.
        manager: Option<String>,
        /// When, RFC 3339, if the server says.
        time: Option<String>,
    },
}

/// One object's change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which object.
    pub object: ObjectRef,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The fields that differ, in the order of their paths; empty for create and delete.
    pub fields: Vec<FieldChange>,
    /// Why it is kept, left or replaced, where that needs saying.
    pub note: Option<String>,
    /// The UID that the live object had when the plan was made.
    pub uid: Option<String>,
    /// The desired object, markers for what is known only after apply; none for delete and release.
    pub desired: Option<Object>,
}

/// One field's difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// `spec.ports[name=tls].port`.
    pub path: String,
    /// What is live.
    pub before: Option<Shown>,
    /// What is desired.
    pub after: Option<Shown>,
}

/// A field's value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A plain value, as JSON.
    Value(serde_json::Value),
    /// A secret, by its fingerprint.
    Fingerprint(String),
    /// Known only after apply.
    Later(Vec<Hole>),
}

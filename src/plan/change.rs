//! One object's difference between desired and live.

use super::Origin;
use crate::compile::Hole;
use crate::object::{FieldPath, Object, ObjectRef};

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// It stays whole, without our label: others install what it is a part of from now on.
    HandOver,
    /// It stays as it is, and why is the change's note: no longer ours, or it holds what others put there.
    Keep,
    /// Live is as desired.
    NoOp,
}

/// Why an object changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The topology asks for something else than last time.
    Topology,
    /// A value that another unit gives is another than last time.
    Value,
    /// Live differs though the topology did not change; by whom, if the server says.
    Drift(Option<Author>),
}

/// Who changed a live object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The field manager: `kubectl-edit`.
    pub manager: String,
    /// When, RFC 3339, if the server says.
    pub time: Option<String>,
}

/// What happens where another manager holds a field that we ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflicts {
    /// The server refuses.
    #[default]
    Refuse,
    /// The field becomes ours.
    Force,
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
    /// What the inventory says of it from now on; decides what a later prune does.
    pub origin: Origin,
    /// The desired object as it is sent: Secrets with `data`, what controllers own left out,
    /// markers for what is known only after apply. None for delete, release and keep.
    pub desired: Option<Object>,
    /// What the inventory records of the desired object; none where `desired` is none.
    pub digest: Option<String>,
    /// Whether apply takes fields from their managers. Only where the plan shows that it does.
    pub conflicts: Conflicts,
    /// Items of lists that are ours under other keys: somebody renamed or renumbered them. They become
    /// ours first, so that the apply lets them go; no dry run can show what comes of it.
    pub renamed: Vec<FieldPath>,
    /// Client-side appliers whose hold on fields that we ask for goes over to us, so that these fields go
    /// once they are no longer asked for.
    pub migrated: Vec<Migration>,
}

/// Fields that go over to us from a tool that applies from outside of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its field manager: `kubectl-client-side-apply`.
    pub manager: String,
    /// How many fields.
    pub fields: usize,
}

/// One field's difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// `spec.ports[port=15012,protocol=TCP].targetPort`.
    pub path: String,
    /// What is live.
    pub before: Option<Shown>,
    /// What is desired.
    pub after: Option<Shown>,
    /// Whose value it is that changes, where it is not ours.
    pub by: Option<Author>,
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

impl Action {
    /// Whether anything is sent to the cluster.
    pub fn writes(self) -> bool {
        match self {
            Self::Create
            | Self::Adopt
            | Self::Update
            | Self::Replace
            | Self::Delete
            | Self::Release
            | Self::HandOver => true,
            Self::Keep | Self::NoOp => false,
        }
    }

    /// The imperative: `create`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Release => "release",
            Self::HandOver => "hand-over",
            Self::Keep => "keep",
            Self::NoOp => "no-op",
        }
    }
}

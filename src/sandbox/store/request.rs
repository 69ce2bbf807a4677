//! What a client asks of a store.

use serde_json::Value;

use crate::object::kinds::Subresource;
use crate::sandbox::merge::Force;

/// How a write is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// The field manager.
    pub manager: String,
    /// Whether it counts.
    pub run: Run,
    /// What part is written; none for the object itself.
    pub part: Option<Subresource>,
    /// What happens to fields that the kind does not have; an apply always refuses them.
    pub unknown: UnknownFields,
}

/// What happens to fields that a kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownFields {
    /// The write is refused.
    #[default]
    Refuse,
    /// They are left out.
    Drop,
}

/// Whether a write counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Run {
    /// It is kept.
    #[default]
    Commit,
    /// It is only answered.
    Dry,
}

impl WriteOptions {
    /// A write of a whole object that is kept.
    pub fn by(manager: &str) -> Self {
        Self { manager: manager.to_owned(), run: Run::Commit, part: None, unknown: UnknownFields::Refuse }
    }

    /// A write of the status that is kept.
    pub fn status_by(manager: &str) -> Self {
        Self { part: Some(Subresource::Status), ..Self::by(manager) }
    }

    /// The word in managedFields.
    pub(super) fn subresource(&self) -> &'static str {
        match self.part {
            None => "",
            Some(Subresource::Status) => "status",
            Some(Subresource::Scale) => "scale",
        }
    }
}

/// A change that is stated without the object.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' own, with the list keys of the kind.
    Strategic(Value),
}

/// How an object is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteOptions {
    /// Whether it counts.
    pub run: Run,
    /// It must have this UID.
    pub uid: Option<String>,
    /// It must have this resourceVersion.
    pub resource_version: Option<String>,
    /// What happens to the objects that it owns.
    pub propagation: Propagation,
}

/// What happens to the objects that a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They lose their owner.
    Orphan,
}

/// How server-side apply is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Manager, dry run, part.
    pub write: WriteOptions,
    /// What happens to fields that others hold.
    pub force: Force,
}

impl ApplyOptions {
    /// An apply that is kept and takes over what others hold, as controllers apply.
    pub fn forced_by(manager: &str) -> Self {
        Self { write: WriteOptions::by(manager), force: Force::TakeOver }
    }
}

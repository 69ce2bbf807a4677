//! Who owns which field: the managers of one object, through a write.
//!
//! [`Managers::apply`] is structured-merge-diff's `Updater.Apply`,
//! [`Managers::update`] its `Updater.Update`, with the wrappers of
//! `apimachinery/pkg/util/managedfields`: identity is nobody's, the time of an
//! entry changes only when the write changes something, and at most ten update
//! managers are told apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::compare::Comparison;
use super::typed::{MergeFault, check_keys, drop_emptied, merge_maps, remove_fields};
use crate::object::fields::{ManagedEntry, Operation};
use crate::object::kinds::Shape;
use crate::object::{FieldPath, FieldSet};

/// How many update managers an object has before the oldest are lumped together.
const MOST_UPDATERS: usize = 10;

/// What the oldest update managers become.
const ANCIENT: &str = "ancient-changes";

/// The manager of what stood in an object that nobody tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// What tells managers apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ManagerId {
    /// The name that the client gave.
    pub name: String,
    /// Apply or update.
    pub operation: Operation,
    /// `status`, or empty.
    pub subresource: String,
    /// The version for updates; empty for appliers, who are one through all versions.
    pub api_version: String,
}

/// What one manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    api_version: String,
    time: Option<String>,
    fields: FieldSet,
}

/// The managers of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Managers(BTreeMap<ManagerId, Owned>);

/// One field that another manager holds with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// `"kubectl-edit" using v1`.
    pub manager: String,
    /// `.spec.replicas`.
    pub field: String,
}

/// Why an apply is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApplyFault {
    /// The object itself is at fault.
    Merge(MergeFault),
    /// Others hold what it changes.
    Conflicts(Vec<Conflict>),
}

/// Who writes and as what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    /// The field manager's name.
    pub manager: &'a str,
    /// `status`, or empty.
    pub subresource: &'a str,
    /// The version of the request.
    pub api_version: &'a str,
    /// Now, RFC 3339 in whole seconds.
    pub time: &'a str,
}

/// Whether an apply takes over what others hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// Others' fields are conflicts.
    #[default]
    Refuse,
    /// Others lose what it sets.
    TakeOver,
}

impl Managers {
    /// Reads `metadata.managedFields`.
    pub(crate) fn of(object: &Map<String, Value>) -> Self {
        let entries = object.get("metadata").and_then(|metadata| metadata.get("managedFields"));
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        let managers = entries.filter_map(ManagedEntry::from_value).map(|entry| {
            let id = ManagerId {
                name: entry.manager,
                operation: entry.operation,
                subresource: entry.subresource,
                api_version: match entry.operation {
                    Operation::Apply => String::new(),
                    Operation::Update => entry.api_version.clone(),
                },
            };
            (id, Owned { api_version: entry.api_version, time: entry.time, fields: entry.fields })
        });
        Self(managers.collect())
    }

    /// The managers that a write begins with, as `decodeLiveOrNew` of apimachinery's managedfields
    /// has it: what the client sent, so that it may move ownership. A list of nothing, or of one empty
    /// entry, drops all; one that is missing or that cannot be read leaves those of the live object.
    pub(crate) fn sent(new: &Map<String, Value>, live: &Map<String, Value>) -> Self {
        let entries = new.get("metadata").and_then(|metadata| metadata.get("managedFields"));
        let Some(Value::Array(entries)) = entries else { return Self::of(live) };
        let is_blank = |entry: &Value| entry.as_object().is_some_and(Map::is_empty);
        match entries.as_slice() {
            [] => Self::default(),
            [entry] if is_blank(entry) => Self::default(),
            entries if entries.iter().all(is_readable) => Self::of(new),
            _ => Self::of(live),
        }
    }

    /// Whether nobody owns anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `metadata.managedFields`: appliers first, each kind by time.
    pub(crate) fn write_to(&self, object: &mut Map<String, Value>) {
        let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
        let mut entries: Vec<ManagedEntry> = self
            .0
            .iter()
            .map(|(id, owned)| ManagedEntry {
                manager: id.name.clone(),
                operation: id.operation,
                subresource: id.subresource.clone(),
                api_version: owned.api_version.clone(),
                time: owned.time.clone(),
                fields: owned.fields.clone(),
            })
            .collect();
        entries.sort_by(|a, b| {
            (a.operation, &a.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
                b.operation,
                &b.time,
                &b.manager,
                &b.api_version,
                &b.subresource,
            ))
        });
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            let entries = entries.iter().map(ManagedEntry::to_value).collect();
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }

    /// The live object with an applied one laid over it, and who owns what then.
    ///
    /// `None` says that nothing but ownership may have changed. Neither object
    /// holds managedFields.
    pub(crate) fn apply(
        &mut self,
        live: &Map<String, Value>,
        applied: &Map<String, Value>,
        shape: &'static Shape,
        writer: Writer<'_>,
        force: Force,
    ) -> Result<Option<Map<String, Value>>, ApplyFault> {
        check_keys(applied, shape).map_err(ApplyFault::Merge)?;
        if self.is_empty() && live.contains_key("kind") {
            self.adopt_untracked(live, shape, writer);
        }
        let id = writer.id(Operation::Apply);
        let before = self.0.get(&id).cloned();
        let merged = merge_maps(live, applied, shape);
        let claimed = FieldSet::of_map(applied, shape);
        let keeps_all = before.as_ref().is_none_or(|before| before.fields == claimed.without_identity());
        self.0.insert(
            id.clone(),
            Owned {
                api_version: writer.api_version.to_owned(),
                time: before.as_ref().and_then(|owned| owned.time.clone()),
                fields: claimed,
            },
        );
        let unpruned = merged;
        let mut merged = match &before {
            Some(before) if !keeps_all => self.prune(unpruned.clone(), &before.fields, shape),
            Some(_) | None => unpruned.clone(),
        };
        self.settle(live, &merged, shape, &id, force).map_err(ApplyFault::Conflicts)?;
        drop_emptied(&mut merged, &unpruned);
        self.forget_identity(&id);
        if *live == merged {
            // As on a server, a mere change of ownership gives the entry no new time.
            return Ok(None);
        }
        if let Some(owned) = self.0.get_mut(&id) {
            owned.time = Some(writer.time.to_owned());
        }
        Ok(Some(merged))
    }

    /// Notes what a write other than apply changed.
    pub(crate) fn update(
        &mut self,
        live: &Map<String, Value>,
        new: &Map<String, Value>,
        shape: &'static Shape,
        writer: Writer<'_>,
    ) {
        if self.is_empty() && live.contains_key("kind") {
            // A server does not begin to track what nobody tracked.
            return;
        }
        let id = writer.id(Operation::Update);
        let comparison = Comparison::of(live, new, shape);
        if comparison.is_same() {
            return;
        }
        self.take_from_others(&comparison, None);
        let changed = comparison.modified.union(&comparison.added).without_identity();
        let previous = self.0.get(&id).map(|owned| owned.fields.clone()).unwrap_or_default();
        if changed.is_empty() {
            return;
        }
        let owned = Owned {
            api_version: writer.api_version.to_owned(),
            // A server notes no time of a scaling.
            time: (writer.subresource != "scale").then(|| writer.time.to_owned()),
            fields: previous.union(&changed),
        };
        self.0.insert(id, owned);
        self.lump_oldest_updaters();
    }

    /// What stands in an object that nobody tracked is one manager's.
    fn adopt_untracked(&mut self, live: &Map<String, Value>, shape: &'static Shape, writer: Writer<'_>) {
        let writer = Writer { manager: BEFORE_FIRST_APPLY, ..writer };
        self.update(&Map::new(), live, shape, writer);
    }

    /// Takes out what the applier owned before, owns no more, and nobody else owns.
    fn prune(
        &self,
        merged: Map<String, Value>,
        before: &FieldSet,
        shape: &'static Shape,
    ) -> Map<String, Value> {
        let all = |set: &FieldSet| set.with_declared_fields(shape);
        let before = all(before);
        let pruned = remove_fields(&merged, &before, shape);
        let owned = self.0.values().fold(FieldSet::default(), |sum, owned| sum.union(&owned.fields));
        let merged_set = all(&FieldSet::of_map(&merged, shape));
        // Back comes what somebody owns …
        let pruned_set = all(&FieldSet::of_map(&pruned, shape));
        let keep = pruned_set.union(&all(&owned));
        let pruned = remove_fields(&merged, &merged_set.difference(&keep), shape);
        // … and what hung below a removed item and was not this applier's.
        let pruned_set = all(&FieldSet::of_map(&pruned, shape));
        let gone = merged_set.difference(&pruned_set).intersection(&before);
        remove_fields(&merged, &gone, shape)
    }

    /// Takes from the others what a change touches; without force what it modifies is a conflict.
    fn settle(
        &mut self,
        live: &Map<String, Value>,
        new: &Map<String, Value>,
        shape: &'static Shape,
        id: &ManagerId,
        force: Force,
    ) -> Result<(), Vec<Conflict>> {
        let comparison = Comparison::of(live, new, shape);
        if force == Force::Refuse {
            let changed = comparison.modified.union(&comparison.added);
            let others = self.0.iter().filter(|(other, _)| *other != id);
            let conflicts: Vec<Conflict> = others
                .flat_map(|(other, owned)| {
                    let paths = owned.fields.intersection(&changed).paths();
                    let manager = other.text();
                    paths.into_iter().map(move |path| (manager.clone(), path))
                })
                .map(|(manager, path): (String, FieldPath)| Conflict { manager, field: path.server_text() })
                .collect();
            if !conflicts.is_empty() {
                return Err(conflicts);
            }
        }
        self.take_from_others(&comparison, Some(id));
        Ok(())
    }

    fn take_from_others(&mut self, comparison: &Comparison, writer: Option<&ManagerId>) {
        let touched = comparison.modified.union(&comparison.added).union(&comparison.removed);
        for (other, owned) in &mut self.0 {
            if writer != Some(other) {
                owned.fields = owned.fields.difference(&touched);
            }
        }
        self.0.retain(|_, owned| !owned.fields.is_empty());
    }

    fn forget_identity(&mut self, id: &ManagerId) {
        if let Some(owned) = self.0.get_mut(id) {
            owned.fields = owned.fields.without_identity();
            if owned.fields.is_empty() {
                self.0.remove(id);
            }
        }
    }

    fn lump_oldest_updaters(&mut self) {
        let updaters = || self.0.iter().filter(|(id, _)| id.operation == Operation::Update);
        let count = updaters().count();
        if count <= MOST_UPDATERS {
            return;
        }
        let mut oldest: Vec<(Option<String>, ManagerId)> =
            updaters().map(|(id, owned)| (owned.time.clone(), id.clone())).collect();
        oldest.sort();
        // One bucket needs one manager more than the surplus: two become one.
        let mut lump = Owned { api_version: String::new(), time: None, fields: FieldSet::default() };
        for (_, id) in oldest.into_iter().take(count - MOST_UPDATERS + 1) {
            let Some(owned) = self.0.remove(&id) else { continue };
            lump.fields.extend(&owned.fields);
            lump.time = owned.time;
            lump.api_version = owned.api_version;
        }
        let id = ManagerId {
            name: ANCIENT.to_owned(),
            operation: Operation::Update,
            subresource: String::new(),
            api_version: lump.api_version.clone(),
        };
        self.0.insert(id, lump);
    }
}

/// Whether an entry is one that a server decodes.
fn is_readable(entry: &Value) -> bool {
    entry["fieldsType"] == "FieldsV1"
        && entry["apiVersion"].as_str().is_some_and(|version| !version.is_empty())
        && ManagedEntry::from_value(entry).is_some()
}

impl Writer<'_> {
    fn id(&self, operation: Operation) -> ManagerId {
        ManagerId {
            name: self.manager.to_owned(),
            operation,
            subresource: self.subresource.to_owned(),
            api_version: match operation {
                Operation::Apply => String::new(),
                Operation::Update => self.api_version.to_owned(),
            },
        }
    }
}

impl ManagerId {
    /// The words of a conflict: `"kubectl-edit" using v1`.
    fn text(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        match self.operation {
            Operation::Apply => text,
            Operation::Update => format!("{text} using {}", self.api_version),
        }
    }
}

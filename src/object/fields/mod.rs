//! Sets of field paths: who owns what in an object.
//!
//! A [`FieldSet`] is the fieldsV1 of `metadata.managedFields`. [`FieldSet::of_object`]
//! gives the fields that an applied object claims, under its kind's [`Shape`];
//! [`managed_fields`] reads the entries of a live object. All as
//! structured-merge-diff does it, so that ownership here and on a server agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::kinds::{ItemKey, Shape};
use super::path::{FieldPath, NotAPathElement, PathElement};
use super::{KindInfo, Object};

/// A set of field paths.
///
/// A path may be in it without its children and the children without it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSet {
    members: BTreeSet<PathElement>,
    children: BTreeMap<PathElement, FieldSet>,
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedEntry {
    /// The field manager's name.
    pub manager: String,
    /// How it came to own them.
    pub operation: Operation,
    /// `status`, or empty for the object itself.
    pub subresource: String,
    /// The version that the paths are written for.
    pub api_version: String,
    /// When the set last changed, RFC 3339; servers always give it.
    pub time: Option<String>,
    /// What it owns.
    pub fields: FieldSet,
}

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Any other write.
    Update,
}

impl Operation {
    /// The word in managedFields.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// The entries of `metadata.managedFields`; those that cannot be read are left out.
pub fn managed_fields(object: &Object) -> Vec<ManagedEntry> {
    let entries = object.get(&["metadata", "managedFields"]).and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(ManagedEntry::from_value).collect()
}

impl ManagedEntry {
    /// Reads one entry.
    pub fn from_value(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self {
            manager: text("manager"),
            operation: match entry.get("operation")?.as_str()? {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            },
            subresource: text("subresource"),
            api_version: text("apiVersion"),
            time: entry.get("time").and_then(Value::as_str).map(str::to_owned),
            fields: FieldSet::from_fields_v1(entry.get("fieldsV1")?).ok()?,
        })
    }

    /// The entry as it stands in an object.
    pub fn to_value(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("manager".into(), self.manager.as_str().into());
        entry.insert("operation".into(), self.operation.as_str().into());
        entry.insert("apiVersion".into(), self.api_version.as_str().into());
        if let Some(time) = &self.time {
            entry.insert("time".into(), time.as_str().into());
        }
        entry.insert("fieldsType".into(), "FieldsV1".into());
        entry.insert("fieldsV1".into(), self.fields.to_fields_v1());
        if !self.subresource.is_empty() {
            entry.insert("subresource".into(), self.subresource.as_str().into());
        }
        Value::Object(entry)
    }
}

impl FieldSet {
    /// The fields that an applied object claims.
    ///
    /// `apiVersion`, `kind`, and the metadata that names it are nobody's.
    pub fn of_object(object: &Object, kind: &KindInfo) -> Self {
        Self::of_map(object.as_map(), kind.shape).without_identity()
    }

    /// The leaves of a map under a shape; list items and undeclared maps count as well.
    pub fn of_map(map: &Map<String, Value>, shape: &'static Shape) -> Self {
        let mut set = Self::default();
        set.take_map(map, shape);
        set
    }

    /// Takes out what no manager ever owns.
    #[must_use]
    pub fn without_identity(&self) -> Self {
        let mut nobodys = Self::default();
        for name in ["apiVersion", "kind", "metadata"] {
            nobodys.insert(&FieldPath::of_fields([name]));
        }
        for name in [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        ] {
            nobodys.insert(&FieldPath::of_fields(["metadata", name]));
        }
        self.difference(&nobodys)
    }

    fn take_map(&mut self, map: &Map<String, Value>, shape: &'static Shape) {
        for (name, value) in map {
            let element = PathElement::Field(name.clone());
            let below = shape.field(name);
            let is_leaf = self.take_value(&element, value, below);
            let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
            if is_leaf || is_empty || !shape.declares_fields() {
                self.members.insert(element);
            }
        }
    }

    /// Says whether the element itself is a leaf.
    fn take_value(&mut self, element: &PathElement, value: &Value, shape: &'static Shape) -> bool {
        let mut below = Self::default();
        match value {
            Value::Object(_) if shape.is_atomic_map() => return true,
            Value::Object(map) => below.take_map(map, shape),
            Value::Array(items) => {
                let Some(list) = shape.keyed_list() else { return true };
                let mut seen: BTreeMap<PathElement, usize> = BTreeMap::new();
                let elements: Vec<Option<PathElement>> =
                    items.iter().map(|item| list.element_of(item)).collect();
                for element in elements.iter().flatten() {
                    *seen.entry(element.clone()).or_default() += 1;
                }
                for (item, element) in items.iter().zip(elements) {
                    let Some(element) = element else { continue };
                    // A duplicated item is one leaf: its copies cannot be told apart.
                    if seen[&element] == 1 {
                        below.take_value(&element, item, list.item);
                    }
                    below.members.insert(element);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return true,
        }
        if !below.is_empty() {
            self.children.insert(element.clone(), below);
        }
        false
    }

    /// Reads fieldsV1.
    pub fn from_fields_v1(value: &Value) -> Result<Self, NotAPathElement> {
        let Value::Object(map) = value else { return Err(NotAPathElement(value.to_string())) };
        let mut set = Self::default();
        for (key, below) in map {
            if key == "." {
                continue;
            }
            let element = PathElement::from_fields_v1(key)?;
            let below_map = below.as_object().ok_or_else(|| NotAPathElement(below.to_string()))?;
            if below_map.is_empty() || below_map.contains_key(".") {
                set.members.insert(element.clone());
            }
            let below = Self::from_fields_v1(below)?;
            if !below.is_empty() {
                set.children.insert(element, below);
            }
        }
        Ok(set)
    }

    /// Writes fieldsV1.
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        for element in &self.members {
            map.insert(element.to_fields_v1(), Value::Object(Map::new()));
        }
        for (element, below) in &self.children {
            let mut below_value = below.to_fields_v1();
            if self.members.contains(element)
                && let Value::Object(below_map) = &mut below_value
            {
                below_map.insert(".".into(), Value::Object(Map::new()));
            }
            map.insert(element.to_fields_v1(), below_value);
        }
        Value::Object(map)
    }

    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Self::is_empty)
    }

    /// How many paths are in it.
    pub fn len(&self) -> usize {
        self.members.len() + self.children.values().map(Self::len).sum::<usize>()
    }

    /// Puts a path in.
    pub fn insert(&mut self, path: &FieldPath) {
        let Some((last, before)) = path.0.split_last() else { return };
        let mut set = self;
        for element in before {
            set = set.children.entry(element.clone()).or_default();
        }
        set.members.insert(last.clone());
    }

    /// Whether this very path is in it.
    pub fn contains(&self, path: &FieldPath) -> bool {
        let Some((last, before)) = path.0.split_last() else { return false };
        let mut set = self;
        for element in before {
            let Some(below) = set.children.get(element) else { return false };
            set = below;
        }
        set.members.contains(last)
    }

    /// Whether one step from the root is in it.
    pub fn has_member(&self, element: &PathElement) -> bool {
        self.members.contains(element)
    }

    /// What lies below one step.
    pub fn below(&self, element: &PathElement) -> Option<&Self> {
        self.children.get(element)
    }

    /// The paths that are this one or lie below it.
    #[must_use]
    pub fn within(&self, path: &FieldPath) -> Self {
        let Some((last, before)) = path.0.split_last() else { return self.clone() };
        let mut result = Self::default();
        let mut from = self;
        let mut into = &mut result;
        for element in before {
            let Some(below) = from.children.get(element) else { return Self::default() };
            from = below;
            into = into.children.entry(element.clone()).or_default();
        }
        if from.members.contains(last) {
            into.members.insert(last.clone());
        }
        if let Some(below) = from.children.get(last) {
            into.children.insert(last.clone(), below.clone());
        }
        if result.is_empty() { Self::default() } else { result }
    }

    /// The paths of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.extend(other);
        result
    }

    /// Adds the paths of another set.
    pub fn extend(&mut self, other: &Self) {
        self.members.extend(other.members.iter().cloned());
        for (element, below) in &other.children {
            self.children.entry(element.clone()).or_default().extend(below);
        }
    }

    /// The paths of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, below)| {
            let shared = below.intersection(other.children.get(element)?);
            (!shared.is_empty()).then(|| (element.clone(), shared))
        });
        Self {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: children.collect(),
        }
    }

    /// The paths of this one that the other lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, below)| {
            let rest = match other.children.get(element) {
                Some(other_below) => below.difference(other_below),
                None => below.clone(),
            };
            (!rest.is_empty()).then(|| (element.clone(), rest))
        });
        Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: children.collect(),
        }
    }

    /// Adds the declared fields on the way to each path.
    ///
    /// The fields of a declared type are not in a set of leaves, yet go when all below them goes.
    #[must_use]
    pub fn with_declared_fields(&self, shape: &'static Shape) -> Self {
        let mut members = self.members.clone();
        let mut children = BTreeMap::new();
        for (element, below) in &self.children {
            if let PathElement::Field(_) = element
                && shape.declares_fields()
            {
                members.insert(element.clone());
            }
            children.insert(element.clone(), below.with_declared_fields(shape.below(element)));
        }
        Self { members, children }
    }

    /// Every path, sorted.
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        self.collect_paths(&FieldPath::default(), &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &FieldPath, paths: &mut Vec<FieldPath>) {
        let elements: BTreeSet<&PathElement> = self.members.iter().chain(self.children.keys()).collect();
        for element in elements {
            let path = prefix.then(element.clone());
            if self.members.contains(element) {
                paths.push(path.clone());
            }
            if let Some(below) = self.children.get(element) {
                below.collect_paths(&path, paths);
            }
        }
    }
}

/// A list whose items are told apart, with what tells them apart.
#[derive(Debug, Clone, Copy)]
pub struct KeyedList {
    /// Empty for a set, whose items are their own keys.
    pub keys: &'static [ItemKey],
    /// What an item is made of.
    pub item: &'static Shape,
}

impl KeyedList {
    /// The step that leads to an item; none where it has no key at all.
    pub fn element_of(&self, item: &Value) -> Option<PathElement> {
        if self.keys.is_empty() {
            return Some(PathElement::Value(item.clone()));
        }
        let map = item.as_object()?;
        let mut pairs: Vec<(String, Value)> = self
            .keys
            .iter()
            .filter_map(|key| {
                let value = map.get(key.name).cloned().or_else(|| key.default.map(Value::from))?;
                Some((key.name.to_owned(), value))
            })
            .collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        (!pairs.is_empty()).then_some(PathElement::Key(pairs))
    }
}

#[cfg(test)]
mod tests;

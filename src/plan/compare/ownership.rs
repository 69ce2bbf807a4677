//! Who set which field of a live object.

use serde_json::Value;

use crate::compile::PART_OF;
use crate::object::fields::Operation;
use crate::object::{FieldPath, FieldSet, ManagedEntry, Object, PathElement, managed_fields};
use crate::plan::Author;

/// Our name as a field manager.
pub(in crate::plan) const MANAGER: &str = "stolos";

/// The field managers of a live object.
pub(in crate::plan) struct Ownership {
    /// What we applied; none where we never applied the object.
    pub(in crate::plan) ours: Option<FieldSet>,
    others: Vec<ManagedEntry>,
    /// Whether the object has no managers at all. To the first apply, which may be ours, a server then takes all
    /// that is there for `before-first-apply`'s (`skipNonAppliedManager`,
    /// apimachinery/pkg/util/managedfields/internal/skipnonapplied.go, 1.35).
    is_unmanaged: bool,
}

impl Ownership {
    /// Reads `metadata.managedFields`.
    pub(in crate::plan) fn of(live: &Object) -> Self {
        let is_ours = |entry: &ManagedEntry| entry.manager == MANAGER && entry.operation == Operation::Apply;
        let entries = managed_fields(live);
        let is_unmanaged = entries.is_empty();
        let (ours, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_ours);
        // One version, and the object itself, at any one time: the server converts an entry as it applies.
        let ours = ours.into_iter().filter(|entry| entry.subresource.is_empty()).map(|entry| entry.fields);
        Self { ours: ours.reduce(|a, b| a.union(&b)), others, is_unmanaged }
    }

    /// Whether we set a field.
    pub(super) fn is_ours(&self, path: &FieldPath) -> bool {
        self.ours.as_ref().is_some_and(|ours| covers(ours, path))
    }

    /// Whether somebody else set a field, or a server will say so.
    pub(super) fn is_others(&self, path: &FieldPath) -> bool {
        self.is_unmanaged || self.holder(path).is_some()
    }

    /// Who else set a field, the last of them.
    pub(super) fn author(&self, path: &FieldPath) -> Option<Author> {
        self.holder(path).map(|entry| Author { manager: entry.manager.clone(), time: entry.time.clone() })
    }

    /// Whether the one who set a field did so by an apply of its own.
    pub(super) fn is_applied_by_others(&self, path: &FieldPath) -> Option<&str> {
        self.others
            .iter()
            .find(|entry| entry.operation == Operation::Apply && covers(&entry.fields, path))
            .map(|entry| entry.manager.as_str())
    }

    /// Everybody else who set a field.
    pub(super) fn holders(&self, path: &FieldPath) -> impl Iterator<Item = &str> {
        let holds = |entry: &&ManagedEntry| entry.subresource.is_empty() && covers(&entry.fields, path);
        self.others.iter().filter(holds).map(|entry| entry.manager.as_str())
    }

    fn holder(&self, path: &FieldPath) -> Option<&ManagedEntry> {
        // RFC 3339 in UTC, as servers write it, sorts by its text.
        self.others.iter().filter(|entry| covers(&entry.fields, path)).max_by_key(|entry| entry.time.clone())
    }
}

/// Who writes to objects of others without having made them.
const CONTROLLERS: [&str; 5] =
    ["cloud-controller-manager", "kube-apiserver", "kube-controller-manager", "kubelet", "pilot-discovery"];

/// Whether a live object that no inventory records was made by us all the same: it carries the label of
/// our apply set, and nobody but us and controllers ever wrote it. So is what a run leaves that is cut
/// off before it could record it (the mesh namespace, in which the inventory lies), and everything
/// where an inventory was lost.
pub(super) fn is_our_making(desired: &Object, live: &Object) -> bool {
    let entries = managed_fields(live);
    live.label(PART_OF).is_some_and(|label| desired.label(PART_OF) == Some(label))
        && entries.iter().any(|entry| entry.manager == MANAGER && entry.operation == Operation::Apply)
        && entries
            .iter()
            .all(|entry| entry.manager == MANAGER || CONTROLLERS.contains(&entry.manager.as_str()))
}

/// Whether a set holds a path, something below it, or a value that it lies in.
pub(super) fn covers(set: &FieldSet, path: &FieldPath) -> bool {
    let mut set = set;
    for element in &path.0 {
        match set.below(element) {
            Some(below) if !below.is_empty() => set = below,
            _ => return set.has_member(element),
        }
    }
    true
}

/// The paths of a set below which it has none.
pub(super) fn leaves(set: &FieldSet) -> Vec<FieldPath> {
    let paths = set.paths();
    let has_more = |path: &FieldPath| {
        let mut set = set;
        path.0.iter().all(|element| match set.below(element) {
            Some(below) => {
                set = below;
                !below.is_empty()
            }
            None => false,
        })
    };
    paths.into_iter().filter(|path| !has_more(path)).collect()
}

/// The outermost item of a list on the way to `path` that `set` does not know; else the path itself.
pub(super) fn outermost_missing(set: &FieldSet, path: &FieldPath) -> FieldPath {
    let mut set = Some(set);
    for (position, element) in path.0.iter().enumerate() {
        let is_known = set.is_some_and(|set| set.has_member(element) || set.below(element).is_some());
        let is_item = matches!(element, PathElement::Key(_) | PathElement::Value(_));
        if !is_known && is_item {
            return FieldPath(path.0[..=position].to_vec());
        }
        set = set.and_then(|set| set.below(element));
    }
    path.clone()
}

/// The value of a path in an object, where it is one to show.
pub(super) fn value_at<'o>(object: &'o Object, path: &FieldPath) -> Option<&'o Value> {
    path.lookup_in(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: Value) -> FieldSet {
        FieldSet::from_fields_v1(&value).unwrap()
    }

    #[test]
    fn a_set_covers_what_lies_in_its_values_and_above_its_leaves() {
        let owned = set(
            json!({"f:spec": {"f:selector": {}, "f:ports": {"k:{\"port\":80}": {".": {}, "f:name": {}}}}}),
        );
        for (fields, is_covered) in [
            (vec!["spec"], true),
            (vec!["spec", "selector"], true),
            (vec!["spec", "selector", "app"], true),
            (vec!["spec", "ports"], true),
            (vec!["spec", "type"], false),
            (vec!["metadata"], false),
        ] {
            let path = FieldPath(fields.iter().map(|name| PathElement::field(*name)).collect());
            assert_eq!(covers(&owned, &path), is_covered, "{path}");
        }
    }

    #[test]
    fn leaves_are_the_ends_of_paths() {
        let owned = set(
            json!({"f:data": {".": {}, "f:a": {}}, "f:spec": {"f:ports": {"k:{\"port\":80}": {".": {}, "f:name": {}}}}}),
        );
        let texts: Vec<String> = leaves(&owned).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["data.a", "spec.ports[port=80].name"]);
    }
}

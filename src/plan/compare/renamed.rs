//! Items of ours that stand under other keys: somebody renamed or renumbered them.
//!
//! Server-side apply tells the items of a list apart by their keys. A port of ours that `kubectl edit`
//! gives another number is to it one item that is gone and one that kubectl added: an apply of ours
//! puts ours beside it, and the server refuses two ports of one name, or keeps two containers. So such
//! an item becomes ours first, by a write of `metadata.managedFields` as client-go's `csaupgrade` does
//! it; the apply that follows no longer asks for it, and it goes.
//!
//! What others merely added stays theirs: an item counts as renamed only where one of ours is missing
//! and the two are alike.

use serde_json::Value;

use super::fields::{Difference, Open, item_differences};
use super::ownership::{MANAGER, covers};
use super::same::{Exactness, is_nothing, same};
use crate::object::fields::{KeyedList, Operation};
use crate::object::kinds::Shape;
use crate::object::{FieldPath, FieldSet, ManagedEntry, Object, PathElement, managed_fields};

/// An item of ours under other keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Renamed {
    /// Where it stands.
    pub(super) item: FieldPath,
    /// Where it belongs.
    missing: FieldPath,
    /// What of it differs, its keys among it: `spec.ports[name=tcp-istiod].port`.
    pub(super) differences: Vec<Difference>,
}

impl Renamed {
    /// Whether a path lies in what the differences tell already.
    pub(super) fn tells(&self, path: &FieldPath) -> bool {
        path.0.starts_with(&self.item.0) || path.0.starts_with(&self.missing.0)
    }
}

/// The items of a live object that are desired ones under other keys and may be taken over: nobody
/// holds them by an apply.
pub(super) fn renamed(
    desired: &Object,
    live: &Object,
    shape: &'static Shape,
    exactness: Exactness,
    open: &impl Open,
) -> Vec<Renamed> {
    let mut search = Search { exactness, open, live, entries: managed_fields(live), found: Vec::new() };
    for (name, value) in desired.as_map() {
        if let Some(live) = live.get(&[name]) {
            search.value(value, live, shape.field(name), &FieldPath(vec![PathElement::field(name)]));
        }
    }
    search.found
}

/// What `metadata.managedFields` of a live object becomes when items of it become ours; none where there
/// is nothing to take, or an apply of others came to hold it.
pub fn taken_over(live: &Object, items: &[FieldPath]) -> Option<Value> {
    let entries = managed_fields(live);
    let takeable: Vec<&FieldPath> =
        items.iter().filter(|item| may_be_taken(&entries, live.api_version(), item)).collect();
    let mut taken = FieldSet::default();
    let mut since = None;
    let mut kept = Vec::new();
    for value in live.get(&["metadata", "managedFields"])?.as_array()? {
        let Some(mut entry) = ManagedEntry::from_value(value).filter(is_taken_from) else {
            kept.push(value.clone());
            continue;
        };
        let theirs = takeable.iter().map(|item| entry.fields.within(item));
        let theirs = theirs.fold(FieldSet::default(), |sum, theirs| sum.union(&theirs));
        if theirs.is_empty() {
            kept.push(value.clone());
            continue;
        }
        entry.fields = entry.fields.difference(&theirs);
        taken.extend(&theirs);
        since = since.max(entry.time.clone());
        if !entry.fields.is_empty() {
            kept.push(entry.to_value());
        }
    }
    if taken.is_empty() {
        return None;
    }
    // The items themselves as well: who holds but their fields cannot let go of them.
    takeable.iter().for_each(|item| taken.insert(item));
    Some(handed_over(kept, taken, since, live.api_version()))
}

/// Managers of an object, and fields that were taken from them and become ours.
pub(super) fn handed_over(
    mut kept: Vec<Value>,
    taken: FieldSet,
    since: Option<String>,
    api_version: &str,
) -> Value {
    let ours = kept.iter_mut().find_map(|value| {
        let entry = ManagedEntry::from_value(value).filter(is_ours)?;
        Some((value, entry))
    });
    match ours {
        Some((value, mut entry)) => {
            entry.fields.extend(&taken);
            *value = entry.to_value();
        }
        None => {
            let entry = ManagedEntry {
                manager: MANAGER.to_owned(),
                operation: Operation::Apply,
                subresource: String::new(),
                api_version: api_version.to_owned(),
                time: since,
                fields: taken,
            };
            kept.push(entry.to_value());
        }
    }
    Value::Array(kept)
}

/// Whether all that hold an item besides us do so by updates of the object itself. Sets of paths
/// are those of one version, so that the versions must be the same.
fn may_be_taken(entries: &[ManagedEntry], version: &str, item: &FieldPath) -> bool {
    let mut holders =
        entries.iter().filter(|entry| !is_ours(entry) && covers(&entry.fields, item)).peekable();
    let same_version = |entry: &ManagedEntry| entry.api_version == version;
    holders.peek().is_some()
        && holders.all(|entry| is_taken_from(entry) && same_version(entry))
        && entries.iter().filter(|entry| is_ours(entry)).all(same_version)
}

/// Whether an entry is that of our applies of the object itself.
pub(super) fn is_ours(entry: &ManagedEntry) -> bool {
    entry.manager == MANAGER && entry.operation == Operation::Apply && entry.subresource.is_empty()
}

fn is_taken_from(entry: &ManagedEntry) -> bool {
    entry.operation == Operation::Update && entry.subresource.is_empty()
}

struct Search<'s, O> {
    exactness: Exactness,
    open: &'s O,
    live: &'s Object,
    entries: Vec<ManagedEntry>,
    found: Vec<Renamed>,
}

impl<O: Open> Search<'_, O> {
    fn value(&mut self, desired: &Value, live: &Value, shape: &'static Shape, path: &FieldPath) {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) if !shape.is_atomic_map() => {
                for (name, value) in desired {
                    if let Some(live) = live.get(name) {
                        self.value(value, live, shape.field(name), &path.then(PathElement::field(name)));
                    }
                }
            }
            (Value::Array(items), Value::Array(_)) => {
                if let Some(list) = shape.keyed_list().filter(|list| !list.keys.is_empty()) {
                    self.items(items, live, list, path);
                }
            }
            _ => {}
        }
    }

    fn items(&mut self, items: &[Value], live: &Value, list: KeyedList, path: &FieldPath) {
        let elements = |items: &[Value]| -> Vec<(PathElement, Value)> {
            items.iter().filter_map(|item| Some((list.element_of(item)?, item.clone()))).collect()
        };
        let desired = elements(items);
        let mut missing = Vec::new();
        for (element, item) in &desired {
            match element.step(live) {
                Some(live) => self.value(item, live, list.item, &path.then(element.clone())),
                None => missing.push((element, with_keys(item, element))),
            }
        }
        if missing.is_empty() {
            return;
        }
        let mut others = elements(live.as_array().map(Vec::as_slice).unwrap_or_default());
        others.retain(|(element, _)| {
            !desired.iter().any(|(wanted, _)| wanted == element)
                && may_be_taken(&self.entries, self.live.api_version(), &path.then(element.clone()))
        });
        let mut pairs: Vec<(Likeness, usize, usize)> = Vec::new();
        for (ours, (_, item)) in missing.iter().enumerate() {
            for (theirs, (_, other)) in others.iter().enumerate() {
                let likeness = Likeness::of(item, other, list, path);
                if likeness.is_enough(self.exactness) {
                    pairs.push((likeness, ours, theirs));
                }
            }
        }
        // The most alike first, and each item once.
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let (mut placed, mut used) = (vec![false; missing.len()], vec![false; others.len()]);
        for (_, ours, theirs) in pairs {
            if placed[ours] || used[theirs] {
                continue;
            }
            (placed[ours], used[theirs]) = (true, true);
            let ((wanted, item), (element, other)) = (&missing[ours], &others[theirs]);
            let shown = path.then(name_of(item, other, list).unwrap_or_else(|| element.clone()));
            let differences = item_differences(item, other, list.item, &shown, self.exactness, self.open);
            self.found.push(Renamed {
                item: path.then(element.clone()),
                missing: path.then((*wanted).clone()),
                differences,
            });
        }
    }
}

/// How much a live item looks like a desired one under other keys; the greater the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    /// They share a name that is no key: a server refuses a second one.
    shares_name: bool,
    /// How many of the desired fields are the same, keys left out.
    alike: usize,
    /// How many there are.
    of: usize,
}

impl Likeness {
    fn of(desired: &Value, live: &Value, list: KeyedList, path: &FieldPath) -> Self {
        let is_key = |name: &str| list.keys.iter().any(|key| key.name == name);
        let fields = desired.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, value)| !is_key(name) && !is_nothing(value));
        let alike: Vec<bool> = fields
            .map(|(name, value)| {
                let path = path.then(PathElement::field(name));
                let agrees = |_: &str, _: &Value| false;
                live.get(name).is_some_and(|live| same(value, live, &path, Exactness::Subset, &agrees))
            })
            .collect();
        Self {
            shares_name: name_of(desired, live, list).is_some(),
            alike: alike.iter().filter(|alike| **alike).count(),
            of: alike.len(),
        }
    }

    /// Where the topology asks for the same as before, an item that is missing was there: anything that
    /// is alike will do. Otherwise it may be new, and what others added is not to be taken for it.
    fn is_enough(self, exactness: Exactness) -> bool {
        self.shares_name
            || match exactness {
                Exactness::Subset => self.alike > 0,
                Exactness::Whole => self.alike > 1 && 2 * self.alike > self.of,
            }
    }
}

/// The step to an item by a name that both have and that is no key of the list.
fn name_of(desired: &Value, live: &Value, list: KeyedList) -> Option<PathElement> {
    let name = desired.get("name").filter(|name| name.is_string())?;
    let is_key = list.keys.iter().any(|key| key.name == "name");
    (!is_key && live.get("name") == Some(name))
        .then(|| PathElement::Key(vec![("name".to_owned(), name.clone())]))
}

/// An item with the keys that it leaves to their defaults.
fn with_keys(item: &Value, element: &PathElement) -> Value {
    let mut item = item.clone();
    if let (Value::Object(map), PathElement::Key(keys)) = (&mut item, element) {
        for (name, value) in keys {
            map.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::plan::{
        Action, Author, Cause, Change, Comparison, Conflicts, DryRuns, InventoryEntry, Lasting, Origin, Shown,
    };

    fn entry(manager: &str, operation: &str, version: &str, fields: &Value) -> Value {
        json!({
            "manager": manager, "operation": operation, "apiVersion": version,
            "time": "2026-11-20T10:30:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    fn service(ports: Value, managed: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "istiod", "namespace": "istio-system", "uid": "u", "managedFields": managed},
            "spec": {"ports": ports},
        }))
        .unwrap()
    }

    /// The port that was 15012 and what we hold besides.
    fn renumbered(manager: &str, operation: &str) -> Object {
        moved(15013, "TCP", manager, operation)
    }

    fn moved(port: u16, protocol: &str, manager: &str, operation: &str) -> Object {
        let key = format!("k:{}", json!({"port": port, "protocol": protocol}));
        service(
            json!([
                {"name": "tcp-istiod", "port": port, "protocol": protocol, "targetPort": 15012},
                {"name": "tcp-webhook", "port": 443, "protocol": "TCP", "targetPort": 443},
            ]),
            json!([
                entry(
                    "stolos",
                    "Apply",
                    "v1",
                    &json!({"f:spec": {"f:ports": {
                        "k:{\"port\":443,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}},
                    }}})
                ),
                entry(
                    manager,
                    operation,
                    "v1",
                    &json!({"f:spec": {"f:ports": {
                        key: {".": {}, "f:name": {}, "f:port": {}},
                    }}})
                ),
            ]),
        )
    }

    fn ports() -> Object {
        service(
            json!([{"name": "tcp-istiod", "port": 15012}, {"name": "tcp-webhook", "port": 443}]),
            json!([]),
        )
    }

    /// What is done to an object that was recorded with the digest `same`.
    fn change(desired: &Object, digest: &str, live: &Object) -> Change {
        let mut desired = desired.clone();
        let metadata = desired.as_map_mut()["metadata"].as_object_mut().unwrap();
        metadata.retain(|name, _| name == "name" || name == "namespace");
        let recorded = InventoryEntry {
            uid: live.uid().map(str::to_owned),
            origin: Origin::Created,
            unit: "c1/control-plane".parse().unwrap(),
            digest: "same".to_owned(),
        };
        let comparison = Comparison {
            cluster: &"c1".into(),
            desired: &desired,
            digest,
            live: Some(live),
            lasting: Lasting::Stays,
            recorded: Some(&recorded),
            conflicts: Conflicts::Refuse,
            unread: &BTreeSet::new(),
            dry_runs: &DryRuns::default(),
        };
        comparison.change().unwrap()
    }

    fn lines(change: &Change) -> Vec<String> {
        let word = |shown: &Option<Shown>| match shown {
            Some(Shown::Value(value)) => value.to_string(),
            other => format!("{other:?}"),
        };
        let fields = change.fields.iter();
        fields
            .map(|field| {
                let by = field.by.as_ref().map_or("nobody", |author| author.manager.as_str());
                format!("{} {} -> {} by {by}", field.path, word(&field.before), word(&field.after))
            })
            .collect()
    }

    fn port(number: u16) -> FieldPath {
        FieldPath::of_fields(["spec", "ports"]).then(PathElement::Key(vec![
            ("port".to_owned(), json!(number)),
            ("protocol".to_owned(), json!("TCP")),
        ]))
    }

    #[test]
    fn a_port_under_another_number_is_one_field_that_drifted() {
        let change = change(&ports(), "same", &renumbered("kubectl-patch", "Update"));
        assert_eq!(lines(&change), ["spec.ports[name=tcp-istiod].port 15013 -> 15012 by kubectl-patch"]);
        let author =
            Author { manager: "kubectl-patch".to_owned(), time: Some("2026-11-20T10:30:00Z".to_owned()) };
        assert_eq!(change.cause, Cause::Drift(Some(author)));
        assert_eq!((change.action, change.conflicts), (Action::Update, Conflicts::Force));
        assert_eq!(change.renamed, [port(15013)]);
    }

    #[test]
    fn a_port_of_another_protocol_is_one_field_too() {
        let live = moved(15012, "UDP", "kubectl-edit", "Update");
        let change = change(&ports(), "same", &live);
        assert_eq!(
            lines(&change),
            [r#"spec.ports[name=tcp-istiod].protocol "UDP" -> "TCP" by kubectl-edit"#]
        );
    }

    #[test]
    fn what_another_tool_applied_is_not_taken() {
        let change = change(&ports(), "same", &renumbered("argocd", "Apply"));
        assert_eq!(change.renamed, []);
        assert_eq!(change.fields.len(), 1);
    }

    #[test]
    fn a_port_that_others_added_stays_theirs() {
        let live = renumbered("kubectl-edit", "Update");
        let desired = service(json!([{"name": "tcp-webhook", "port": 443}]), json!([]));
        let change = change(&desired, "same", &live);
        assert_eq!((change.action, change.renamed), (Action::NoOp, vec![]));
    }

    fn deployment(container: Value, managed: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "istiod", "namespace": "istio-system", "uid": "u", "managedFields": managed},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }))
        .unwrap()
    }

    #[test]
    fn a_container_under_another_name_is_one_field_that_restarts_pods() {
        let container =
            |name: &str, image: &str| json!({"name": name, "image": image, "args": ["discovery"]});
        let managed = json!([entry(
            "kubectl-edit",
            "Update",
            "apps/v1",
            &json!({
                "f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"pilot\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}},
                }}}},
            })
        )]);
        let change = change(
            &deployment(container("discovery", "pilot:1"), json!([])),
            "same",
            &deployment(container("pilot", "pilot:2"), managed),
        );
        assert_eq!(
            lines(&change),
            [
                r#"spec.template.spec.containers[name=pilot].image "pilot:2" -> "pilot:1" by kubectl-edit"#,
                r#"spec.template.spec.containers[name=pilot].name "pilot" -> "discovery" by kubectl-edit"#,
            ]
        );
        assert!(change.restarts());
    }

    #[test]
    fn a_new_variable_does_not_take_the_place_of_one_that_others_added() {
        let container = |env: Value| json!({"name": "discovery", "env": env});
        let managed = json!([entry(
            "kubectl-set",
            "Update",
            "apps/v1",
            &json!({
                "f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"discovery\"}": {
                    "f:env": {"k:{\"name\":\"THEIRS\"}": {".": {}, "f:name": {}, "f:value": {}}},
                }}}}},
            })
        )]);
        let live = deployment(container(json!([{"name": "THEIRS", "value": "true"}])), managed);
        let desired = deployment(container(json!([{"name": "NEW", "value": "true"}])), json!([]));
        assert_eq!(change(&desired, "another", &live).renamed, []);
        // Where nothing new is asked for, it is the one that we set.
        assert_eq!(change(&desired, "same", &live).renamed.len(), 1);
    }

    #[test]
    fn the_items_of_an_update_become_ours_and_nothing_else_does() {
        let live = service(
            json!([{"name": "a", "port": 1}]),
            json!([
                {"manager": "later", "operation": "Apply", "fieldsType": "FieldsV2"},
                entry("stolos", "Apply", "v1", &json!({"f:spec": {"f:type": {}}})),
                entry("kubectl-edit", "Update", "v1", &json!({
                    "f:metadata": {"f:labels": {"f:a": {}}},
                    "f:spec": {"f:ports": {"k:{\"port\":15013,\"protocol\":\"TCP\"}": {"f:name": {}}}},
                })),
            ]),
        );
        let expected = json!([
            {"manager": "later", "operation": "Apply", "fieldsType": "FieldsV2"},
            entry("stolos", "Apply", "v1", &json!({"f:spec": {
                "f:type": {},
                "f:ports": {"k:{\"port\":15013,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}},
            }})),
            entry("kubectl-edit", "Update", "v1", &json!({"f:metadata": {"f:labels": {"f:a": {}}}})),
        ]);
        let taken = taken_over(&live, &[port(15013)]).unwrap();
        assert_eq!(taken, expected);
        let after = service(json!([{"name": "a", "port": 1}]), taken);
        assert_eq!(taken_over(&after, &[port(15013)]), None);
        assert_eq!(taken_over(&live, &[port(15014)]), None);
    }

    #[test]
    fn what_we_never_applied_gets_an_entry_of_ours() {
        let fields = json!({"f:spec": {"f:ports": {
            "k:{\"port\":15013,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}},
        }}});
        let live = service(json!([]), json!([entry("helm", "Update", "v1", &fields)]));
        let expected = json!([entry("stolos", "Apply", "v1", &fields)]);
        assert_eq!(taken_over(&live, &[port(15013)]), Some(expected));
        let of_another_version = service(json!([]), json!([entry("helm", "Update", "v2", &fields)]));
        assert_eq!(taken_over(&of_another_version, &[port(15013)]), None);
    }
}

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::sandbox::clock::ManualClock;
use crate::sandbox::merge::Force;

/// A folder of its own for each test, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stolos-store-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        Self(folder)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("c1.jsonl")
    }

    fn open(&self) -> Arc<ClusterStore> {
        let time = "2026-01-02T03:04:05Z".parse().expect("a time");
        let store = ClusterStore::open(&self.journal(), "c1", "c1", Arc::new(ManualClock::at(time)));
        Arc::new(store.expect("the journal opens"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn object(value: Value) -> Object {
    Object::from_value(value).expect("a whole object")
}

fn config_map(name: &str, data: Value) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data,
    }))
}

fn by(manager: &str) -> ApplyOptions {
    ApplyOptions { write: WriteOptions::by(manager), force: Force::Refuse }
}

fn names(store: &ClusterStore, group: &str, kind: &str) -> Vec<String> {
    store.list(group, kind, None).iter().map(|object| object.reference().to_string()).collect()
}

#[test]
fn a_fresh_cluster_has_what_every_cluster_has() {
    let scratch = Scratch::new("fresh");
    let store = scratch.open();
    assert_eq!(
        names(&store, "", "Namespace"),
        ["Namespace default", "Namespace kube-node-lease", "Namespace kube-public", "Namespace kube-system"]
    );
    assert_eq!(
        names(&store, "", "ServiceAccount"),
        [
            "ServiceAccount default/default",
            "ServiceAccount kube-node-lease/default",
            "ServiceAccount kube-public/default",
            "ServiceAccount kube-system/default"
        ]
    );
    let root = store.find("", "ConfigMap", Some("default"), "kube-root-ca.crt").expect("it is there");
    assert_eq!(root.text(&["data", "ca.crt"]), Some(store.ca()));
}

#[test]
fn state_and_uids_survive_a_close_and_a_torn_last_line() {
    let scratch = Scratch::new("torn");
    let store = scratch.open();
    store.apply(config_map("a", json!({"k": "1"})), &by("m")).expect("applies");
    store.apply(config_map("b", json!({"k": "1"})), &by("m")).expect("applies");
    store.delete(&config_map("b", json!({})).reference(), &DeleteOptions::default()).expect("deletes");
    let (before, revision) = (store.list("", "ConfigMap", None), store.revision());
    drop(store);
    let mut bytes = std::fs::read(scratch.journal()).expect("readable");
    bytes.extend_from_slice(b"{\"revision\":99999,\"put\":{\"apiVersion\":\"v1\",\"ki");
    std::fs::write(scratch.journal(), bytes).expect("writable");
    let store = scratch.open();
    assert_eq!(store.list("", "ConfigMap", None), before);
    assert_eq!(store.revision(), revision);
    drop(store);
    assert_eq!(scratch.open().revision(), revision);
}

#[test]
fn a_journal_that_is_broken_in_the_middle_is_refused() {
    let scratch = Scratch::new("broken");
    drop(scratch.open());
    let text = std::fs::read_to_string(scratch.journal()).expect("readable");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "{\"revision\":2,\"put\":";
    std::fs::write(scratch.journal(), lines.join("\n") + "\n").expect("writable");
    let clock = Arc::new(ManualClock::at("2026-01-02T03:04:05Z".parse().expect("a time")));
    let fault = ClusterStore::open(&scratch.journal(), "c1", "c1", clock).expect_err("refused");
    assert_eq!(fault.to_string(), "line 3 is broken");
}

#[test]
fn applying_twice_writes_once() {
    let scratch = Scratch::new("twice");
    let store = scratch.open();
    let first = store.apply(config_map("a", json!({"k": "1"})), &by("m")).expect("applies");
    let second = store.apply(config_map("a", json!({"k": "1"})), &by("m")).expect("applies");
    assert_eq!((first.outcome, second.outcome), (Outcome::Created, Outcome::Unchanged));
    assert_eq!(first.object, second.object);
    assert_eq!(first.revision, second.revision);
}

#[test]
fn applying_again_keeps_a_status_that_says_null() {
    let scratch = Scratch::new("null-status");
    let store = scratch.open();
    let scaler = object(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
        },
    }));
    let first = store.apply(scaler.clone(), &by("m")).expect("applies");
    let status = json!({"currentMetrics": null, "desiredReplicas": 0});
    assert_eq!(first.object.get(&["status"]), Some(&status));
    let second = store.apply(scaler, &by("m")).expect("applies");
    assert_eq!(second.object.get(&["status"]), Some(&status));
    assert_eq!(second.object.get(&["spec"]), first.object.get(&["spec"]));
    assert_eq!(second.object, first.object);
    assert_eq!(second.outcome, Outcome::Unchanged);
}

#[test]
fn a_field_of_another_manager_is_a_conflict_until_forced() {
    let scratch = Scratch::new("conflict");
    let store = scratch.open();
    store.apply(config_map("a", json!({"k": "1", "l": "1"})), &by("m")).expect("applies");
    let reference = config_map("a", json!({})).reference();
    let patch = Patch::Merge(json!({"data": {"k": "2"}}));
    store.patch(&reference, &patch, None, &WriteOptions::by("kubectl-edit")).expect("patches");
    let refused = store.apply(config_map("a", json!({"k": "1", "l": "1"})), &by("m")).expect_err("refused");
    assert_eq!(
        refused.to_status(),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: .data.k",
            "details": {"causes": [{
                "reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using v1", "field": ".data.k",
            }]},
        })
    );
    let forced = ApplyOptions { force: Force::TakeOver, ..by("m") };
    let written = store.apply(config_map("a", json!({"k": "1", "l": "1"})), &forced).expect("takes over");
    assert_eq!(
        written.object.get(&["metadata", "managedFields"]),
        Some(&json!([{
            "manager": "m", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:k": {}, "f:l": {}}},
        }]))
    );
}

#[test]
fn a_dry_run_answers_and_keeps_nothing() {
    let scratch = Scratch::new("dry");
    let store = scratch.open();
    let before = store.revision();
    let options =
        ApplyOptions { write: WriteOptions { run: Run::Dry, ..WriteOptions::by("m") }, force: Force::Refuse };
    let written = store.apply(config_map("a", json!({"k": "1"})), &options).expect("answers");
    assert_eq!((written.outcome, written.object.text(&["data", "k"])), (Outcome::Created, Some("1")));
    assert_eq!((store.revision(), store.find("", "ConfigMap", Some("default"), "a")), (before, None));
}

#[test]
fn a_kind_that_is_in_no_table_is_refused_by_name() {
    let scratch = Scratch::new("kind");
    let store = scratch.open();
    let strange = object(
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"}}),
    );
    let refused = store.apply(strange, &by("m")).expect_err("refused");
    assert_eq!(
        (refused.reason, refused.message.as_str()),
        (
            Reason::NotFound,
            "the server could not find the requested resource: no matches for kind \"Job\" in version \"batch/v1\""
        )
    );
}

fn definition() -> Object {
    object(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gateways.networking.istio.io"},
        "spec": {
            "group": "networking.istio.io", "scope": "Namespaced",
            "names": {"kind": "Gateway", "plural": "gateways", "shortNames": ["gw"]},
            "versions": [
                {"name": "v1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {}}, "subresources": {"status": {}}},
                {"name": "v1beta1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {}}, "subresources": {"status": {}}},
            ],
        },
    }))
}

fn gateway(version: &str) -> Object {
    object(json!({
        "apiVersion": format!("networking.istio.io/{version}"), "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "default"}, "spec": {"selector": {"a": "b"}},
    }))
}

#[test]
fn a_definition_is_established_and_its_kind_is_served_in_all_its_versions() {
    let scratch = Scratch::new("definition");
    let store = scratch.open();
    assert_eq!(store.apply(gateway("v1"), &by("m")).expect_err("unknown").reason, Reason::NotFound);
    store.apply(definition(), &by("m")).expect("applies");
    let live =
        store.find("apiextensions.k8s.io", "CustomResourceDefinition", None, "gateways.networking.istio.io");
    let conditions = live.expect("it is there").get(&["status", "conditions"]).cloned();
    let types: Vec<_> = conditions
        .iter()
        .flat_map(|c| c.as_array())
        .flatten()
        .map(|c| (c["type"].clone(), c["status"].clone()))
        .collect();
    assert_eq!(types, [(json!("NamesAccepted"), json!("True")), (json!("Established"), json!("True"))]);
    store.apply(gateway("v1"), &by("m")).expect("served");
    // Both versions are one object, kept in the storage version.
    let again = store.apply(gateway("v1beta1"), &by("m")).expect("served");
    assert_eq!(again.object.api_version(), "networking.istio.io/v1beta1");
    assert_eq!(names(&store, "networking.istio.io", "Gateway"), ["Gateway default/g"]);
}

#[test]
fn a_definition_is_established_though_the_process_was_killed_before() {
    let scratch = Scratch::new("definition-killed");
    let store = scratch.open();
    store.apply(definition(), &by("m")).expect("applies");
    store.flush();
    drop(store);
    let written = std::fs::read_to_string(scratch.journal()).expect("reads");
    let (kept, lost) = written.trim_end().rsplit_once('\n').expect("several lines");
    assert!(lost.contains("Established") && !kept.contains("Established"), "{lost}");
    std::fs::write(scratch.journal(), format!("{kept}\n")).expect("writes");
    let store = scratch.open();
    store.apply(gateway("v1"), &by("m")).expect("served");
}

#[test]
fn a_cluster_whose_process_was_killed_at_its_beginning_is_whole() {
    let scratch = Scratch::new("fresh-killed");
    let store = scratch.open();
    let whole = names(&store, "", "Namespace");
    store.flush();
    drop(store);
    let written = std::fs::read_to_string(scratch.journal()).expect("reads");
    let header = written.lines().next().expect("a header");
    std::fs::write(scratch.journal(), format!("{header}\n")).expect("writes");
    assert_eq!(names(&scratch.open(), "", "Namespace"), whole);
}

#[test]
fn a_deleted_definition_takes_its_objects_along() {
    let scratch = Scratch::new("definition-gone");
    let store = scratch.open();
    store.apply(definition(), &by("m")).expect("applies");
    store.apply(gateway("v1"), &by("m")).expect("applies");
    store.delete(&definition().reference(), &DeleteOptions::default()).expect("deletes");
    assert_eq!(names(&store, "networking.istio.io", "Gateway"), Vec::<String>::new());
    assert_eq!(names(&store, "apiextensions.k8s.io", "CustomResourceDefinition"), Vec::<String>::new());
    assert_eq!(store.apply(gateway("v1"), &by("m")).expect_err("unknown again").reason, Reason::NotFound);
}

fn namespace(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
}

#[test]
fn a_namespace_waits_for_the_finalizers_of_its_content() {
    let scratch = Scratch::new("namespace");
    let store = scratch.open();
    store.apply(namespace("n"), &by("m")).expect("applies");
    let held = |finalizers: Value| {
        object(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s", "namespace": "n", "finalizers": finalizers},
        }))
    };
    store.apply(held(json!(["example.com/hold"])), &by("m")).expect("applies");
    let deleted = store.delete(&namespace("n").reference(), &DeleteOptions::default()).expect("deletes");
    assert!(matches!(deleted, Deleted::Marked(_)));
    let live = store.find("", "Namespace", None, "n").expect("it is held");
    assert_eq!(live.text(&["status", "phase"]), Some("Terminating"));
    let refused = store.create(
        object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}})),
        &WriteOptions::by("m"),
    );
    let refused = refused.expect_err("terminating");
    assert_eq!(
        (refused.reason, refused.message.as_str()),
        (
            Reason::Forbidden,
            "configmaps \"c\" is forbidden: unable to create new content in namespace n because it is being terminated"
        )
    );
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    store.patch(&held(json!([])).reference(), &patch, None, &WriteOptions::by("m")).expect("releases");
    assert_eq!(store.find("", "Namespace", None, "n"), None);
    assert_eq!(store.list("", "ConfigMap", Some("n")), []);
}

#[test]
fn dependants_go_with_their_last_owner() {
    let scratch = Scratch::new("owners");
    let store = scratch.open();
    let owner = store.create(config_map("owner", json!({})), &WriteOptions::by("m")).expect("creates").object;
    let mut dependant = config_map("dependant", json!({}));
    dependant.as_map_mut()["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid()}]);
    store.create(dependant.clone(), &WriteOptions::by("m")).expect("creates");
    store.delete(&owner.reference(), &DeleteOptions::default()).expect("deletes");
    assert_eq!(store.get(&dependant.reference()), None);
}

#[tokio::test]
async fn a_feed_gives_every_change_in_order() {
    let scratch = Scratch::new("feed");
    let store = scratch.open();
    let mut feed = store.feed();
    let written = store.apply(config_map("a", json!({"k": "1"})), &by("m")).expect("applies");
    store.apply(config_map("a", json!({"k": "2"})), &by("m")).expect("applies");
    store.delete(&written.object.reference(), &DeleteOptions::default()).expect("deletes");
    let changes = feed.next().await.expect("there are some");
    let kinds: Vec<_> =
        changes.iter().map(|change| (change.kind, change.object.text(&["data", "k"]))).collect();
    assert_eq!(
        kinds,
        [(ChangeKind::Added, Some("1")), (ChangeKind::Modified, Some("2")), (ChangeKind::Deleted, Some("2"))]
    );
    store.durable(store.revision()).await.expect("it reaches the disk");
}

#[test]
fn ownership_moves_by_a_patch_of_the_version_that_was_read() {
    let scratch = Scratch::new("ownership");
    let store = scratch.open();
    let written = store.create(config_map("a", json!({"k": "v"})), &WriteOptions::by("kubectl")).unwrap();
    let reference = written.object.reference();
    let version = written.object.get(&["metadata", "resourceVersion"]).cloned().unwrap();
    let entry = |manager: &str, fields: Value| {
        json!({
            "manager": manager, "operation": "Apply", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    let ours = json!([entry("stolos", json!({"f:data": {".": {}, "f:k": {}}}))]);
    let patch = |entries: &Value, version: &Value| {
        let patch = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]);
        store.patch(&reference, &Patch::Json(patch), None, &WriteOptions::by("stolos"))
    };
    let moved = patch(&ours, &version).unwrap();
    assert_eq!(moved.outcome, Outcome::Changed);
    assert_eq!(moved.object.get(&["metadata", "managedFields"]), Some(&ours));
    // A second time the version is gone.
    assert_eq!(patch(&ours, &version).unwrap_err().reason.code(), 409);
    let version = moved.object.get(&["metadata", "resourceVersion"]).cloned().unwrap();
    assert_ne!(
        moved.object.get(&["metadata", "resourceVersion"]),
        written.object.get(&["metadata", "resourceVersion"])
    );
    // What cannot be read changes nothing, with whatever else it comes.
    let mut broken = entry("other", json!({"f:data": {"f:k": {}}}));
    broken["fieldsType"] = json!("FieldsV2");
    let kept = patch(&json!([entry("other", json!({"f:data": {"f:k": {}}})), broken]), &version).unwrap();
    assert_eq!(kept.outcome, Outcome::Unchanged);
    // Now it is the applier's: an apply that does not ask for it lets it go.
    let applied = store.apply(config_map("a", json!({"l": "w"})), &by("stolos")).unwrap();
    assert_eq!(applied.object.get(&["data"]), Some(&json!({"l": "w"})));
    // One empty entry drops all.
    let version = applied.object.get(&["metadata", "resourceVersion"]).cloned().unwrap();
    let dropped = patch(&json!([{}]), &version).unwrap();
    assert_eq!(dropped.object.get(&["metadata", "managedFields"]), None);
}

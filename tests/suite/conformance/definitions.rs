//! CustomResourceDefinitions and what they serve.

use serde_json::{Value, json};

use super::world::{Api, Patch, Sides, on_both, sides};
use crate::support::servers::Answer;

sides!(
    a_definition_is_established_served_and_takes_its_objects_along,
    custom_objects_are_applied_with_lists_as_one_value,
    a_definition_that_is_none_is_refused_or_not_accepted
);

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn definition(plural: &str, kind: &str, schema: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.conformance.test")},
        "spec": {
            "group": "conformance.test", "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// Spec and status are declared and anything goes in them, as in most definitions of a mesh.
///
/// A named difference: the sandbox reads no schema, so it neither prunes, defaults nor checks what lies in them.
fn open_schema() -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"type": "object", "properties": {"spec": open, "status": open}})
}

fn is_established(answer: &Answer) -> bool {
    let conditions = answer.body["status"]["conditions"].as_array().into_iter().flatten();
    conditions.clone().any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}

async fn establish(api: &mut Api, definition: &Value) {
    let name = definition["metadata"]["name"].as_str().expect("a name");
    let path = format!("{DEFINITIONS}/{name}");
    let applied = api.apply("m", &path, definition).await;
    assert_eq!(applied.code, 201, "{}", applied.body);
    api.settle(&path, is_established).await;
    // Established is said a moment before it is served.
    let plural = definition["spec"]["names"]["plural"].as_str().expect("a plural");
    let collection = api.of("conformance.test/v1", plural);
    api.until(&collection, |answer| answer.code == 200).await;
}

async fn a_definition_is_established_served_and_takes_its_objects_along(on: Sides) {
    on_both(on, "crd-life", async |api| {
        let collection = api.of("conformance.test/v1", "lives");
        assert_eq!(api.get(&collection).await.code, 404);
        establish(api, &definition("lives", "Life", &open_schema())).await;
        let life = json!({
            "apiVersion": "conformance.test/v1", "kind": "Life", "metadata": {"name": "a"},
            "spec": {"any": ["thing", 1, {"deep": true}]},
        });
        let created = api.post(&format!("{collection}?fieldManager=m"), &life).await;
        assert_eq!((created.code, &created.body["metadata"]["generation"]), (201, &json!(1)));
        let changed = api.patch(Patch::Merge, &format!("{collection}/a"), &json!({"spec": {"x": 1}})).await;
        assert_eq!(changed.body["metadata"]["generation"], 2);
        let labelled = api
            .patch(Patch::Merge, &format!("{collection}/a"), &json!({"metadata": {"labels": {"x": "y"}}}))
            .await;
        assert_eq!(labelled.body["metadata"]["generation"], 2);
        let status = json!({"status": {"ok": true}, "spec": {"x": 2}});
        let status = api.patch(Patch::Merge, &format!("{collection}/a/status"), &status).await;
        assert_eq!((&status.body["spec"]["x"], &status.body["status"]), (&json!(1), &json!({"ok": true})));
        assert_eq!(api.get(&collection).await.body["kind"], "LifeList");
        let strategic = api.patch(Patch::Strategic, &format!("{collection}/a"), &json!({"spec": {}})).await;
        assert_eq!(strategic.code, 415);
        let gone = api.delete(&format!("{DEFINITIONS}/lives.conformance.test"), &Value::Null).await;
        assert_eq!(gone.code, 200);
        let path = format!("{DEFINITIONS}/lives.conformance.test");
        api.settle(&path, |answer| answer.code == 404).await;
        api.settle(&collection, |answer| answer.code == 404).await;
        establish(api, &definition("lives", "Life", &open_schema())).await;
        assert_eq!(api.get(&collection).await.body["items"], json!([]));
        api.quietly(http::Method::DELETE, &path, &Value::Null).await;
    })
    .await;
}

async fn custom_objects_are_applied_with_lists_as_one_value(on: Sides) {
    on_both(on, "crd-apply", async |api| {
        establish(api, &definition("atoms", "Atom", &open_schema())).await;
        let path = api.of("conformance.test/v1", "atoms/a");
        let atom = |spec: Value| {
            json!({
                "apiVersion": "conformance.test/v1", "kind": "Atom", "metadata": {"name": "a"}, "spec": spec,
            })
        };
        api.apply("one", &path, &atom(json!({"list": [{"name": "x"}], "map": {"a": 1}}))).await;
        let map = api.apply("two", &path, &atom(json!({"map": {"b": 2}}))).await;
        assert_eq!(map.body["spec"], json!({"list": [{"name": "x"}], "map": {"a": 1, "b": 2}}));
        let refused = api.apply("two", &path, &atom(json!({"list": [{"name": "y"}]}))).await;
        assert_eq!(refused.code, 409);
        let forced = api.force("two", &path, &atom(json!({"list": [{"name": "y"}]}))).await;
        assert_eq!(forced.body["spec"]["list"], json!([{"name": "y"}]));
        // A custom object is never updated without its version.
        assert_eq!(api.put(&path, &atom(json!({}))).await.code, 422);
        // Numbers and nulls stay as they are written.
        api.apply("one", &path, &atom(json!({"number": 1.50, "big": 12345678901_i64, "null": null}))).await;
        api.verdicts_only();
        let wrong = json!({"apiVersion": "conformance.test/v2", "kind": "Atom", "metadata": {"name": "a"}});
        assert_eq!(api.apply("one", &path, &wrong).await.code, 400);
        api.quietly(http::Method::DELETE, &format!("{DEFINITIONS}/atoms.conformance.test"), &Value::Null)
            .await;
    })
    .await;
}

async fn a_definition_that_is_none_is_refused_or_not_accepted(on: Sides) {
    on_both(on, "crd-refused", async |api| {
        api.verdicts_only();
        let good = definition("goods", "Good", &open_schema());
        for (pointer, value) in [
            ("/metadata/name", json!("other.conformance.test")),
            ("/spec/group", json!("")),
            ("/spec/scope", json!("Somewhere")),
            ("/spec/versions/0/storage", json!(false)),
            ("/spec/versions", json!([])),
            ("/spec/names/kind", json!("")),
            ("/spec/names/plural", json!("Goods")),
            ("/spec/versions/0/schema", Value::Null),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).expect("it is there") = value;
            assert_eq!(api.post(DEFINITIONS, &bad).await.code, 422, "{pointer}");
        }
        let taken = definition("goods", "Good", &open_schema());
        establish(api, &taken).await;
        let rival = definition("rivals", "Good", &open_schema());
        api.quietly(http::Method::POST, DEFINITIONS, &rival).await;
        let path = format!("{DEFINITIONS}/rivals.conformance.test");
        let answer = api
            .settle(&path, |answer| {
                answer.body["status"]["conditions"].as_array().is_some_and(|c| c.len() == 2)
            })
            .await;
        assert!(!is_established(&answer));
        for name in ["goods", "rivals"] {
            let path = format!("{DEFINITIONS}/{name}.conformance.test");
            api.quietly(http::Method::DELETE, &path, &Value::Null).await;
        }
    })
    .await;
}

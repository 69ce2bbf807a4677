//! Names, and those that a server makes up.

use serde_json::{Value, json};

use super::config_map;
use super::world::{Sides, on_both, sides};

sides!(
    a_generated_name_has_five_letters_after_its_prefix,
    names_that_are_none_are_refused,
    labels_and_annotations_that_are_none_are_refused
);

fn named(metadata: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
}

async fn a_generated_name_has_five_letters_after_its_prefix(on: Sides) {
    on_both(on, "names-generated", async |api| {
        let collection = api.core("configmaps");
        let first = api.post(&collection, &named(&json!({"generateName": "c-"}))).await;
        let second = api.post(&collection, &named(&json!({"generateName": "c-"}))).await;
        let name = |answer: &Value| answer["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        assert_eq!((first.code, second.code), (201, 201));
        assert_ne!(name(&first.body), name(&second.body));
        for answer in [&first, &second] {
            let suffix = name(&answer.body).strip_prefix("c-").map(str::to_owned).expect("the prefix");
            // No vowels and nothing that looks alike: apimachinery/pkg/util/rand.
            assert!(suffix.len() == 5 && suffix.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)));
        }
        let both = api.post(&collection, &named(&json!({"generateName": "c-", "name": "own"}))).await;
        assert_eq!(both.body["metadata"]["name"], "own");
        let long = "x".repeat(300);
        let long = json!({"generateName": long});
        let long = api.quietly(http::Method::POST, &collection, &named(&long)).await;
        assert_eq!((long.code, &long.body["reason"]), (422, &json!("Invalid")));
    })
    .await;
}

async fn names_that_are_none_are_refused(on: Sides) {
    on_both(on, "names-refused", async |api| {
        let collection = api.core("configmaps");
        for metadata in [
            json!({}),
            json!({"name": ""}),
            json!({"name": "Upper"}),
            json!({"name": "under_score"}),
            json!({"name": "-dash"}),
            json!({"name": "x".repeat(254)}),
            json!({"name": "a/b"}),
        ] {
            assert_eq!(api.post(&collection, &named(&metadata)).await.code, 422, "{metadata}");
        }
        let upper = named(&json!({"generateName": "Up-"}));
        assert_eq!(api.quietly(http::Method::POST, &collection, &upper).await.code, 422);
        let path = api.core("configmaps/Upper");
        assert_eq!(api.apply("m", &path, &named(&json!({"name": "Upper"}))).await.code, 422);
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "1st.dot"},
            "spec": {"ports": [{"port": 80}]},
        });
        assert_eq!(api.post(&api.core("services"), &service).await.code, 422);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}});
        assert_eq!(api.post("/api/v1/namespaces", &namespace).await.code, 422);
    })
    .await;
}

async fn labels_and_annotations_that_are_none_are_refused(on: Sides) {
    on_both(on, "names-labels", async |api| {
        let collection = api.core("configmaps");
        for metadata in [
            json!({"name": "c", "labels": {"a": "not a value"}}),
            json!({"name": "c", "labels": {"not a key": "a"}}),
            json!({"name": "c", "finalizers": ["unqualified"]}),
        ] {
            assert_eq!(api.post(&collection, &named(&metadata)).await.code, 422, "{metadata}");
        }
        api.verdicts_only();
        for metadata in [
            json!({"name": "c", "labels": {"a": "x".repeat(64)}}),
            json!({"name": "c", "labels": {"a/b/c": "x"}}),
            json!({"name": "c", "labels": {"": "x"}}),
            json!({"name": "c", "annotations": {"not a key": "a"}}),
            json!({"name": "c", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": ""}]}),
        ] {
            assert_eq!(api.post(&collection, &named(&metadata)).await.code, 422, "{metadata}");
        }
        assert_eq!(api.post(&collection, &config_map("c", &json!({"not a key": "x"}))).await.code, 422);
        assert_eq!(api.post(&collection, &config_map("c", &json!({"..": "x"}))).await.code, 422);
    })
    .await;
}

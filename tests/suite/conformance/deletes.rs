//! Deletion, finalizers and what goes along.

use serde_json::{Value, json};

use super::config_map;
use super::world::{Patch, Sides, on_both, sides};

sides!(
    a_deletion_says_what_is_gone,
    a_finalizer_holds_an_object_until_it_is_taken_away,
    dependants_go_with_their_last_owner_or_stay_as_orphans,
    a_collection_is_deleted_by_labels
);

fn options(key: &str, value: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "DeleteOptions", key: value})
}

async fn a_deletion_says_what_is_gone(on: Sides) {
    on_both(on, "delete-answers", async |api| {
        let collection = api.core("configmaps");
        let path = api.core("configmaps/c");
        api.post(&collection, &config_map("c", &json!({}))).await;
        let gone = api.delete(&path, &Value::Null).await;
        assert_eq!((gone.code, &gone.body["status"]), (200, &json!("Success")));
        assert_eq!(gone.body["details"]["kind"], "configmaps");
        let again = api.delete(&path, &Value::Null).await;
        assert_eq!((again.code, &again.body["message"]), (404, &json!("configmaps \"c\" not found")));
        api.post(&collection, &config_map("c", &json!({}))).await;
        let somehow = options("propagationPolicy", &json!("Somehow"));
        assert_eq!(api.delete(&path, &somehow).await.code, 422);
        assert_eq!(api.delete(&format!("{path}?gracePeriodSeconds=0"), &Value::Null).await.code, 200);
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}});
        api.post(&api.core("serviceaccounts"), &account).await;
        api.delete(&api.core("serviceaccounts/a"), &Value::Null).await;
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}});
        api.post(&api.core("services"), &service).await;
        api.delete(&api.core("services/s"), &Value::Null).await;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        api.post(&api.core("secrets"), &secret).await;
        api.delete(&api.core("secrets/s"), &Value::Null).await;
    })
    .await;
}

async fn a_finalizer_holds_an_object_until_it_is_taken_away(on: Sides) {
    on_both(on, "delete-finalizers", async |api| {
        let path = api.core("configmaps/c");
        let mut object = config_map("c", &json!({"a": "1"}));
        object["metadata"]["finalizers"] = json!(["x.test/one", "x.test/two"]);
        api.post(&api.core("configmaps"), &object).await;
        let marked = api.delete(&path, &Value::Null).await;
        assert_eq!((marked.code, &marked.body["kind"]), (200, &json!("ConfigMap")));
        assert_eq!(marked.body["metadata"]["deletionGracePeriodSeconds"], 0);
        let again = api.delete(&path, &Value::Null).await;
        assert_eq!(again.body["metadata"]["resourceVersion"], marked.body["metadata"]["resourceVersion"]);
        // It can be changed, and applied, but it gets no new finalizer.
        assert_eq!(api.patch(Patch::Merge, &path, &json!({"data": {"a": "2"}})).await.code, 200);
        let more = json!({"metadata": {"finalizers": ["x.test/one", "x.test/two", "x.test/three"]}});
        assert_eq!(api.patch(Patch::Merge, &path, &more).await.code, 422);
        let fewer = json!({"metadata": {"finalizers": ["x.test/two"]}});
        assert_eq!(api.patch(Patch::Merge, &path, &fewer).await.code, 200);
        let last = api.patch(Patch::Merge, &path, &json!({"metadata": {"finalizers": null}})).await;
        assert_eq!((last.code, &last.body["metadata"]["finalizers"]), (200, &Value::Null));
        assert_eq!(api.get(&path).await.code, 404);
    })
    .await;
}

async fn dependants_go_with_their_last_owner_or_stay_as_orphans(on: Sides) {
    on_both(on, "delete-dependants", async |api| {
        let collection = api.core("configmaps");
        let mut owners = Vec::new();
        for name in ["one", "two", "three"] {
            let owner = api.post(&collection, &config_map(name, &json!({}))).await;
            owners.push(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner.body["metadata"]["uid"],
            }));
        }
        for (name, owners) in [
            ("of-one", vec![&owners[0]]),
            ("of-both", vec![&owners[0], &owners[1]]),
            ("of-three", vec![&owners[2]]),
        ] {
            let mut owned = config_map(name, &json!({}));
            owned["metadata"]["ownerReferences"] = json!(owners);
            api.post(&collection, &owned).await;
        }
        api.delete(&api.core("configmaps/one"), &options("propagationPolicy", &json!("Background"))).await;
        api.settle(&api.core("configmaps/of-one"), |answer| answer.code == 404).await;
        let both = api
            .settle(&api.core("configmaps/of-both"), |answer| {
                answer.body["metadata"]["ownerReferences"].as_array().is_some_and(|owners| owners.len() == 1)
            })
            .await;
        assert_eq!(both.body["metadata"]["ownerReferences"][0]["name"], "two");
        api.quietly(
            http::Method::DELETE,
            &api.core("configmaps/three"),
            &options("propagationPolicy", &json!("Orphan")),
        )
        .await;
        api.settle(&api.core("configmaps/three"), |answer| answer.code == 404).await;
        let orphan = api.get(&api.core("configmaps/of-three")).await;
        assert_eq!((orphan.code, &orphan.body["metadata"]["ownerReferences"]), (200, &Value::Null));
        api.quietly(
            http::Method::DELETE,
            &api.core("configmaps/two"),
            &options("propagationPolicy", &json!("Foreground")),
        )
        .await;
        api.settle(&api.core("configmaps/two"), |answer| answer.code == 404).await;
        assert_eq!(api.get(&api.core("configmaps/of-both")).await.code, 404);
    })
    .await;
}

async fn a_collection_is_deleted_by_labels(on: Sides) {
    on_both(on, "delete-collection", async |api| {
        let collection = api.core("configmaps");
        for (name, label) in [("a", "yes"), ("b", "no"), ("c", "yes")] {
            let mut object = config_map(name, &json!({}));
            object["metadata"]["labels"] = json!({"go": label});
            api.post(&collection, &object).await;
        }
        let gone = api.delete(&format!("{collection}?labelSelector=go%3Dyes"), &Value::Null).await;
        assert_eq!(gone.code, 200);
        let left = api.get(&format!("{collection}?labelSelector=go")).await;
        assert_eq!(left.body["items"].as_array().map(Vec::len), Some(1));
        // Services are deleted in collections too; namespaces are not.
        api.delete(&api.core("services"), &Value::Null).await;
        assert_eq!(api.delete("/api/v1/namespaces", &Value::Null).await.code, 405);
    })
    .await;
}

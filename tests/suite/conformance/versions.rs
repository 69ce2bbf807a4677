//! Writes that say from which state they start.

use serde_json::{Value, json};

use super::config_map;
use super::world::{Patch, Sides, on_both, sides};

sides!(
    a_write_that_starts_from_an_older_state_is_refused,
    creation_from_a_state_and_updates_of_what_is_not_there_are_refused,
    leases_and_custom_objects_are_updated_from_a_known_state_only,
    a_delete_may_say_which_object_it_means
);

fn versioned(object: &Value, version: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = version.clone();
    object
}

async fn a_write_that_starts_from_an_older_state_is_refused(on: Sides) {
    on_both(on, "versions-stale", async |api| {
        let path = api.core("configmaps/c");
        let first = api.post(&api.core("configmaps"), &config_map("c", &json!({"a": "1"}))).await;
        let stale = first.body["metadata"]["resourceVersion"].clone();
        let second = api.put(&path, &versioned(&config_map("c", &json!({"a": "2"})), &stale)).await;
        assert_eq!(second.code, 200);
        let refused = api.put(&path, &versioned(&config_map("c", &json!({"a": "3"})), &stale)).await;
        assert_eq!(
            (refused.code, &refused.body["reason"], &refused.body["message"]),
            (
                409,
                &json!("Conflict"),
                &json!(
                    "Operation cannot be fulfilled on configmaps \"c\": the object has been modified; please apply \
                     your changes to the latest version and try again"
                )
            )
        );
        let patch = json!({"metadata": {"resourceVersion": stale}, "data": {"a": "3"}});
        assert_eq!(api.patch(Patch::Merge, &path, &patch).await.code, 409);
        assert_eq!(api.patch(Patch::Strategic, &path, &patch).await.code, 409);
        // Without a version the write is meant for whatever there is.
        assert_eq!(api.put(&path, &config_map("c", &json!({"a": "4"}))).await.code, 200);
        api.put(&path, &versioned(&config_map("c", &json!({"a": "5"})), &json!("0"))).await;
    })
    .await;
}

async fn creation_from_a_state_and_updates_of_what_is_not_there_are_refused(on: Sides) {
    on_both(on, "versions-creation", async |api| {
        let collection = api.core("configmaps");
        let object = config_map("c", &json!({"a": "1"}));
        api.post(&collection, &versioned(&object, &json!("1"))).await;
        assert_eq!(api.put(&api.core("configmaps/none"), &config_map("none", &json!({}))).await.code, 404);
        assert_eq!(api.post(&collection, &object).await.code, 201);
        let again = api.post(&collection, &object).await;
        assert_eq!(
            (again.code, &again.body["reason"], &again.body["message"]),
            (409, &json!("AlreadyExists"), &json!("configmaps \"c\" already exists"))
        );
        assert_eq!(api.put(&api.core("configmaps/other"), &object).await.code, 400);
        let mut another = object.clone();
        another["metadata"]["uid"] = json!("another");
        // A real server's message tells the key in its store.
        let refused = api.quietly(http::Method::PUT, &api.core("configmaps/c"), &another).await;
        assert_eq!((refused.code, &refused.body["reason"]), (409, &json!("Conflict")));
        let patch = json!({"metadata": {"uid": "another"}});
        api.patch(Patch::Merge, &api.core("configmaps/c"), &patch).await;
        let patch = json!({"metadata": {"name": "another"}});
        api.patch(Patch::Merge, &api.core("configmaps/c"), &patch).await;
    })
    .await;
}

async fn leases_and_custom_objects_are_updated_from_a_known_state_only(on: Sides) {
    on_both(on, "versions-required", async |api| {
        let lease = |spec: Value| json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec,
        });
        let held = json!({
            "holderIdentity": "me", "leaseDurationSeconds": 30, "leaseTransitions": 0,
            "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:05.000006Z",
        });
        let created = api.post(&api.of("coordination.k8s.io/v1", "leases"), &lease(held)).await;
        assert_eq!(created.body["spec"]["renewTime"], "2026-01-02T03:04:05.000006Z");
        let path = api.of("coordination.k8s.io/v1", "leases/l");
        let other = json!({"holderIdentity": "you", "leaseDurationSeconds": 30});
        assert_eq!(api.put(&path, &lease(other.clone())).await.code, 422);
        let version = created.body["metadata"]["resourceVersion"].clone();
        assert_eq!(api.put(&path, &versioned(&lease(other.clone()), &version)).await.code, 200);
        assert_eq!(api.put(&path, &versioned(&lease(other), &version)).await.code, 409);
        api.verdicts_only();
        for spec in [
            json!({"leaseDurationSeconds": 0}),
            json!({"leaseDurationSeconds": -1, "leaseTransitions": -1}),
            json!({"holderIdentity": ""}),
            json!({"renewTime": "yesterday"}),
            json!({"renewTime": "2026-01-02T03:04:05Z"}),
        ] {
            api.apply("m", &path, &lease(spec)).await;
        }
        assert_eq!(api.delete(&path, &Value::Null).await.code, 200);
    })
    .await;
}

async fn a_delete_may_say_which_object_it_means(on: Sides) {
    on_both(on, "versions-delete", async |api| {
        let path = api.core("configmaps/c");
        let created = api.post(&api.core("configmaps"), &config_map("c", &json!({"a": "1"}))).await;
        let options = |preconditions: Value| {
            json!({
                "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions,
            })
        };
        let other = api.delete(&path, &options(json!({"uid": "another"}))).await;
        assert_eq!((other.code, &other.body["reason"]), (409, &json!("Conflict")));
        assert_eq!(api.delete(&path, &options(json!({"resourceVersion": "1"}))).await.code, 409);
        let metadata = &created.body["metadata"];
        let right = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        assert_eq!(api.delete(&path, &options(right)).await.code, 200);
        assert_eq!(api.delete(&path, &options(json!({"uid": metadata["uid"]}))).await.code, 404);
    })
    .await;
}

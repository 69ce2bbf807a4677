//! The four ways to patch, and writes to parts.

use http::Method;
use serde_json::{Value, json};

use super::world::{Patch, Sides, on_both, sides};
use super::{config_map, deployment};

sides!(
    a_merge_patch_merges_maps_and_takes_nulls_away,
    a_json_patch_does_what_its_operations_say,
    a_strategic_patch_merges_lists_by_their_keys,
    bodies_of_another_type_are_refused,
    status_and_scale_are_written_apart_from_the_rest
);

async fn a_merge_patch_merges_maps_and_takes_nulls_away(on: Sides) {
    on_both(on, "patch-merge", async |api| {
        api.post(&api.core("configmaps"), &config_map("c", &json!({"a": "1", "b": "1"}))).await;
        let path = api.core("configmaps/c");
        let merged = api.patch(Patch::Merge, &path, &json!({"data": {"a": null, "c": "1"}})).await;
        assert_eq!(merged.body["data"], json!({"b": "1", "c": "1"}));
        let none = api.patch(Patch::Merge, &path, &json!({"data": null})).await;
        assert_eq!(none.body["data"], Value::Null);
        for body in [json!([]), json!("text"), json!({"unknown": 1})] {
            api.patch(Patch::Merge, &path, &body).await;
        }
        api.verdicts_only();
        assert_eq!(api.patch(Patch::Merge, &path, &json!({"data": {"a": 1}})).await.code, 422);
        let strict =
            api.patch(Patch::Merge, &format!("{path}?fieldValidation=Strict"), &json!({"unknown": 1})).await;
        assert_ne!(strict.code, 200);
        let media = Patch::Merge.media_type();
        api.ask_bytes(Method::PATCH, &path, media, b"{").await;
        assert_eq!(api.patch(Patch::Merge, &api.core("configmaps/none"), &json!({})).await.code, 404);
        assert_eq!(api.patch(Patch::Merge, &format!("{path}?force=true"), &json!({})).await.code, 422);
    })
    .await;
}

async fn a_json_patch_does_what_its_operations_say(on: Sides) {
    on_both(on, "patch-json", async |api| {
        api.post(&api.core("configmaps"), &config_map("c", &json!({"a": "1", "b": "1"}))).await;
        let path = api.core("configmaps/c");
        let patch = json!([
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "replace", "path": "/data/a", "value": "2"},
            {"op": "add", "path": "/data/c~1d", "value": "1"},
            {"op": "copy", "from": "/data/a", "path": "/data/e"},
            {"op": "move", "from": "/data/b", "path": "/data/f"},
        ]);
        // A slash is no key of a ConfigMap.
        assert_eq!(api.patch(Patch::Json, &path, &patch).await.code, 422);
        let mut patch = patch;
        patch[2]["path"] = json!("/metadata/annotations");
        patch[2]["value"] = json!({"x.test/y": "z"});
        let patched = api.patch(Patch::Json, &path, &patch).await;
        assert_eq!(patched.body["data"], json!({"a": "2", "e": "2", "f": "1"}));
        let replaced = json!([{"op": "replace", "path": "/data/none", "value": "1"}]);
        assert_eq!(api.patch(Patch::Json, &path, &replaced).await.code, 200);
        api.verdicts_only();
        for patch in [
            json!([{"op": "remove", "path": "/data/nothing"}]),
            json!([{"op": "test", "path": "/data/a", "value": "other"}]),
            json!([{"op": "add", "path": "/none/deep", "value": "1"}]),
            json!([{"op": "dance", "path": "/data/a"}]),
            json!({"op": "remove", "path": "/data/a"}),
            json!([{"op": "replace", "path": "/metadata/name", "value": "other"}]),
            json!([{"op": "replace", "path": "/kind", "value": "Secret"}]),
        ] {
            assert_ne!(api.patch(Patch::Json, &path, &patch).await.code, 200, "{patch}");
        }
    })
    .await;
}

async fn a_strategic_patch_merges_lists_by_their_keys(on: Sides) {
    on_both(on, "patch-strategic", async |api| {
        let container = json!({
            "name": "a", "image": "a:1", "args": ["x"], "env": [{"name": "ONE", "value": "1"}],
            "ports": [{"containerPort": 80}],
        });
        api.post(&api.of("apps/v1", "deployments"), &deployment("d", &container)).await;
        let path = api.of("apps/v1", "deployments/d");
        let containers =
            |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let patch = containers(json!([
            {"name": "a", "image": "a:2", "args": ["y"], "env": [{"name": "TWO", "value": "2"}]},
            {"name": "b", "image": "b:1"},
        ]));
        let patched = api.patch(Patch::Strategic, &path, &patch).await;
        assert_eq!(patched.code, 200);
        let patch = containers(json!([{"name": "b", "$patch": "delete"}]));
        let patched = api.patch(Patch::Strategic, &path, &patch).await;
        assert_eq!(patched.body["spec"]["template"]["spec"]["containers"].as_array().map(Vec::len), Some(1));
        let patch =
            containers(json!([{"name": "a", "env": [{"$patch": "replace"}, {"name": "NEW", "value": "3"}]}]));
        let patched = api.patch(Patch::Strategic, &path, &patch).await;
        let env = &patched.body["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(env, &json!([{"name": "NEW", "value": "3"}]));
        let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
        let patched = api.patch(Patch::Strategic, &path, &patch).await;
        assert_eq!(patched.body["spec"]["strategy"], json!({"type": "Recreate"}));
        let patch = json!({"metadata": {"labels": {"x": "y"}}, "spec": {"replicas": null}});
        api.patch(Patch::Strategic, &path, &patch).await;
        api.verdicts_only();
        let nameless = containers(json!([{"image": "nameless"}]));
        assert_eq!(api.patch(Patch::Strategic, &path, &nameless).await.code, 500);
    })
    .await;
}

async fn bodies_of_another_type_are_refused(on: Sides) {
    on_both(on, "patch-types", async |api| {
        api.post(&api.core("configmaps"), &config_map("c", &json!({"a": "1"}))).await;
        api.verdicts_only();
        let path = api.core("configmaps/c");
        for media in ["application/json", "text/plain", "application/apply-patch+json"] {
            assert_eq!(api.ask_bytes(Method::PATCH, &path, media, b"{}").await.code, 415, "{media}");
        }
        assert_eq!(api.ask_bytes(Method::POST, &api.core("configmaps"), "text/plain", b"{}").await.code, 415);
        assert_eq!(api.ask_bytes(Method::PUT, &path, "text/plain", b"{}").await.code, 415);
        // YAML is as good as JSON where a whole object is sent.
        let yaml = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: '1'}\n";
        let created = api.ask_bytes(Method::POST, &api.core("configmaps"), "application/yaml", yaml).await;
        assert_eq!((created.code, &created.body["data"]), (201, &json!({"a": "1"})), "{created:?}");
    })
    .await;
}

async fn status_and_scale_are_written_apart_from_the_rest(on: Sides) {
    on_both(on, "patch-parts", async |api| {
        api.post(&api.of("apps/v1", "deployments"), &deployment("d", &json!({"name": "a", "image": "a:1"})))
            .await;
        let path = api.of("apps/v1", "deployments/d");
        let both = json!({"spec": {"replicas": 9}, "status": {"observedGeneration": 1, "replicas": 2}});
        let status = api.patch(Patch::Merge, &format!("{path}/status?fieldManager=c"), &both).await;
        assert_eq!(
            (&status.body["spec"]["replicas"], &status.body["status"]["replicas"]),
            (&json!(1), &json!(2))
        );
        let spec = api.patch(Patch::Merge, &path, &both).await;
        assert_eq!(
            (&spec.body["spec"]["replicas"], &spec.body["status"]["replicas"]),
            (&json!(9), &json!(2))
        );
        assert_eq!(spec.body["metadata"]["generation"], 2);
        let scale = api.get(&format!("{path}/scale")).await;
        assert_eq!((&scale.body["kind"], &scale.body["spec"]["replicas"]), (&json!("Scale"), &json!(9)));
        let scaled = api
            .patch(Patch::Merge, &format!("{path}/scale?fieldManager=s"), &json!({"spec": {"replicas": 4}}))
            .await;
        assert_eq!(scaled.body["spec"]["replicas"], 4);
        let after = api.get(&path).await;
        assert_eq!(after.body["spec"]["replicas"], 4);
        assert_eq!(api.get(&api.core("configmaps/kube-root-ca.crt/status")).await.code, 404);
        assert_eq!(api.get(&format!("{path}/nonsense")).await.code, 404);
        assert_eq!(api.get(&format!("{path}/status")).await.code, 200);
    })
    .await;
}

//! Dry runs: everything but the write.

use serde_json::{Value, json};

use super::world::{Patch, Sides, on_both, sides};
use super::{config_map, deployment, service};

sides!(
    a_dry_run_answers_as_the_write_would_and_keeps_nothing,
    a_dry_run_is_checked_and_defaulted_as_the_write_would_be,
    a_dry_run_meets_conflicts,
    a_dry_run_generates_a_name_that_is_not_kept
);

async fn a_dry_run_answers_as_the_write_would_and_keeps_nothing(on: Sides) {
    on_both(on, "dry-writes", async |api| {
        let collection = api.core("configmaps");
        let path = api.core("configmaps/c");
        // Each dry creation has a uid of its own on a real server; a sandbox gives the one that a write would get.
        api.uids_are_free();
        let created =
            api.post(&format!("{collection}?dryRun=All"), &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!((created.code, &created.body["data"]), (201, &json!({"a": "1"})));
        assert_eq!(created.body["metadata"]["resourceVersion"], Value::Null);
        let applied = format!("{path}?dryRun=All&fieldManager=m");
        assert_eq!(api.patch(Patch::Apply, &applied, &config_map("c", &json!({"a": "1"}))).await.code, 201);
        assert_eq!(api.get(&path).await.code, 404);

        let live = api.apply("m", &path, &config_map("c", &json!({"a": "1"}))).await;
        let other = config_map("c", &json!({"a": "2"}));
        for answer in [
            api.patch(Patch::Apply, &applied, &other).await,
            api.put(&format!("{path}?dryRun=All"), &other).await,
            api.patch(Patch::Merge, &format!("{path}?dryRun=All"), &json!({"data": {"a": "2"}})).await,
        ] {
            assert_eq!((answer.code, &answer.body["data"]), (200, &json!({"a": "2"})));
        }
        let deleted = api.delete(&format!("{path}?dryRun=All"), &Value::Null).await;
        assert_eq!((deleted.code, &deleted.body["kind"]), (200, &json!("Status")));
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]});
        assert_eq!(api.delete(&path, &options).await.code, 200);
        assert_eq!(api.get(&path).await.body, live.body);
    })
    .await;
}

async fn a_dry_run_is_checked_and_defaulted_as_the_write_would_be(on: Sides) {
    on_both(on, "dry-checks", async |api| {
        let deployments = api.of("apps/v1", "deployments");
        let bad = deployment("d", &json!({"name": "a"}));
        assert_eq!(api.post(&format!("{deployments}?dryRun=All"), &bad).await.code, 422);
        let path = api.of("apps/v1", "deployments/d");
        let good = deployment("d", &json!({"name": "a", "image": "a"}));
        let dry = api.patch(Patch::Apply, &format!("{path}?dryRun=All&fieldManager=m"), &good).await;
        assert_eq!(dry.body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"], "Always");
        let services = api.core("services");
        api.uids_are_free();
        api.post(&format!("{services}?dryRun=All"), &service("s", &json!({"ports": [{"port": 80}]}))).await;
        let nowhere = "/api/v1/namespaces/no-such-namespace/configmaps?dryRun=All";
        assert_eq!(api.post(nowhere, &config_map("c", &json!({}))).await.code, 404);
        let missing = api.core("configmaps/c?dryRun=All");
        assert_eq!(api.delete(&missing, &Value::Null).await.code, 404);
        let collection = api.core("configmaps");
        api.post(&format!("{collection}?dryRun=Some"), &config_map("c", &json!({}))).await;
        api.post(&format!("{collection}?dryRun="), &config_map("c", &json!({}))).await;
    })
    .await;
}

async fn a_dry_run_meets_conflicts(on: Sides) {
    on_both(on, "dry-conflicts", async |api| {
        let path = api.core("configmaps/c");
        api.apply("one", &path, &config_map("c", &json!({"a": "1"}))).await;
        let dry = format!("{path}?dryRun=All&fieldManager=two");
        let other = config_map("c", &json!({"a": "2"}));
        assert_eq!(api.patch(Patch::Apply, &dry, &other).await.code, 409);
        assert_eq!(api.patch(Patch::Apply, &format!("{dry}&force=true"), &other).await.code, 200);
        let collection = api.core("configmaps?dryRun=All");
        assert_eq!(api.post(&collection, &other).await.code, 409);
        api.get(&path).await;
    })
    .await;
}

async fn a_dry_run_generates_a_name_that_is_not_kept(on: Sides) {
    on_both(on, "dry-names", async |api| {
        let collection = api.core("configmaps");
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "c-", "labels": {"g": "y"}}});
        let dry = api.post(&format!("{collection}?dryRun=All"), &object).await;
        assert_eq!(dry.body["metadata"]["name"].as_str().map(str::len), Some(7));
        let listed = api.get(&format!("{collection}?labelSelector=g=y")).await;
        assert_eq!(listed.body["items"], json!([]));
    })
    .await;
}

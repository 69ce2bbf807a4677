//! Namespaces that come and go.

use http::Method;
use serde_json::{Value, json};

use super::config_map;
use super::world::{Patch, Sides, on_both, sides};

sides!(
    a_namespace_is_furnished_and_takes_all_it_holds_along,
    a_namespace_that_is_going_takes_nothing_in_until_it_is_gone,
    some_namespaces_stay_and_some_never_were
);

async fn a_namespace_is_furnished_and_takes_all_it_holds_along(on: Sides) {
    on_both(on, "namespace-life", async |api| {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "namespace-life-b", "labels": {"x": "y"}},
        });
        let created = api.post("/api/v1/namespaces", &namespace).await;
        assert_eq!(created.body["metadata"]["labels"]["kubernetes.io/metadata.name"], "namespace-life-b");
        assert_eq!(created.body["status"]["phase"], "Active");
        let inside = "/api/v1/namespaces/namespace-life-b";
        api.settle(&format!("{inside}/serviceaccounts/default"), |answer| answer.code == 200).await;
        let root = format!("{inside}/configmaps/kube-root-ca.crt");
        // Its content is of its cluster.
        api.until(&root, |answer| answer.code == 200).await;
        api.quietly(Method::POST, &format!("{inside}/configmaps"), &config_map("c", &json!({}))).await;
        let marked = api.delete(inside, &Value::Null).await;
        assert_eq!((marked.code, &marked.body["status"]["phase"]), (200, &json!("Terminating")));
        api.settle(inside, |answer| answer.code == 404).await;
        assert_eq!(api.get(&format!("{inside}/configmaps/c")).await.code, 404);
        let listed = api.get(&format!("{inside}/configmaps")).await;
        assert_eq!(listed.body["items"], json!([]));
    })
    .await;
}

async fn a_namespace_that_is_going_takes_nothing_in_until_it_is_gone(on: Sides) {
    on_both(on, "namespace-terminating", async |api| {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "namespace-terminating-b"},
        });
        let inside = "/api/v1/namespaces/namespace-terminating-b";
        api.quietly(Method::POST, "/api/v1/namespaces", &namespace).await;
        let mut held = config_map("held", &json!({}));
        held["metadata"]["finalizers"] = json!(["x.test/hold"]);
        api.quietly(Method::POST, &format!("{inside}/configmaps"), &held).await;
        api.quietly(Method::DELETE, inside, &Value::Null).await;
        let is_marked = |answer: &crate::support::servers::Answer| {
            answer.body["metadata"]["deletionTimestamp"].is_string()
        };
        api.settle(&format!("{inside}/configmaps/held"), is_marked).await;

        let refused = api.post(&format!("{inside}/configmaps"), &config_map("new", &json!({}))).await;
        assert_eq!(refused.code, 403);
        assert_eq!(
            refused.body["message"],
            "configmaps \"new\" is forbidden: unable to create new content in namespace namespace-terminating-b \
             because it is being terminated"
        );
        assert_eq!(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
        let path = format!("{inside}/configmaps/new");
        assert_eq!(api.apply("m", &path, &config_map("new", &json!({}))).await.code, 403);
        let dry = format!("{inside}/configmaps?dryRun=All");
        assert_eq!(api.post(&dry, &config_map("new", &json!({}))).await.code, 403);
        // What is there can still be changed.
        let held = format!("{inside}/configmaps/held");
        assert_eq!(api.patch(Patch::Merge, &held, &json!({"data": {"a": "1"}})).await.code, 200);
        let again = api.quietly(Method::POST, "/api/v1/namespaces", &namespace).await;
        assert_eq!((again.code, &again.body["reason"]), (409, &json!("AlreadyExists")));
        let again = api.quietly(Method::DELETE, inside, &Value::Null).await;
        assert!([200, 409].contains(&again.code), "{again:?}");

        // Says what holds it.
        let says = |kind: &'static str| move |answer: &crate::support::servers::Answer| {
            let conditions = answer.body["status"]["conditions"].as_array().into_iter().flatten();
            conditions.clone().any(|condition| condition["type"] == kind && condition["status"] == "True")
        };
        api.until(inside, says("NamespaceFinalizersRemaining")).await;
        api.patch(Patch::Merge, &held, &json!({"metadata": {"finalizers": null}})).await;
        api.settle(inside, |answer| answer.code == 404).await;
    })
    .await;
}

async fn some_namespaces_stay_and_some_never_were(on: Sides) {
    on_both(on, "namespace-immortal", async |api| {
        for name in ["default", "kube-system", "kube-public"] {
            let refused = api.delete(&format!("/api/v1/namespaces/{name}"), &Value::Null).await;
            assert_eq!(refused.code, 403, "{name}");
        }
        assert_eq!(api.get("/api/v1/namespaces/no-such-namespace").await.code, 404);
        assert_eq!(api.delete("/api/v1/namespaces/no-such-namespace", &Value::Null).await.code, 404);
        let nowhere = "/api/v1/namespaces/no-such-namespace/configmaps";
        let refused = api.post(nowhere, &config_map("c", &json!({}))).await;
        assert_eq!(
            (refused.code, &refused.body["message"]),
            (404, &json!("namespaces \"no-such-namespace\" not found"))
        );
        let mut object = config_map("c", &json!({}));
        object["metadata"]["namespace"] = json!("elsewhere");
        assert_eq!(api.post(&api.core("configmaps"), &object).await.code, 400);
        assert_eq!(api.post("/api/v1/configmaps", &config_map("c", &json!({}))).await.code, 405);
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "namespace-immortal", "namespace": "default"},
        });
        api.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await;
    })
    .await;
}

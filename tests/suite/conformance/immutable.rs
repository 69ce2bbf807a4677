//! Fields that stay as they are, and what a Service gets and gives back.

use serde_json::{Value, json};

use super::world::{Patch, Sides, on_both, sides};
use super::{config_map, deployment, service};

sides!(
    what_cannot_change_is_told,
    a_service_keeps_its_address_and_gives_ports_back_with_its_type,
    services_that_ask_for_what_is_taken_are_refused
);

async fn what_cannot_change_is_told(on: Sides) {
    on_both(on, "immutable-fields", async |api| {
        let container = json!({"name": "a", "image": "a:1"});
        api.post(&api.of("apps/v1", "deployments"), &deployment("d", &container)).await;
        let other = json!({"spec": {
            "selector": {"matchLabels": {"app": "e"}}, "template": {"metadata": {"labels": {"app": "e"}}},
        }});
        let refused = api.patch(Patch::Merge, &api.of("apps/v1", "deployments/d"), &other).await;
        assert_eq!(refused.code, 422);
        assert_eq!(refused.body["details"]["causes"][0]["field"], "spec.selector");

        let mut fixed = config_map("c", &json!({"a": "1"}));
        fixed["immutable"] = json!(true);
        api.post(&api.core("configmaps"), &fixed).await;
        let path = api.core("configmaps/c");
        assert_eq!(api.patch(Patch::Merge, &path, &json!({"data": {"a": "2"}})).await.code, 422);
        assert_eq!(api.patch(Patch::Merge, &path, &json!({"immutable": false})).await.code, 422);
        let labelled = json!({"metadata": {"labels": {"x": "y"}}});
        assert_eq!(api.patch(Patch::Merge, &path, &labelled).await.code, 200);

        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "immutable": true});
        api.post(&api.core("secrets"), &secret).await;
        let path = api.core("secrets/s");
        assert_eq!(api.patch(Patch::Merge, &path, &json!({"type": "x.test/other"})).await.code, 422);
        assert_eq!(api.patch(Patch::Merge, &path, &json!({"data": {"a": "YQ=="}})).await.code, 422);

        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "ServiceAccount", "name": "x"}],
        });
        let bindings = api.of("rbac.authorization.k8s.io/v1", "rolebindings");
        api.post(&bindings, &binding).await;
        let path = format!("{bindings}/b");
        let refused = api.patch(Patch::Merge, &path, &json!({"roleRef": {"name": "edit"}})).await;
        assert_eq!((refused.code, &refused.body["details"]["causes"][0]["field"]), (422, &json!("roleRef")));

        let path = api.core("configmaps/c");
        for patch in [
            json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}),
            json!({"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}}),
            json!({"metadata": {"namespace": "elsewhere"}}),
            json!({"metadata": {"generation": 7}}),
            json!({"metadata": {"selfLink": "/x"}}),
            json!({"metadata": {"generateName": "x-"}}),
        ] {
            api.patch(Patch::Merge, &path, &patch).await;
        }
    })
    .await;
}

async fn a_service_keeps_its_address_and_gives_ports_back_with_its_type(on: Sides) {
    on_both(on, "immutable-services", async |api| {
        let spec = json!({"selector": {"a": "b"}, "ports": [{"name": "http", "port": 80}]});
        let created = api.apply("m", &api.core("services/s"), &service("s", &spec)).await;
        let address = created.body["spec"]["clusterIP"].as_str().expect("an address").to_owned();
        assert_eq!(created.body["spec"]["clusterIPs"], json!([address]));
        let path = api.core("services/s");
        for change in [
            json!({"spec": {"clusterIP": "10.96.200.200"}}),
            json!({"spec": {"clusterIP": "None"}}),
            json!({"spec": {"clusterIP": ""}}),
            json!({"spec": {"clusterIP": null, "clusterIPs": null}}),
        ] {
            api.patch(Patch::Merge, &path, &change).await;
        }
        let kind = |kind: &str| {
            let mut spec = spec.clone();
            spec["type"] = json!(kind);
            service("s", &spec)
        };
        let balanced = api.apply("m", &path, &kind("LoadBalancer")).await;
        let port = balanced.body["spec"]["ports"][0]["nodePort"].as_u64().expect("a port");
        assert!((30000..32768).contains(&port));
        assert_eq!(balanced.body["spec"]["clusterIP"], address.as_str());
        // It is nobody's, and it stays.
        let again = api.apply("m", &path, &kind("LoadBalancer")).await;
        assert_eq!(again.body["metadata"]["resourceVersion"], balanced.body["metadata"]["resourceVersion"]);
        let node = api.apply("m", &path, &kind("NodePort")).await;
        assert_eq!(node.body["spec"]["ports"][0]["nodePort"], port);
        let plain = api.apply("m", &path, &kind("ClusterIP")).await;
        assert_eq!(plain.body["spec"]["ports"][0]["nodePort"], Value::Null);
        let named = json!({"type": "ExternalName", "externalName": "example.test"});
        let named = api.apply("m", &path, &service("s", &named)).await;
        assert_eq!(named.code, 200);
    })
    .await;
}

async fn services_that_ask_for_what_is_taken_are_refused(on: Sides) {
    on_both(on, "immutable-taken", async |api| {
        let services = api.core("services");
        let first = json!({"type": "NodePort", "ports": [{"port": 80}]});
        let first = api.post(&services, &service("first", &first)).await;
        let port = &first.body["spec"]["ports"][0]["nodePort"];
        let second = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]});
        let second = api.quietly(http::Method::POST, &services, &service("second", &second)).await;
        assert_eq!((second.code, &second.body["reason"]), (422, &json!("Invalid")));
        assert_eq!(
            second.body["details"]["causes"][0]["message"],
            format!("Invalid value: {port}: provided port is already allocated")
        );
        let address = &first.body["spec"]["clusterIP"];
        let third = json!({"clusterIP": address, "ports": [{"port": 80}]});
        let third = api.quietly(http::Method::POST, &services, &service("third", &third)).await;
        assert_eq!((third.code, &third.body["reason"]), (422, &json!("Invalid")));
        let headless = json!({"clusterIP": "None", "selector": {"a": "b"}});
        let headless = api.post(&services, &service("headless", &headless)).await;
        assert_eq!((headless.code, &headless.body["spec"]["clusterIPs"]), (201, &json!(["None"])));
    })
    .await;
}

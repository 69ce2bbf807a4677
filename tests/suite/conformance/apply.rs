//! Server-side apply: what becomes of an object's content.

use serde_json::{Value, json};

use super::world::{Patch, Sides, on_both, sides};
use super::{config_map, deployment, managers, service};

sides!(
    applying_creates_then_changes_then_changes_nothing,
    a_field_that_is_applied_no_more_goes_and_what_another_wrote_stays,
    maps_of_lists_merge_by_their_keys,
    ports_of_services_merge_by_number_and_protocol,
    sets_hold_each_value_once_and_by_owner,
    a_list_that_names_one_key_twice_is_refused,
    an_apply_that_is_none_is_refused,
    an_apply_may_say_which_object_it_means,
    nulls_and_empty_values_are_applied_as_a_server_does,
    the_status_is_applied_by_itself,
    secrets_keep_texts_as_data
);

const C: &str = "configmaps/c";

async fn applying_creates_then_changes_then_changes_nothing(on: Sides) {
    on_both(on, "apply-thrice", async |api| {
        let path = api.core(C);
        let created = api.apply("m", &path, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!((created.code, managers(&created.body)), (201, vec!["m Apply".to_owned()]));
        let changed = api.apply("m", &path, &config_map("c", &json!({"a": "2"}))).await;
        assert_eq!((changed.code, &changed.body["data"]), (200, &json!({"a": "2"})));
        let again = api.apply("m", &path, &config_map("c", &json!({"a": "2"}))).await;
        let version = |answer: &Value| answer["metadata"]["resourceVersion"].clone();
        assert_eq!(version(&again.body), version(&changed.body));
        assert_ne!(version(&changed.body), version(&created.body));
    })
    .await;
}

async fn a_field_that_is_applied_no_more_goes_and_what_another_wrote_stays(on: Sides) {
    on_both(on, "apply-removes", async |api| {
        let path = api.core(C);
        let mut object = config_map("c", &json!({"a": "1", "b": "1"}));
        object["metadata"]["labels"] = json!({"x": "1"});
        object["metadata"]["annotations"] = json!({"y": "1"});
        api.apply("m", &path, &object).await;
        api.patch(Patch::Merge, &format!("{path}?fieldManager=other"), &json!({"data": {"c": "1"}})).await;
        let left = api.apply("m", &path, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!(left.body["data"], json!({"a": "1", "c": "1"}));
        assert_eq!(left.body["metadata"]["labels"], Value::Null);
        let bare = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        let bare = api.apply("m", &path, &bare).await;
        assert_eq!(bare.body["data"], json!({"c": "1"}));
        assert_eq!(managers(&bare.body), ["other Update"]);
    })
    .await;
}

async fn maps_of_lists_merge_by_their_keys(on: Sides) {
    on_both(on, "apply-lists", async |api| {
        let path = api.of("apps/v1", "deployments/d");
        let a = json!({
            "name": "a", "image": "a:1", "args": ["x", "y"],
            "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
            "env": [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}],
        });
        api.apply("m", &path, &deployment("d", &a)).await;
        let b = json!({"name": "b", "image": "b:1"});
        let both = api.apply("other", &path, &deployment("d", &b)).await;
        let names = |answer: &Value| -> Vec<String> {
            let containers = answer["spec"]["template"]["spec"]["containers"].as_array();
            let containers = containers.into_iter().flatten();
            containers.filter_map(|container| container["name"].as_str().map(str::to_owned)).collect()
        };
        assert_eq!(names(&both.body), ["a", "b"]);
        // Atomic arguments are replaced, ports and variables merge.
        let a = json!({
            "name": "a", "image": "a:1", "args": ["z"],
            "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 443}],
            "env": [{"name": "TWO", "value": "two"}],
        });
        let changed = api.apply("m", &path, &deployment("d", &a)).await;
        let container = &changed.body["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["args"], json!(["z"]));
        assert_eq!(container["env"], json!([{"name": "TWO", "value": "two"}]));
        assert_eq!(
            container["ports"],
            json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 443, "protocol": "TCP"}])
        );
        // Whoever leaves his container out takes it away.
        let only = deployment("d", &json!({"name": "b", "image": "b:1"}));
        let left = api.force("m", &path, &only).await;
        assert_eq!(names(&left.body), ["b"]);
    })
    .await;
}

async fn ports_of_services_merge_by_number_and_protocol(on: Sides) {
    on_both(on, "apply-ports", async |api| {
        let path = api.core("services/s");
        let ports = |ports: Value| service("s", &json!({"selector": {"a": "b"}, "ports": ports}));
        let one = json!([{"name": "a", "port": 80}, {"name": "b", "port": 443, "targetPort": "https"}]);
        api.apply("m", &path, &ports(one)).await;
        let other = service("s", &json!({"ports": [{"name": "c", "port": 15021}]}));
        let merged = api.apply("other", &path, &other).await;
        let numbers: Vec<Value> = merged.body["spec"]["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| port["port"].clone())
            .collect();
        assert_eq!(numbers, [80, 443, 15021]);
        let fewer = api.apply("m", &path, &ports(json!([{"name": "b", "port": 443}]))).await;
        assert_eq!(fewer.body["spec"]["ports"][0]["targetPort"], 443);
        // A selector is one value: whoever applies another has a conflict about the whole.
        let selector = service("s", &json!({"selector": {"c": "d"}, "ports": [{"name": "b", "port": 443}]}));
        assert_eq!(api.apply("other", &path, &selector).await.code, 409);
        let forced = api.force("other", &path, &selector).await;
        assert_eq!(forced.body["spec"]["selector"], json!({"c": "d"}));
    })
    .await;
}

async fn sets_hold_each_value_once_and_by_owner(on: Sides) {
    on_both(on, "apply-sets", async |api| {
        let path = api.core(C);
        let with = |finalizers: Value| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "c", "namespace": "apply-sets", "finalizers": finalizers},
            })
        };
        api.apply("m", &path, &with(json!(["x.test/a", "x.test/b"]))).await;
        let both = api.apply("other", &path, &with(json!(["x.test/b", "x.test/c"]))).await;
        assert_eq!(both.body["metadata"]["finalizers"], json!(["x.test/a", "x.test/b", "x.test/c"]));
        let fewer = api.apply("m", &path, &with(json!([]))).await;
        assert_eq!(fewer.body["metadata"]["finalizers"], json!(["x.test/b", "x.test/c"]));
        let twice = api.apply("m", &path, &with(json!(["x.test/a", "x.test/a"]))).await;
        assert_eq!(twice.code, 500);
        api.patch(Patch::Merge, &path, &json!({"metadata": {"finalizers": null}})).await;
    })
    .await;
}

async fn a_list_that_names_one_key_twice_is_refused(on: Sides) {
    on_both(on, "apply-twice", async |api| {
        let path = api.of("apps/v1", "deployments/d");
        let here = |mut object: Value| {
            object["metadata"]["namespace"] = json!("apply-twice");
            object
        };
        let doubled = json!({"name": "a", "image": "a:1", "env": [
            {"name": "ONE", "value": "1"}, {"name": "ONE", "value": "2"},
        ]});
        assert_eq!(api.apply("m", &path, &here(deployment("d", &doubled))).await.code, 500);
        let ports = json!([{"name": "a", "port": 80}, {"name": "b", "port": 80}]);
        let path = api.core("services/s");
        let ports = here(service("s", &json!({"ports": ports})));
        assert_eq!(api.apply("m", &path, &ports).await.code, 500);
    })
    .await;
}

async fn an_apply_that_is_none_is_refused(on: Sides) {
    on_both(on, "apply-refused", async |api| {
        let path = api.core(C);
        api.verdicts_only();
        let object = config_map("c", &json!({"a": "1"}));
        assert_ne!(api.patch(Patch::Apply, &path, &object).await.code, 201, "no field manager");
        let mut managed = object.clone();
        managed["metadata"]["managedFields"] = json!([]);
        api.apply("m", &path, &managed).await;
        managed["metadata"]["managedFields"] = json!([{"manager": "x"}]);
        assert_eq!(api.apply("m", &path, &managed).await.code, 400);
        assert_eq!(api.apply("m", &path, &config_map("other", &json!({}))).await.code, 400, "another name");
        let mut kind = object.clone();
        kind["kind"] = json!("Secret");
        assert_eq!(api.apply("m", &path, &kind).await.code, 400, "another kind");
        kind["kind"] = Value::Null;
        assert_eq!(api.apply("m", &path, &kind).await.code, 400, "no kind");
        let mut elsewhere = object.clone();
        elsewhere["metadata"]["namespace"] = json!("elsewhere");
        assert_eq!(api.apply("m", &path, &elsewhere).await.code, 400, "another namespace");
        let mut wrong = object.clone();
        wrong["data"] = json!({"a": 1});
        api.apply("m", &path, &wrong).await;
        let mut unknown = object.clone();
        unknown["datum"] = json!({"a": "1"});
        api.apply("m", &path, &unknown).await;
        api.patch(Patch::Apply, &format!("{path}?fieldManager=m&fieldValidation=Strict"), &unknown).await;
        api.ask_bytes(
            http::Method::PATCH,
            &format!("{path}?fieldManager=m"),
            Patch::Apply.media_type(),
            b"{",
        )
        .await;
        api.ask_bytes(
            http::Method::PATCH,
            &format!("{path}?fieldManager=m"),
            Patch::Apply.media_type(),
            b"- a\n- b\n",
        )
        .await;
        let nowhere = "/api/v1/namespaces/no-such-namespace/configmaps/c";
        assert_eq!(api.apply("m", nowhere, &object).await.code, 404);
    })
    .await;
}

async fn an_apply_may_say_which_object_it_means(on: Sides) {
    on_both(on, "apply-preconditions", async |api| {
        let path = api.core(C);
        let with = |key: &str, value: &Value| {
            let mut object = config_map("c", &json!({"a": "2"}));
            object["metadata"][key] = value.clone();
            object
        };
        assert_eq!(api.apply("m", &path, &with("uid", &json!("not-there"))).await.code, 409);
        let created = api.apply("m", &path, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!(created.code, 201);
        assert_eq!(api.apply("m", &path, &with("uid", &json!("another"))).await.code, 422);
        assert_eq!(api.apply("m", &path, &with("resourceVersion", &json!("1"))).await.code, 409);
        // A state that is no more comes before an object that is no more.
        let mut neither = with("uid", &json!("another"));
        neither["metadata"]["resourceVersion"] = json!("1");
        assert_eq!(api.apply("m", &path, &neither).await.code, 409);
        let version = created.body["metadata"]["resourceVersion"].clone();
        assert_eq!(api.apply("m", &path, &with("resourceVersion", &version)).await.code, 200);
        let uid = created.body["metadata"]["uid"].clone();
        assert_eq!(api.apply("m", &path, &with("uid", &uid)).await.code, 200);
    })
    .await;
}

async fn nulls_and_empty_values_are_applied_as_a_server_does(on: Sides) {
    on_both(on, "apply-empty", async |api| {
        let path = api.core(C);
        let mut object = config_map("c", &json!({"a": "", "b": "1"}));
        object["metadata"]["labels"] = json!({});
        api.apply("m", &path, &object).await;
        api.apply("m", &path, &config_map("c", &json!({}))).await;
        api.apply("m", &path, &config_map("c", &Value::Null)).await;
        let path = api.of("apps/v1", "deployments/d");
        let container = json!({
            "name": "a", "image": "a:1", "args": [], "env": [], "resources": {}, "securityContext": {},
        });
        let mut object = deployment("d", &container);
        object["spec"]["replicas"] = Value::Null;
        object["spec"]["template"]["spec"]["affinity"] = json!({});
        object["spec"]["template"]["spec"]["volumes"] = json!([]);
        api.apply("m", &path, &object).await;
    })
    .await;
}

async fn the_status_is_applied_by_itself(on: Sides) {
    on_both(on, "apply-status", async |api| {
        let path = api.of("apps/v1", "deployments/d");
        let mut object = deployment("d", &json!({"name": "a", "image": "a:1"}));
        object["status"] = json!({"replicas": 5});
        let created = api.apply("m", &path, &object).await;
        assert_eq!(created.body["status"], json!({}));
        let status = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"replicas": 7}, "status": {"observedGeneration": 1, "replicas": 1},
        });
        let applied = api.apply("controller", &format!("{path}/status"), &status).await;
        assert_eq!(applied.body["status"], json!({"observedGeneration": 1, "replicas": 1}));
        assert_eq!(applied.body["spec"]["replicas"], 1);
        assert_eq!(managers(&applied.body), ["controller Apply/status", "m Apply"]);
        let missing = api.of("apps/v1", "deployments/none/status");
        let mut absent = status.clone();
        absent["metadata"]["name"] = json!("none");
        assert_eq!(api.apply("controller", &missing, &absent).await.code, 404);
    })
    .await;
}

async fn secrets_keep_texts_as_data(on: Sides) {
    on_both(on, "apply-secrets", async |api| {
        let path = api.core("secrets/s");
        let secret = |key: &str, value: Value| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, key: value,
            })
        };
        let created = api.apply("m", &path, &secret("stringData", json!({"a": "text"}))).await;
        assert_eq!(created.body["data"], json!({"a": "dGV4dA=="}));
        assert_eq!(created.body["stringData"], Value::Null);
        api.apply("m", &path, &secret("stringData", json!({"b": "text"}))).await;
        api.apply("m", &path, &secret("data", json!({"b": "dGV4dA=="}))).await;
        api.apply("other", &path, &secret("data", json!({"b": "b3RoZXI="}))).await;
        let typed = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "x.test/type",
        });
        assert_eq!(api.apply("m", &path, &typed).await.code, 422);
        api.verdicts_only();
        assert_eq!(api.apply("m", &path, &secret("data", json!({"b": "not base64!"}))).await.code, 500);
    })
    .await;
}

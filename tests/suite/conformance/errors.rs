//! What a server says when it refuses.

use http::Method;
use serde_json::json;

use super::world::{Sides, on_both, sides};
use super::{config_map, deployment, service};

sides!(
    what_is_not_there_is_not_found,
    a_verb_that_a_path_does_not_have_is_refused,
    a_body_that_is_no_object_of_the_path_is_refused,
    unknown_fields_are_refused_when_strictness_is_asked_for,
    wrong_content_is_told_field_by_field
);

async fn what_is_not_there_is_not_found(on: Sides) {
    on_both(on, "error-missing", async |api| {
        let missing = api.get(&api.core("configmaps/none")).await;
        assert_eq!(
            missing.body,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404,
                "reason": "NotFound", "message": "configmaps \"none\" not found",
                "details": {"name": "none", "kind": "configmaps"},
            })
        );
        let grouped = api.get(&api.of("apps/v1", "deployments/none")).await;
        assert_eq!(grouped.body["message"], "deployments.apps \"none\" not found");
        assert_eq!(grouped.body["details"]["group"], "apps");
        for path in [
            api.core("nonsense"),
            api.core("nonsense/none"),
            api.of("apps/v9", "deployments"),
            api.of("no.such.group/v1", "things"),
            api.of("no.such.group/v1", "things/none"),
            "/apis/no.such.group/v1".to_owned(),
            "/apis/no.such.group".to_owned(),
            "/api/v9".to_owned(),
            "/nonsense".to_owned(),
            "/apis/apps/v1/namespaces".to_owned(),
        ] {
            assert_eq!(api.get(&path).await.code, 404, "{path}");
        }
        let thing = json!({"apiVersion": "no.such.group/v1", "kind": "Thing", "metadata": {"name": "t"}});
        assert_eq!(api.apply("m", &api.of("no.such.group/v1", "things/t"), &thing).await.code, 404);
    })
    .await;
}

async fn a_verb_that_a_path_does_not_have_is_refused(on: Sides) {
    on_both(on, "error-verbs", async |api| {
        for (method, path) in [
            (Method::PUT, api.core("configmaps")),
            (Method::PATCH, api.core("configmaps")),
            (Method::POST, api.core("configmaps/c")),
            (Method::POST, "/api/v1/configmaps".to_owned()),
            (Method::DELETE, "/api/v1/configmaps".to_owned()),
            (Method::DELETE, "/api/v1/namespaces".to_owned()),
            (Method::DELETE, api.of("apps/v1", "deployments/d/status")),
        ] {
            let refused = api.ask(method.clone(), &path, "application/json", &json!({})).await;
            assert_eq!(
                (refused.code, &refused.body["reason"]),
                (405, &json!("MethodNotAllowed")),
                "{method} {path}"
            );
        }
    })
    .await;
}

async fn a_body_that_is_no_object_of_the_path_is_refused(on: Sides) {
    on_both(on, "error-bodies", async |api| {
        let collection = api.core("configmaps");
        api.verdicts_only();
        for body in [
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}),
            json!({"apiVersion": "v9", "kind": "ConfigMap", "metadata": {"name": "c"}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "c"}}),
            json!({"apiVersion": "no.such.group/v1", "kind": "Thing", "metadata": {"name": "c"}}),
        ] {
            assert_eq!(api.post(&collection, &body).await.code, 400, "{body}");
        }
        for body in ["", "{", "[]", "\"text\"", "null"] {
            let answer = api.ask_bytes(Method::POST, &collection, "application/json", body.as_bytes()).await;
            assert!(answer.code == 400 || answer.code == 422 || answer.code == 500, "{body}: {answer:?}");
        }
        // What has neither kind nor version is taken for what the path says.
        let bare = json!({"metadata": {"name": "bare"}});
        assert_eq!(api.post(&collection, &bare).await.code, 201);
    })
    .await;
}

async fn unknown_fields_are_refused_when_strictness_is_asked_for(on: Sides) {
    on_both(on, "error-strict", async |api| {
        let collection = api.core("configmaps");
        let mut object = config_map("c", &json!({"a": "1"}));
        object["datum"] = json!(1);
        object["metadata"]["label"] = json!({});
        let strict = api.post(&format!("{collection}?fieldValidation=Strict"), &object).await;
        assert_eq!(strict.code, 400);
        assert_eq!(api.post(&format!("{collection}?fieldValidation=Warn"), &object).await.code, 201);
        object["metadata"]["name"] = json!("d");
        assert_eq!(api.post(&format!("{collection}?fieldValidation=Ignore"), &object).await.code, 201);
        assert_ne!(api.post(&format!("{collection}?fieldValidation=Perhaps"), &object).await.code, 201);
        let mut deep = deployment("d", &json!({"name": "a", "image": "a:1", "imagePolicy": "x"}));
        deep["spec"]["replica"] = json!(1);
        let path = api.of("apps/v1", "deployments?fieldValidation=Strict");
        assert_eq!(api.post(&path, &deep).await.code, 400);
    })
    .await;
}

async fn wrong_content_is_told_field_by_field(on: Sides) {
    on_both(on, "error-content", async |api| {
        let deployments = api.of("apps/v1", "deployments");
        let good = deployment("d", &json!({"name": "a", "image": "a:1"}));
        for (pointer, value) in [
            ("/spec/selector", json!({})),
            ("/spec/selector/matchLabels", json!({"other": "x"})),
            ("/spec/template/spec/containers", json!([])),
            ("/spec/template/spec/containers/0/name", json!("Upper")),
            ("/spec/template/spec/containers/0/name", json!("")),
            ("/spec/template/spec/containers/0/image", json!("")),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).expect("it is there") = value.clone();
            assert_eq!(api.post(&deployments, &bad).await.code, 422, "{pointer} {value}");
        }
        for (key, value) in [
            ("replicas", json!(-1)),
            ("strategy", json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
        ] {
            let mut bad = good.clone();
            bad["spec"][key] = value.clone();
            assert_eq!(api.post(&deployments, &bad).await.code, 422, "{key} {value}");
        }
        let mut bad = good.clone();
        bad["spec"]["strategy"] = json!({"type": "Sometimes"});
        // A server prints a Go struct there, whose fields come in another order.
        let refused = api.quietly(Method::POST, &deployments, &bad).await;
        assert_eq!((refused.code, &refused.body["details"]["causes"][0]["field"]), (422, &json!("spec.strategy")));
        let services = api.core("services");
        for spec in [
            json!({"ports": []}),
            json!({"ports": [{"port": 0}]}),
            json!({"ports": [{"port": 70000}]}),
            json!({"ports": [{"port": 80}, {"port": 81}]}),
            json!({"ports": [{"port": 80, "name": "Upper"}]}),
            json!({"ports": [{"port": 80, "protocol": "HTTP"}]}),
            json!({"ports": [{"port": 80}], "type": "Somehow"}),
            json!({"ports": [{"port": 80}], "sessionAffinity": "Somehow"}),
            json!({"ports": [{"port": 80, "nodePort": 30000}]}),
            json!({"ports": [{"port": 80, "nodePort": 80}], "type": "NodePort"}),
            json!({"ports": [{"port": 80}], "clusterIP": "nonsense"}),
            json!({"ports": [{"port": 80}], "clusterIP": "192.0.2.1"}),
            json!({"ports": [{"port": 80}], "type": "ExternalName"}),
            json!({"ports": [{"port": 80}], "loadBalancerSourceRanges": ["nonsense"], "type": "LoadBalancer"}),
        ] {
            assert_eq!(api.post(&services, &service("s", &spec)).await.code, 422, "{spec}");
        }
        let wrong = service("s", &json!({"ports": [{"port": "eighty"}]}));
        let wrong = api.quietly(Method::POST, &services, &wrong).await;
        assert_eq!((wrong.code, &wrong.body["reason"]), (400, &json!("BadRequest")));
    })
    .await;
}

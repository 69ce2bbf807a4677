//! Service accounts and their tokens.

use base64::Engine as _;
use http::Method;
use serde_json::{Value, json};

use super::world::{Sides, on_both, sides};

sides!(
    a_token_secret_is_filled_for_its_account_and_goes_with_it,
    a_token_secret_without_its_account_is_refused_or_goes,
    a_token_may_be_asked_for
);

fn token_secret(name: &str, account: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": account}},
    })
}

async fn a_token_secret_is_filled_for_its_account_and_goes_with_it(on: Sides) {
    on_both(on, "token-filled", async |api| {
        api.start_controllers();
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
        let account = api.post(&api.core("serviceaccounts"), &account).await;
        let path = api.core("secrets/token");
        let created = api.apply("m", &path, &token_secret("token", "robot")).await;
        assert_eq!(created.code, 201);
        let filled = api.until(&path, |answer| answer.body["data"]["token"].is_string()).await;
        let keys: Vec<&String> = filled.body["data"].as_object().expect("data").keys().collect();
        assert_eq!(keys, ["ca.crt", "namespace", "token"]);
        let decoded = |key: &str| {
            let text = filled.body["data"][key].as_str().expect("data");
            base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
        };
        assert_eq!(decoded("namespace"), api.case.as_bytes());
        assert!(decoded("ca.crt").starts_with(b"-----BEGIN CERTIFICATE-----"));
        let token = String::from_utf8(decoded("token")).expect("a token");
        let claims = token.split('.').nth(1).expect("three parts");
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).expect("base64");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!(claims["sub"], format!("system:serviceaccount:{}:robot", api.case));
        let annotations = &filled.body["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/service-account.uid"], account.body["metadata"]["uid"]);
        // Applying it again takes nothing of what the controller wrote.
        let again = api.quietly(Method::GET, &path, &Value::Null).await;
        let applied = api.apply_quietly("m", &path, &token_secret("token", "robot")).await;
        assert_eq!(applied.body["data"], again.body["data"]);
        assert_eq!(applied.body["metadata"]["resourceVersion"], again.body["metadata"]["resourceVersion"]);
        api.delete(&api.core("serviceaccounts/robot"), &Value::Null).await;
        api.settle(&path, |answer| answer.code == 404).await;
    })
    .await;
}

async fn a_token_secret_without_its_account_is_refused_or_goes(on: Sides) {
    on_both(on, "token-missing", async |api| {
        api.start_controllers();
        let mut bare = token_secret("bare", "x");
        bare["metadata"]["annotations"] = Value::Null;
        assert_eq!(api.post(&api.core("secrets"), &bare).await.code, 422);
        let empty = token_secret("empty", "");
        assert_eq!(api.post(&api.core("secrets"), &empty).await.code, 422);
        assert_eq!(api.post(&api.core("secrets"), &token_secret("lost", "no-such-account")).await.code, 201);
        api.settle(&api.core("secrets/lost"), |answer| answer.code == 404).await;
    })
    .await;
}

async fn a_token_may_be_asked_for(on: Sides) {
    on_both(on, "token-request", async |api| {
        let request = |spec: Value| {
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        };
        let path = api.core("serviceaccounts/default/token");
        let given = api.quietly(Method::POST, &path, &request(json!({"expirationSeconds": 600}))).await;
        assert_eq!((given.code, &given.body["kind"]), (201, &json!("TokenRequest")));
        let token = given.body["status"]["token"].as_str().expect("a token");
        assert!(!token.is_empty());
        assert!(given.body["status"]["expirationTimestamp"].is_string());
        let missing = api.core("serviceaccounts/no-such-account/token");
        assert_eq!(api.post(&missing, &request(json!({}))).await.code, 404);
        assert_eq!(api.get(&path).await.code, 405);
    })
    .await;
}

use std::path::PathBuf;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1 as client;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::*;
use crate::sandbox::clock::ManualClock;

/// A served cluster in a folder of its own.
struct Served {
    folder: PathBuf,
    server: Option<ApiServer>,
    store: Arc<ClusterStore>,
}

impl Served {
    async fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stolos-http-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let clock = Arc::new(ManualClock::at("2026-01-02T03:04:05Z".parse().expect("a time")));
        let store = ClusterStore::open(&folder.join("c1.jsonl"), "c1", "c1", clock).expect("opens");
        let store = Arc::new(store);
        let server = ApiServer::start(Arc::clone(&store)).await.expect("a port is free");
        Self { folder, server: Some(server), store }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: &Value,
    ) -> hyper::Response<Incoming> {
        let address = self.server.as_ref().expect("it runs").address;
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sandbox")
            .header("content-type", media_type)
            .header("user-agent", "tester/1")
            .body(Full::<Bytes>::from(text))
            .expect("a request");
        sender.send_request(request).await.expect("it answers")
    }

    async fn ask(&self, method: Method, path: &str, media_type: &str, body: &Value) -> (u16, Value) {
        let answer = self.send(method, path, media_type, body).await;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, "", &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, "application/json", &body).await
    }

    async fn apply(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::PATCH, path, "application/apply-patch+yaml", &body).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.server.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The lines of a watch.
struct Lines {
    body: Incoming,
    held: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).expect("a line is JSON");
                return Some((event["type"].as_str().expect("a type").to_owned(), event["object"].clone()));
            }
            let frame = self.body.frame().await?.expect("a frame");
            self.held.extend_from_slice(&frame.into_data().expect("data"));
        }
    }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn failure(answer: (u16, Value)) -> (u16, String, String) {
    let text = |key: &str| answer.1[key].as_str().unwrap_or_default().to_owned();
    (answer.0, text("reason"), text("message"))
}

fn refused(code: u16, reason: &str, message: &str) -> (u16, String, String) {
    (code, reason.to_owned(), message.to_owned())
}

#[tokio::test]
async fn an_object_is_created_read_replaced_and_deleted() {
    let served = Served::new("verbs").await;
    let (code, created) = served.post(MAPS, map("a", json!({"k": "1"}))).await;
    assert_eq!((code, &created["metadata"]["namespace"]), (201, &json!("default")));
    assert_eq!(created["metadata"]["managedFields"][0]["manager"], "tester");
    let (code, read) = served.get(&format!("{MAPS}/a")).await;
    assert_eq!((code, &read), (200, &created));
    let mut changed = read.clone();
    changed["data"]["k"] = json!("2");
    let (code, replaced) = served.ask(Method::PUT, &format!("{MAPS}/a"), "application/json", &changed).await;
    assert_eq!((code, &replaced["data"]), (200, &json!({"k": "2"})));
    // The state that was read is no more.
    let stale = served.ask(Method::PUT, &format!("{MAPS}/a"), "application/json", &changed).await;
    assert_eq!(
        failure(stale),
        refused(
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
        )
    );
    let (code, deleted) = served.ask(Method::DELETE, &format!("{MAPS}/a"), "", &Value::Null).await;
    assert_eq!((code, &deleted["status"]), (200, &json!("Success")));
    let gone = served.get(&format!("{MAPS}/a")).await;
    assert_eq!(gone.1["details"], json!({"name": "a", "kind": "configmaps"}));
    assert_eq!(failure(gone), refused(404, "NotFound", "configmaps \"a\" not found"));
}

#[tokio::test]
async fn refusals_are_those_of_a_server() {
    let served = Served::new("refusals").await;
    served.post(MAPS, map("a", json!({}))).await;
    for (answer, expected) in [
        (
            served.post(MAPS, map("a", json!({}))).await,
            refused(409, "AlreadyExists", "configmaps \"a\" already exists"),
        ),
        (
            served.post("/api/v1/namespaces/none/configmaps", map("a", json!({}))).await,
            refused(404, "NotFound", "namespaces \"none\" not found"),
        ),
        (
            served.get("/apis/apps/v1/jobs").await,
            refused(404, "NotFound", "the server could not find the requested resource"),
        ),
        (
            served.apply(&format!("{MAPS}/a"), map("a", json!({}))).await,
            refused(
                422,
                "Invalid",
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            ),
        ),
        (
            served.apply(&format!("{MAPS}/a?fieldManager=m"), map("b", json!({}))).await,
            refused(400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)"),
        ),
        (
            served
                .apply(
                    &format!("{MAPS}/a?fieldManager=m"),
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "date": {}}),
                )
                .await,
            refused(
                500,
                "",
                "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .date: field not declared in schema",
            ),
        ),
        (
            served
                .post(
                    &format!("{MAPS}?fieldValidation=Strict"),
                    json!({"metadata": {"name": "b"}, "date": {}}),
                )
                .await,
            refused(
                400,
                "BadRequest",
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"date\"",
            ),
        ),
        (
            served.post(MAPS, map("B", json!({}))).await,
            refused(
                422,
                "Invalid",
                "ConfigMap \"B\" is invalid: metadata.name: Invalid value: \"B\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            ),
        ),
        (
            served.get(&format!("{MAPS}?labelSelector=a+in+b")).await,
            refused(400, "BadRequest", "unable to parse requirement: \"a in b\" in \"a in b\""),
        ),
    ] {
        assert_eq!(failure(answer), expected);
    }
}

#[tokio::test]
async fn a_body_may_be_yaml_where_an_apply_says_so() {
    let served = Served::new("yaml").await;
    let address = served.server.as_ref().expect("it runs").address;
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata:\n  k: 'yes'\n";
    let request = Request::patch(format!("{MAPS}/y?fieldManager=m"))
        .header("content-type", "application/apply-patch+yaml")
        .body(Full::<Bytes>::from(yaml))
        .expect("a request");
    let answer = sender.send_request(request).await.expect("it answers");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let live = served.store.find("", "ConfigMap", Some("default"), "y").expect("it is there");
    assert_eq!(live.text(&["data", "k"]), Some("yes"));
}

#[tokio::test]
async fn a_list_comes_in_pages_and_by_label() {
    let served = Served::new("pages").await;
    for name in ["a", "b", "c"] {
        let mut object = map(name, json!({}));
        object["metadata"]["labels"] = json!({"page": "yes"});
        served.post(MAPS, object).await;
    }
    let names = |list: &Value| -> Vec<Value> {
        list["items"].as_array().expect("items").iter().map(|item| item["metadata"]["name"].clone()).collect()
    };
    let (_, first) = served.get(&format!("{MAPS}?labelSelector=page&limit=2")).await;
    assert_eq!((names(&first), &first["kind"]), (vec![json!("a"), json!("b")], &json!("ConfigMapList")));
    let token = first["metadata"]["continue"].as_str().expect("there is more");
    let (_, second) = served.get(&format!("{MAPS}?labelSelector=page&limit=2&continue={token}")).await;
    assert_eq!((names(&second), second["metadata"].get("continue")), (vec![json!("c")], None));
    let (_, one) = served.get("/api/v1/configmaps?fieldSelector=metadata.name%3Db").await;
    assert_eq!(names(&one), [json!("b")]);
    // Items of built-in kinds do not repeat what they are.
    assert_eq!((one["items"][0].get("kind"), one["items"][0].get("apiVersion")), (None, None));
}

#[tokio::test]
async fn a_watch_sees_what_enters_changes_and_leaves_its_selection() {
    let served = Served::new("watch").await;
    let revision = served.store.revision();
    let path = format!("{MAPS}?watch=true&labelSelector=w%3D1&resourceVersion={revision}");
    let answer = served.send(Method::GET, &path, "", &Value::Null).await;
    let mut lines = Lines { body: answer.into_body(), held: Vec::new() };
    let mut object = map("a", json!({}));
    served.post(MAPS, object.clone()).await;
    for labels in [json!({"w": "1"}), json!({"w": "1", "x": "1"}), json!({"w": "2"})] {
        object["metadata"]["labels"] = labels;
        served.apply(&format!("{MAPS}/a?fieldManager=m"), object.clone()).await;
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (word, object) = lines.next().await.expect("a line");
        seen.push((word, object["metadata"]["labels"].clone()));
    }
    assert_eq!(
        seen,
        [
            ("ADDED".to_owned(), json!({"w": "1"})),
            ("MODIFIED".to_owned(), json!({"w": "1", "x": "1"})),
            // As it last was in the selection.
            ("DELETED".to_owned(), json!({"w": "1", "x": "1"})),
        ]
    );
}

#[tokio::test]
async fn a_watch_ends_in_time_with_a_bookmark() {
    let served = Served::new("bookmark").await;
    let revision = served.store.revision();
    let path = format!("{MAPS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion={revision}");
    let answer = served.send(Method::GET, &path, "", &Value::Null).await;
    let mut lines = Lines { body: answer.into_body(), held: Vec::new() };
    let (word, object) = lines.next().await.expect("a line");
    assert_eq!(
        (word.as_str(), object),
        (
            "BOOKMARK",
            json!({
                "kind": "ConfigMap", "apiVersion": "v1",
                "metadata": {"resourceVersion": revision.to_string(), "creationTimestamp": null},
            })
        )
    );
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_watch_from_too_far_back_is_told_so() {
    let served = Served::new("expired").await;
    // Reopened, a cluster remembers no change of its past.
    served.store.flush();
    let clock = Arc::clone(served.store.clock());
    let copy = served.folder.join("copy.jsonl");
    std::fs::copy(served.folder.join("c1.jsonl"), &copy).expect("copies");
    let store = Arc::new(ClusterStore::open(&copy, "c1", "c1", clock).expect("opens"));
    let revision = store.revision();
    let server = ApiServer::start(store).await.expect("a port is free");
    let reopened =
        Served { folder: served.folder.join("none"), server: Some(server), store: Arc::clone(&served.store) };
    let answer =
        reopened.send(Method::GET, &format!("{MAPS}?watch=1&resourceVersion=1"), "", &Value::Null).await;
    let mut lines = Lines { body: answer.into_body(), held: Vec::new() };
    let (word, status) = lines.next().await.expect("a line");
    assert_eq!(
        (word.as_str(), status),
        (
            "ERROR",
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
                "message": format!("too old resource version: 1 ({revision})"),
            })
        )
    );
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn status_and_scale_are_written_apart() {
    let served = Served::new("parts").await;
    let path = "/apis/apps/v1/namespaces/default/deployments/d";
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
        },
        "status": {"readyReplicas": 7},
    });
    let (code, created) = served.apply(&format!("{path}?fieldManager=m"), deployment).await;
    assert_eq!((code, &created["status"]), (201, &json!({})));
    let status = json!({"spec": {"replicas": 9}, "status": {"readyReplicas": 1}});
    let merge = "application/merge-patch+json";
    let (_, patched) = served.ask(Method::PATCH, &format!("{path}/status"), merge, &status).await;
    assert_eq!((&patched["status"], &patched["spec"]["replicas"]), (&json!({"readyReplicas": 1}), &json!(1)));
    assert_eq!(patched["metadata"]["generation"], json!(1));
    let scale = json!({"spec": {"replicas": 3}});
    let (_, scaled) = served.ask(Method::PATCH, &format!("{path}/scale"), merge, &scale).await;
    assert_eq!((&scaled["kind"], &scaled["spec"]), (&json!("Scale"), &json!({"replicas": 3})));
    let (_, live) = served.get(path).await;
    assert_eq!((&live["spec"]["replicas"], &live["metadata"]["generation"]), (&json!(3), &json!(2)));
    let subresources: Vec<&Value> = live["metadata"]["managedFields"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|e| &e["subresource"])
        .collect();
    assert_eq!(subresources, [&Value::Null, &json!("scale"), &json!("status")]);
}

#[tokio::test]
async fn names_are_generated_and_preconditions_kept() {
    let served = Served::new("generate").await;
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "g-"}});
    let (first, second) = (served.post(MAPS, body.clone()).await.1, served.post(MAPS, body).await.1);
    let name = first["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("g-") && name.len() == 7, "{name}");
    assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
    let wrong = json!({"preconditions": {"uid": "other"}});
    let kept = served.ask(Method::DELETE, &format!("{MAPS}/{name}"), "application/json", &wrong).await;
    let uid = first["metadata"]["uid"].as_str().expect("a UID");
    assert_eq!(
        failure(kept),
        refused(
            409,
            "Conflict",
            &format!(
                "Operation cannot be fulfilled on ConfigMap \"{name}\": the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            )
        )
    );
}

#[tokio::test]
async fn requests_are_counted_by_verb_and_resource() {
    let served = Served::new("counts").await;
    served.get(MAPS).await;
    served.get("/api/v1/configmaps").await;
    served.get(&format!("{MAPS}/kube-root-ca.crt")).await;
    served.get("/version").await;
    let log = served.server.as_ref().expect("it runs").log();
    let counts: Vec<(&str, String, u64)> =
        log.counts().into_iter().map(|count| (count.verb, count.resource, count.count)).collect();
    assert_eq!(
        counts,
        [("get", "/version".into(), 1), ("get", "configmaps".into(), 1), ("list", "configmaps".into(), 2)]
    );
    assert_eq!(log.latest().first(), Some(&RequestLine { method: "GET".into(), path: MAPS.into() }));
}

#[tokio::test]
async fn discovery_names_what_is_served() {
    let served = Served::new("discovery").await;
    let (_, groups) = served.get("/apis").await;
    let names: Vec<&Value> =
        groups["groups"].as_array().expect("groups").iter().map(|g| &g["name"]).collect();
    assert!(names.contains(&&json!("apps")) && !names.contains(&&json!("")));
    let (_, apps) = served.get("/apis/apps/v1").await;
    let first = &apps["resources"][0];
    assert_eq!(
        (&first["name"], &first["kind"], &first["namespaced"]),
        (&json!("deployments"), &json!("Deployment"), &json!(true))
    );
    assert_eq!(served.get("/apis/none.example.com/v1").await.0, 404);
    assert_eq!(served.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn too_large_and_broken_bodies_are_refused() {
    let served = Served::new("bodies").await;
    let large = map("large", json!({"k": "x".repeat(4 * 1024 * 1024)}));
    let (code, status) = served.post(MAPS, large).await;
    assert_eq!((code, &status["reason"]), (413, &json!("RequestEntityTooLarge")));
    for (body, media_type, code) in [
        (json!([1]), "application/json", 400),
        (json!({"metadata": 1}), "application/json", 400),
        (json!({"metadata": {}}), "application/json", 422),
        (map("p", json!({})), "application/vnd.kubernetes.protobuf", 415),
    ] {
        assert_eq!(served.ask(Method::POST, MAPS, media_type, &body).await.0, code, "{body}");
    }
}

//! Clusters that fail: each becomes a clear error within the limits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::cluster::{ApplyOptions, Cluster, Contexts, Fault, Limits, Seen, Selection, Transport};
use stolos::object::{GroupKind, Object, ObjectRef};
use stolos::plan::Held;

use crate::support::meshes::{Meshes, desired, topology_text};
use crate::support::nobody::Nobody;
use crate::support::scratch::of_this_run;
use crate::support::scratch::scratch;
use crate::support::tap::{Deed, Tap};

/// Limits that a test can wait for.
const SHORT: Limits = Limits {
    connect: Duration::from_millis(500),
    read: Duration::from_millis(500),
    write: Duration::from_millis(500),
    plugin: Duration::from_secs(5),
};

fn cluster(url: &str) -> Cluster {
    let transport = Transport::plain(url, SHORT).expect("a URL");
    Cluster::new("west".into(), "https://west.sandbox.invalid:6443", transport)
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": name, "namespace": "istio-system", "uid": "u1", "resourceVersion": "7",
    }})
}

fn istio() -> ObjectRef {
    Object::from_value(config_map("istio")).expect("an object").reference()
}

fn config_maps() -> GroupKind {
    GroupKind { group: String::new(), kind: "ConfigMap".to_owned() }
}

#[tokio::test]
async fn a_cluster_that_refuses_is_named_after_a_few_attempts() {
    let nobody = Nobody::listens();
    let error = cluster(&nobody.url()).uid().await.expect_err("nobody listens");
    let failure = error.failure();
    assert_eq!(failure.code.name, "cluster-unreachable");
    assert_eq!(failure.message, "west cannot be reached: Connection refused (os error 111), 4 attempts");
    assert_eq!(failure.facts, ["asked to read Namespace kube-system"]);
}

#[tokio::test]
async fn a_cluster_that_never_answers_is_given_up_in_time() {
    let server = Tap::scripted(vec![Deed::Silence]).await;
    let start = Instant::now();
    let error = cluster(server.url("west")).uid().await.expect_err("it is silent");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(error.failure().message, "west does not answer: no answer within 0.5 s");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    let server =
        Tap::scripted(vec![Deed::Reset, Deed::Text(503, "busy"), Deed::Json(200, config_map("istio"))]).await;
    let cluster = cluster(server.url("west"));
    let found = cluster.get(&istio()).await.expect("the third attempt is answered");
    assert_eq!(found.as_ref().and_then(Object::uid), Some("u1"));
    assert_eq!(cluster.requests(), 3);
}

#[tokio::test]
async fn a_connection_that_always_breaks_is_an_error_that_counts() {
    let server = Tap::scripted(vec![Deed::Reset]).await;
    let error = cluster(server.url("west")).get(&istio()).await.expect_err("it always breaks");
    assert_eq!(error.attempts, 4);
    assert!(matches!(error.fault, Fault::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn an_error_of_the_server_is_passed_on_after_a_few_attempts() {
    let body = json!({"kind": "Status", "message": "etcd is away"});
    let server = Tap::scripted(vec![Deed::Json(500, body)]).await;
    let error = cluster(server.url("west")).get(&istio()).await.expect_err("500");
    assert_eq!(
        error.failure().message,
        "west: read ConfigMap istio-system/istio: the server answered 500: etcd is away, 4 attempts"
    );
}

#[tokio::test]
async fn what_is_no_api_server_is_told_from_an_empty_one() {
    let server = Tap::scripted(vec![Deed::Text(200, "<html>hello</html>")]).await;
    let error = cluster(server.url("west")).uid().await.expect_err("a web page");
    assert_eq!(error.failure().code.name, "cluster-error");
    let server = Tap::scripted(vec![Deed::Text(404, "not here")]).await;
    let error = cluster(server.url("west")).uid().await.expect_err("no API");
    assert_eq!(error.fault, Fault::KindUnknown("Namespace".to_owned()));
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again() {
    let server =
        Tap::scripted(vec![Deed::Json(401, json!({"kind": "Status", "message": "Unauthorized"}))]).await;
    let error = cluster(server.url("west")).get(&istio()).await.expect_err("401");
    assert_eq!((error.failure().code.name, server.requests().len()), ("credentials-refused", 1));
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let page = |name: &str, go_on: &str| {
        json!({"kind": "ConfigMapList", "metadata": {"resourceVersion": "9", "continue": go_on},
               "items": [{"metadata": {"name": name, "namespace": "istio-system"}}]})
    };
    let server = Tap::scripted(vec![Deed::Json(200, page("a", "n=1")), Deed::Json(200, page("b", ""))]).await;
    let listing = cluster(server.url("west"))
        .list(&config_maps(), &Selection::labelled("a/b", "c"))
        .await
        .expect("two pages");
    let names: Vec<String> = listing.objects.iter().map(|object| object.reference().to_string()).collect();
    assert_eq!(names, ["ConfigMap istio-system/a", "ConfigMap istio-system/b"]);
    assert_eq!(
        server.requests(),
        [
            "GET /api/v1/configmaps?labelSelector=a%2Fb%3Dc&limit=500",
            "GET /api/v1/configmaps?labelSelector=a%2Fb%3Dc&limit=500&continue=n%3D1",
        ]
    );
}

#[tokio::test]
async fn pages_of_a_state_that_is_no_longer_kept_are_read_anew_and_all_at_once() {
    let page = |names: &[&str], go_on: &str| {
        let item = |name: &&str| json!({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}});
        json!({"kind": "ConfigMapList", "metadata": {"resourceVersion": "9", "continue": go_on},
               "items": names.iter().map(item).collect::<Vec<_>>()})
    };
    let expired = json!({"kind": "Status", "reason": "Expired", "code": 410,
        "message": "The provided continue parameter is too old to display a consistent list result."});
    let deeds = vec![
        Deed::Json(200, page(&["gone", "kept"], "n=1")),
        Deed::Json(410, expired),
        Deed::Json(200, page(&["kept", "new"], "")),
    ];
    let selection = Selection::default();
    let server = Tap::scripted(deeds.clone()).await;
    let listing = cluster(server.url("west")).list(&config_maps(), &selection).await.expect("a list");
    let names: Vec<String> = listing.objects.iter().map(|object| object.name().to_owned()).collect();
    assert_eq!(names, ["kept", "new"], "of one state, and each once");
    let requests = [
        "GET /api/v1/configmaps?limit=500",
        "GET /api/v1/configmaps?limit=500&continue=n%3D1",
        "GET /api/v1/configmaps",
    ];
    assert_eq!(server.requests(), requests);
    // What a definition holds is read the same way.
    let server = Tap::scripted(deeds).await;
    let held = Held::OfKind { group: "g".to_owned(), version: "v1".to_owned(), plural: "things".to_owned() };
    let found = cluster(server.url("west")).contents(&held).await.expect("a list");
    let names: Vec<String> = found.iter().map(|object| object.name().to_owned()).collect();
    assert_eq!((names.as_slice(), server.requests().len()), (&["kept".to_owned(), "new".to_owned()][..], 3));
}

#[tokio::test]
async fn a_kind_that_goes_while_its_namespace_is_looked_into_holds_nothing() {
    let server = Tap::scripted(vec![Deed::Silence]).await;
    let mut is_gone = false;
    server.script(move |asked| {
        let resource =
            |name: &str, kind: &str| json!({"name": name, "kind": kind, "namespaced": true, "verbs": ["list"]});
        match asked.path.split('?').next().unwrap_or_default() {
            "/apis" if is_gone => Deed::Json(200, json!({"groups": []})),
            "/apis" => {
                let version = json!({"groupVersion": "g/v1"});
                Deed::Json(200, json!({"groups": [{"preferredVersion": version}]}))
            }
            "/api/v1" => Deed::Json(200, json!({"resources": [resource("configmaps", "ConfigMap")]})),
            "/apis/g/v1" => Deed::Json(200, json!({"resources": [resource("things", "Thing")]})),
            "/api/v1/namespaces/n/configmaps" => Deed::Json(200, json!({"metadata": {}, "items": [
                {"metadata": {"name": "kept", "namespace": "n"}},
            ]})),
            // Its definition went after it was told of.
            _ => {
                is_gone = true;
                Deed::Text(404, "404 page not found\n")
            }
        }
    });
    let found = cluster(server.url("west")).contents(&Held::InNamespace("n".to_owned())).await;
    let found = found.expect("all of it was read");
    let names: Vec<String> = found.iter().map(|object| object.reference().to_string()).collect();
    assert_eq!(names, ["ConfigMap n/kept"]);
    let things = "GET /apis/g/v1/namespaces/n/things?limit=500".to_owned();
    assert_eq!(server.requests().iter().filter(|request| **request == things).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_list_comes_in_pages_and_whole() {
    let text = topology_text("multi-primary.toml");
    let desired = desired("multi-primary.toml", &text);
    let meshes = Meshes::open(&scratch("clusters-pages"), desired).await;
    let store = meshes.running.sandbox().cluster("cluster1").expect("a cluster");
    for number in 0..1201 {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": format!("map-{number:04}"), "namespace": "default", "labels": {"many": "yes"}}});
        let map = Object::from_value(map).expect("an object");
        store.create(map, &stolos::sandbox::WriteOptions::by("test")).expect("created");
    }
    meshes.running.forget_requests();
    let listing = meshes.clusters["cluster1"]
        .list(&config_maps(), &Selection::labelled("many", "yes"))
        .await
        .expect("a list");
    let names: Vec<String> = listing.objects.iter().map(|object| object.name().to_owned()).collect();
    assert_eq!(names, (0..1201).map(|number| format!("map-{number:04}")).collect::<Vec<_>>());
    let lists = meshes.running.request_counts("cluster1");
    assert_eq!(lists.iter().map(|count| (count.verb, count.count)).collect::<Vec<_>>(), [("list", 3)]);
}

#[tokio::test]
async fn an_apply_is_server_side_strict_and_ours() {
    let server = Tap::scripted(vec![Deed::Json(200, config_map("istio"))]).await;
    let object = Object::from_value(config_map("istio")).expect("an object");
    cluster(server.url("west")).apply(&object, ApplyOptions::default()).await.expect("applied");
    assert_eq!(
        server.requests(),
        [
            "PATCH /api/v1/namespaces/istio-system/configmaps/istio?fieldManager=stolos&fieldValidation=Strict&force=false"
        ]
    );
}

#[tokio::test]
async fn an_apply_that_clashes_with_another_write_is_sent_again() {
    let clash = json!({"kind": "Status", "reason": "Conflict", "message": "the object has been modified"});
    let clashes =
        vec![Deed::Json(409, clash.clone()), Deed::Json(409, clash), Deed::Json(200, config_map("istio"))];
    let server = Tap::scripted(clashes).await;
    let object = Object::from_value(config_map("istio")).expect("an object");
    let cluster = cluster(server.url("west"));
    cluster.apply(&object, ApplyOptions::default()).await.expect("the third attempt gets through");
    assert_eq!(cluster.requests(), 3);
}

#[tokio::test]
async fn a_patient_cluster_is_tried_for_as_long_as_it_was_told() {
    let server = Tap::scripted(vec![Deed::Text(503, "busy")]).await;
    let cluster = cluster(server.url("west")).with_patience(Duration::from_secs(4));
    let error = cluster.get(&istio()).await.expect_err("it stays busy");
    // After 0.2, 0.6, 1.4 and 3.0 s; the next pause would be longer than what is left.
    assert_eq!(error.attempts, 5);
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_quoted() {
    let body = json!({
        "kind": "Status", "reason": "Invalid", "message": "Secret \"cacerts\" is invalid: hunter2",
        "details": {"name": "cacerts", "causes": [{"field": "data[ca-key.pem]", "message": "hunter2"}]},
    });
    let server = Tap::scripted(vec![Deed::Json(422, body)]).await;
    let object = Object::from_value(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cacerts", "namespace": "istio-system"},
    }))
    .expect("an object");
    let error = cluster(server.url("west")).apply(&object, ApplyOptions::default()).await.expect_err("422");
    let failure = error.failure();
    assert_eq!(failure.message, "west: apply Secret istio-system/cacerts: the object is refused: Invalid");
    assert_eq!(failure.facts, ["data[ca-key.pem]"]);
}

#[tokio::test]
async fn a_watch_goes_on_where_it_broke_and_reads_all_again_when_it_must() {
    let list = |version: &str| json!({"kind": "ConfigMapList", "metadata": {"resourceVersion": version}, "items": []});
    let server = Tap::scripted(vec![
        Deed::Json(200, list("5")),
        Deed::Lines(vec![json!({"type": "ADDED", "object": config_map("istio")})]),
        // A server need not end the stream after that.
        Deed::Open(vec![json!({"type": "ERROR", "object": {"kind": "Status", "code": 410}})]),
        Deed::Json(200, list("9")),
        Deed::Open(vec![json!({"type": "DELETED", "object": config_map("istio")})]),
    ])
    .await;
    let mut watch = cluster(server.url("west")).watch(config_maps(), Selection::of(&istio()));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(watch.next().await.expect("it goes on"));
    }
    let object = Object::from_value(config_map("istio")).expect("an object");
    assert_eq!(seen, [Seen::State(vec![]), Seen::Changed(object), Seen::State(vec![]), Seen::Gone(istio())]);
    let versions: Vec<String> = server
        .requests()
        .iter()
        .filter_map(|request| request.split("resourceVersion=").nth(1))
        .filter_map(|rest| rest.split('&').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(versions, ["5", "7", "9"]);
}

#[tokio::test]
async fn a_watch_that_is_refused_says_why_though_the_line_has_no_end() {
    let said = "configmaps is forbidden: User \"ci\" cannot watch resource \"configmaps\"";
    let refusal =
        json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": said});
    let list = json!({"kind": "ConfigMapList", "metadata": {"resourceVersion": "5"}, "items": []});
    let server = Tap::scripted(vec![Deed::Json(200, list), Deed::Json(403, refusal)]).await;
    let mut watch = cluster(server.url("west")).watch(config_maps(), Selection::of(&istio()));
    assert_eq!(watch.next().await.expect("the list"), Seen::State(vec![]));
    let error = watch.next().await.expect_err("it is refused");
    assert_eq!(error.fault, Fault::Forbidden(said.to_owned()));
}

fn kubeconfig(name: &str, text: &str) -> std::path::PathBuf {
    let path = of_this_run().join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path
}

const TWO_CONTEXTS: &str = "\
apiVersion: v1
kind: Config
current-context: west
clusters:
- {name: c, cluster: {server: 'https://192.0.2.1:6443/', insecure-skip-tls-verify: true}}
users:
- {name: u, user: {token: hunter2}}
contexts:
- {name: west, context: {cluster: c, user: u}}
- {name: broken, context: {cluster: nowhere, user: u}}
";

#[tokio::test]
async fn a_context_is_opened_by_its_name_and_never_by_being_current() {
    let contexts = Contexts::read(&[kubeconfig("two.yaml", TWO_CONTEXTS)]).expect("a kubeconfig");
    let transport = contexts.open("west", SHORT).await.expect("a context");
    assert_eq!(transport.server(), "https://192.0.2.1:6443");
    let failure =
        contexts.open("wset", SHORT).await.err().expect("no such context").failure(Some(&"wset".into()));
    assert_eq!(failure.code.name, "context-missing");
    assert_eq!(failure.message, "wset: there is no context `wset`");
    assert_eq!(failure.help.as_deref(), Some("did you mean `west`? Contexts: west, broken."));
    let failure = contexts.open("broken", SHORT).await.err().expect("no cluster").failure(None);
    assert_eq!(failure.message, "context `broken` cannot be used: there is no cluster `nowhere`");
}

#[test]
fn a_kubeconfig_that_is_missing_or_broken_is_named_and_never_quoted() {
    let missing = std::path::PathBuf::from("/nowhere/config");
    let failure = Contexts::read(&[missing]).err().expect("missing").failure(None);
    assert_eq!(
        failure.message,
        "the kubeconfig /nowhere/config cannot be read: No such file or directory (os error 2)"
    );
    let broken = kubeconfig("broken.yaml", "users:\n- {name: u, user: {token: [hunter2}}\n");
    let error = Contexts::read(std::slice::from_ref(&broken)).err().expect("broken");
    assert_eq!(error.failure(None).message, format!("the kubeconfig {} is not valid", broken.display()));
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn the_first_of_several_kubeconfigs_wins_and_one_may_be_missing() {
    let first = kubeconfig("first.yaml", TWO_CONTEXTS);
    let other = kubeconfig(
        "other.yaml",
        "apiVersion: v1\nkind: Config\ncontexts:\n- {name: west, context: {cluster: nowhere}}\n- {name: east, context: {cluster: c}}\n",
    );
    let contexts =
        Contexts::read(&[first, std::path::PathBuf::from("/nowhere/config"), other]).expect("they merge");
    assert_eq!(contexts.names(), ["west", "broken", "east"]);
}

#[tokio::test]
async fn a_server_that_is_no_url_is_refused_before_anything_is_sent() {
    for server in ["nonsense", "ftp://west.example.com", "west.example.com:6443"] {
        let text = format!(
            "{{apiVersion: v1, kind: Config, clusters: [{{name: a, cluster: {{server: '{server}'}}}}], \
             users: [{{name: u, user: {{}}}}], contexts: [{{name: west, context: {{cluster: a, user: u}}}}]}}"
        );
        let file = kubeconfig("no-url", &text);
        let contexts = Contexts::read(&[file]).expect("readable");
        let error = contexts.open("west", SHORT).await.err().expect("it is no URL");
        assert_eq!(error.to_string(), "context `west` cannot be used: its cluster's server is no URL");
    }
}

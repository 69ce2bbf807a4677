//! The sets of real API servers that other tests stand on.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::support::servers::{Servers, User};

const JSON: &str = "application/json";
/// Says to a test that it is the runner which is killed.
const RUNNER: &str = "STOLOS_TEST_RUNNER";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn clusters_of_a_set_are_ready_apart_and_end_with_it() {
    let servers = Servers::start("servers-apart", &["cluster1", "cluster2"]).await;
    let clusters = servers.clusters().await;
    let mut identities = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for (name, cluster) in &clusters {
        identities.insert(cluster.uid().await.expect("it answers"));
        let kubernetes = servers.raw(name.as_str()).await;
        let path = "/api/v1/namespaces/default/services/kubernetes";
        let service = kubernetes.ask(Method::GET, path, "", &Value::Null).await;
        addresses.insert(service.body["spec"]["clusterIP"].to_string());
    }
    assert_eq!(identities.len(), 2);
    assert_eq!(addresses, BTreeSet::from(["\"10.96.0.1\"".to_owned(), "\"10.97.0.1\"".to_owned()]));

    let pids = servers.pids();
    assert_eq!(pids.len(), 5);
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    // As a failing test ends it.
    let failed = std::thread::spawn(move || {
        let _servers = servers;
        std::panic::resume_unwind(Box::new("as a test fails"));
    });
    assert!(failed.join().is_err());
    let alive: Vec<u32> = pids.into_iter().filter(|&pid| is_alive(pid)).collect();
    assert!(alive.is_empty(), "{alive:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_killed_api_server_comes_back_where_it_was_and_other_users_have_their_own_rights() {
    let servers = Servers::start("servers-users", &["cluster1"]).await;
    let admin = servers.raw("cluster1").await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    assert_eq!(admin.ask(Method::POST, accounts, JSON, &account).await.code, 201);

    servers.kill("cluster1");
    assert_eq!(admin.try_ask(Method::GET, accounts).await, None);
    servers.restart("cluster1").await;
    let kept = admin.ask(Method::GET, &format!("{accounts}/robot"), "", &Value::Null).await;
    assert_eq!((kept.code, &kept.body["metadata"]["name"]), (200, &json!("robot")));

    let before = servers.requests("cluster1").len();
    for (user, name) in [
        (User::Certificate { name: "carol", group: Some("builders") }, "carol"),
        (User::ServiceAccount { namespace: "default", name: "robot" }, "system:serviceaccount:default:robot"),
        (User::Impersonated { name: "ivan", groups: &["builders"] }, "ivan"),
    ] {
        let kubeconfig = servers.kubeconfig_of(name.rsplit(':').next().expect("a name"), &user).await;
        let raw = crate::support::servers::Raw::context(&kubeconfig, "cluster1").await;
        let refused = raw.ask(Method::GET, "/api/v1/secrets", "", &Value::Null).await;
        let message = format!(
            "secrets is forbidden: User \"{name}\" cannot list resource \"secrets\" in API group \"\" at the \
             cluster scope"
        );
        assert_eq!((refused.code, &refused.body["message"]), (403, &json!(message)));
    }
    let asked: Vec<(String, String, String)> = servers.requests("cluster1")[before..]
        .iter()
        .map(|request| (request.user.clone(), request.verb.clone(), request.uri.clone()))
        .collect();
    let of = |user: &str, verb: &str, uri: &str| (user.to_owned(), verb.to_owned(), uri.to_owned());
    assert_eq!(
        asked,
        [
            of("carol", "list", "/api/v1/secrets"),
            of("admin", "create", &format!("{accounts}/robot/token")),
            of("system:serviceaccount:default:robot", "list", "/api/v1/secrets"),
            of("ivan", "list", "/api/v1/secrets"),
        ]
    );

    let output = servers.kubectl("cluster1").args(["get", "namespace", "default", "-o", "name"]).output();
    assert_eq!(output.expect("kubectl starts").stdout, b"namespace/default\n");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers, tests/kube/build-kube, and setpriv"]
async fn no_server_outlives_a_killed_test_runner() {
    if std::env::var_os(RUNNER).is_some() {
        return wait_to_be_killed().await;
    }
    let mut runner = Command::new(std::env::current_exe().expect("this suite"))
        .args(["--exact", "--include-ignored", "--nocapture"])
        .arg("servers::no_server_outlives_a_killed_test_runner")
        .env(RUNNER, "waits")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pids: Vec<u32> = Vec::new();
    for line in BufReader::new(runner.stdout.take().expect("piped")).lines() {
        let line = line.expect("a line");
        if let Some((_, listed)) = line.split_once("pids:") {
            pids.extend(listed.split_whitespace().map(|pid| pid.parse::<u32>().expect("a pid")));
            break;
        }
    }
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    runner.kill().expect("it runs");
    runner.wait().expect("it is gone");
    let end = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(|&pid| is_alive(pid)) {
        assert!(Instant::now() < end, "still there: {pids:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The runner that is killed: it has a set, says which processes that is, and never ends.
async fn wait_to_be_killed() {
    let servers = Servers::start("servers-killed", &["cluster1"]).await;
    let pids: Vec<String> = servers.pids().iter().map(u32::to_string).collect();
    let line = format!("pids: {}\n", pids.join(" "));
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("the test reads it");
    std::future::pending::<()>().await;
}

/// Whether a process runs; one that is dead and not yet buried does not.
fn is_alive(pid: u32) -> bool {
    let path = format!("/proc/{pid}/stat");
    let Ok(stat) = std::fs::read_to_string(Path::new(&path)) else { return false };
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state != Some("Z")
}

//! Every way in which a kubeconfig leads to a real API server, and what is said where one does not.

use std::path::Path;

use http::Method;
use serde_json::{Value, json};
use stolos::cluster::ClusterError;

use crate::credentials::{SHORT, kubeconfig, open, plugin, proxy, socks, tunnel};
use crate::support::command::stolos;
use crate::support::scratch::scratch;
use crate::support::servers::{Server, Servers};

/// What Kubernetes knows a user with all rights by.
const MASTERS: &str = "system:masters";

/// The cluster entry of a kubeconfig that believes the server's own authority.
fn believing(server: &Server) -> Value {
    json!({"server": server.url(), "certificate-authority": "ca.pem"})
}

/// Asks for the UID of kube-system.
async fn asked(folder: &Path, cluster: &Value, user: &Value) -> Result<String, ClusterError> {
    open(&kubeconfig(folder, cluster, user), SHORT).await.expect("a context").uid().await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn every_way_into_an_api_server_works_and_one_that_does_not_is_named() {
    let servers = Servers::start("entrances", &["cluster1"]).await;
    let server = servers.server("cluster1");
    let (_, admin) = servers.clusters().await.into_iter().next().expect("a cluster");
    let uid = admin.uid().await.expect("it answers");
    let folder = scratch("entrances-kubeconfig");
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file of this test");
    let pair = server.client("root", Some(MASTERS));
    put("ca.pem", &server.authority());
    put("client.pem", &pair.certificate);
    put("client.key", &pair.key);
    let certificate = json!({"client-certificate": "client.pem", "client-key": "client.key"});
    let cluster = believing(server);

    // Credentials: a certificate in files, a token, a token in a file, and plugins that give either.
    let accounts = "/api/v1/namespaces/kube-system/serviceaccounts";
    let robot = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    let raw = servers.raw("cluster1").await;
    assert_eq!(raw.ask(Method::POST, accounts, "application/json", &robot).await.code, 201);
    let token = servers.token("cluster1", "kube-system", "robot").await;
    put("token", &token);
    let printed = |status: &Value| {
        put("printed", &json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}).to_string());
        plugin(&format!("cat {}", folder.join("printed").display()))
    };
    let with = |user: Value| {
        let (folder, cluster) = (folder.clone(), cluster.clone());
        async move { asked(&folder, &cluster, &user).await }
    };
    assert_eq!(with(certificate.clone()).await, Ok(uid.clone()));
    for user in [json!({"token": token}), json!({"tokenFile": "token"}), printed(&json!({"token": token}))] {
        // It is known; what it may do is another matter.
        let refused = with(user).await.expect_err("robots have no rights").to_string();
        assert!(refused.contains("system:serviceaccount:kube-system:robot"), "{refused}");
    }
    let given = json!({"clientCertificateData": pair.certificate, "clientKeyData": pair.key});
    assert_eq!(with(printed(&given)).await, Ok(uid.clone()));
    let nobody = with(json!({"token": "expired"})).await.expect_err("nobody's token").to_string();
    assert!(nobody.contains("user `u` of context `west`") && !nobody.contains("expired"), "{nobody}");

    // Ways: through proxies, under another name, and without a look at who answers.
    let target = server.url().strip_prefix("https://").expect("a URL").to_owned();
    let (address, tunnelled) = proxy(tunnel).await;
    let mut through = cluster.clone();
    through["proxy-url"] = json!(format!("http://{address}"));
    assert_eq!(asked(&folder, &through, &certificate).await, Ok(uid.clone()));
    assert_eq!(*tunnelled.lock().expect("no panic"), [format!("{target} password false")]);
    let (address, passed) = proxy(socks).await;
    through["proxy-url"] = json!(format!("socks5://{address}"));
    assert_eq!(asked(&folder, &through, &certificate).await, Ok(uid.clone()));
    assert_eq!(*passed.lock().expect("no panic"), [target]);
    let mut named = cluster.clone();
    named["tls-server-name"] = json!("kubernetes.default.svc");
    assert_eq!(asked(&folder, &named, &certificate).await, Ok(uid.clone()));
    let blind = json!({"server": server.url(), "insecure-skip-tls-verify": true});
    assert_eq!(asked(&folder, &blind, &certificate).await, Ok(uid));

    // Servers that do not prove who they are.
    named["tls-server-name"] = json!("somebody.else.example");
    let stranger = asked(&folder, &named, &certificate).await.expect_err("another name").to_string();
    assert!(stranger.contains("certificate"), "{stranger}");
    put("ca.pem", &pair.certificate);
    let foreign = asked(&folder, &cluster, &certificate).await.expect_err("a foreign authority").to_string();
    assert!(foreign.contains("certificate"), "{foreign}");

    // The command says whom it believes blindly, and takes a cluster that is not believed for unknown.
    let topology = "version: 1\nmesh: { id: mesh1 }\nistio: { version: 1.30.3, charts: embedded }\ntrust: { root: generate }\n\
                    networks: { network1: {} }\nclusters: { west: { network: network1, role: primary } }\n";
    put("mesh.yaml", topology);
    let plan = || stolos(&folder, &["plan", "--kubeconfig", "kubeconfig", "mesh.yaml"]);
    kubeconfig(&folder, &blind, &certificate);
    let ran = plan();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("warning: west is not asked who it is (insecure-skip-tls-verify)"),
        "{}",
        ran.stderr
    );
    kubeconfig(&folder, &cluster, &certificate);
    let ran = plan();
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("west could not be read: west cannot be reached: invalid peer certificate"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with("Nothing could be read, so there is nothing to say of any cluster.\n"),
        "{}",
        ran.stdout
    );
}

//! How credentials are had, renewed and named, and the ways to a server: contexts as kubectl reads them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::cluster::{Cluster, ClusterError, Contexts, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::scratch::scratch;

/// A server that knows one token, and remembers the headers of what it was asked.
struct Keeper {
    url: String,
    token: Arc<Mutex<String>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Keeper {
    async fn of(token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let token = Arc::new(Mutex::new(token.to_owned()));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (known, seen) = (Arc::clone(&token), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&known), Arc::clone(&seen)));
            }
        });
        Self { url, token, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic while held").clone()
    }

    fn knows(&self, token: &str) {
        token.clone_into(&mut self.token.lock().expect("no panic while held"));
    }
}

async fn answer(mut stream: TcpStream, token: Arc<Mutex<String>>, heads: Arc<Mutex<Vec<String>>>) {
    while let Some(head) = head(&mut stream).await {
        let expected = format!("authorization: {}\r\n", token.lock().expect("no panic while held"));
        heads.lock().expect("no panic while held").push(head.clone());
        let (status, body) = match head.contains(&expected) {
            true => (
                200,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "u1"}}),
            ),
            false => (401, json!({"kind": "Status", "message": "Unauthorized", "code": 401})),
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The head of a request without a body.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

pub(crate) const SHORT: Limits = Limits {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(5),
    write: Duration::from_secs(5),
    plugin: Duration::from_secs(30),
};

/// A kubeconfig in a folder, with one context `west`, user `u`.
pub(crate) fn kubeconfig(folder: &Path, cluster: &Value, user: &Value) -> PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "west", "context": {"cluster": "c", "user": "u"}}],
    });
    let path = folder.join("kubeconfig");
    std::fs::write(&path, config.to_string()).expect("a file of this test");
    path
}

pub(crate) async fn open(file: &Path, limits: Limits) -> Result<Cluster, String> {
    let contexts = Contexts::read(&[file.to_owned()]).expect("a kubeconfig");
    let transport = contexts.open("west", limits).await.map_err(|error| error.to_string())?;
    Ok(Cluster::new("west".into(), transport.server().to_owned(), transport))
}

async fn asked(server: &str, test: &str, user: &Value) -> Result<String, ClusterError> {
    let file = kubeconfig(&scratch(test), &json!({"server": server}), user);
    open(&file, SHORT).await.expect("a context").uid().await
}

/// A user whose plugin is a shell script.
pub(crate) fn plugin(script: &str) -> Value {
    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
        "interactiveMode": "Never"}})
}

/// A script that prints a credential with the text of a file as its token, and counts how often it ran.
fn counting(folder: &Path, version: &str) -> String {
    format!(
        "echo run >> {runs}; printf '{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\",\
         \"status\":{{\"token\":\"%s\"}}}}' \"$(cat {token})\"",
        runs = folder.join("runs").display(),
        token = folder.join("token").display(),
    )
}

fn runs(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("runs")).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn a_token_and_a_password_stand_in_the_header() {
    let keeper = Keeper::of("Bearer hunter2").await;
    assert_eq!(asked(&keeper.url, "inline-token", &json!({"token": "hunter2"})).await, Ok("u1".to_owned()));
    keeper.knows("Basic dTpodW50ZXIy");
    let user = json!({"username": "u", "password": "hunter2"});
    assert_eq!(asked(&keeper.url, "basic", &user).await, Ok("u1".to_owned()));
}

#[tokio::test]
async fn a_token_file_is_found_beside_its_kubeconfig_and_read_again_when_its_token_is_refused() {
    let keeper = Keeper::of("Bearer one").await;
    let folder = scratch("token-file");
    std::fs::write(folder.join("token"), "one\n").expect("a file");
    let file = kubeconfig(&folder, &json!({"server": keeper.url}), &json!({"tokenFile": "token"}));
    let cluster = open(&file, SHORT).await.expect("a context");
    assert_eq!(cluster.uid().await, Ok("u1".to_owned()));
    std::fs::write(folder.join("token"), "two\n").expect("a file");
    keeper.knows("Bearer two");
    assert_eq!(cluster.uid().await, Ok("u1".to_owned()));
    keeper.knows("Bearer three");
    let failure = cluster.uid().await.expect_err("nobody knows it").failure();
    assert_eq!(failure.code.name, "credentials-refused");
    assert_eq!(
        failure.message,
        format!(
            "west: read Namespace kube-system: the credentials are not accepted: those of user `u` of context \
             `west`, with a token from {}",
            folder.join("token").display()
        )
    );
    // One, one that was refused and two; two that was refused, and once more after it was read again.
    assert_eq!(keeper.heads().len(), 5);
}

#[tokio::test]
async fn a_token_file_that_is_missing_is_named() {
    let folder = scratch("token-file-missing");
    let file = kubeconfig(&folder, &json!({"server": "http://127.0.0.1:1"}), &json!({"tokenFile": "gone"}));
    let failure = open(&file, SHORT).await.expect("a context").uid().await.expect_err("no token").failure();
    assert_eq!(failure.code.name, "credentials-missing");
    assert_eq!(
        failure.message,
        format!(
            "west: read Namespace kube-system: no credentials: the token file {} cannot be read: entity not \
             found (user `u` of context `west`)",
            folder.join("gone").display()
        )
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_runs_once_for_many_requests_and_once_more_when_its_token_is_refused() {
    for version in ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] {
        let keeper = Keeper::of("Bearer one").await;
        let folder = scratch(&format!("plugin-{}", version.rsplit('/').next().expect("a version")));
        std::fs::write(folder.join("token"), "one").expect("a file");
        let user = json!({"exec": {"apiVersion": version, "command": "sh",
            "args": ["-c", counting(&folder, version)], "interactiveMode": "Never"}});
        let file = kubeconfig(&folder, &json!({"server": keeper.url}), &user);
        let cluster = open(&file, SHORT).await.expect("a context");
        assert_eq!(runs(&folder), 0);
        assert_eq!(cluster.uid().await, Ok("u1".to_owned()));
        assert_eq!(cluster.uid().await, Ok("u1".to_owned()));
        assert_eq!(runs(&folder), 1);
        std::fs::write(folder.join("token"), "two").expect("a file");
        keeper.knows("Bearer two");
        assert_eq!(cluster.uid().await, Ok("u1".to_owned()));
        assert_eq!(runs(&folder), 2);
        // Refused when it was new: the plugin is not asked for ever.
        keeper.knows("Bearer canary");
        for _ in 0..3 {
            let failure = cluster.uid().await.expect_err("refused").failure();
            assert_eq!(failure.code.name, "credentials-refused");
            assert_eq!(
                failure.message,
                "west: read Namespace kube-system: the credentials are not accepted: those of user `u` of context \
                 `west`, by the credential plugin `sh`"
            );
        }
        assert_eq!(runs(&folder), 3);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_is_told_what_its_kubeconfig_says() {
    let keeper = Keeper::of("Bearer seen").await;
    let folder = scratch("plugin-told");
    let told = folder.join("told");
    std::fs::create_dir_all(folder.join("bin")).expect("a folder");
    let script = format!(
        "#!/bin/sh\nprintf '%s|%s|%s' \"$1\" \"$MODE\" \"$KUBERNETES_EXEC_INFO\" > {}\n\
         printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"seen\"}}}}'\n",
        told.display()
    );
    let command = folder.join("bin/login");
    std::fs::write(&command, script).expect("a file");
    std::fs::set_permissions(&command, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a file of ours");
    let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./bin/login",
        "args": ["get-token"], "env": [{"name": "MODE", "value": "test"}], "interactiveMode": "Never",
        "provideClusterInfo": true}});
    let cluster = json!({"server": keeper.url, "extensions": [
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "west"}}]});
    let file = kubeconfig(&folder, &cluster, &user);
    assert_eq!(open(&file, SHORT).await.expect("a context").uid().await, Ok("u1".to_owned()));
    let told = std::fs::read_to_string(told).expect("it ran");
    let (before, info) = told.rsplit_once('|').expect("three parts");
    assert_eq!(before, "get-token|test");
    assert_eq!(
        serde_json::from_str::<Value>(info).expect("JSON"),
        json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "spec": {
            "interactive": false, "cluster": {"server": keeper.url, "config": {"audience": "west"}}}})
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_that_ends_soon_is_had_anew_before_it_is_used() {
    let keeper = Keeper::of("Bearer t").await;
    let folder = scratch("plugin-expires");
    let script = format!(
        "echo run >> {}; printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
         \"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}}}'",
        folder.join("runs").display()
    );
    let file = kubeconfig(&folder, &json!({"server": keeper.url}), &plugin(&script));
    let cluster = open(&file, SHORT).await.expect("a context");
    for _ in 0..3 {
        assert_eq!(cluster.uid().await, Ok("u1".to_owned()));
    }
    assert_eq!((runs(&folder), keeper.heads().len()), (3, 3));
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_that_gives_nothing_is_named_and_what_it_prints_is_not() {
    let exec = |command: &str, args: &[&str], more: Value| {
        let mut exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": args,
            "interactiveMode": "Never", "env": [{"name": "SECRET", "value": "canary"}]});
        for (key, value) in more.as_object().expect("an object") {
            exec[key] = value.clone();
        }
        json!({"exec": exec})
    };
    let none = json!({});
    let no_answer =
        "the credential plugin `sh` did not answer with an ExecCredential of client.authentication.k8s.io/v1";
    let cases = [
        (
            exec("sh", &["-c", "echo canary; echo canary >&2; exit 3"], none.clone()),
            "the credential plugin `sh` ended with exit status: 3",
        ),
        (exec("sh", &["-c", "echo canary"], none.clone()), no_answer),
        (
            exec(
                "sh",
                &[
                    "-c",
                    "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"status\":{\"token\":\"canary\"}}'",
                ],
                none.clone(),
            ),
            no_answer,
        ),
        (
            exec(
                "sh",
                &[
                    "-c",
                    "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'",
                ],
                none.clone(),
            ),
            no_answer,
        ),
        (
            // Not all of it is read.
            exec("sh", &["-c", "yes canary; exit 4"], none.clone()),
            "the credential plugin `sh` ended with exit status: 4",
        ),
        (
            exec("sh", &["-c", "exec sleep 1000"], none.clone()),
            "the credential plugin `sh` did not answer within 1 s",
        ),
        (
            exec("no-such-plugin", &["canary"], json!({"installHint": "get it there\u{1b}[2J"})),
            "there is no credential plugin `no-such-plugin` on this machine; get it there [2J",
        ),
        (
            exec("sh", &[], json!({"apiVersion": "client.authentication.k8s.io/v1alpha1"})),
            "the credential plugin `sh` is to speak client.authentication.k8s.io/v1alpha1, which is not known",
        ),
    ];
    for (position, (user, expected)) in cases.into_iter().enumerate() {
        let file = kubeconfig(
            &scratch(&format!("no-plugin-{position}")),
            &json!({"server": "http://127.0.0.1:1"}),
            &user,
        );
        let limits = Limits { plugin: Duration::from_secs(1), ..SHORT };
        let start = Instant::now();
        let failure =
            open(&file, limits).await.expect("a context").uid().await.expect_err(expected).failure();
        assert!(start.elapsed() < Duration::from_secs(20), "{expected}");
        assert_eq!(failure.code.name, "credentials-missing", "{expected}");
        assert_eq!(
            failure.message,
            format!(
                "west: read Namespace kube-system: no credentials: {expected} (user `u` of context `west`)"
            )
        );
    }
}

#[tokio::test]
async fn what_kubernetes_removed_is_refused_with_what_to_use_instead() {
    let user = json!({"auth-provider": {"name": "gcp", "config": {"access-token": "canary"}}});
    let file = kubeconfig(&scratch("auth-provider"), &json!({"server": "https://127.0.0.1:1"}), &user);
    assert_eq!(
        open(&file, SHORT).await.err().expect("refused"),
        "context `west` cannot be used: its user has an auth-provider (`gcp`), which Kubernetes has removed: use a \
         credential plugin (exec)"
    );
}

/// Where a proxy was asked to.
pub(crate) type Targets = Arc<Mutex<Vec<String>>>;

/// A proxy that passes on what it is asked to, and remembers where to.
pub(crate) async fn proxy(speaks: fn(TcpStream, Targets) -> JoinHandle<()>) -> (String, Targets) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address").to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            speaks(stream, Arc::clone(&seen));
        }
    });
    (address, asked)
}

/// HTTP CONNECT, for those who know the password.
pub(crate) fn tunnel(mut stream: TcpStream, asked: Targets) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(head) = head(&mut stream).await else { return };
        let target = head.split(' ').nth(1).expect("a target").to_owned();
        let password = head.to_ascii_lowercase().contains("proxy-authorization: basic ");
        asked.lock().expect("no panic while held").push(format!("{target} password {password}"));
        let mut server = TcpStream::connect(&target).await.expect("a server");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("it listens");
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    })
}

/// SOCKS5 without a password.
pub(crate) fn socks(mut stream: TcpStream, asked: Targets) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut start = [0; 2];
        stream.read_exact(&mut start).await.expect("a greeting");
        let mut methods = vec![0; usize::from(start[1])];
        stream.read_exact(&mut methods).await.expect("methods");
        stream.write_all(&[5, 0]).await.expect("it listens");
        let mut request = [0; 4];
        stream.read_exact(&mut request).await.expect("a request");
        let host = match request[3] {
            1 => {
                let mut address = [0; 4];
                stream.read_exact(&mut address).await.expect("an address");
                std::net::Ipv4Addr::from(address).to_string()
            }
            _ => {
                let length = usize::from(stream.read_u8().await.expect("a length"));
                let mut name = vec![0; length];
                stream.read_exact(&mut name).await.expect("a name");
                String::from_utf8(name).expect("a name")
            }
        };
        let target = format!("{host}:{}", stream.read_u16().await.expect("a port"));
        asked.lock().expect("no panic while held").push(target.clone());
        let mut server = TcpStream::connect(&target).await.expect("a server");
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("it listens");
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    })
}

#[tokio::test]
async fn a_clusters_proxy_carries_its_requests() {
    let keeper = Keeper::of("Bearer t").await;
    let target = keeper.url.strip_prefix("http://").expect("a URL").to_owned();
    let user = json!({"token": "t"});
    let (address, tunnelled) = proxy(tunnel).await;
    let cluster = json!({"server": keeper.url, "proxy-url": format!("http://me:secret@{address}")});
    let file = kubeconfig(&scratch("proxy-http"), &cluster, &user);
    assert_eq!(open(&file, SHORT).await.expect("a context").uid().await, Ok("u1".to_owned()));
    assert_eq!(*tunnelled.lock().expect("no panic"), [format!("{target} password true")]);

    let (address, passed) = proxy(socks).await;
    let cluster = json!({"server": keeper.url, "proxy-url": format!("socks5://{address}")});
    let file = kubeconfig(&scratch("proxy-socks"), &cluster, &user);
    assert_eq!(open(&file, SHORT).await.expect("a context").uid().await, Ok("u1".to_owned()));
    assert_eq!(*passed.lock().expect("no panic"), [target]);

    let cluster = json!({"server": keeper.url, "proxy-url": "ftp://me:canary@proxy"});
    let file = kubeconfig(&scratch("proxy-none"), &cluster, &user);
    assert_eq!(
        open(&file, SHORT).await.err().expect("refused"),
        "context `west` cannot be used: its proxy-url begins with none of http://, https:// and socks5://"
    );
}

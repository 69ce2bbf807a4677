//! What runs on a cluster's node: its Pods are bound to it, they go when they are told to, and what listens in them
//! is reached through its kubelet.
//!
//! A kubelet asks here for `NAMESPACE/POD:PORT` and is connected to the process that the controllers have there, or is
//! told why not, in a container runtime's words.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stolos::object::Object;
use stolos::sandbox::Processes;
use stolos::sandbox::controllers::Controlled as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::{JoinHandle, JoinSet};

use super::egress::socket_for;
use super::mirror::Mirror;
use super::network::Network;

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
/// The longest line of a kubelet.
const LONGEST: usize = 1024;
/// How long until a Pod whose write was refused is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the kubelet of one cluster asks; nobody answers until a data plane serves it.
pub(crate) struct Runtime {
    listener: UnixListener,
    socket: PathBuf,
}

impl Runtime {
    /// Opens it, before its cluster starts.
    pub(crate) fn open(folder: &Path, cluster: &str) -> Self {
        let socket = socket_for(folder, &format!("{cluster}-pods"));
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        Self { listener, socket }
    }

    /// Its path.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Connects a cluster's kubelet to what runs, as long as the task does.
    pub(super) fn serve(&self, mirror: &Arc<Mirror>) -> JoinHandle<()> {
        let listener = self.listener.try_clone().expect("a handle");
        let listener = tokio::net::UnixListener::from_std(listener).expect("within a runtime");
        let mirror = Arc::clone(mirror);
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mirror = Arc::clone(&mirror);
                connections.spawn(async move { connect(stream, &mirror).await });
            }
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// One connection, to its end.
async fn connect(mut stream: UnixStream, mirror: &Mirror) -> Option<()> {
    let mut line = Vec::new();
    // Byte by byte: what follows belongs to the connection.
    while !line.ends_with(b"\n") {
        if line.len() == LONGEST {
            return None;
        }
        line.push(stream.read_u8().await.ok()?);
    }
    let line = String::from_utf8(line).ok()?;
    let (pod, port) = line.trim_end().rsplit_once(':')?;
    let (namespace, name) = pod.split_once('/')?;
    let port: u16 = port.parse().ok()?;
    let processes = mirror.processes();
    let pod = mirror.find("", "Pod", Some(namespace), name);
    let listens = |processes: &Arc<dyn Processes>, pod: &Arc<Object>| {
        processes.get(mirror.name(), pod, port, "/").is_some()
    };
    let (Some(processes), Some(pod)) = (processes, pod) else {
        return stream.write_all(b"no such container\n").await.ok();
    };
    if !listens(&processes, &pod) {
        let refused = format!("failed to connect to localhost:{port}: connection refused\n");
        return stream.write_all(refused.as_bytes()).await.ok();
    }
    stream.write_all(b"\n").await.ok()?;
    let service = service_fn(|request: Request<Incoming>| {
        let answer = processes.get(mirror.name(), &pod, port, request.uri().path());
        async move {
            // A process that has ended meanwhile says nothing more.
            let answer = answer.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionReset))?;
            let response = Response::builder().status(answer.status).header("content-type", JSON);
            Ok::<_, io::Error>(response.body(Full::new(Bytes::from(answer.body))).expect("an answer"))
        }
    });
    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await.ok()
}

/// Binds Pods to a node and lets those go that are told to, as a scheduler and a kubelet do. In a network they get
/// addresses.
pub(super) fn run(mirror: &Arc<Mirror>, node: &str, network: Option<&Network>) -> JoinHandle<()> {
    let (mirror, node, network) = (Arc::clone(mirror), node.to_owned(), network.cloned());
    tokio::spawn(async move {
        let mut changes = mirror.changes();
        // By UID and what was done: a watch tells of it later.
        let mut done = BTreeSet::new();
        loop {
            changes.borrow_and_update();
            let mut has_failed = false;
            for pod in mirror.all_pods() {
                let Some(owed) = owed(&pod, network.as_ref()) else { continue };
                let deed = (pod.uid().unwrap_or_default().to_owned(), owed);
                if done.contains(&deed) {
                    continue;
                }
                let (method, path, media_type, body) = paid(&pod, &node, network.as_ref(), owed);
                match mirror.raw().send(method, &path, media_type, body.to_string().into_bytes()).await {
                    Ok(answer) if matches!(answer.code, 200..=299 | 404 | 409) => drop(done.insert(deed)),
                    Ok(_) | Err(_) => has_failed = true,
                }
            }
            let again = tokio::time::sleep(PAUSE);
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = again, if has_failed => {}
            }
        }
    })
}

/// What is done for a Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    Node,
    Address,
    End,
}

fn owed(pod: &Object, network: Option<&Network>) -> Option<Owed> {
    if pod.get(&["metadata", "deletionTimestamp"]).is_some() {
        return Some(Owed::End);
    }
    if pod.text(&["spec", "nodeName"]).is_none() {
        return Some(Owed::Node);
    }
    (network.is_some() && pod.text(&["status", "podIP"]).is_none()).then_some(Owed::Address)
}

/// The request that does it: method, path, media type and body.
fn paid(
    pod: &Object,
    node: &str,
    network: Option<&Network>,
    owed: Owed,
) -> (Method, String, &'static str, Value) {
    let (name, namespace) = (pod.name(), pod.namespace().unwrap_or_default());
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    match owed {
        Owed::Node => {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "uid": pod.uid()},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            });
            (Method::POST, format!("{path}/binding"), JSON, binding)
        }
        Owed::Address => {
            let ip = network.map(|network| network.next_pod().to_string());
            let status = json!({"status": {"podIP": ip, "podIPs": [{"ip": ip}]}});
            (Method::PATCH, format!("{path}/status"), MERGE, status)
        }
        Owed::End => {
            let now = json!({
                "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0,
                "preconditions": {"uid": pod.uid()},
            });
            (Method::DELETE, path, JSON, now)
        }
    }
}

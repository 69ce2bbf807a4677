//! Asking a process in a pod, through the API server: port-forward to one of its ports and one GET there.
//!
//! A pod, a port and a path enter; the JSON that the process answered leaves. What keeps the API server
//! from forwarding (rights, no kubelet, a pod that went) is a [`ClusterError`] like that of any request,
//! and so is an answer that is no JSON. Nothing is tried again: who asks has other ways to know.

use std::sync::atomic::Ordering;

use http::{Method, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::client::{ForwardFault, Forwarded};
use super::status::{self, Privacy};
use super::verbs::{Asked, unreached};
use super::{Cluster, ClusterError, Fault, Request, TransportError};
use crate::object::ObjectRef;

/// The most bytes of an answer.
const MOST_BYTES: usize = 16 * 1024 * 1024;

impl Cluster {
    /// What a process in a pod answers to a GET, as JSON.
    pub async fn ask_pod(&self, pod: &ObjectRef, port: u16, path: &str) -> Result<Value, ClusterError> {
        let asked = Asked::open(Request::Forward, &format!("{pod} for {path}"), "Pod");
        self.sent.fetch_add(1, Ordering::Relaxed);
        let namespace = pod.namespace.as_deref().unwrap_or_default();
        let limit = self.transport.limits().read;
        let whole = async {
            let forwarded =
                self.transport.forward(namespace, &pod.name, port).await.map_err(|fault| match fault {
                    ForwardFault::Refused { code, reason, message } => {
                        let status =
                            json!({"message": message, "reason": reason, "details": {"name": pod.name}});
                        status::fault(code, Some(&status), "Pod", Privacy::Open)
                    }
                    ForwardFault::Transport(error) => unreached(error),
                })?;
            get(forwarded, path).await
        };
        let answer = match tokio::time::timeout(limit, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(unreached(TransportError::Silent(limit))),
        };
        answer.map_err(|fault| self.error(&asked, 1, fault))
    }
}

/// One GET over a forwarded connection.
async fn get(forwarded: Forwarded, path: &str) -> Result<Value, Fault> {
    let broken = |error: hyper::Error| Fault::Unreachable(status::clean(&error.to_string()));
    let (stream, _guard) = forwarded.into_parts();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = http::Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Fault::Unintelligible(format!("`{path}` is no path")))?;
    // What breaks the connection breaks the exchange, which tells of it.
    let driver = tokio::spawn(connection);
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| Fault::Unreachable(status::clean(&error.to_string())))?;
        Ok((code, body.to_bytes()))
    };
    let exchanged = exchange.await;
    driver.abort();
    let (code, body) = exchanged?;
    if code != 200 {
        return Err(Fault::Server { status: code, message: "no reason given".to_owned() });
    }
    serde_json::from_slice(&body).map_err(|_| Fault::Unintelligible("it is not JSON".to_owned()))
}

//! `/portforward` of a Pod: one connection to one port, over a WebSocket.
//!
//! As a real server speaks it (kubelet's `portforward/websocket.go`, 1.35): each port has a channel for
//! data and one for errors, whose first frame is the port's number. What listens there answers one GET.

use std::sync::Weak;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::answer::{self, Answer, AnswerBody};
use super::query::Query;
use super::route::Place;
use super::served;
use crate::object::ObjectRef;
use crate::sandbox::api_error::{ApiError, Reason};
use crate::sandbox::store::ClusterStore;

/// The one protocol that is spoken here.
const PROTOCOL: &str = "v4.channel.k8s.io";
/// The channel of the data of the first port.
const DATA: u8 = 0;
/// That of its errors.
const ERROR: u8 = 1;
/// How long a forwarded connection lasts at most.
const LONGEST: Duration = Duration::from_secs(30);
/// The most bytes of a request's head.
const MOST_BYTES: usize = 16 * 1024;

/// Switches protocols, or says why not.
pub(super) fn forward(
    store: &std::sync::Arc<ClusterStore>,
    place: &Place,
    name: &str,
    mut request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    if request.method() != Method::GET {
        return Err(served::not_allowed());
    }
    let pod = ObjectRef {
        group: String::new(),
        kind: "Pod".to_owned(),
        namespace: place.namespace.clone(),
        name: name.to_owned(),
    };
    if store.get(&pod).is_none() {
        let message = format!("pods \"{name}\" not found");
        return Err(ApiError::new(Reason::NotFound, message));
    }
    let query = Query::parse(request.uri().query().unwrap_or_default())?;
    let port = query.number("ports")?.and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or_else(|| ApiError::bad_request("query parameter \"ports\" is required, once"))?;
    if store.processes().is_none() {
        // As where no kubelet answers.
        return Err(ApiError::new(Reason::InternalError, "error dialing backend: no kubelet"));
    }
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()))
    else {
        return Err(ApiError::bad_request("Upgrade request required"));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let store = std::sync::Arc::downgrade(store);
    tokio::spawn(tokio::time::timeout(LONGEST, connect(upgrade, store, pod, port)));
    let mut answer = Answer::new(AnswerBody::Whole(None));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    match HeaderValue::from_str(&key) {
        Ok(key) => headers.insert(SEC_WEBSOCKET_ACCEPT, key),
        Err(_) => return Ok(answer::refusal(&ApiError::bad_request("Sec-WebSocket-Key cannot be used"))),
    };
    Ok(answer)
}

/// A client that goes away is no fault.
async fn connect(upgrade: OnUpgrade, store: Weak<ClusterStore>, pod: ObjectRef, port: u16) {
    if let Ok(upgraded) = upgrade.await {
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let _ = serve(stream, &store, &pod, port).await;
    }
}

async fn serve(
    mut stream: WebSocketStream<TokioIo<Upgraded>>,
    store: &Weak<ClusterStore>,
    pod: &ObjectRef,
    port: u16,
) -> Result<(), Error> {
    for channel in [DATA, ERROR] {
        stream.send(frame(channel, &port.to_le_bytes())).await?;
    }
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < MOST_BYTES {
        let Some(message) = stream.next().await else { return Ok(()) };
        match message? {
            Message::Binary(bytes) if bytes.first() == Some(&DATA) => head.extend_from_slice(&bytes[1..]),
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let answer = store.upgrade().and_then(|store| {
        let live = store.get(pod)?;
        store.processes()?.get(store.name(), &live, port, path)
    });
    match answer {
        Some(answer) => {
            let body = answer.body;
            let head = format!(
                "HTTP/1.1 {} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.status,
                body.len()
            );
            stream.send(frame(DATA, (head + &body).as_bytes())).await?;
        }
        None => {
            let reason = format!(
                "error forwarding port {port} to pod {}, uid : failed to connect to localhost:{port}: connection refused",
                pod.name
            );
            stream.send(frame(ERROR, reason.as_bytes())).await?;
        }
    }
    stream.close(None).await?;
    // Until the other side has closed too, so that nothing on its way is lost.
    while let Some(Ok(_)) = stream.next().await {}
    Ok(())
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    let mut frame = Vec::with_capacity(bytes.len() + 1);
    frame.push(channel);
    frame.extend_from_slice(bytes);
    Message::binary(frame)
}

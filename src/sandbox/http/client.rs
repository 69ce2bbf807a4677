//! Asking another process's server who it is.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The identity of the sandbox cluster that answers at a URL; none where none does.
pub(crate) async fn identity_at(url: &str) -> Option<String> {
    let address = url.strip_prefix("http://")?;
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/stolos-sandbox").header(HOST, address).body(Empty::<Bytes>::new()).ok()?;
    let answer = sender.send_request(request).await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    connection.abort();
    let value: Value = serde_json::from_slice(&body).ok()?;
    value.get("identity")?.as_str().map(str::to_owned)
}

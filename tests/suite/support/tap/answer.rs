//! What a tap answers: whole, in part, or as the server says it.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Response, header};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};

/// The body of an error of an API server.
pub(crate) fn status_body(code: u16, reason: &str, message: &str) -> String {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
    .to_string()
}

pub(super) fn said(status: u16, kind: &'static str, body: String) -> Response<Out> {
    response(status, kind, Out::Then(body.into(), Tail::End))
}

pub(super) fn response(status: u16, kind: &'static str, body: Out) -> Response<Out> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("a status code");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(super) fn joined(lines: &[Value]) -> Bytes {
    lines.iter().map(|line| format!("{line}\n")).collect::<String>().into()
}

/// The connection ends here.
#[derive(Debug)]
pub(super) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ends here")
    }
}

impl std::error::Error for Closed {}

/// What is answered.
pub(super) enum Out {
    /// These bytes, then the tail.
    Then(Bytes, Tail),
    /// What the server says, as it says it.
    Through(kube::client::Body),
}

/// How an answer ends.
#[derive(Clone, Copy)]
pub(super) enum Tail {
    End,
    Break,
    Hang,
}

impl hyper::body::Body for Out {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        match &mut *self {
            Self::Then(bytes, _) if !bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))))
            }
            Self::Then(_, Tail::End) => Poll::Ready(None),
            Self::Then(_, Tail::Break) => Poll::Ready(Some(Err(Closed))),
            Self::Then(_, Tail::Hang) => Poll::Pending,
            Self::Through(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(|_| Closed)))
            }
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Then(bytes, Tail::End) => hyper::body::SizeHint::with_exact(bytes.len() as u64),
            Self::Then(..) | Self::Through(_) => hyper::body::SizeHint::default(),
        }
    }
}

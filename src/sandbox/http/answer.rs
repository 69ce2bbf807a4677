//! Answers: whole ones and those that go on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::sandbox::api_error::ApiError;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// All of it at once.
    Whole(Option<Bytes>),
    /// Lines as they come, until the sender goes.
    Lines(mpsc::Receiver<Bytes>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Lines(lines) => lines.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(Some(bytes)) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Whole(None) => SizeHint::with_exact(0),
            Self::Lines(_) => SizeHint::default(),
        }
    }
}

/// An answer as hyper takes it.
pub(crate) type Answer = Response<AnswerBody>;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    typed(status, "application/json", value.to_string())
}

/// An answer of this content type.
pub(crate) fn typed(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Answer {
    with_headers(status, content_type, AnswerBody::Whole(Some(text.into())))
}

/// An answer of JSON lines that goes on.
pub(crate) fn lines(lines: mpsc::Receiver<Bytes>) -> Answer {
    with_headers(StatusCode::OK, "application/json", AnswerBody::Lines(lines))
}

fn with_headers(status: StatusCode, content_type: &'static str, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    answer.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    answer
}

/// What a server says of a path for which it has no handler: no `Status`, a bare text.
pub(crate) fn nothing_there() -> Answer {
    typed(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n")
}

/// A refusal.
pub(crate) fn refusal(error: &ApiError) -> Answer {
    let status = StatusCode::from_u16(error.reason.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &error.to_status())
}

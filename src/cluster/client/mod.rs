//! The one folder that names `kube`: credentials, TLS and HTTP to an API server.
//!
//! A kubeconfig and the name of a context enter, or a plain URL; a
//! [`Transport`] leaves, which carries one request and says what came back.
//! What a path means, what is tried again and what a status code says is not
//! known here. Nothing of a kubeconfig but names and server URLs ever leaves.

mod access;
mod contexts;
mod fault;
mod forward;
mod http2;

use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::OwnedSemaphorePermit;

use super::credentials::Source;
use super::transport::{Answer, Call, Limits, TransportError, Trust, time_of};
use access::{Access, Admitted, UNAUTHORIZED};
use fault::fault_of;

pub use contexts::Contexts;
pub(super) use forward::{ForwardFault, Forwarded};

/// Who we are in a server's audit log.
const USER_AGENT: &str = concat!("stolos/v", env!("CARGO_PKG_VERSION"));

/// The way to one API server. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    access: Arc<Access>,
    /// Its URL, without a slash at the end.
    server: String,
    limits: Limits,
    trust: Trust,
}

impl Transport {
    /// A plain URL without credentials: the sandbox's.
    pub fn plain(url: &str, limits: Limits) -> Result<Self, TransportError> {
        let uri: http::Uri =
            url.parse().map_err(|_| TransportError::Refused(format!("`{url}` is no URL")))?;
        let mut config = kube::Config::new(uri);
        // No roots, so that the machine's own are not searched for a URL that has no TLS.
        config.root_cert = Some(Vec::new());
        let server = url.trim_end_matches('/').to_owned();
        Self::new(config, server, limits, None, Trust::Verified)
    }

    fn new(
        mut config: kube::Config,
        server: String,
        limits: Limits,
        source: Option<Source>,
        trust: Trust,
    ) -> Result<Self, TransportError> {
        config.connect_timeout = Some(limits.connect);
        // Watches read for minutes; every request has its own limit instead.
        config.read_timeout = None;
        config.headers.push((header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
        // Retries are counted and reported by `Cluster`.
        config.default_retry = false;
        let access = Arc::new(Access::new(config, source)?);
        Ok(Self { access, server, limits, trust })
    }

    /// The URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether the server has to prove who it is.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Whose credentials are used and how they are had, for messages; none where there are none.
    pub(super) fn credentials(&self) -> Option<String> {
        self.access.source.as_ref().map(Source::words)
    }

    /// Sends a request and reads the whole answer. Credentials that the server refuses are had anew,
    /// once, where that can be.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, TransportError> {
        let Admitted { client, turn } = self.access.client(self.limits).await?;
        let answer = self.send_by(&client, call).await?;
        if answer.status != UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(renewed) = self.access.another(turn, self.limits).await? else { return Ok(answer) };
        let answer = self.send_by(&renewed.client, call).await?;
        self.access.note(answer.status, renewed.turn).await;
        Ok(answer)
    }

    async fn send_by(&self, client: &kube::Client, call: &Call) -> Result<Answer, TransportError> {
        let limit = if call.method == Method::GET { self.limits.read } else { self.limits.write };
        let whole = async {
            let response = client.send(request(call)).await.map_err(|error| fault_of(&error))?;
            let status = response.status().as_u16();
            let retry_after = said(&response, header::RETRY_AFTER).and_then(|text| text.parse().ok());
            let date = said(&response, header::DATE).and_then(time_of);
            let body = response.into_body().collect().await.map_err(|error| fault_of(&error))?;
            Ok(Answer { status, retry_after, date, body: body.to_bytes().to_vec() })
        };
        tokio::time::timeout(limit, whole).await.unwrap_or(Err(TransportError::Silent(limit)))
    }

    /// How long requests may take.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a request and reads the answer line by line, as a watch does.
    pub(super) async fn stream(&self, call: &Call) -> Result<(u16, Lines), TransportError> {
        let Ok(shares) = Arc::clone(&self.access.watches).try_acquire_owned() else {
            let client = self.access.alone(self.limits).await?;
            return self.stream_by(&client, call, None).await;
        };
        let Admitted { client, turn } = self.access.client(self.limits).await?;
        let (status, lines) = self.stream_by(&client, call, Some(shares)).await?;
        if status != UNAUTHORIZED {
            return Ok((status, lines));
        }
        let Some(renewed) = self.access.another(turn, self.limits).await? else {
            return Ok((status, lines));
        };
        let (status, lines) = self.stream_by(&renewed.client, call, lines.shares).await?;
        self.access.note(status, renewed.turn).await;
        Ok((status, lines))
    }

    async fn stream_by(
        &self,
        client: &kube::Client,
        call: &Call,
        shares: Option<OwnedSemaphorePermit>,
    ) -> Result<(u16, Lines), TransportError> {
        let limit = self.limits.read;
        let head = client.send(request(call));
        let response = tokio::time::timeout(limit, head)
            .await
            .map_err(|_| TransportError::Silent(limit))?
            .map_err(|error| fault_of(&error))?;
        let status = response.status().as_u16();
        Ok((status, Lines { body: response.into_body(), pending: Vec::new(), shares }))
    }
}

/// What a header of an answer says.
fn said(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok().map(str::trim)
}

fn request(call: &Call) -> Request<Body> {
    let mut request = Request::new(Body::from(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.path.parse().unwrap_or_else(|_| http::Uri::from_static("/"));
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static(call.accept));
    if !call.body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(call.content_type));
    }
    request
}

/// An answer that comes in lines.
pub(super) struct Lines {
    body: Body,
    pending: Vec<u8>,
    /// Held for as long as the connection of the requests is shared.
    shares: Option<OwnedSemaphorePermit>,
}

impl Lines {
    /// The next line; none where the server has closed the answer. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.pending.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(fault_of(&error)),
                None => return Ok(None),
            }
        }
    }

    /// All that comes until the server closes the answer, or as much of it as `most` bytes hold.
    pub(super) async fn rest(mut self, most: usize) -> Result<Vec<u8>, TransportError> {
        while self.pending.len() < most {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.pending.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(fault_of(&error)),
                None => break,
            }
        }
        Ok(std::mem::take(&mut self.pending))
    }
}

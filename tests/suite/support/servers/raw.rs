//! HTTP to an API server, without any meaning.

use std::path::Path;
use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// How long a watch may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to say anything to one API server.
#[derive(Clone)]
pub(crate) struct Raw {
    client: kube::Client,
}

/// What came back; null for a body that is no JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
}

/// An answer that comes in lines.
pub(crate) struct Watched {
    body: Body,
    pending: Vec<u8>,
}

impl Raw {
    /// As the user of a context.
    pub(crate) async fn context(kubeconfig: &Path, context: &str) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a context");
        Self::new(config)
    }

    /// At a URL without credentials: the sandbox's.
    pub(crate) fn plain(url: &str) -> Self {
        let mut config = kube::Config::new(url.parse().expect("a URL"));
        config.root_cert = Some(Vec::new());
        Self::new(config)
    }

    fn new(mut config: kube::Config) -> Self {
        config.default_retry = false;
        config.read_timeout = None;
        Self { client: kube::Client::try_from(config).expect("a client") }
    }

    /// Sends a request and reads the whole answer. A null body is none.
    pub(crate) async fn ask(&self, method: Method, path: &str, media_type: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.ask_bytes(method, path, media_type, body).await
    }

    /// The same with a body that need not be JSON.
    pub(crate) async fn ask_bytes(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Answer {
        let words = format!("{method} {path}");
        self.send(method, path, media_type, body).await.unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    /// Reads a path; nothing where there is no answer.
    pub(crate) async fn try_ask(&self, method: Method, path: &str) -> Option<Answer> {
        self.send(method, path, "", Vec::new()).await.ok()
    }

    /// Sends a request and reads the whole answer; an error where there is none.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, kube::Error> {
        let response = self.client.send(request(method, path, media_type, body)).await?;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(Answer { code, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// Opens a watch; the answer to a request that is refused.
    pub(crate) async fn watch(&self, path: &str) -> Result<Watched, Answer> {
        let opened = self.client.send(request(Method::GET, path, "", Vec::new())).await;
        let response = opened.unwrap_or_else(|error| panic!("GET {path}: {error}"));
        let code = response.status().as_u16();
        let body = response.into_body();
        if code == 200 {
            return Ok(Watched { body, pending: Vec::new() });
        }
        let bytes = body.collect().await.expect("a body").to_bytes();
        Err(Answer { code, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }
}

impl Watched {
    /// The next event; none once the server has closed the watch.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("an event"));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let Ok(data) = frame.expect("an event in time")?.expect("a frame").into_data() else { continue };
            self.pending.extend_from_slice(&data);
        }
    }
}

fn request(method: Method, path: &str, media_type: &str, body: Vec<u8>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
    if !media_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, media_type);
    }
    request.body(Body::from(body)).expect("a request")
}

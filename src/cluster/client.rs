//! The one file that names `kube`: credentials, TLS and HTTP to an API server.
//!
//! A kubeconfig and the name of a context enter, or a plain URL; a
//! [`Transport`] leaves, which carries one request and says what came back.
//! What a path means, what is tried again and what a status code says is not
//! known here. Nothing of a kubeconfig but names and server URLs ever leaves.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use kube::client::{AuthError, Body};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

/// How long a request may take until it counts as unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands; 5 s by default.
    pub connect: Duration,
    /// Until the answer to a read has come; 10 s by default.
    pub read: Duration,
    /// Until the answer to a write has come: admission webhooks may take 30 s each; 40 s by default.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            write: Duration::from_secs(40),
        }
    }
}

/// The contexts of one or more kubeconfig files, merged as kubectl does.
///
/// It has no `Debug`: it holds credentials.
pub struct Contexts {
    merged: Kubeconfig,
    /// The files, for messages.
    files: Vec<PathBuf>,
}

/// Why contexts could not be used. No variant holds a file's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// A file could not be read.
    #[error("the kubeconfig {file} cannot be read: {reason}")]
    Unreadable {
        /// Which.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// A file is no kubeconfig.
    #[error("the kubeconfig {file} is not valid")]
    Invalid {
        /// Which.
        file: String,
    },
    /// No file has the context.
    #[error("there is no context `{context}`")]
    NoContext {
        /// The context that was asked for.
        context: String,
        /// Those that there are.
        known: Vec<String>,
        /// Where was looked.
        files: Vec<String>,
    },
    /// The context, its cluster or its user cannot be used.
    #[error("context `{context}` cannot be used: {reason}")]
    Unusable {
        /// The context.
        context: String,
        /// Why, in words that quote nothing secret.
        reason: String,
    },
}

impl Contexts {
    /// Reads and merges files; the first to name something wins.
    ///
    /// A file that does not exist is passed over where there are several, as kubectl does.
    pub fn read(files: &[PathBuf]) -> Result<Self, ContextError> {
        let mut merged = Kubeconfig::default();
        for file in files {
            let shown = || file.display().to_string();
            match Kubeconfig::read_from(file) {
                Ok(next) => {
                    merged = merged.merge(next).map_err(|_| ContextError::Invalid { file: shown() })?;
                }
                Err(KubeconfigError::ReadConfig(source, _))
                    if source.kind() == io::ErrorKind::NotFound && files.len() > 1 => {}
                Err(KubeconfigError::ReadConfig(source, _)) => {
                    return Err(ContextError::Unreadable { file: shown(), reason: source.to_string() });
                }
                // The parser's own message may quote the text that it could not read.
                Err(_) => return Err(ContextError::Invalid { file: shown() }),
            }
        }
        Ok(Self { merged, files: files.to_vec() })
    }

    /// The contexts that there are.
    pub fn names(&self) -> Vec<String> {
        self.merged.contexts.iter().map(|context| context.name.clone()).collect()
    }

    /// Opens the door that a context names; nothing is sent yet.
    pub async fn open(&self, context: &str, limits: Limits) -> Result<Transport, ContextError> {
        if !self.merged.contexts.iter().any(|known| known.name == context) {
            return Err(ContextError::NoContext {
                context: context.to_owned(),
                known: self.names(),
                files: self.files.iter().map(|file| file.display().to_string()).collect(),
            });
        }
        let unusable = |reason: String| ContextError::Unusable { context: context.to_owned(), reason };
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let config = kube::Config::from_custom_kubeconfig(self.merged.clone(), &options)
            .await
            .map_err(|error| unusable(reason_of_kubeconfig(&error)))?;
        // Only http and https are URLs that the client can send a request to.
        if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
            return Err(unusable("its cluster's server is no URL".to_owned()));
        }
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        Transport::new(config, server, limits).map_err(|error| unusable(error.to_string()))
    }
}

/// What is wrong with a context, without any of its contents.
fn reason_of_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::LoadClusterOfContext(name) => format!("there is no cluster `{name}`"),
        KubeconfigError::MissingClusterUrl => "its cluster has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "its cluster's server is no URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "its proxy-url is no URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "its cluster's certificate authority cannot be read".to_owned()
        }
        KubeconfigError::LoadClientCertificate(_) => "its user's certificate cannot be read".to_owned(),
        KubeconfigError::LoadClientKey(_) => "its user's key cannot be read".to_owned(),
        _ => "its kubeconfig is not valid".to_owned(),
    }
}

/// What came of a request that did not reach an answer. No variant holds a body or a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, or one that broke before the answer: worth another try.
    #[error("{0}")]
    Broken(String),
    /// A connection that cannot come about: a name that does not resolve, a certificate that is not trusted.
    #[error("{0}")]
    Refused(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// The user's credentials could not be had.
    #[error("{0}")]
    Credentials(String),
}

/// A request's method and what goes with it.
pub(super) struct Call {
    /// GET, PATCH, DELETE.
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    /// What may come back.
    pub(super) accept: &'static str,
    /// What the body is.
    pub(super) content_type: &'static str,
    /// The body; empty for none.
    pub(super) body: Vec<u8>,
}

/// What a server answered.
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// `Retry-After` in seconds, where the server asks for it.
    pub(super) retry_after: Option<u64>,
    /// `Date`: the server's clock.
    pub(super) date: Option<Timestamp>,
    /// The whole body.
    pub(super) body: Vec<u8>,
}

/// The way to one API server. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    client: kube::Client,
    /// Its URL, without a slash at the end.
    server: String,
    limits: Limits,
}

impl Transport {
    /// A plain URL without credentials: the sandbox's.
    pub fn plain(url: &str, limits: Limits) -> Result<Self, TransportError> {
        let uri: http::Uri =
            url.parse().map_err(|_| TransportError::Refused(format!("`{url}` is no URL")))?;
        let mut config = kube::Config::new(uri);
        // No roots, so that the machine's own are not searched for a URL that has no TLS.
        config.root_cert = Some(Vec::new());
        Self::new(config, url.trim_end_matches('/').to_owned(), limits)
    }

    fn new(mut config: kube::Config, server: String, limits: Limits) -> Result<Self, TransportError> {
        config.connect_timeout = Some(limits.connect);
        // Watches read for minutes; every request has its own limit instead.
        config.read_timeout = None;
        // Retries are counted and reported by `Cluster`.
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|error| fault_of(&error))?;
        Ok(Self { client, server, limits })
    }

    /// The URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, TransportError> {
        let limit = if call.method == Method::GET { self.limits.read } else { self.limits.write };
        let whole = async {
            let response = self.client.send(request(call)).await.map_err(|error| fault_of(&error))?;
            let status = response.status().as_u16();
            let retry_after = said(&response, header::RETRY_AFTER).and_then(|text| text.parse().ok());
            let date = said(&response, header::DATE).and_then(time_of);
            let body = response.into_body().collect().await.map_err(|error| fault_of(&error))?;
            Ok(Answer { status, retry_after, date, body: body.to_bytes().to_vec() })
        };
        tokio::time::timeout(limit, whole).await.unwrap_or(Err(TransportError::Silent(limit)))
    }

    /// Sends a request and reads the answer line by line, as a watch does.
    pub(super) async fn stream(&self, call: &Call) -> Result<(u16, Lines), TransportError> {
        let limit = self.limits.read;
        let head = self.client.send(request(call));
        let response = tokio::time::timeout(limit, head)
            .await
            .map_err(|_| TransportError::Silent(limit))?
            .map_err(|error| fault_of(&error))?;
        let status = response.status().as_u16();
        Ok((status, Lines { body: response.into_body(), pending: Vec::new() }))
    }
}

/// What a header of an answer says.
fn said(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok().map(str::trim)
}

/// The time in a `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn time_of(text: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
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
}

/// Says what broke, in words without URL, header or body.
fn fault_of(error: &kube::Error) -> TransportError {
    if let kube::Error::Auth(auth) = error {
        return TransportError::Credentials(reason_of_auth(auth));
    }
    let mut words: Vec<String> = Vec::new();
    let mut broken = false;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(auth) = cause.downcast_ref::<AuthError>() {
            return TransportError::Credentials(reason_of_auth(auth));
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            if io.kind() == io::ErrorKind::TimedOut {
                return TransportError::Refused("no connection in time".to_owned());
            }
            broken |= matches!(
                io.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::UnexpectedEof
            );
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            broken |= hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled();
        }
        words.push(cause.to_string());
        source = cause.source();
    }
    // The innermost cause says it; those around it repeat it.
    let reason = words.pop().unwrap_or_else(|| "the connection failed".to_owned());
    if broken { TransportError::Broken(reason) } else { TransportError::Refused(reason) }
}

/// Why credentials could not be had. What a plugin printed is never quoted: it may be the credential.
fn reason_of_auth(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(source) => {
            format!("the credential plugin does not start: {}", source.kind())
        }
        // The command is not quoted either: its arguments and variables may be credentials.
        AuthError::AuthExecRun { out, .. } => {
            format!("the credential plugin ended with {}", out.status)
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "the credential plugin did not answer with an ExecCredential".to_owned()
        }
        AuthError::ReadTokenFile(source, path) => {
            format!("the token file {} cannot be read: {}", path.display(), source.kind())
        }
        _ => "the credentials of the context cannot be used".to_owned(),
    }
}

//! The one file that names `kube`: credentials, TLS and HTTP to an API server.
//!
//! A kubeconfig and the name of a context enter, or a plain URL; a
//! [`Transport`] leaves, which carries one request and says what came back.
//! What a path means, what is tried again and what a status code says is not
//! known here. Nothing of a kubeconfig but names and server URLs ever leaves.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Portforwarder;
use kube::client::{AuthError, Body};
use kube::config::{
    AuthInfo, ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError,
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::credentials::{MARGIN, Renewed, Source, SourceKind, TOKEN_FILE};
use super::plugin::{Given, Interaction, Plugin};
use super::proxy::proxy_for;
use super::transport::{Answer, Call, ContextError, Limits, TransportError, Trust, time_of};

/// What a server answers that does not know us.
const UNAUTHORIZED: u16 = 401;

/// The contexts of one or more kubeconfig files, merged as kubectl does.
///
/// It has no `Debug`: it holds credentials.
pub struct Contexts {
    merged: Kubeconfig,
    /// The files, for messages.
    files: Vec<PathBuf>,
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
        let mut merged = self.merged.clone();
        let source = source_of(&mut merged, context).map_err(unusable)?;
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let proxy = merged.clusters.iter().find(|cluster| cluster.name == source.cluster);
        let proxy = proxy.and_then(|cluster| cluster.cluster.as_ref()?.proxy_url.clone());
        let mut config = kube::Config::from_custom_kubeconfig(merged, &options)
            .await
            .map_err(|error| unusable(reason_of_kubeconfig(&error)))?;
        // Only http and https are URLs that the client can send a request to.
        if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
            return Err(unusable("its cluster's server is no URL".to_owned()));
        }
        // kube compares NO_PROXY with the proxy's host, not with the server's.
        config.proxy_url = proxy_for(&config.cluster_url, proxy.as_deref(), |name| std::env::var(name).ok())
            .map_err(unusable)?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let trust = match config.accept_invalid_certs && config.cluster_url.scheme_str() == Some("https") {
            true => Trust::Blind,
            false => Trust::Verified,
        };
        Transport::new(config, server, limits, source, trust).map_err(|error| unusable(error.to_string()))
    }
}

/// Takes what is to be had anew out of a kubeconfig, so that what is left is fixed.
fn source_of(merged: &mut Kubeconfig, context: &str) -> Result<Source, String> {
    let named = merged.contexts.iter().find(|known| known.name == context);
    let Some(of_context) = named.and_then(|known| known.context.clone()) else {
        return Err("it names neither a cluster nor a user".to_owned());
    };
    let cluster = merged.clusters.iter().find(|known| known.name == of_context.cluster);
    let about = cluster.and_then(|known| known.cluster.as_ref()).map(about_cluster);
    let user = of_context.user.clone().unwrap_or_default();
    let known = merged.auth_infos.iter_mut().find(|known| known.name == user);
    let kind = match known.and_then(|known| known.auth_info.as_mut()) {
        Some(info) => kind_of(info, about)?,
        None => SourceKind::Fixed,
    };
    Ok(Source { context: context.to_owned(), cluster: of_context.cluster, user, kind })
}

/// How a user's credentials are had; takes what is to be had anew out of them.
fn kind_of(info: &mut AuthInfo, cluster: Option<Value>) -> Result<SourceKind, String> {
    if let Some(provider) = &info.auth_provider {
        return Err(format!(
            "its user has an auth-provider (`{}`), which Kubernetes has removed: use a credential plugin (exec)",
            super::status::clean(&provider.name)
        ));
    }
    if let Some(file) = info.token_file.take() {
        return Ok(SourceKind::TokenFile(PathBuf::from(file)));
    }
    // As kubectl has it: other credentials of the user go before a plugin's.
    let is_fixed = info.token.is_some() || info.username.is_some();
    match info.exec.take() {
        Some(exec) if !is_fixed => {
            plugin_of(exec, cluster).map(|plugin| SourceKind::Plugin(Box::new(plugin)))
        }
        Some(_) | None => Ok(SourceKind::Fixed),
    }
}

/// Puts renewed credentials into a user's; gives when they end.
fn take_in(info: &mut AuthInfo, renewed: Renewed) -> Result<Option<Timestamp>, TransportError> {
    let of_file = || Ok(Some(Timestamp::now() + TOKEN_FILE + MARGIN));
    match renewed {
        Renewed::Same => Ok(None),
        Renewed::Token(token) => {
            info.token = Some(token.expose().to_owned().into());
            of_file()
        }
        Renewed::Unread(_) if info.token.is_some() => of_file(),
        Renewed::Unread(error) => Err(error),
        Renewed::Given(Given { token, certificate, expires }) => {
            info.token = token.map(|token| token.expose().to_owned().into());
            let (certificate, key) = certificate.unzip();
            info.client_certificate_data = certificate.map(|pem| STANDARD.encode(pem));
            info.client_key_data = key.map(|pem| STANDARD.encode(pem.expose()).into());
            Ok(expires)
        }
    }
}

fn plugin_of(exec: ExecConfig, cluster: Option<Value>) -> Result<Plugin, String> {
    let Some(command) = exec.command.filter(|command| !command.is_empty()) else {
        return Err("its user's credential plugin has no command".to_owned());
    };
    let variables = exec
        .env
        .unwrap_or_default()
        .into_iter()
        .filter_map(|mut pair| Some((pair.remove("name")?, pair.remove("value").unwrap_or_default())));
    Ok(Plugin {
        version: exec.api_version.unwrap_or_default(),
        command,
        arguments: exec.args.unwrap_or_default(),
        variables: variables.collect(),
        interaction: match exec.interactive_mode {
            Some(ExecInteractiveMode::Never) => Interaction::Never,
            Some(ExecInteractiveMode::Always) => Interaction::Always,
            Some(ExecInteractiveMode::IfAvailable) | None => Interaction::IfAvailable,
        },
        hint: exec.install_hint,
        cluster: cluster.filter(|_| exec.provide_cluster_info),
    })
}

/// What a plugin is told of its cluster (`client.authentication.k8s.io/v1`, ExecCredentialSpec).
fn about_cluster(cluster: &kube::config::Cluster) -> Value {
    let mut about = json!({"server": cluster.server});
    if let Some(name) = &cluster.tls_server_name {
        about["tls-server-name"] = json!(name);
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        about["insecure-skip-tls-verify"] = json!(true);
    }
    let from_file = || {
        let file = cluster.certificate_authority.as_ref()?;
        Some(STANDARD.encode(std::fs::read(file).ok()?))
    };
    if let Some(data) = cluster.certificate_authority_data.clone().or_else(from_file) {
        about["certificate-authority-data"] = json!(data);
    }
    if let Some(url) = &cluster.proxy_url {
        about["proxy-url"] = json!(url);
    }
    let extensions = cluster.extensions.iter().flatten();
    let mut of_plugins = extensions.filter(|known| known.name == "client.authentication.k8s.io/exec");
    if let Some(extension) = of_plugins.next() {
        about["config"] = extension.extension.clone();
    }
    about
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

/// The way to one API server. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    access: Arc<Access>,
    /// Its URL, without a slash at the end.
    server: String,
    limits: Limits,
    trust: Trust,
}

/// A client with credentials, and how to get others.
struct Access {
    config: kube::Config,
    source: Option<Source>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<kube::Client>,
    /// The credentials of the client.
    info: AuthInfo,
    /// When they end.
    expires: Option<Timestamp>,
    /// How often they were got.
    turn: u64,
    /// Whether the server refused them when they were new: others would be no better.
    is_refused: bool,
}

impl Access {
    /// A client whose credentials have not ended, and their turn.
    async fn client(&self, limits: Limits) -> Result<(kube::Client, u64), TransportError> {
        let mut state = self.state.lock().await;
        let has_ended = state.expires.is_some_and(|end| Timestamp::now() + MARGIN >= end);
        match &state.client {
            Some(client) if !has_ended => Ok((client.clone(), state.turn)),
            Some(_) | None => self.renewed(&mut state, limits).await,
        }
    }

    /// A client with credentials of a later turn than those that the server refused; none where others
    /// cannot be had or were refused as well.
    async fn another(
        &self,
        refused: u64,
        limits: Limits,
    ) -> Result<Option<(kube::Client, u64)>, TransportError> {
        let can_renew = self.source.as_ref().is_some_and(|source| !matches!(source.kind, SourceKind::Fixed));
        let mut state = self.state.lock().await;
        match &state.client {
            Some(client) if state.turn > refused => Ok(Some((client.clone(), state.turn))),
            Some(_) | None if !can_renew || state.is_refused => Ok(None),
            Some(_) | None => self.renewed(&mut state, limits).await.map(Some),
        }
    }

    async fn renewed(
        &self,
        state: &mut State,
        limits: Limits,
    ) -> Result<(kube::Client, u64), TransportError> {
        if let Some(source) = &self.source {
            state.expires = take_in(&mut state.info, source.renew(limits).await?)?;
        }
        let mut config = self.config.clone();
        config.auth_info = state.info.clone();
        let client = kube::Client::try_from(config).map_err(|error| fault_of(&error))?;
        state.client = Some(client.clone());
        state.turn += 1;
        Ok((client, state.turn))
    }
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
        Self::made(config, server, limits, None, Trust::Verified)
    }

    fn new(
        config: kube::Config,
        server: String,
        limits: Limits,
        source: Source,
        trust: Trust,
    ) -> Result<Self, TransportError> {
        Self::made(config, server, limits, Some(source), trust)
    }

    fn made(
        mut config: kube::Config,
        server: String,
        limits: Limits,
        source: Option<Source>,
        trust: Trust,
    ) -> Result<Self, TransportError> {
        config.connect_timeout = Some(limits.connect);
        // Watches read for minutes; every request has its own limit instead.
        config.read_timeout = None;
        // Retries are counted and reported by `Cluster`.
        config.default_retry = false;
        let mut state = State { info: config.auth_info.clone(), ..State::default() };
        // What is fixed is checked at once; a plugin runs when the first request needs it.
        if source.as_ref().is_none_or(|source| matches!(source.kind, SourceKind::Fixed)) {
            let client = kube::Client::try_from(config.clone()).map_err(|error| fault_of(&error))?;
            state.client = Some(client);
        }
        let access = Arc::new(Access { config, source, state: Mutex::new(state) });
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
        let (client, turn) = self.access.client(self.limits).await?;
        let answer = self.send_by(&client, call).await?;
        if answer.status != UNAUTHORIZED {
            return Ok(answer);
        }
        let Some((client, turn)) = self.access.another(turn, self.limits).await? else { return Ok(answer) };
        let answer = self.send_by(&client, call).await?;
        self.note(answer.status, turn).await;
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

    /// Notes what a server said to new credentials.
    async fn note(&self, status: u16, turn: u64) {
        let mut state = self.access.state.lock().await;
        if state.turn == turn {
            state.is_refused = status == UNAUTHORIZED;
        }
    }

    /// How long requests may take.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Opens a connection to a port of a pod.
    pub(super) async fn forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<Forwarded, ForwardFault> {
        let client = self.access.client(self.limits).await.map_err(ForwardFault::Transport)?;
        let pods: kube::Api<Pod> = kube::Api::namespaced(client.0, namespace);
        match pods.portforward(pod, &[port]).await {
            Ok(mut forwarder) => {
                let stream = forwarder.take_stream(port).ok_or_else(|| {
                    ForwardFault::Transport(TransportError::Refused("no stream was opened".to_owned()))
                })?;
                Ok(Forwarded { stream, guard: ForwardGuard(forwarder) })
            }
            Err(kube::Error::Api(status)) => Err(ForwardFault::Refused {
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.clone(),
            }),
            Err(kube::Error::UpgradeConnection(error)) => {
                Err(ForwardFault::Transport(TransportError::Refused(error.to_string())))
            }
            Err(error) => Err(ForwardFault::Transport(fault_of(&error))),
        }
    }

    /// Sends a request and reads the answer line by line, as a watch does.
    pub(super) async fn stream(&self, call: &Call) -> Result<(u16, Lines), TransportError> {
        let (client, turn) = self.access.client(self.limits).await?;
        let (status, lines) = self.stream_by(&client, call).await?;
        if status != UNAUTHORIZED {
            return Ok((status, lines));
        }
        let Some((client, turn)) = self.access.another(turn, self.limits).await? else {
            return Ok((status, lines));
        };
        let (status, lines) = self.stream_by(&client, call).await?;
        self.note(status, turn).await;
        Ok((status, lines))
    }

    async fn stream_by(&self, client: &kube::Client, call: &Call) -> Result<(u16, Lines), TransportError> {
        let limit = self.limits.read;
        let head = client.send(request(call));
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

/// A connection to a port of a pod.
pub(super) struct Forwarded {
    stream: tokio::io::DuplexStream,
    guard: ForwardGuard,
}

/// Ends the forwarding when it is dropped.
pub(super) struct ForwardGuard(Portforwarder);

/// Why a port is not forwarded.
pub(super) enum ForwardFault {
    /// The server said so.
    Refused {
        /// The status code.
        code: u16,
        /// `Forbidden`.
        reason: String,
        /// What it said.
        message: String,
    },
    /// It did not come to that.
    Transport(TransportError),
}

impl Forwarded {
    /// What to read and write, for as long as the guard is held.
    pub(super) fn into_parts(self) -> (tokio::io::DuplexStream, ForwardGuard) {
        (self.stream, self.guard)
    }
}

impl Drop for ForwardGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
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

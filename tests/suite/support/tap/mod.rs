//! A tap between a client and its API servers: what goes through is counted, and any request may meet a fault.
//!
//! Towards the client it speaks plain HTTP on loopback, one port for each cluster; behind it is whatever a
//! kubeconfig or a URL reaches, or nothing. A script is asked what becomes of each request.

mod answer;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use answer::status_body;
use answer::{Closed, Out, Tail, joined, response, said};

/// How long the tap waits for anything that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Read,
    DryRun,
    Write,
    Watch,
}

/// A request on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) cluster: String,
    pub(crate) class: Class,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Its place among all requests, from 1.
    pub(crate) nth: usize,
    /// Its place among those of its class, from 1.
    pub(crate) nth_of_class: usize,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "#{} {} {} {path}", self.nth, self.cluster, self.method)
    }
}

/// When a client dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server has not seen the request.
    Before,
    /// The server did it, and nobody was told.
    Unanswered,
    /// The answer has just gone out.
    Answered,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// It is passed on, and so is its answer.
    Pass,
    /// The client is killed, as by SIGKILL.
    Kill(Moment),
    /// A status code and a JSON body; the server never sees the request.
    Json(u16, Value),
    /// A status code and a plain text; the server never sees the request.
    Text(u16, &'static str),
    /// 429 with `Retry-After`, in seconds.
    TooMany(u64),
    /// Lines of a watch, and the end of the answer.
    Lines(Vec<Value>),
    /// Lines of a watch that stays open.
    Open(Vec<Value>),
    /// The connection is closed with a reset; the server never sees the request.
    Reset,
    /// The server does it, and the connection is closed with a reset.
    ResetDone,
    /// The connection is closed; the server never sees the request.
    Close,
    /// The server does it, and the connection is closed.
    CloseDone,
    /// It is passed on once this says so.
    Held(watch::Receiver<bool>),
    /// Nothing, ever.
    Silence,
    /// The server does it, and nothing is ever answered.
    SilenceDone,
    /// The answer takes so long.
    Slow(Duration),
    /// The server does it, and half of its answer comes before the connection ends.
    Half,
    /// The server does it, half of its answer comes, and then nothing more, ever.
    Stalled,
    /// Nobody listens for so long; for ever where there is no end to it.
    Dead(Option<Duration>),
}

/// Decides what becomes of each request.
pub(crate) type Script = Box<dyn FnMut(&Asked) -> Deed + Send>;

/// What stands behind one port of a tap.
#[derive(Clone)]
pub(crate) enum Upstream {
    Nothing,
    Server(kube::Client),
}

impl Upstream {
    /// A plain URL without credentials.
    pub(crate) fn plain(url: &str) -> Self {
        let mut config = kube::Config::new(url.parse().expect("a URL"));
        config.root_cert = Some(Vec::new());
        config.default_retry = false;
        Self::Server(kube::Client::try_from(config).expect("a client"))
    }

    /// What a context of a kubeconfig reaches, with its credentials.
    pub(crate) async fn context(kubeconfig: &Path, context: &str) -> Self {
        let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let options =
            kube::config::KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.expect("a context");
        config.default_retry = false;
        config.read_timeout = None;
        Self::Server(kube::Client::try_from(config).expect("a client"))
    }
}

/// The tap.
pub(crate) struct Tap {
    urls: BTreeMap<String, String>,
    wire: Arc<Wire>,
    _ports: JoinSet<()>,
}

/// What the ports of a tap share.
struct Wire {
    state: Mutex<State>,
    /// How many requests are with a server, watches left out.
    busy: watch::Sender<usize>,
    /// How many ports nobody listens on.
    dead: watch::Sender<usize>,
    /// Changes when the dead are to come back.
    revival: watch::Sender<()>,
    victim: Mutex<Option<Child>>,
}

struct State {
    script: Script,
    seen: Vec<Asked>,
    /// What the `Date` of an answer is ahead of its server's.
    skew: Option<String>,
}

impl Tap {
    /// Listens for each cluster; every request is passed on until another script is given.
    pub(crate) async fn new(upstreams: BTreeMap<String, Upstream>) -> Self {
        let state = State { script: Box::new(|_| Deed::Pass), seen: Vec::new(), skew: None };
        let wire = Arc::new(Wire {
            state: Mutex::new(state),
            busy: watch::Sender::new(0),
            dead: watch::Sender::new(0),
            revival: watch::Sender::new(()),
            victim: Mutex::new(None),
        });
        let mut urls = BTreeMap::new();
        let mut ports = JoinSet::new();
        let host = host();
        for (cluster, upstream) in upstreams {
            let listener = listen(SocketAddr::new(host, 0)).expect("loopback");
            let address = listener.local_addr().expect("an address");
            urls.insert(cluster.clone(), format!("http://{address}"));
            let port = Port { cluster, upstream, wire: Arc::clone(&wire), address };
            ports.spawn(Arc::new(port).serve(listener));
        }
        Self { urls, wire, _ports: ports }
    }

    /// A server that takes its answers in order; the last one is given again and again.
    pub(crate) async fn scripted(deeds: Vec<Deed>) -> Self {
        let tap = Self::new(BTreeMap::from([("west".to_owned(), Upstream::Nothing)])).await;
        tap.script(move |asked| deeds[(asked.nth - 1).min(deeds.len() - 1)].clone());
        tap
    }

    /// Where a cluster answers.
    pub(crate) fn url(&self, cluster: &str) -> &str {
        &self.urls[cluster]
    }

    /// Where each cluster answers.
    pub(crate) fn urls(&self) -> &BTreeMap<String, String> {
        &self.urls
    }

    /// From now on this decides, and counting starts anew.
    pub(crate) fn script(&self, script: impl FnMut(&Asked) -> Deed + Send + 'static) {
        let mut state = self.wire.state();
        state.script = Box::new(script);
        state.seen.clear();
    }

    /// The `Date` that every answer has from now on.
    pub(crate) fn date(&self, date: &str) {
        self.wire.state().skew = Some(date.to_owned());
    }

    /// The requests since the script was given.
    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.wire.state().seen.clone()
    }

    /// `METHOD path` of each request since the script was given.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// The process that dies when the script says so.
    pub(crate) fn may_kill(&self, child: Child) {
        *self.wire.victim() = Some(child);
    }

    /// How the process ended, once it has.
    pub(crate) fn ended(&self) -> Option<std::process::ExitStatus> {
        let mut victim = self.wire.victim();
        let status = victim.as_mut().expect("a process was given").try_wait().expect("it is our child");
        if status.is_some() {
            *victim = None;
        }
        status
    }

    /// Ends the process where it still runs.
    pub(crate) fn kill(&self) {
        self.wire.kill();
    }

    /// Waits until no server works on a request any more.
    pub(crate) async fn settled(&self) {
        none(&self.wire.busy, "servers answer in time").await;
    }

    /// Lets every cluster be reached again.
    pub(crate) async fn revive(&self) {
        self.wire.revival.send_replace(());
        none(&self.wire.dead, "ports are taken again in time").await;
    }
}

async fn none(count: &watch::Sender<usize>, why: &str) {
    let mut count = count.subscribe();
    tokio::time::timeout(PATIENCE, count.wait_for(|count| *count == 0))
        .await
        .expect(why)
        .expect("the tap is there");
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn victim(&self) -> MutexGuard<'_, Option<Child>> {
        self.victim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill(&self) {
        if let Some(child) = self.victim().as_mut() {
            let _ = child.kill();
        }
    }

    fn decide(&self, cluster: &str, method: &Method, path: &str) -> (Asked, Deed) {
        let class = class(method, path);
        let mut state = self.state();
        let asked = Asked {
            cluster: cluster.to_owned(),
            class,
            method: method.to_string(),
            path: path.to_owned(),
            nth: state.seen.len() + 1,
            nth_of_class: state.seen.iter().filter(|seen| seen.class == class).count() + 1,
        };
        let deed = (state.script)(&asked);
        state.seen.push(asked.clone());
        (asked, deed)
    }
}

fn class(method: &Method, path: &str) -> Class {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if *method == Method::GET {
        if query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1")) {
            Class::Watch
        } else {
            Class::Read
        }
    } else if path.contains("/apis/authorization.k8s.io/") {
        // What somebody may do is asked with a POST.
        Class::Read
    } else if query.split('&').any(|pair| pair == "dryRun=All") {
        Class::DryRun
    } else {
        Class::Write
    }
}

/// An address at which nobody else listens and that no outgoing connection takes for its own end, so that a port can
/// be left and taken again, however many taps there are.
fn host() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST.into();
    }
    // All of 127.0.0.0/8 is there.
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let of_process = u8::try_from(std::process::id() % 200).expect("it is below 200");
    Ipv4Addr::new(127, 16 + of_process, high, low.max(1)).into()
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(128)
}

/// One cluster's port.
struct Port {
    cluster: String,
    upstream: Upstream,
    wire: Arc<Wire>,
    address: SocketAddr,
}

/// How a connection ends.
enum End {
    Usual,
    Reset,
    /// The whole port is left for so long.
    Dead(Option<Duration>),
    /// The client dies with it.
    Kill,
}

impl Port {
    async fn serve(self: Arc<Self>, mut listener: TcpListener) {
        let mut revival = self.wire.revival.subscribe();
        loop {
            let mut connections: JoinSet<End> = JoinSet::new();
            let dead = loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { return };
                        connections.spawn(Arc::clone(&self).connection(stream));
                    }
                    Some(ended) = connections.join_next() => {
                        if let Ok(End::Dead(lasting)) = ended {
                            break lasting;
                        }
                    }
                }
            };
            drop(listener);
            connections.shutdown().await;
            revival.mark_unchanged();
            self.wire.dead.send_modify(|dead| *dead += 1);
            let end = async {
                match dead {
                    Some(lasting) => tokio::time::sleep(lasting).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                _ = revival.changed() => {}
            }
            listener = listen(self.address).expect("nobody takes a port of this address");
            self.wire.dead.send_modify(|dead| *dead -= 1);
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) -> End {
        let stream = stream.into_std().expect("a socket");
        // The twin says how the connection ends, whatever became of the other by then.
        let twin = TcpStream::from_std(stream.try_clone().expect("a socket")).expect("a socket");
        let stream = TcpStream::from_std(stream).expect("a socket");
        let end = Arc::new(Mutex::new(End::Usual));
        let service = {
            let (port, end) = (Arc::clone(&self), Arc::clone(&end));
            hyper::service::service_fn(move |request| {
                let (port, end) = (Arc::clone(&port), Arc::clone(&end));
                async move { port.answer(request, &end).await }
            })
        };
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        let end = std::mem::replace(&mut *end.lock().unwrap_or_else(PoisonError::into_inner), End::Usual);
        match end {
            End::Reset => drop(twin.set_zero_linger()),
            End::Kill => self.wire.kill(),
            End::Usual | End::Dead(_) => {}
        }
        end
    }

    /// An error closes the connection.
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        end: &Mutex<End>,
    ) -> Result<Response<Out>, Closed> {
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let (asked, deed) = self.wire.decide(&self.cluster, request.method(), &path);
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        let ends = |how: End| *end.lock().unwrap_or_else(PoisonError::into_inner) = how;
        let pass = || {
            Arc::clone(&self).pass(
                asked.class,
                parts.method.clone(),
                path.clone(),
                parts.headers.clone(),
                body.clone(),
            )
        };
        match deed {
            Deed::Pass => pass().await,
            Deed::Slow(lasting) => {
                tokio::time::sleep(lasting).await;
                pass().await
            }
            Deed::Held(mut gate) => {
                // A gate whose keeper is gone stays as it was.
                if gate.wait_for(|is_open| *is_open).await.is_err() {
                    std::future::pending::<()>().await;
                }
                pass().await
            }
            Deed::Json(status, body) => Ok(said(status, "application/json", body.to_string())),
            Deed::Text(status, body) => Ok(said(status, "text/plain", body.to_owned())),
            Deed::TooMany(seconds) => {
                let message = "too many requests, please try again later";
                let mut response =
                    said(429, "application/json", status_body(429, "TooManyRequests", message));
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Ok(response)
            }
            Deed::Lines(lines) => Ok(response(200, "application/json", Out::Then(joined(&lines), Tail::End))),
            Deed::Open(lines) => Ok(response(200, "application/json", Out::Then(joined(&lines), Tail::Hang))),
            Deed::Reset => {
                ends(End::Reset);
                Err(Closed)
            }
            Deed::Close => Err(Closed),
            Deed::Silence => std::future::pending().await,
            Deed::Dead(lasting) => {
                ends(End::Dead(lasting));
                Err(Closed)
            }
            Deed::Kill(Moment::Before) => {
                self.wire.kill();
                Err(Closed)
            }
            Deed::ResetDone | Deed::CloseDone | Deed::SilenceDone | Deed::Kill(Moment::Unanswered) => {
                let response = pass().await?;
                if asked.class != Class::Watch {
                    let _ = response.into_body().collect().await;
                }
                match deed {
                    Deed::ResetDone => ends(End::Reset),
                    Deed::SilenceDone => std::future::pending().await,
                    Deed::Kill(_) => self.wire.kill(),
                    _ => {}
                }
                Err(Closed)
            }
            Deed::Kill(Moment::Answered) => {
                let mut response = pass().await?;
                ends(End::Kill);
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                Ok(response)
            }
            Deed::Half | Deed::Stalled => {
                let tail = if matches!(deed, Deed::Half) { Tail::Break } else { Tail::Hang };
                if asked.class == Class::Watch {
                    return Ok(response(200, "application/json", Out::Then("{\"type\":\"ADD".into(), tail)));
                }
                let (parts, body) = pass().await?.into_parts();
                let body = body.collect().await?.to_bytes();
                let mut cut = Response::from_parts(parts, Out::Then(body.slice(..body.len() / 2), tail));
                cut.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                Ok(cut)
            }
        }
    }

    /// What reaches the server is done even if the client goes away meanwhile.
    async fn pass(
        self: Arc<Self>,
        class: Class,
        method: Method,
        path: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Out>, Closed> {
        let Upstream::Server(client) = self.upstream.clone() else {
            return Ok(said(502, "text/plain", "there is nothing behind this".to_owned()));
        };
        let mut request = Request::new(kube::client::Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("it was a URI");
        for name in [header::ACCEPT, header::CONTENT_TYPE] {
            if let Some(value) = headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let counts = class != Class::Watch;
        let busy = Arc::clone(&self.wire);
        if counts {
            busy.busy.send_modify(|busy| *busy += 1);
        }
        let done = tokio::spawn(async move {
            let answer = async {
                let (parts, body) = client.send(request).await.map_err(|_| Closed)?.into_parts();
                if !counts {
                    return Ok((parts, Out::Through(body)));
                }
                let whole = body.collect().await.map_err(|_| Closed)?.to_bytes();
                Ok((parts, Out::Then(whole, Tail::End)))
            };
            let answer = answer.await;
            if counts {
                busy.busy.send_modify(|busy| *busy -= 1);
            }
            answer
        });
        let (parts, body) = done.await.map_err(|_| Closed)??;
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        for name in [header::CONTENT_TYPE, header::RETRY_AFTER, header::WARNING, header::DATE] {
            if let Some(value) = parts.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        if let Some(date) = &self.wire.state().skew {
            response.headers_mut().insert(header::DATE, date.parse().expect("a header"));
        }
        Ok(response)
    }
}

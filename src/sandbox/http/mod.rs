//! The Kubernetes API of one cluster, over HTTP/1.1 on the loopback address.
//!
//! Requests enter as a real server takes them and are answered as a real server
//! answers; a write is answered once it is on the disk. Nobody is asked who
//! they are: whoever reaches the port may do everything, as with a sandbox's
//! files.

mod answer;
mod body;
mod client;
mod discovery;
mod forward;
mod query;
mod requests;
mod route;
mod served;
mod table;
mod watch;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch as signal;
use tokio::task::{JoinHandle, JoinSet};

pub(super) use client::identity_at;
pub use requests::{RequestCount, RequestLine};

use self::answer::Answer;
use self::discovery::Side;
use self::query::Query;
use self::requests::RequestLog;
use self::route::{Part, Route};
use self::served::Call;
use super::api_error::ApiError;
use super::store::ClusterStore;

/// The API server of one cluster; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct ApiServer {
    address: SocketAddr,
    log: Arc<RequestLog>,
    stop: signal::Sender<Stop>,
    task: JoinHandle<()>,
}

/// Whether a server goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Go,
    Now,
}

impl ApiServer {
    /// Begins to serve a store on a free port.
    pub(super) async fn start(store: Arc<ClusterStore>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = Arc::new(RequestLog::default());
        let (stop, stopped) = signal::channel(Stop::Go);
        let task = tokio::spawn(accept(listener, store, Arc::clone(&log), stopped));
        Ok(Self { address, log, stop, task })
    }

    /// `http://127.0.0.1:40123`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked of it.
    pub(super) fn log(&self) -> &RequestLog {
        &self.log
    }

    /// Stops it; requests under way are cut off.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(Stop::Now);
        // A panic in it has been reported where it happened.
        let _ = (&mut self.task).await;
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop.send_replace(Stop::Now);
    }
}

async fn accept(
    listener: TcpListener,
    store: Arc<ClusterStore>,
    log: Arc<RequestLog>,
    mut stopped: signal::Receiver<Stop>,
) {
    // Dropping the set cuts every connection off.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.wait_for(|stop| *stop == Stop::Now) => return,
        };
        // A connection that broke before it was accepted concerns nobody else.
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let (store, log) = (Arc::clone(&store), Arc::clone(&log));
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let (store, log) = (Arc::clone(&store), Arc::clone(&log));
                async move { Ok::<_, Infallible>(respond(&store, &log, request).await) }
            });
            // A client that goes away is no fault.
            let _ =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn respond(store: &Arc<ClusterStore>, log: &RequestLog, request: Request<Incoming>) -> Answer {
    let route = Route::of(request.uri().path());
    log.note(request.method(), request.uri().path(), request.uri().query().unwrap_or_default(), &route);
    if let Route::Part(place, name, Part::PortForward) = &route {
        return forward::forward(store, place, name, request).unwrap_or_else(|error| answer::refusal(&error));
    }
    let (head, incoming) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let text = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let answer = async {
        let call = Call {
            query: Query::parse(query)?,
            media_type: body::media_type(&head.headers).to_owned(),
            accept: text(&head.headers, ACCEPT),
            agent: text(&head.headers, USER_AGENT),
            method: head.method,
            body: body::read(incoming).await?,
        };
        dispatch(store, route, call).await
    };
    answer.await.unwrap_or_else(|error: ApiError| answer::refusal(&error))
}

async fn dispatch(store: &Arc<ClusterStore>, route: Route, call: Call) -> Result<Answer, ApiError> {
    match route {
        Route::Collection(place) => {
            if !discovery::knows(store, &place.group) {
                return Ok(answer::nothing_there());
            }
            if let Some(review) = review(&place, &call)? {
                return Ok(answer::json(StatusCode::CREATED, &review));
            }
            served::collection(store, &place, call).await
        }
        Route::Object(place, _) | Route::Part(place, ..) | Route::NoPart(place)
            if !discovery::knows(store, &place.group) =>
        {
            Ok(answer::nothing_there())
        }
        Route::NoPart(_) => Err(ApiError::no_such_resource()),
        Route::Object(place, name) => served::object(store, &place, &name, call).await,
        Route::Part(place, name, part) => served::part(store, &place, &name, part, call).await,
        about if call.method == Method::GET => {
            if about == Route::Health {
                return Ok(answer::typed(StatusCode::OK, "text/plain; charset=utf-8", "ok"));
            }
            let wants_all = call.accept.contains("v=v2;as=APIGroupDiscoveryList");
            let side = match about {
                Route::CoreVersions if wants_all => Some(Side::Core),
                Route::Groups if wants_all => Some(Side::Groups),
                _ => None,
            };
            if let Some(side) = side {
                let all = discovery::aggregated(store, side).to_string();
                return Ok(answer::typed(StatusCode::OK, discovery::AGGREGATED, all));
            }
            // A server has handlers for the versions of the core group and for the groups it knows.
            let is_handled =
                matches!(&about, Route::Resources { group, .. } if discovery::knows(store, group));
            match about_server(store, about) {
                Some(value) => Ok(answer::json(StatusCode::OK, &value)),
                None if is_handled => Err(ApiError::no_such_resource()),
                None => Ok(answer::nothing_there()),
            }
        }
        Route::Nowhere => Ok(answer::nothing_there()),
        _ => Err(served::not_allowed()),
    }
}

/// What is asked of the server, not of its objects.
fn about_server(store: &ClusterStore, route: Route) -> Option<Value> {
    match route {
        Route::Version => Some(discovery::version()),
        Route::Identity => {
            Some(json!({"cluster": store.name(), "id": store.id(), "identity": store.identity()}))
        }
        Route::CoreVersions => Some(discovery::core_versions()),
        Route::Groups => Some(discovery::group_list(store)),
        Route::Group(group) => discovery::group(store, &group),
        Route::Resources { group, version } => discovery::resource_list(store, &group, &version),
        Route::OpenApi => Some(discovery::open_api(store)),
        Route::OpenApiOf { group, version } => discovery::open_api_of(store, &group, &version),
        Route::Health
        | Route::Nowhere
        | Route::Collection(_)
        | Route::Object(..)
        | Route::Part(..)
        | Route::NoPart(_) => None,
    }
}

/// The answer to a question about rights: everybody may do everything.
fn review(place: &route::Place, call: &Call) -> Result<Option<Value>, ApiError> {
    let known =
        discovery::REVIEWS.iter().find(|(group, _, plural)| place.group == *group && place.plural == *plural);
    let Some((_, kind, _)) = known else { return Ok(None) };
    if call.method != Method::POST {
        return Err(served::not_allowed());
    }
    let mut review = body::value(&call.body, &call.media_type)?;
    if !review.is_object() {
        return Err(ApiError::bad_request("the body is no object"));
    }
    let everything = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    review["status"] = match *kind {
        "SelfSubjectRulesReview" => json!({
            "resourceRules": everything, "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false,
        }),
        "SelfSubjectReview" => json!({"userInfo": {"username": "sandbox", "groups": ["system:masters"]}}),
        _ => json!({"allowed": true, "reason": "a sandbox allows everything"}),
    };
    Ok(Some(review))
}

#[cfg(test)]
mod tests;

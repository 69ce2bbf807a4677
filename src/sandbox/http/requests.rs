//! What was asked of a server, for those that count requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::Method;

use super::route::{Place, Route};

/// How many requests are remembered one by one.
const REMEMBERED: usize = 4096;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// `GET`.
    pub method: String,
    /// `/api/v1/namespaces?limit=500`.
    pub path: String,
}

/// How often a verb was asked of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestCount {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// `deployments.apps`, `deployments.apps/status`, or the path of what is no resource.
    pub resource: String,
    /// How often.
    pub count: u64,
}

/// The requests of one server.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Requests>);

#[derive(Debug, Default)]
struct Requests {
    latest: VecDeque<RequestLine>,
    counts: BTreeMap<(&'static str, String), u64>,
}

impl RequestLog {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, method: &Method, path: &str, query: &str, route: &Route) {
        let (verb, resource) = asked(method, path, query, route);
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut requests = self.lock();
        *requests.counts.entry((verb, resource)).or_default() += 1;
        requests.latest.push_back(RequestLine { method: method.to_string(), path });
        if requests.latest.len() > REMEMBERED {
            requests.latest.pop_front();
        }
    }

    pub(crate) fn latest(&self) -> Vec<RequestLine> {
        self.lock().latest.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> Vec<RequestCount> {
        let requests = self.lock();
        let counts = requests.counts.iter();
        counts
            .map(|((verb, resource), count)| RequestCount { verb, resource: resource.clone(), count: *count })
            .collect()
    }

    pub(crate) fn forget(&self) {
        *self.lock() = Requests::default();
    }
}

fn asked(method: &Method, path: &str, query: &str, route: &Route) -> (&'static str, String) {
    let resource = |place: &Place| match place.group.as_str() {
        "" => place.plural.clone(),
        group => format!("{}.{group}", place.plural),
    };
    let verb = |of_collection: bool| match (method, of_collection) {
        (&Method::GET, true) if query.split('&').any(|p| matches!(p, "watch=true" | "watch=1" | "watch")) => {
            "watch"
        }
        (&Method::GET, true) => "list",
        (&Method::GET, false) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "deletecollection",
        (&Method::DELETE, false) => "delete",
        _ => "other",
    };
    match route {
        Route::Collection(place) => (verb(true), resource(place)),
        Route::Object(place, _) => (verb(false), resource(place)),
        Route::Part(place, _, _) => {
            let part = path.rsplit('/').next().unwrap_or_default();
            (verb(false), format!("{}/{part}", resource(place)))
        }
        _ => (verb(false), path.to_owned()),
    }
}

//! What can be asked of a cluster.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::address::{self, Query, Selection};
use super::patience::{self, Hope, Patience};
use super::status::{self, Privacy};
use super::transport::Call;
use super::{ClusterError, Fault, Request, Transport, TransportError, Trust, Watch};
use crate::chart::KubeVersion;
use crate::object::{GroupKind, KindInfo, Object, ObjectRef};
use crate::plan::Conflicts;
use crate::topology::ClusterName;

/// Our name as a field manager.
pub const FIELD_MANAGER: &str = "stolos";

/// What we speak.
pub(super) const JSON: &str = "application/json";
/// A server-side apply.
const APPLY: &str = "application/apply-patch+yaml";
/// How many objects one page of a list holds.
pub(super) const PAGE: &str = "500";
/// How long the words may take in which a watch is refused.
const REFUSAL: Duration = Duration::from_secs(5);
/// How many bytes of them are read.
const REFUSAL_BYTES: usize = 64 * 1024;

/// One live cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    name: ClusterName,
    server: String,
    pub(super) transport: Transport,
    pub(super) sent: Arc<AtomicUsize>,
    /// What its clock said, and when it did.
    told: Arc<Mutex<Option<(Timestamp, Instant)>>>,
    pub(super) patience: Patience,
}

/// How an object is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApplyOptions {
    /// Whether it is written.
    pub write: Write,
    /// What becomes of fields that others own.
    pub conflicts: Conflicts,
}

/// Whether an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Write {
    /// It is.
    #[default]
    Persist,
    /// The server says what would come of it, and forgets it.
    DryRun,
}

/// What came of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The server deletes it; it may take a while until it is gone.
    Requested,
    /// It was not there.
    Absent,
}

/// What came of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Object>,
    /// The version from which a watch goes on.
    pub resource_version: String,
}

/// A request, in words too, and how to read its answer.
pub(super) struct Asked {
    request: Request,
    words: String,
    kind: String,
    privacy: Privacy,
}

impl Cluster {
    /// A cluster behind a transport. `server` is the API address that other clusters use.
    pub fn new(name: ClusterName, server: impl Into<String>, transport: Transport) -> Self {
        Self {
            name,
            server: server.into(),
            transport,
            sent: Arc::default(),
            told: Arc::default(),
            patience: Patience::default(),
        }
    }

    /// The same cluster, which is tried again for so long where it is away: an API server may be
    /// restarting. Otherwise a request is sent a few times within two seconds.
    #[must_use]
    pub fn with_patience(self, lasting: Duration) -> Self {
        Self { patience: Patience::of(lasting), ..self }
    }

    /// The same cluster, of which every answer is waited for so long from now at most.
    #[must_use]
    pub fn within(&self, lasting: Duration) -> Self {
        Self { patience: self.patience.within(lasting), ..self.clone() }
    }

    /// Its name in the topology.
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// Its API address as other clusters use it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether its API server has to prove who it is.
    pub fn trust(&self) -> Trust {
        self.transport.trust()
    }

    /// How many requests were sent, attempts counted.
    pub fn requests(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// The version of its API server, word for word: `v1.33.1-gke.100`.
    pub async fn kube_version(&self) -> Result<KubeVersion, ClusterError> {
        let asked = Asked::open(Request::Discover, "its version", "version");
        let body = self.ask(&asked, get("/version".to_owned())).await?;
        let text = |key: &str| body[key].as_str().map(status::clean);
        match (text("gitVersion"), text("major"), text("minor")) {
            (Some(version), Some(major), Some(minor)) => Ok(KubeVersion { version, major, minor }),
            _ => Err(self.error(&asked, 1, Fault::Unintelligible("it names no version".to_owned()))),
        }
    }

    /// The UID of its kube-system namespace, which tells clusters apart.
    pub async fn uid(&self) -> Result<String, ClusterError> {
        let namespace = ObjectRef {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: "kube-system".to_owned(),
        };
        let asked = Asked::open(Request::Read, "Namespace kube-system", "Namespace");
        let found = self.get(&namespace).await?;
        match found.as_ref().and_then(Object::uid) {
            Some(uid) => Ok(uid.to_owned()),
            None => {
                let reason = "it has no namespace kube-system".to_owned();
                Err(self.error(&asked, 1, Fault::Unintelligible(reason)))
            }
        }
    }

    /// One object; none where it is not there. A kind that is not served is an error.
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Object>, ClusterError> {
        let asked = Asked::about(Request::Read, object);
        let info = self.info(&asked, &object.group_kind())?;
        match self.ask(&asked, get(address::object(info, info.version(), object))).await {
            Ok(body) => self.object(&asked, body).map(Some),
            Err(ClusterError { fault: Fault::NotFound(_), .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One object; none where it is not there, or its kind is not: a definition may go at any moment.
    pub async fn find(&self, object: &ObjectRef) -> Result<Option<Object>, ClusterError> {
        match self.get(object).await {
            Err(ClusterError { fault: Fault::KindUnknown(_), .. }) => Ok(None),
            found => found,
        }
    }

    /// The objects of a kind, page by page. A kind that is not served is an error.
    pub async fn list(&self, kind: &GroupKind, selection: &Selection) -> Result<Listing, ClusterError> {
        let asked = Asked::open(Request::List, &kind.to_string(), &kind.to_string());
        let info = self.info(&asked, kind)?;
        match self.pages(&asked, info, selection, Some(PAGE)).await {
            // The state that the pages were cut from is gone: all at once, then.
            Err(ClusterError { fault: Fault::Expired, .. }) => {
                self.pages(&asked, info, selection, None).await
            }
            listing => listing,
        }
    }

    async fn pages(
        &self,
        asked: &Asked,
        info: &'static KindInfo,
        selection: &Selection,
        limit: Option<&str>,
    ) -> Result<Listing, ClusterError> {
        let path = address::collection(info, info.version(), selection.namespace.as_deref());
        let mut objects = Vec::new();
        let mut go_on = String::new();
        loop {
            let mut query = selection.query();
            if let Some(limit) = limit {
                query.add("limit", limit);
            }
            if !go_on.is_empty() {
                query.add("continue", &go_on);
            }
            let mut body = self.ask(asked, get(query.on(&path))).await?;
            let Some(items) = items(&mut body) else {
                return Err(self.error(asked, 1, Fault::Unintelligible("a list without items".to_owned())));
            };
            for mut item in items {
                // Items of a typed list do not repeat what the list is of.
                if let Value::Object(map) = &mut item {
                    map.entry("apiVersion").or_insert_with(|| info.api_version().into());
                    map.entry("kind").or_insert_with(|| info.kind.into());
                }
                objects.push(self.object(asked, item)?);
            }
            go_on = body["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
            if go_on.is_empty() {
                let resource_version =
                    body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                return Ok(Listing { objects, resource_version });
            }
        }
    }

    /// Applies an object on the server's side as field manager `stolos`, unknown fields refused;
    /// gives it as it is then, or as it would be.
    pub async fn apply(&self, object: &Object, options: ApplyOptions) -> Result<Object, ClusterError> {
        let reference = object.reference();
        let asked = Asked::about(Request::Apply, &reference);
        let info = self.info(&asked, &reference.group_kind())?;
        let (_, version) = crate::object::split_api_version(object.api_version());
        let mut query = Query::default();
        query.add("fieldManager", FIELD_MANAGER);
        query.add("fieldValidation", "Strict");
        query.add("force", if options.conflicts == Conflicts::Force { "true" } else { "false" });
        if options.write == Write::DryRun {
            query.add("dryRun", "All");
        }
        let call = Call {
            method: Method::PATCH,
            path: query.on(&address::object(info, version, &reference)),
            accept: JSON,
            // JSON is YAML.
            content_type: APPLY,
            body: Value::Object(object.as_map().clone()).to_string().into_bytes(),
        };
        let body = self.ask(&asked, call).await?;
        self.object(&asked, body)
    }

    /// Replaces `metadata.managedFields` of an object, if nobody has written it since it was read.
    ///
    /// The version is replaced and not tested, as client-go's csaupgrade does it, so that a server
    /// answers a conflict and not that the request is at fault. One that reaches it twice finds the
    /// version gone: that too is [`Fault::Changed`].
    pub async fn set_managers(&self, live: &Object, managers: &Value) -> Result<(), ClusterError> {
        self.disown(live, Some(managers), None).await
    }

    /// The same, and a label goes with it: in one request, so that it is never half done.
    pub async fn disown(
        &self,
        live: &Object,
        managers: Option<&Value>,
        label: Option<&str>,
    ) -> Result<(), ClusterError> {
        let reference = live.reference();
        let asked = Asked::about(Request::TakeOver, &reference);
        let info = self.info(&asked, &reference.group_kind())?;
        let (_, version) = crate::object::split_api_version(live.api_version());
        let managers =
            managers.map(|value| json!({"op": "replace", "path": "/metadata/managedFields", "value": value}));
        let label = label.map(|label| {
            let key = label.replace('~', "~0").replace('/', "~1");
            json!({"op": "remove", "path": format!("/metadata/labels/{key}")})
        });
        let unwritten = json!({
            "op": "replace", "path": "/metadata/resourceVersion",
            "value": live.get(&["metadata", "resourceVersion"]),
        });
        let patch: Value = managers.into_iter().chain(label).chain([unwritten]).collect();
        let mut query = Query::default();
        query.add("fieldManager", FIELD_MANAGER);
        let call = Call {
            method: Method::PATCH,
            path: query.on(&address::object(info, version, &reference)),
            accept: JSON,
            content_type: "application/json-patch+json",
            body: patch.to_string().into_bytes(),
        };
        self.ask(&asked, call).await?;
        Ok(())
    }

    /// Deletes an object if it still has this UID; what it owns goes with it in the background.
    pub async fn delete(&self, object: &ObjectRef, uid: Option<&str>) -> Result<Deleted, ClusterError> {
        self.remove(object, uid.map(|uid| json!({"uid": uid}))).await
    }

    /// Deletes an object that meets the preconditions.
    pub(super) async fn remove(
        &self,
        object: &ObjectRef,
        preconditions: Option<Value>,
    ) -> Result<Deleted, ClusterError> {
        let asked = Asked::about(Request::Delete, object);
        let info = self.info(&asked, &object.group_kind())?;
        let mut options =
            json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        if let Some(preconditions) = preconditions {
            options["preconditions"] = preconditions;
        }
        let call = Call {
            method: Method::DELETE,
            path: address::object(info, info.version(), object),
            accept: JSON,
            content_type: JSON,
            body: options.to_string().into_bytes(),
        };
        match self.ask(&asked, call).await {
            Ok(_) => Ok(Deleted::Requested),
            // Where the kind has gone, its objects have gone with it.
            Err(ClusterError { fault: Fault::NotFound(_) | Fault::KindUnknown(_), .. }) => {
                Ok(Deleted::Absent)
            }
            Err(error) => Err(error),
        }
    }

    /// Watches objects of a kind: their state now, then each change.
    pub fn watch(&self, kind: GroupKind, selection: Selection) -> Watch {
        Watch::new(self.clone(), kind, selection)
    }

    /// Opens the stream of a watch.
    pub(super) async fn open_stream(
        &self,
        kind: &GroupKind,
        selection: &Selection,
        resource_version: &str,
        seconds: u64,
    ) -> Result<super::client::Lines, ClusterError> {
        let asked = Asked::open(Request::Watch, &kind.to_string(), &kind.to_string());
        let info = self.info(&asked, kind)?;
        let mut query = selection.query();
        query.add("watch", "true");
        query.add("allowWatchBookmarks", "true");
        query.add("resourceVersion", resource_version);
        query.add("timeoutSeconds", &seconds.to_string());
        let path = address::collection(info, info.version(), selection.namespace.as_deref());
        self.sent.fetch_add(1, Ordering::Relaxed);
        match self.transport.stream(&get(query.on(&path))).await {
            Ok((200, lines)) => Ok(lines),
            Ok((code, lines)) => {
                // A refusal says for want of which right; without its words the code says enough.
                let said = tokio::time::timeout(REFUSAL, lines.rest(REFUSAL_BYTES)).await;
                let said = said.ok().and_then(Result::ok);
                let status = said.and_then(|said| serde_json::from_slice::<Value>(&said).ok());
                let status = status.filter(|body| body["kind"] == "Status");
                let fault = status::fault(code, status.as_ref(), &asked.kind, asked.privacy);
                Err(self.error(&asked, 1, fault))
            }
            Err(error) => Err(self.error(&asked, 1, unreached(error))),
        }
    }

    /// An error of a watch.
    pub(super) fn watch_error(&self, kind: &GroupKind, fault: Fault) -> ClusterError {
        self.error(&Asked::open(Request::Watch, &kind.to_string(), &kind.to_string()), 1, fault)
    }

    /// Sends a request until it is answered, as often as patience allows. All our requests may be
    /// sent twice: reads, server-side applies, patches of one version, and deletes of one UID.
    pub(super) async fn ask(&self, asked: &Asked, call: Call) -> Result<Value, ClusterError> {
        let mut attempts = self.patience.attempts();
        loop {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let (fault, hope, pause) = match self.patience.in_time(self.transport.send(&call)).await {
                Ok(answer) => {
                    self.note_time(answer.date);
                    match status::read(&answer, &asked.kind, asked.privacy) {
                        Ok(body) => {
                            self.patience.is_back();
                            return Ok(body);
                        }
                        Err(fault) => {
                            let hope = hope_after(&call, &fault);
                            (fault, hope, answer.retry_after.map(Duration::from_secs))
                        }
                    }
                }
                Err(error) => {
                    let hope = hope_without_answer(&error);
                    (unreached(error), hope, None)
                }
            };
            if !attempts.again(hope, pause).await {
                if matches!(fault, Fault::Unreachable(_) | Fault::Silent(_)) {
                    self.patience.is_gone();
                }
                return Err(self.error(asked, attempts.count, fault));
            }
        }
    }

    /// What the server's clock said, and when it did.
    pub(super) fn told_time(&self) -> Option<(Timestamp, Instant)> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_time(&self, date: Option<Timestamp>) {
        if let Some(date) = date {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }

    pub(super) fn info(&self, asked: &Asked, kind: &GroupKind) -> Result<&'static KindInfo, ClusterError> {
        address::info(kind).map_err(|fault| self.error(asked, 0, fault))
    }

    pub(super) fn object(&self, asked: &Asked, body: Value) -> Result<Object, ClusterError> {
        Object::from_value(body).map_err(|reason| {
            self.error(asked, 1, Fault::Unintelligible(format!("an object was expected, but {reason}")))
        })
    }

    pub(super) fn error(&self, asked: &Asked, attempts: u32, fault: Fault) -> ClusterError {
        let fault = match fault {
            // The server's words stay out of it, or it has none, and with them which right is missing.
            Fault::Forbidden(said)
                if asked.privacy == Privacy::Secret || status::leaves_right_open(&said) =>
            {
                let said = said.trim_end().trim_end_matches(':');
                Fault::Forbidden(format!("{said}: {}", asked.request.takes()))
            }
            Fault::Unauthorized(None) => Fault::Unauthorized(self.transport.credentials()),
            fault => fault,
        };
        ClusterError { cluster: self.name.clone(), request: asked.words.clone(), attempts, fault }
    }
}

impl Asked {
    /// A request whose answer's words may be passed on.
    pub(super) fn open(request: Request, what: &str, kind: &str) -> Self {
        let words = format!("{} {what}", request.words());
        Self { request, words, kind: kind.to_owned(), privacy: Privacy::Open }
    }

    pub(super) fn about(request: Request, object: &ObjectRef) -> Self {
        let secret = object.group.is_empty() && object.kind == "Secret";
        Self {
            request,
            words: format!("{} {object}", request.words()),
            kind: object.group_kind().to_string(),
            privacy: if secret && request.carries_object() { Privacy::Secret } else { Privacy::Open },
        }
    }
}

/// Takes the items out of a list; none where it is no list.
///
/// An API server writes `null` for no items where it lists metadata alone.
pub(super) fn items(list: &mut Value) -> Option<Vec<Value>> {
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Some(items),
        Some(Value::Null) => Some(Vec::new()),
        Some(_) | None => None,
    }
}

pub(super) fn get(path: String) -> Call {
    Call { method: Method::GET, path, accept: JSON, content_type: JSON, body: Vec::new() }
}

/// What hope there is after an answer.
fn hope_after(call: &Call, fault: &Fault) -> Hope {
    match fault {
        // What is there already does not go away by itself.
        Fault::Server { status: 409, .. } if call.method == Method::POST => Hope::None,
        // Others wrote the object at the same moment, and the request does not depend on what they wrote.
        Fault::Changed if call.content_type == APPLY => Hope::Now,
        fault => patience::hope(fault),
    }
}

/// What hope there is where nothing was answered.
fn hope_without_answer(error: &TransportError) -> Hope {
    match error {
        TransportError::Broken(_) => Hope::Soon,
        // Each attempt takes long by itself.
        TransportError::Refused(_) | TransportError::Silent(_) => Hope::Later,
        TransportError::Credentials(_) => Hope::None,
    }
}

pub(super) fn unreached(error: TransportError) -> Fault {
    match error {
        TransportError::Broken(reason) | TransportError::Refused(reason) => {
            Fault::Unreachable(status::clean(&reason))
        }
        TransportError::Silent(_) => Fault::Silent(error.to_string()),
        TransportError::Credentials(reason) => Fault::Credentials(status::clean(&reason)),
    }
}

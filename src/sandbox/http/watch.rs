//! Watching: changes as lines, bookmarks, expiry.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::served::in_version;
use crate::object::Object;
use crate::sandbox::api_error::{ApiError, Reason};
use crate::sandbox::resource::ResourceInfo;
use crate::sandbox::selector::Selector;
use crate::sandbox::store::{Change, ChangeKind, ClusterStore};

/// How long a watch goes on when the client does not say.
const LONGEST: Duration = Duration::from_secs(1800);

/// How often a quiet watch is told how far it has come.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// What is watched, and how.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The resource.
    pub(crate) resource: Arc<ResourceInfo>,
    /// The version of the request.
    pub(crate) version: String,
    /// One namespace, or all.
    pub(crate) namespace: Option<String>,
    /// Which objects.
    pub(crate) selector: Selector,
    /// Where it begins.
    pub(crate) start: Start,
    /// Whether bookmarks are wanted.
    pub(crate) bookmarks: Bookmarks,
    /// When it ends.
    pub(crate) timeout: Option<Duration>,
}

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the present objects, as added.
    Present,
    /// With the present objects, and a bookmark that says that they were all.
    PresentAndBookmark,
    /// After this revision.
    After(u64),
}

/// Whether bookmarks are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bookmarks {
    /// They are.
    Send,
    /// They are not.
    Omit,
}

/// Begins a watch; its lines come until it ends or nobody listens.
pub(crate) fn watch(store: Arc<ClusterStore>, watched: Watched) -> mpsc::Receiver<Bytes> {
    let (sender, lines) = mpsc::channel(64);
    tokio::spawn(async move {
        // An ended connection is no fault of the watch.
        let _ = follow(&store, &watched, &sender).await;
    });
    lines
}

/// Nobody listens any more.
struct Unheard;

async fn follow(store: &ClusterStore, watched: &Watched, lines: &mpsc::Sender<Bytes>) -> Result<(), Unheard> {
    let mut revisions = store.subscribe();
    let mut seen = match watched.start {
        Start::After(revision) => revision,
        Start::Present | Start::PresentAndBookmark => {
            let resource = &watched.resource;
            let namespace = watched.namespace.as_deref();
            let page = crate::sandbox::store::Page::default();
            let listed = store.select(&resource.group, &resource.kind, namespace, &watched.selector, &page);
            // Only a past moment can be forgotten.
            let Ok(listed) = listed else { return Ok(()) };
            for object in &listed.objects {
                send(lines, "ADDED", watched.shown(object)).await?;
            }
            if watched.start == Start::PresentAndBookmark {
                let annotations = json!({"k8s.io/initial-events-end": "true"});
                send(lines, "BOOKMARK", watched.bookmark(listed.revision, Some(annotations))).await?;
            }
            listed.revision
        }
    };
    let end = Instant::now() + watched.timeout.unwrap_or(LONGEST);
    let mut next_bookmark = Instant::now() + BOOKMARKS;
    loop {
        revisions.mark_unchanged();
        match store.changes_after(seen) {
            Ok(changes) => {
                for change in &changes {
                    if let Some((word, object)) = watched.event(change) {
                        send(lines, word, object).await?;
                    }
                    seen = change.revision;
                }
            }
            Err(expired) => return send(lines, "ERROR", expired.to_status()).await,
        }
        let bookmark_due = tokio::select! {
            changed = revisions.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                false
            }
            () = lines.closed() => return Err(Unheard),
            () = sleep_until(end) => {
                if watched.bookmarks == Bookmarks::Send {
                    send(lines, "BOOKMARK", watched.bookmark(seen, None)).await?;
                }
                return Ok(());
            }
            () = sleep_until(next_bookmark) => true,
        };
        if bookmark_due {
            next_bookmark += BOOKMARKS;
            if watched.bookmarks == Bookmarks::Send {
                send(lines, "BOOKMARK", watched.bookmark(seen, None)).await?;
            }
        }
    }
}

async fn send(lines: &mpsc::Sender<Bytes>, word: &str, object: Value) -> Result<(), Unheard> {
    let line = format!("{}\n", json!({"type": word, "object": object}));
    lines.send(line.into()).await.map_err(|_| Unheard)
}

impl Watched {
    /// What a change means to this watch; an object that leaves its selection is deleted for it.
    fn event(&self, change: &Change) -> Option<(&'static str, Value)> {
        let reference = change.object.reference();
        let is_kind = reference.group == self.resource.group && reference.kind == self.resource.kind;
        let is_here = self.namespace.is_none() || reference.namespace == self.namespace;
        if !is_kind || !is_here {
            return None;
        }
        let was = change.previous.as_ref().is_some_and(|object| self.selector.matches(object));
        let is = change.kind != ChangeKind::Deleted && self.selector.matches(&change.object);
        let word = match (was, is) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        match &change.previous {
            // As it last was in the selection, at the version of what took it out.
            Some(previous) if was && !is => {
                let mut last = Object::clone(previous);
                if let Some(Value::Object(metadata)) = last.as_map_mut().get_mut("metadata") {
                    metadata.insert("resourceVersion".into(), change.revision.to_string().into());
                }
                Some((word, self.shown(&last)))
            }
            Some(_) | None => Some((word, self.shown(&change.object))),
        }
    }

    fn shown(&self, object: &Object) -> Value {
        in_version(&self.resource, &self.version, object)
    }

    fn bookmark(&self, revision: u64, annotations: Option<Value>) -> Value {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(&self.version), "metadata": metadata,
        })
    }
}

/// Where a watch's query says it begins.
pub(crate) fn start(resource_version: &str, initial_events: &str) -> Result<Start, ApiError> {
    if initial_events == "true" {
        return Ok(Start::PresentAndBookmark);
    }
    match resource_version {
        "" | "0" => Ok(Start::Present),
        text => match text.parse() {
            Ok(revision) => Ok(Start::After(revision)),
            // A fault of the storage to a server, for which it has no word.
            Err(_) => Err(ApiError { reason: Reason::Unknown, ..no_version(text) }),
        },
    }
}

/// What is said of a version that is none.
pub(crate) fn no_version(text: &str) -> ApiError {
    let parsed = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
    ApiError::bad_request(format!("resourceVersion: Invalid value: {text:?}: {parsed}"))
}

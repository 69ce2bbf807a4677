//! Watching objects: what there is, then each change, across broken streams.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::client::Lines;
use super::status::{self, Privacy};
use super::{Cluster, ClusterError, Fault, Selection};
use crate::object::{GroupKind, Object, ObjectRef};

/// How long one stream lasts before the next one goes on from it.
const STREAM_SECONDS: u64 = 60;
/// How much longer than that nothing may come until a stream counts as dead.
const GRACE: Duration = Duration::from_secs(10);
/// How many streams in a row may fail without a word.
const FAILURES: u32 = 5;
/// The pause after a stream that failed; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// What a watch saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// All that there is; whatever was seen before and is not in it has gone.
    State(Vec<Object>),
    /// An object came or changed.
    Changed(Object),
    /// An object has gone.
    Gone(ObjectRef),
}

/// A watch that does not end: a stream that breaks is taken up where it was, and where the
/// server no longer keeps that state the whole is read again.
pub struct Watch {
    cluster: Cluster,
    kind: GroupKind,
    selection: Selection,
    /// From where the next stream goes on; none before the first list.
    version: Option<String>,
    lines: Option<Lines>,
    /// Streams in a row that broke before they said anything.
    failures: u32,
    /// Since when.
    failing: Instant,
}

/// What one line of a stream says.
enum Line {
    Seen(Seen),
    /// Only how far the stream is.
    Bookmark,
    /// That state is no longer kept.
    Expired,
}

impl Watch {
    pub(super) fn new(cluster: Cluster, kind: GroupKind, selection: Selection) -> Self {
        Self { cluster, kind, selection, version: None, lines: None, failures: 0, failing: Instant::now() }
    }

    /// The next thing seen. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Result<Seen, ClusterError> {
        loop {
            let Some(version) = self.version.clone() else {
                let listing = self.cluster.list(&self.kind, &self.selection).await?;
                self.version = Some(listing.resource_version);
                return Ok(Seen::State(listing.objects));
            };
            match self.step(&version).await {
                Ok(Some(Line::Seen(seen))) => {
                    self.failures = 0;
                    return Ok(seen);
                }
                Ok(Some(Line::Bookmark)) => self.failures = 0,
                Ok(Some(Line::Expired)) => {
                    self.lines = None;
                    self.version = None;
                }
                Ok(None) => {
                    self.lines = None;
                    // A quiet stream ends after a minute; one that ends at once must not be a busy loop.
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    self.lines = None;
                    match &error.fault {
                        Fault::Expired => self.version = None,
                        Fault::Unreachable(_) | Fault::Silent(_) | Fault::Server { .. } => {
                            if self.failures == 0 {
                                self.failing = Instant::now();
                            }
                            let pause = PAUSE * 2_u32.pow(self.failures.min(FAILURES - 1));
                            let is_soon = self.failures < FAILURES;
                            if !is_soon && self.cluster.patience.left(self.failing) < pause {
                                if !matches!(error.fault, Fault::Server { .. }) {
                                    self.cluster.patience.is_gone();
                                }
                                return Err(ClusterError { attempts: self.failures + 1, ..error });
                            }
                            tokio::time::sleep(pause).await;
                            self.failures += 1;
                        }
                        _ => return Err(error),
                    }
                }
            }
        }
    }

    /// Reads one line, from a new stream where there is none; none where the stream has ended.
    async fn step(&mut self, version: &str) -> Result<Option<Line>, ClusterError> {
        if self.lines.is_none() {
            let stream = self.cluster.open_stream(&self.kind, &self.selection, version, STREAM_SECONDS);
            self.lines = Some(stream.await?);
        }
        let Some(lines) = &mut self.lines else { return Ok(None) };
        let limit = Duration::from_secs(STREAM_SECONDS) + GRACE;
        match tokio::time::timeout(limit, lines.next()).await {
            Ok(Ok(Some(line))) => self.understand(&line).map(Some),
            // The server ends a stream when its time is over; a dead or broken one is taken up the same way.
            Ok(Ok(None)) | Err(_) => Ok(None),
            Ok(Err(error)) => {
                Err(self.cluster.watch_error(&self.kind, Fault::Unreachable(error.to_string())))
            }
        }
    }

    fn understand(&mut self, line: &[u8]) -> Result<Line, ClusterError> {
        let strange = |what: &str| {
            self.cluster.watch_error(&self.kind, Fault::Unintelligible(format!("a watch event {what}")))
        };
        let mut event: Value = serde_json::from_slice(line).map_err(|_| strange("that is not JSON"))?;
        let body = event["object"].take();
        let kind = event["type"].as_str().unwrap_or_default();
        if kind == "ERROR" {
            let code = body["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            return match status::fault(code, Some(&body), &self.kind.to_string(), Privacy::Open) {
                Fault::Expired => Ok(Line::Expired),
                fault => Err(self.cluster.watch_error(&self.kind, fault)),
            };
        }
        if let Some(version) = body["metadata"]["resourceVersion"].as_str() {
            self.version = Some(version.to_owned());
        }
        if kind == "BOOKMARK" {
            return Ok(Line::Bookmark);
        }
        let object = Object::from_value(body).map_err(|_| strange("without an object"))?;
        match kind {
            "ADDED" | "MODIFIED" => Ok(Line::Seen(Seen::Changed(object))),
            "DELETED" => Ok(Line::Seen(Seen::Gone(object.reference()))),
            other => Err(strange(&format!("of type `{}`", status::clean(other)))),
        }
    }
}

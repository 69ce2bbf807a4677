//! Which request meets which fault, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use serde_json::Value;
use stolos::object::Object;

use super::fault::Fault;
use crate::support::command::Ran;
use crate::support::tap::{Asked, Class, Deed};

/// From where a verb starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Apply to empty clusters.
    There,
    /// Apply once more.
    Steady,
    /// Destroy.
    Back,
}

/// A request as every run sends it, whichever of its requests run side by side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    pub(super) cluster: String,
    pub(super) class: Class,
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// How often it was sent before.
    pub(super) before: usize,
}

impl Request {
    /// The requests of a run, in their order.
    pub(super) fn of(seen: &[Asked]) -> Vec<Self> {
        let mut sent: BTreeMap<Self, usize> = BTreeMap::new();
        let request = |asked: &Asked| {
            let first = Self {
                cluster: asked.cluster.clone(),
                class: asked.class,
                method: asked.method.clone(),
                path: path_of(asked).to_owned(),
                before: 0,
            };
            let before = sent.entry(first.clone()).or_default();
            *before += 1;
            Self { before: *before - 1, ..first }
        };
        seen.iter().map(request).collect()
    }

    /// Finds it among the requests of a run that are given in their order.
    pub(super) fn finder(&self) -> impl FnMut(&Asked) -> bool + Send + 'static {
        let request = self.clone();
        let mut before = 0;
        move |asked| {
            let is_alike = asked.cluster == request.cluster
                && asked.class == request.class
                && asked.method == request.method
                && path_of(asked) == request.path;
            before += usize::from(is_alike);
            is_alike && before == request.before + 1
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, class, method, path, before } = self;
        write!(f, "{class:?} {cluster} {method} {path} ({})", before + 1)
    }
}

/// One request of a run that meets a fault.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) way: Way,
    pub(super) fault: Fault,
    pub(super) request: Request,
    /// Its place among the requests of the undisturbed run.
    pub(super) nth: usize,
}

impl Case {
    /// Every request of a way with every fault that it may meet.
    pub(super) fn all<F>(way: Way, seen: &[Asked], faults: impl Fn(Class) -> F) -> Vec<Self>
    where
        F: Iterator<Item = Fault>,
    {
        let mut cases = Vec::new();
        for (nth, request) in Request::of(seen).into_iter().enumerate() {
            let case = |fault| Self { way, fault, request: request.clone(), nth };
            cases.extend(faults(request.class).map(case));
        }
        cases
    }

    pub(super) fn folder(&self) -> String {
        format!("{:?}-{}-{:?}", self.way, self.nth, self.fault)
    }

    /// What becomes of each request of its run. Whoever wants to know is told of the one that is meant.
    pub(super) fn script(
        &self,
        on_hit: impl Fn(&Asked) + Send + 'static,
    ) -> impl FnMut(&Asked) -> Deed + Send + 'static {
        let (deed, times) = self.fault.deed();
        let mut is_meant = self.request.finder();
        let mut hit: Option<Asked> = None;
        let mut left = times;
        move |asked| {
            if is_meant(asked) {
                on_hit(asked);
                hit = Some(asked.clone());
            }
            match &hit {
                Some(hit) if is_again(hit, asked) && left > 0 => {
                    left -= 1;
                    deed.clone()
                }
                _ => Deed::Pass,
            }
        }
    }

    /// The request that met its fault; none where no such request was sent.
    pub(super) fn hit<'s>(&self, seen: &'s [Asked]) -> Option<&'s Asked> {
        let mut is_meant = self.request.finder();
        seen.iter().find(|asked| is_meant(asked))
    }

    /// The writes of its run that an undisturbed one does not send: a failed read is no reason for any.
    pub(super) fn writes_too_much(&self, undisturbed: &[Asked], seen: &[Asked]) -> Vec<String> {
        let of = |asked: &Asked| format!("{} {} {}", asked.cluster, asked.method, path_of(asked));
        let wanted: BTreeSet<String> = undisturbed.iter().map(of).collect();
        // What a destroy leaves behind is recorded, which it need not where nothing is left.
        let is_record = |asked: &&Asked| {
            path_of(asked).contains("/leases")
                || self.way == Way::Back && asked.method == "PATCH" && is_inventory(asked)
        };
        let writes = seen.iter().filter(|asked| asked.class == Class::Write && !is_record(asked)).map(of);
        writes
            .filter(|write| !wanted.contains(write))
            .map(|write| format!("{write} was sent and should not have been"))
            .collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {}", self.way, self.fault, self.request)
    }
}

fn is_inventory(asked: &Asked) -> bool {
    path_of(asked).ends_with("/namespaces/istio-system/configmaps/stolos-mesh1")
}

pub(super) fn path_of(asked: &Asked) -> &str {
    asked.path.split('?').next().unwrap_or_default()
}

/// Whether a request is the one that failed, sent again.
fn is_again(hit: &Asked, asked: &Asked) -> bool {
    asked.nth >= hit.nth
        && asked.cluster == hit.cluster
        // A list and a watch differ in it alone.
        && asked.class == hit.class
        && asked.method == hit.method
        && path_of(asked) == path_of(hit)
}

/// What a run does not say of the fault that it met.
pub(super) fn unclear(hit: &Asked, fault: Fault, ran: &Ran) -> Vec<String> {
    if ran.code == Some(0) {
        return Vec::new();
    }
    let Some(words) = fault.words(hit) else {
        return vec![format!("it should have got over it: {ran}")];
    };
    let mut faults = Vec::new();
    if !matches!(ran.code, Some(1 | 3)) {
        faults.push(format!("it ended oddly: {ran}"));
    }
    let text = ran.to_string();
    let mut lacks = |word: &str| {
        if !text.contains(word) {
            faults.push(format!("`{word}` is not said: {ran}"));
        }
    };
    lacks(&hit.cluster);
    words.iter().copied().for_each(&mut lacks);
    // Where a whole cluster is away another request of it may be the first to fail.
    if !fault.takes_the_cluster()
        && let Some(name) = name_in(path_of(hit))
    {
        lacks(name);
    }
    faults
}

/// The name of the object that a path is about; none where it is about a kind.
fn name_in(path: &str) -> Option<&str> {
    let mut parts = path.split('/').skip(1);
    let skipped = if parts.next() == Some("api") { 1 } else { 2 };
    let parts: Vec<&str> = parts.skip(skipped).collect();
    match parts.as_slice() {
        ["namespaces", _, _, name] | [_, name] => Some(name),
        _ => None,
    }
}

/// The values of Secrets that a run printed.
pub(super) fn secrets_in<'o>(objects: impl Iterator<Item = &'o Object>, ran: &Ran) -> Vec<String> {
    let said = ran.to_string();
    let mut faults = Vec::new();
    for secret in objects.filter(|object| object.kind() == "Secret") {
        let data = secret.get(&["data"]).and_then(Value::as_object);
        for (key, value) in data.into_iter().flatten() {
            let encoded = value.as_str().unwrap_or_default();
            let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
            let decoded = String::from_utf8(decoded).unwrap_or_default();
            let is_said = |text: &str| text.len() > 16 && said.contains(text);
            if is_said(encoded) || is_said(&decoded) {
                faults.push(format!("{} {key} was printed", secret.reference()));
            }
        }
    }
    faults
}

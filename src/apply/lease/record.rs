//! What a Lease says, and what is written into it: pure.
//!
//! Its times are the API server's, as its answers tell them, so that they mean the same to
//! whoever reads them. Even so they only hint at whether a holder is alive: see `claim`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Holder, Terms};
use crate::compile::{MeshFacts, parent_name};
use crate::diagnostic::lasting;
use crate::object::{Object, ObjectRef};

/// What says more of a holder than `holderIdentity` has room for.
const ABOUT: &str = "stolos/holder";
/// Whose it is, to whoever lists Leases. Not the label of the apply set: it is no member.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// How long a Lease lasts that does not say so.
const UNSAID: Duration = Duration::from_secs(30);
/// How far the clocks of the servers behind one address may be apart without anybody minding.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// How much of a text that others wrote is shown.
const LONGEST: usize = 120;

/// The Lease of a mesh in each of its clusters: beside the inventory and of its name.
pub fn lease_ref(mesh: &MeshFacts) -> ObjectRef {
    ObjectRef {
        group: "coordination.k8s.io".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(mesh.namespace.clone()),
        name: parent_name(mesh),
    }
}

/// What a Lease says of its holder. Two that are equal were written by the same renewal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// None where nobody holds it.
    pub(super) holder: Option<String>,
    /// `alice@laptop`, its process and its command, as far as the holder told.
    about: Value,
    /// How long it lasts from one renewal to the next.
    pub(super) lasts: Duration,
    /// When the holder took it.
    acquired: Option<Timestamp>,
    /// When the holder last renewed it.
    renewed: Option<Timestamp>,
    /// How often it changed hands.
    transitions: i64,
    /// The state of the object.
    version: String,
}

impl Record {
    /// Reads a Lease, whoever wrote it.
    pub(super) fn of(lease: &Object) -> Self {
        let time = |key: &str| lease.text(&["spec", key])?.parse().ok();
        let number = |key: &str| lease.get(&["spec", key]).and_then(Value::as_i64);
        let seconds = number("leaseDurationSeconds").and_then(|seconds| u64::try_from(seconds).ok());
        let holder = lease.text(&["spec", "holderIdentity"]).filter(|holder| !holder.is_empty());
        Self {
            holder: holder.map(str::to_owned),
            about: lease
                .annotation(ABOUT)
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
            lasts: seconds.filter(|seconds| *seconds > 0).map_or(UNSAID, Duration::from_secs),
            acquired: time("acquireTime"),
            renewed: time("renewTime"),
            transitions: number("leaseTransitions").unwrap_or_default(),
            version: lease.text(&["metadata", "resourceVersion"]).unwrap_or_default().to_owned(),
        }
    }

    /// By what the holder's machine finds its process again.
    pub(super) fn process(&self) -> Option<&str> {
        self.about["process"].as_str()
    }

    /// How long ago it was renewed; none where that is not said, or lies ahead.
    pub(super) fn silent(&self, now: Timestamp) -> Option<Duration> {
        since(self.renewed?, now)
    }

    /// The holder in words: `alice@laptop (pid 4711)`.
    pub(super) fn who(&self) -> String {
        match (self.about["who"].as_str(), self.about["pid"].as_u64()) {
            (Some(who), Some(pid)) => format!("{} (pid {pid})", plain(who)),
            _ => plain(self.holder.as_deref().unwrap_or("nobody")),
        }
    }

    /// What it runs and for how long: `stolos apply prod.yaml, for 2m`.
    pub(super) fn what(&self, now: Timestamp) -> Option<String> {
        let command = self.about["command"].as_str().map(plain);
        let held = self.acquired.and_then(|acquired| since(acquired, now));
        let held = held.zip(self.acquired).map(|(held, acquired)| {
            format!("for {} (since {})", lasting(whole(held)), acquired.strftime("%Y-%m-%dT%H:%M:%SZ"))
        });
        let parts: Vec<String> = command.into_iter().chain(held).collect();
        if parts.is_empty() { None } else { Some(parts.join(", ")) }
    }

    /// The patch by which a holder takes it.
    pub(super) fn taken_by(&self, holder: &Holder, terms: &Terms, now: Timestamp) -> Value {
        let mut spec = spec_of(holder, terms, now);
        spec["leaseTransitions"] = json!(self.transitions.saturating_add(1));
        json!({"metadata": {"labels": {MANAGED_BY: "stolos"}, "annotations": {ABOUT: about(holder)}}, "spec": spec})
    }
}

/// The Lease that a holder makes where there is none.
pub(super) fn new_lease(lease: &ObjectRef, holder: &Holder, terms: &Terms, now: Timestamp) -> Object {
    let mut spec = spec_of(holder, terms, now);
    spec["leaseTransitions"] = json!(0);
    let object = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": lease.name,
            "namespace": lease.namespace,
            "labels": {MANAGED_BY: "stolos"},
            "annotations": {ABOUT: about(holder)},
        },
        "spec": spec,
    });
    Object::from_value(object).expect("it has a version, a kind and a name")
}

/// The patch by which a holder renews it.
pub(super) fn renewal(now: Timestamp) -> Value {
    json!({"spec": {"renewTime": micro_time(now)}})
}

/// The patch by which a holder gives it back.
pub(super) fn release(now: Timestamp) -> Value {
    json!({
        "metadata": {"annotations": {ABOUT: null}},
        "spec": {"holderIdentity": null, "acquireTime": null, "renewTime": micro_time(now)},
    })
}

fn spec_of(holder: &Holder, terms: &Terms, now: Timestamp) -> Value {
    json!({
        "holderIdentity": holder.identity(),
        "leaseDurationSeconds": terms.lasts.as_secs().max(1),
        "acquireTime": micro_time(now),
        "renewTime": micro_time(now),
    })
}

fn about(holder: &Holder) -> String {
    let Holder { who, pid, command, run: _, process } = holder;
    json!({"who": who, "pid": pid, "command": command, "process": process}).to_string()
}

/// The form of `metav1.MicroTime`.
fn micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The time from then to now; none where then lies ahead.
fn since(then: Timestamp, now: Timestamp) -> Option<Duration> {
    let passed = now.duration_since(then);
    (passed >= -TOLERANCE).then(|| Duration::try_from(passed).unwrap_or_default())
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

/// A text that others wrote, without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn holder() -> Holder {
        Holder {
            who: "alice@laptop".to_owned(),
            pid: 4711,
            command: "stolos apply prod.yaml".to_owned(),
            run: "9f3c".to_owned(),
            process: Some("boot/1/4711".to_owned()),
        }
    }

    fn place() -> ObjectRef {
        ObjectRef {
            group: "coordination.k8s.io".to_owned(),
            kind: "Lease".to_owned(),
            namespace: Some("istio-system".to_owned()),
            name: "stolos-mesh1".to_owned(),
        }
    }

    #[test]
    fn a_lease_says_who_what_and_since_when() {
        let lease = new_lease(&place(), &holder(), &Terms::default(), at("2026-01-01T10:00:00Z"));
        assert_eq!(
            lease.as_value()["spec"],
            json!({
                "holderIdentity": "alice@laptop/4711/9f3c", "leaseDurationSeconds": 30, "leaseTransitions": 0,
                "acquireTime": "2026-01-01T10:00:00.000000Z", "renewTime": "2026-01-01T10:00:00.000000Z",
            })
        );
        let record = Record::of(&lease);
        let now = at("2026-01-01T10:02:10.9Z");
        assert_eq!(record.who(), "alice@laptop (pid 4711)");
        assert_eq!(
            record.what(now).as_deref(),
            Some("stolos apply prod.yaml, for 2m10s (since 2026-01-01T10:00:00Z)")
        );
        assert_eq!(record.silent(now), Some(Duration::from_millis(130_900)));
        assert_eq!(record.process(), Some("boot/1/4711"));
        assert_eq!(lease.label("applyset.kubernetes.io/part-of"), None);
    }

    #[test]
    fn a_lease_of_others_is_read_as_far_as_it_goes() {
        let lease = |spec: Value| {
            let metadata = json!({"name": "l", "annotations": {ABOUT: "no json"}});
            let lease = json!({"apiVersion": "v1", "kind": "Lease", "metadata": metadata, "spec": spec});
            Record::of(&Object::from_value(lease).expect("an object"))
        };
        let now = at("2026-01-01T10:00:00Z");
        let strange = lease(json!({
            "holderIdentity": "me\u{1b}[2J", "leaseDurationSeconds": -1, "renewTime": "soon", "leaseTransitions": "x",
        }));
        assert_eq!((strange.who(), strange.what(now)), ("me [2J".to_owned(), None));
        assert_eq!((strange.lasts, strange.silent(now)), (UNSAID, None));
        assert_eq!(lease(json!({"holderIdentity": ""})).holder, None);
        assert_eq!(lease(json!(null)).holder, None);
        // A clock that is ahead says nothing; one that is hardly ahead says that it was just now.
        let ahead = |time: &str| lease(json!({"holderIdentity": "a", "renewTime": time})).silent(now);
        assert_eq!(ahead("2026-01-01T10:00:01Z"), Some(Duration::ZERO));
        assert_eq!(ahead("2026-01-01T10:00:03Z"), None);
    }
}

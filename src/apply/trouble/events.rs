//! The last events about objects.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{TOLD, plain};
use crate::diagnostic::lasting;
use crate::object::Object;

/// Events this much older than the newest are of another time: every controller repeats itself
/// sooner where the trouble lasts (kubelet and scheduler after 5 minutes at the latest, as does the
/// service controller, `maxRetryDelay`). Counted from the newest, so that no clock of ours matters.
const OF_ONE_TIME: SignedDuration = SignedDuration::from_mins(10);

/// An event in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// `FailedCreate (3 times, last 8s ago): quota exceeded`.
    pub(super) line: String,
    message: String,
}

impl Told {
    /// Whether a line has said the same already.
    pub(super) fn is_said_by(&self, lines: &[String]) -> bool {
        !self.message.is_empty() && lines.iter().any(|line| line.contains(&self.message))
    }
}

/// The latest warnings about objects, latest first; where there is none about a Service, the last thing that
/// was said of it.
pub(super) fn lines(events: Vec<Object>, known: &[Object], now: Timestamp) -> Vec<Told> {
    let mut about: Vec<Event> = events.iter().filter_map(|event| Event::about(event, known)).collect();
    about.sort_by_key(|event| std::cmp::Reverse(event.time));
    let newest = about.iter().find_map(|event| event.time);
    about.retain(|event| match (newest, event.time) {
        (Some(newest), Some(time)) => newest.duration_since(time) <= OF_ONE_TIME,
        (None, _) | (_, None) => true,
    });
    // The pods of a Deployment say the same, each with its own name in it: one of them will do.
    let mut warnings: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut told = Vec::new();
    for event in about.iter().filter(|event| event.warns) {
        let key = (event.kind.to_owned(), event.reason.clone());
        if told.len() < TOLD && warnings.insert(key, told.len()).is_none() {
            told.push(event.told(now));
        }
    }
    for service in known.iter().filter(|object| object.kind() == "Service") {
        let of_it = |event: &&Event| event.kind == "Service" && event.name == service.name();
        if let Some(event) = about.iter().find(of_it)
            && !event.warns
            && !about.iter().filter(of_it).any(|event| event.warns)
        {
            told.push(event.told(now));
        }
    }
    told
}

/// What an Event says. Those of `events.k8s.io` are the same objects: read as core events they have
/// `eventTime` and `series` where others have `lastTimestamp` and `count`
/// (kubernetes pkg/apis/events/v1/conversion.go, 1.35).
struct Event<'e> {
    kind: &'e str,
    name: &'e str,
    warns: bool,
    reason: String,
    message: String,
    count: u64,
    time: Option<Timestamp>,
}

impl<'e> Event<'e> {
    /// An event that is about one of the objects.
    fn about(event: &'e Object, known: &[Object]) -> Option<Self> {
        let involved = |field: &str| event.text(&["involvedObject", field]).unwrap_or_default();
        let is_meant = |object: &Object| match (involved("uid"), object.uid()) {
            ("", _) | (_, None) => {
                involved("kind") == object.kind()
                    && involved("name") == object.name()
                    && involved("namespace") == object.namespace().unwrap_or_default()
            }
            (uid, Some(known)) => uid == known,
        };
        known.iter().any(is_meant).then(|| Self {
            kind: involved("kind"),
            name: involved("name"),
            warns: event.text(&["type"]) != Some("Normal"),
            reason: plain(event.text(&["reason"]).unwrap_or("Warning")),
            message: plain(event.text(&["message"]).unwrap_or_default()),
            count: [&["series", "count"][..], &["count"]]
                .iter()
                .filter_map(|path| event.get(path).and_then(Value::as_u64))
                .max()
                .unwrap_or(1),
            time: [
                &["series", "lastObservedTime"][..],
                &["lastTimestamp"],
                &["eventTime"],
                &["firstTimestamp"],
                &["metadata", "creationTimestamp"],
            ]
            .iter()
            .filter_map(|path| event.text(path)?.parse().ok())
            .max(),
        })
    }

    fn told(&self, now: Timestamp) -> Told {
        let mut about = Vec::new();
        if self.count > 1 {
            about.push(format!("{} times", self.count));
        }
        // A cluster whose clock is ahead of ours tells of what is yet to come.
        if let Some(ago) = self.time.and_then(|time| Duration::try_from(now.duration_since(time)).ok()) {
            about.push(format!("last {} ago", lasting(Duration::from_secs(ago.as_secs()))));
        }
        let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        let line = match self.message.as_str() {
            "" => format!("{}{about}", self.reason),
            message => format!("{}{about}: {message}", self.reason),
        };
        Told { line, message: self.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("an object")
    }

    fn service() -> Object {
        object(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "gateway", "namespace": "n", "uid": "u1"}}))
    }

    fn event(fields: Value) -> Object {
        let mut event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"},
            "type": "Warning", "reason": "SyncLoadBalancerFailed", "message": "quota exceeded",
            "involvedObject": {"kind": "Service", "namespace": "n", "name": "gateway", "uid": "u1"},
        });
        for (key, value) in fields.as_object().expect("fields") {
            event[key] = value.clone();
        }
        object(event)
    }

    fn told(events: Vec<Object>) -> Vec<String> {
        let now = "2026-01-01T01:01:00Z".parse().expect("a time");
        lines(events, &[service()], now).into_iter().map(|told| told.line).collect()
    }

    #[test]
    fn the_latest_warnings_are_told_once_with_count_and_age() {
        let events = vec![
            event(json!({"reason": "Other", "lastTimestamp": "2026-01-01T01:00:00Z", "count": 1})),
            event(json!({"lastTimestamp": "2026-01-01T01:00:52Z", "count": 12})),
            event(json!({"lastTimestamp": "2026-01-01T01:00:40Z", "count": 3})),
        ];
        assert_eq!(
            told(events),
            [
                "SyncLoadBalancerFailed (12 times, last 8s ago): quota exceeded",
                "Other (last 1m ago): quota exceeded",
            ]
        );
    }

    #[test]
    fn an_event_of_the_newer_api_is_counted_by_its_series() {
        let series = json!({
            "eventTime": "2026-01-01T00:50:00.000001Z", "lastTimestamp": null, "count": null,
            "series": {"count": 7, "lastObservedTime": "2026-01-01T01:00:30.500000Z"},
        });
        assert_eq!(
            told(vec![event(series)]),
            ["SyncLoadBalancerFailed (7 times, last 29s ago): quota exceeded"]
        );
    }

    #[test]
    fn what_is_long_past_and_what_is_about_others_is_left_out() {
        let other = json!({"kind": "Service", "namespace": "n", "name": "gateway", "uid": "of an older one"});
        assert_eq!(
            told(vec![
                event(json!({"lastTimestamp": "2026-01-01T01:00:52Z"})),
                event(json!({"reason": "Old", "lastTimestamp": "2026-01-01T00:40:00Z"})),
                event(
                    json!({"reason": "Foreign", "lastTimestamp": "2026-01-01T01:00:52Z", "involvedObject": other})
                ),
            ]),
            ["SyncLoadBalancerFailed (last 8s ago): quota exceeded"]
        );
    }

    #[test]
    fn a_service_without_a_warning_says_what_was_said_last() {
        let ensuring = json!({"type": "Normal", "reason": "EnsuringLoadBalancer",
            "message": "Ensuring load balancer", "lastTimestamp": "2026-01-01T01:00:00Z"});
        assert_eq!(
            told(vec![event(ensuring.clone())]),
            ["EnsuringLoadBalancer (last 1m ago): Ensuring load balancer"]
        );
        let warning = event(json!({"lastTimestamp": "2026-01-01T00:59:00Z"}));
        assert_eq!(
            told(vec![event(ensuring), warning]),
            ["SyncLoadBalancerFailed (last 2m ago): quota exceeded"]
        );
    }

    #[test]
    fn a_message_is_plain_and_not_endless() {
        let long = "\u{1b}[31m".to_owned() + &"x".repeat(1000);
        let line = told(vec![event(json!({"message": long}))]).remove(0);
        assert_eq!(line, format!("SyncLoadBalancerFailed:  [31m{}…", "x".repeat(295)));
    }
}

//! Why something does not get ready, as Kubernetes recorded it.
//!
//! The live objects that a wait looked at enter, those of one cluster; lines for its error leave: what
//! keeps the pods of a Deployment or a DaemonSet, then the last events about the objects and all that is behind them.
//! What a container printed is never among them, nor anything of a Secret. Best effort: the error is
//! about something else already, and what may not be read is said to be unknown.

mod events;
mod pods;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::cluster::{Cluster, ClusterError, Listing, Selection};
use crate::object::{GroupKind, Object};

/// How many lines each kind of trouble gets.
const TOLD: usize = 3;

/// How many characters of a message are quoted.
const LONGEST: usize = 300;

/// What is behind objects that are not getting ready: a line each, such as
/// `pod istiod-5d8f-x2: Unschedulable: 0/3 nodes are available` and
/// `SyncLoadBalancerFailed (12 times, last 8s ago): quota exceeded`.
///
/// What `said` holds already is not repeated.
pub(super) async fn lines(cluster: &Cluster, objects: &[&Object], said: &[String]) -> Vec<String> {
    let mut known: Vec<Object> = objects.iter().copied().cloned().collect();
    let mut lines = Vec::new();
    let mut unread = BTreeSet::new();
    for deployment in objects.iter().filter(|object| object.kind() == "Deployment") {
        let sets = match owned(cluster, deployment, "apps", "ReplicaSet", &[deployment]).await {
            Ok(sets) => sets,
            Err(error) => {
                unread.insert(unknown(&error));
                continue;
            }
        };
        let sets: Vec<Object> = sets.into_iter().filter(pods::is_in_use).collect();
        let owners: Vec<&Object> = sets.iter().collect();
        match owned(cluster, deployment, "", "Pod", &owners).await {
            Ok(pods) => {
                lines.extend(pods::lines(&pods));
                known.extend(pods);
            }
            Err(error) => {
                unread.insert(unknown(&error));
            }
        }
        known.extend(sets);
    }
    for daemons in objects.iter().filter(|object| object.kind() == "DaemonSet") {
        match owned(cluster, daemons, "", "Pod", &[daemons]).await {
            Ok(pods) => {
                lines.extend(pods::lines(&pods));
                known.extend(pods);
            }
            Err(error) => {
                unread.insert(unknown(&error));
            }
        }
    }
    let namespaces: BTreeSet<&str> = known.iter().filter_map(Object::namespace).collect();
    let mut found = Vec::new();
    for namespace in namespaces {
        let selection = Selection { namespace: Some(namespace.to_owned()), ..Selection::default() };
        match list(cluster, "", "Event", &selection).await {
            Ok(listing) => found.extend(listing.objects),
            Err(error) => {
                unread.insert(unknown(&error));
            }
        }
    }
    let events = events::lines(found, &known, Timestamp::now());
    for event in events {
        if !event.is_said_by(&lines) && !event.is_said_by(said) {
            lines.push(event.line);
        }
    }
    lines.extend(unread);
    lines
}

/// What may not be read.
fn unknown(error: &ClusterError) -> String {
    format!("not known, {}: {}", error.request, plain(&error.fault.to_string()))
}

async fn list(
    cluster: &Cluster,
    group: &str,
    kind: &str,
    selection: &Selection,
) -> Result<Listing, ClusterError> {
    cluster.list(&GroupKind { group: group.to_owned(), kind: kind.to_owned() }, selection).await
}

/// The objects of a kind that a workload selects and that one of `owners` owns.
async fn owned(
    cluster: &Cluster,
    workload: &Object,
    group: &str,
    kind: &str,
    owners: &[&Object],
) -> Result<Vec<Object>, ClusterError> {
    let selector = workload.get(&["spec", "selector", "matchLabels"]).and_then(|map| map.as_object());
    let label: Vec<String> = selector
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    let selection = Selection {
        namespace: workload.namespace().map(str::to_owned),
        name: None,
        label: (!label.is_empty()).then(|| label.join(",")),
    };
    let uids: BTreeSet<&str> = owners.iter().filter_map(|owner| owner.uid()).collect();
    let mut found = list(cluster, group, kind, &selection).await?.objects;
    found.retain(|object| pods::owner(object).is_some_and(|owner| uids.contains(owner)));
    Ok(found)
}

/// A cluster's words without what a terminal would act on, and not too many of them.
fn plain(text: &str) -> String {
    let mut plain: String =
        text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if let Some((end, _)) = plain.char_indices().nth(LONGEST) {
        plain.truncate(end);
        plain.push('…');
    }
    plain
}

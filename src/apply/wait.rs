//! Waiting for live objects: watched, with a deadline, and given up when the run stops.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Stop;
use crate::cluster::{Cluster, ClusterError, Fault, Seen, Selection};
use crate::diagnostic::listed;
use crate::object::{GroupKind, Object, ObjectRef};
use crate::plan::Unmet;
use crate::topology::ClusterName;

/// Live objects as they were last seen.
pub(super) type Sightings = BTreeMap<(ClusterName, ObjectRef), Object>;

/// What a look at live objects says of a condition.
#[derive(Debug)]
pub(super) enum Look {
    /// It holds.
    Met,
    /// It does not yet.
    Lacks(Unmet),
    /// It will not.
    Vain(Unmet),
}

impl From<Option<Unmet>> for Look {
    fn from(unmet: Option<Unmet>) -> Self {
        unmet.map_or(Self::Met, Self::Lacks)
    }
}

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// The condition holds.
    Met,
    /// It will not.
    Vain(Unmet),
    /// It did not in time.
    Timeout(Unmet),
    /// The run stops.
    Stopped,
}

/// Until when a step may wait: one for all its waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    /// The moment.
    pub(super) at: Instant,
    /// How long that was from the start of the step.
    pub(super) after: Duration,
}

impl Deadline {
    /// So long from now.
    pub(super) fn in_time(after: Duration) -> Self {
        Self { at: Instant::now() + after, after }
    }
}

/// What is waited for.
pub(super) struct Wait<'w> {
    /// The objects that the condition looks at.
    pub(super) targets: &'w [(ClusterName, ObjectRef)],
    /// The label by which several objects of a kind are found with one watch; none where they are of others and
    /// do not carry it, so that each has a watch of its own.
    pub(super) label: Option<(&'w str, &'w str)>,
    /// Until when.
    pub(super) deadline: Deadline,
}

/// One watch: the objects of a kind in a namespace of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Field {
    cluster: ClusterName,
    kind: GroupKind,
    namespace: Option<String>,
    /// The one object that is watched, where several would show more than is asked for.
    only: Option<String>,
}

impl Field {
    fn of(cluster: &ClusterName, object: &ObjectRef, label: Option<(&str, &str)>) -> Self {
        let is_secret = object.group.is_empty() && object.kind == "Secret";
        Self {
            cluster: cluster.clone(),
            kind: object.group_kind(),
            namespace: object.namespace.clone(),
            only: (is_secret || label.is_none()).then(|| object.name.clone()),
        }
    }

    /// Whether its watch tells of an object, being about these names.
    fn tells_of(&self, names: &BTreeSet<String>, cluster: &ClusterName, object: &ObjectRef) -> bool {
        self.cluster == *cluster
            && self.kind == object.group_kind()
            && self.namespace == object.namespace
            && names.contains(&object.name)
    }
}

/// The watches of a wait, and the names that each is about.
fn fields(
    targets: &[(ClusterName, ObjectRef)],
    label: Option<(&str, &str)>,
) -> BTreeMap<Field, BTreeSet<String>> {
    let mut fields: BTreeMap<Field, BTreeSet<String>> = BTreeMap::new();
    for (cluster, object) in targets {
        fields.entry(Field::of(cluster, object, label)).or_default().insert(object.name.clone());
    }
    fields
}

fn selection(field: &Field, names: &BTreeSet<String>, label: Option<(&str, &str)>) -> Selection {
    let by_name = if names.len() == 1 { names.first().cloned() } else { None };
    let label = label.filter(|_| by_name.is_none()).map(|(key, value)| format!("{key}={value}"));
    Selection { namespace: field.namespace.clone(), name: by_name, label }
}

/// What a wait for objects watches: for `rbac`, which grants the rights that it takes.
pub(crate) fn watched(
    targets: &[(ClusterName, ObjectRef)],
    label: Option<(&str, &str)>,
) -> Vec<(ClusterName, GroupKind, Selection)> {
    let watch = |(field, names): (Field, BTreeSet<String>)| {
        let selection = selection(&field, &names, label);
        (field.cluster, field.kind, selection)
    };
    fields(targets, label).into_iter().map(watch).collect()
}

impl Wait<'_> {
    /// Watches until `look` sees that the condition holds, or will not. It is asked once all objects have been seen, and after each
    /// change again; `seen` holds what they are then.
    pub(super) async fn until(
        &self,
        cluster_of: impl Fn(&ClusterName) -> Option<Cluster>,
        seen: &mut Sightings,
        stop: &mut watch::Receiver<Stop>,
        mut look: impl FnMut(&Sightings) -> Look,
    ) -> Result<Waited, ClusterError> {
        let fields = fields(self.targets, self.label);
        let (sender, mut news) = mpsc::channel(64);
        let mut watches = JoinSet::new();
        let mut silent: BTreeSet<Field> = BTreeSet::new();
        for (field, names) in &fields {
            let Some(cluster) = cluster_of(&field.cluster) else { continue };
            watches.spawn(follow(
                cluster,
                field.clone(),
                selection(field, names, self.label),
                sender.clone(),
            ));
            silent.insert(field.clone());
        }
        drop(sender);
        let mut unmet = None;
        let mut stoppable = true;
        loop {
            if silent.is_empty() {
                match look(seen) {
                    Look::Met => return Ok(Waited::Met),
                    Look::Vain(unmet) => return Ok(Waited::Vain(unmet)),
                    Look::Lacks(lacking) => unmet = Some(lacking),
                }
            }
            if *stop.borrow() == Stop::Finish {
                return Ok(Waited::Stopped);
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.deadline.at) => {
                    // What is lacked is known only where every cluster has said what there is.
                    let unmet = unmet.or_else(|| unanswered(&silent)).or_else(|| match look(seen) {
                        Look::Met => None,
                        Look::Lacks(unmet) | Look::Vain(unmet) => Some(unmet),
                    });
                    return Ok(Waited::Timeout(unmet.unwrap_or_else(|| self.unseen())));
                }
                // A run whose stopper is gone can no longer be stopped.
                changed = stop.changed(), if stoppable => stoppable = changed.is_ok(),
                next = news.recv() => match next {
                    Some((field, Ok(news))) => {
                        silent.remove(&field);
                        note(seen, &field, &fields[&field], news);
                    }
                    Some((_, Err(error))) => return Err(error),
                    None => {
                        let unmet = unmet.or_else(|| unanswered(&silent));
                        return Ok(Waited::Timeout(unmet.unwrap_or_else(|| self.unseen())));
                    }
                },
            }
        }
    }

    fn unseen(&self) -> Unmet {
        let what = match self.targets {
            [(cluster, object)] => format!("{object} of {cluster} to be read"),
            targets => format!("{} objects to be read", targets.len()),
        };
        Unmet { what, facts: Vec::new() }
    }
}

/// Which clusters have not said what there is of what is watched; none where all have.
fn unanswered(silent: &BTreeSet<Field>) -> Option<Unmet> {
    let mut clusters: Vec<&str> = silent.iter().map(|field| field.cluster.as_str()).collect();
    clusters.dedup();
    let asked = |field: &Field| format!("{} was asked to list {}", field.cluster, field.kind);
    let facts: Vec<String> = silent.iter().map(asked).collect();
    (!clusters.is_empty()).then(|| Unmet { what: format!("{} to answer", listed(clusters)), facts })
}

/// Passes on what one watch sees. A kind that is not served has no objects.
async fn follow(
    cluster: Cluster,
    field: Field,
    selection: Selection,
    news: mpsc::Sender<(Field, Result<Seen, ClusterError>)>,
) {
    let mut watch = cluster.watch(field.kind.clone(), selection);
    loop {
        let seen = match watch.next().await {
            Err(ClusterError { fault: Fault::KindUnknown(_), .. }) => {
                if news.send((field.clone(), Ok(Seen::State(Vec::new())))).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            seen => seen,
        };
        let failed = seen.is_err();
        if news.send((field.clone(), seen)).await.is_err() || failed {
            return;
        }
    }
}

fn note(seen: &mut Sightings, field: &Field, names: &BTreeSet<String>, news: Seen) {
    match news {
        Seen::State(objects) => {
            seen.retain(|(cluster, object), _| !field.tells_of(names, cluster, object));
            for object in objects {
                seen.insert((field.cluster.clone(), object.reference()), object);
            }
        }
        Seen::Changed(object) => {
            seen.insert((field.cluster.clone(), object.reference()), object);
        }
        Seen::Gone(object) => {
            seen.remove(&(field.cluster.clone(), object));
        }
    }
}

//! The changes of a step on their way to its cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::ledger::Ledger;
use super::order::waves;
use super::wait::{Deadline, Sightings, Wait, Waited};
use super::{ApplyError, Counts, Leases, Outcome, Stop};
use crate::cluster::{ApplyOptions, Cluster, ClusterError, Fault, Write, together};
use crate::graph::Unit;
use crate::object::{Object, ObjectRef, kinds};
use crate::plan::{Action, Change, Step, done, given_up, migrated, taken_over};
use crate::topology::ClusterName;

/// How many requests of one step are under way at once.
const SIDE_BY_SIDE: usize = 8;
/// How long a kind may stay unknown after its definition was established: API servers of one
/// cluster learn of it one after the other.
const KIND_PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two tries of it.
const KIND_PAUSE: Duration = Duration::from_millis(500);

/// How often an object is read anew because somebody wrote it before it could be taken over or given up.
const TAKE_OVERS: usize = 5;

/// A step's way into its cluster.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) cluster: Cluster,
    pub(super) ledger: Arc<Ledger>,
    pub(super) label: (String, String),
    pub(super) deadline: Deadline,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) leases: Arc<Leases>,
}

/// What came of sending.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// What became of the objects.
    pub(super) counts: Counts,
    /// The objects as the server has them now.
    pub(super) objects: Sightings,
    /// Those whose deletion was asked for.
    pub(super) deleted: Vec<(ClusterName, ObjectRef)>,
    /// Whether the run was stopped before all was sent.
    pub(super) stopped: bool,
}

/// What came of one change.
enum Done {
    Applied(Object),
    Deleting,
    Released,
    Stopped,
}

impl Sender {
    /// Sends the changes of a step, wave by wave, those of a wave side by side. After a change
    /// that fails the rest of its wave is brought to an end, and no other wave is begun.
    pub(super) async fn send(
        &self,
        step: &Step,
        mut objects: BTreeMap<ObjectRef, Object>,
        progress: impl Fn(usize) + Send + Sync + Clone + 'static,
    ) -> Result<Sent, ApplyError> {
        let mut sent = Sent::default();
        for change in step.changes.iter().filter(|change| !change.action.writes()) {
            sent.counts.add(Outcome::of(change.action));
        }
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        for wave in waves(step.writes()) {
            if *self.stop.borrow() == Stop::Finish {
                sent.stopped = true;
                break;
            }
            let requests: Vec<_> = wave
                .iter()
                .map(|change| {
                    let (sender, unit) = (self.clone(), step.unit.clone());
                    let (change, object) = ((*change).clone(), objects.remove(&change.object));
                    let (progress, count) = (progress.clone(), Arc::clone(&count));
                    async move {
                        let done = sender.change(&unit, &change, object).await;
                        if done.is_ok() {
                            progress(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
                        }
                        done
                    }
                })
                .collect();
            let mut failed = None;
            for (change, done) in wave.iter().zip(together(SIDE_BY_SIDE, requests).await) {
                match done {
                    Ok(Done::Applied(object)) => {
                        sent.counts.add(Outcome::of(change.action));
                        let name = self.cluster.name().clone();
                        sent.objects.insert((name, object.reference()), object);
                    }
                    Ok(Done::Deleting) => {
                        sent.counts.add(Outcome::of(change.action));
                        sent.deleted.push((self.cluster.name().clone(), change.object.clone()));
                    }
                    Ok(Done::Released) => sent.counts.add(Outcome::of(change.action)),
                    Ok(Done::Stopped) => sent.stopped = true,
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(sent)
    }

    async fn change(&self, unit: &Unit, change: &Change, object: Option<Object>) -> Result<Done, ApplyError> {
        self.leases.ready(self.cluster.name()).await?;
        match change.action {
            Action::Create | Action::Adopt | Action::Update => {
                self.apply(unit, change, object).await.map(Done::Applied)
            }
            Action::Replace => {
                self.cluster.delete(&change.object, change.uid.as_deref()).await?;
                let target = [(self.cluster.name().clone(), change.object.clone())];
                match self.gone(&target).await? {
                    Waited::Met => self.apply(unit, change, object).await.map(Done::Applied),
                    Waited::Stopped => Ok(Done::Stopped),
                    Waited::Timeout(unmet) | Waited::Vain(unmet) => Err(ApplyError::Timeout {
                        unit: unit.clone(),
                        waited: self.deadline.after,
                        unmet: Box::new(unmet),
                        warnings: vec![],
                    }),
                }
            }
            Action::Delete => {
                self.cluster.delete(&change.object, change.uid.as_deref()).await?;
                Ok(Done::Deleting)
            }
            Action::Release => {
                self.release(change).await?;
                self.ledger.forget(&change.object).await;
                Ok(Done::Released)
            }
            Action::Keep | Action::NoOp => Ok(Done::Released),
        }
    }

    async fn apply(
        &self,
        unit: &Unit,
        change: &Change,
        object: Option<Object>,
    ) -> Result<Object, ApplyError> {
        let Some(object) = object else {
            return Err(ApplyError::Diverged {
                unit: unit.clone(),
                object: Box::new(change.object.clone()),
                why: "the plan does not say what it becomes".to_owned(),
            });
        };
        self.ledger.begin(&change.object).await;
        if !change.renamed.is_empty() || !change.migrated.is_empty() {
            self.take_over(unit, change, &object).await?;
        }
        let options = ApplyOptions { write: Write::Persist, conflicts: change.conflicts };
        let deadline = tokio::time::Instant::now() + KIND_PATIENCE;
        loop {
            match self.cluster.apply(&object, options).await {
                Ok(live) => {
                    self.ledger.record(change, live.uid()).await;
                    return Ok(live);
                }
                Err(ClusterError { fault: Fault::KindUnknown(_), .. })
                    if tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(KIND_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes items ours that somebody gave other keys, so that the apply that follows lets them go, and fields
    /// that a client-side applier holds, so that a later one does.
    ///
    /// A run that ends in between leaves them ours, and what is not asked for of them the next plan shows.
    async fn take_over(&self, unit: &Unit, change: &Change, object: &Object) -> Result<(), ApplyError> {
        let mut attempt = 1;
        loop {
            // Made anew by the apply where it is gone.
            let Some(live) = self.cluster.get(&change.object).await? else { return Ok(()) };
            if live.uid() != change.uid.as_deref() {
                return Err(ApplyError::Diverged {
                    unit: unit.clone(),
                    object: Box::new(change.object.clone()),
                    why: "it was deleted and made anew meanwhile".to_owned(),
                });
            }
            let Some(managers) = managers_after(&live, change, object) else { return Ok(()) };
            match self.cluster.set_managers(&live, &managers).await {
                Ok(()) => return Ok(()),
                // A controller wrote the object in between.
                Err(ClusterError { fault: Fault::Changed, .. }) if attempt < TAKE_OVERS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets go of an object of others: an apply that asks for nothing takes our labels and
    /// annotations back, after all else that we hold was given up and so stays.
    ///
    /// A run that ends in between holds the labels still, by which the next one goes on.
    async fn release(&self, change: &Change) -> Result<(), ApplyError> {
        let reference = &change.object;
        let mut attempt = 1;
        let live = loop {
            let Some(live) = self.cluster.find(reference).await? else { return Ok(()) };
            let Some(managers) = given_up(&live) else { break live };
            match self.cluster.set_managers(&live, &managers).await {
                Ok(()) => break live,
                // A controller wrote the object in between.
                Err(ClusterError { fault: Fault::Changed, .. }) if attempt < TAKE_OVERS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        };
        let Some(info) = kinds::find(&reference.group, &reference.kind) else { return Ok(()) };
        let mut metadata = json!({"name": reference.name});
        if let Some(namespace) = &reference.namespace {
            metadata["namespace"] = json!(namespace);
        }
        // With the UID the server refuses to make the object anew if it goes away meanwhile.
        if let Some(uid) = live.uid() {
            metadata["uid"] = json!(uid);
        }
        let bare = json!({"apiVersion": info.api_version(), "kind": info.kind, "metadata": metadata});
        let Ok(bare) = Object::from_value(bare) else { return Ok(()) };
        self.cluster.apply(&bare, ApplyOptions::default()).await?;
        Ok(())
    }

    /// Waits until objects are gone.
    pub(super) async fn gone(&self, targets: &[(ClusterName, ObjectRef)]) -> Result<Waited, ApplyError> {
        let wait = Wait { targets, label: (&self.label.0, &self.label.1), deadline: self.deadline };
        let cluster = |name: &ClusterName| (name == self.cluster.name()).then(|| self.cluster.clone());
        let (mut seen, mut stop) = (Sightings::new(), self.stop.clone());
        Ok(wait.until(cluster, &mut seen, &mut stop, |seen| done::still_there(targets, seen).into()).await?)
    }
}

/// What the managers of a live object become before an object is applied to it; none where they stay.
fn managers_after(live: &Object, change: &Change, object: &Object) -> Option<Value> {
    let taken = taken_over(live, &change.renamed);
    if change.migrated.is_empty() {
        return taken;
    }
    let mut live = live.clone();
    if let Some(managers) = &taken {
        live.set_managed_fields(managers.clone());
    }
    migrated(&live, object).or(taken)
}

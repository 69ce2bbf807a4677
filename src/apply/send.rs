//! The changes of a step on their way to its cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::ledger::Ledger;
use super::order::waves;
use super::wait::{Deadline, Look, Sightings, Wait, Waited};
use super::{ApplyError, Counts, Event, Leases, Outcome, Stop};
use crate::cluster::{ApplyOptions, Cluster, ClusterError, Fault, Write, together};
use crate::graph::Unit;
use crate::object::{Object, ObjectRef, kinds};
use crate::plan::{
    Action, Change, Step, StepId, Unmet, done, given_up, migrated, settled, taken_over, without_us,
};
use crate::topology::ClusterName;

/// How many requests of one step are under way at once.
const SIDE_BY_SIDE: usize = 8;
/// How long a kind may stay unknown after its definition was established: API servers of one
/// cluster learn of it one after the other.
const KIND_PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two tries of it.
const KIND_PAUSE: Duration = Duration::from_millis(500);

/// The pause between two looks at an object that may not be watched.
const READ_PAUSE: Duration = Duration::from_secs(1);

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
    pub(super) events: mpsc::UnboundedSender<Event>,
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

/// An object whose place another one of its name takes.
#[derive(Debug, Clone, Copy)]
enum Leaving<'u> {
    /// The step deleted it, whatever its UID.
    Ours,
    /// Somebody else deleted the one of this UID.
    Others { uid: &'u str },
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
                    let (sender, step) = (self.clone(), step.id());
                    let (change, object) = ((*change).clone(), objects.remove(&change.object));
                    let (progress, count) = (progress.clone(), Arc::clone(&count));
                    async move {
                        let done = sender.change(&step, &change, object).await;
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

    async fn change(
        &self,
        step: &StepId,
        change: &Change,
        object: Option<Object>,
    ) -> Result<Done, ApplyError> {
        self.leases.ready(self.cluster.name()).await?;
        match change.action {
            Action::Adopt | Action::Update => self.apply(&step.unit, change, object).await.map(Done::Applied),
            Action::Create => match &change.uid {
                None => self.apply(&step.unit, change, object).await.map(Done::Applied),
                // Somebody deleted it already: an apply would only change what is about to go.
                Some(uid) => self.apply_after(step, change, object, Leaving::Others { uid }).await,
            },
            Action::Replace => {
                self.cluster.delete(&change.object, change.uid.as_deref()).await?;
                self.apply_after(step, change, object, Leaving::Ours).await
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
            Action::HandOver => {
                self.hand_over(change).await?;
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
        let Some(mut object) = object else {
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
                // A controller has taken fields of it since it was read, or since an attempt of ours made it
                // whose answer was lost.
                Err(error @ ClusterError { fault: Fault::FieldConflict(_), .. }) => {
                    let live = self.cluster.get(&change.object).await?;
                    let left = settled(&object, live.as_ref());
                    if left == object {
                        return Err(error.into());
                    }
                    object = left;
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

    /// Leaves an object as it is to whoever installs it from now on: our name and our label go, nothing else.
    async fn hand_over(&self, change: &Change) -> Result<(), ApplyError> {
        let mut attempt = 1;
        loop {
            let Some(live) = self.cluster.find(&change.object).await? else { return Ok(()) };
            let label =
                live.label(&self.label.0).filter(|id| *id == self.label.1).map(|_| self.label.0.as_str());
            let managers = without_us(&live);
            if managers.is_none() && label.is_none() {
                return Ok(());
            }
            match self.cluster.disown(&live, managers.as_ref(), label).await {
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

    /// Applies an object once the one of its name is gone.
    async fn apply_after(
        &self,
        step: &StepId,
        change: &Change,
        object: Option<Object>,
        leaving: Leaving<'_>,
    ) -> Result<Done, ApplyError> {
        match self.gone(step, &change.object, leaving).await? {
            Waited::Met => self.apply(&step.unit, change, object).await.map(Done::Applied),
            Waited::Stopped => Ok(Done::Stopped),
            Waited::Timeout(unmet) | Waited::Vain(unmet) => Err(ApplyError::Timeout {
                unit: step.unit.clone(),
                waited: self.deadline.after,
                unmet: Box::new(unmet),
                warnings: vec![],
            }),
        }
    }

    /// Waits until an object is gone, and says what keeps it.
    async fn gone(
        &self,
        step: &StepId,
        object: &ObjectRef,
        leaving: Leaving<'_>,
    ) -> Result<Waited, ApplyError> {
        let target = (self.cluster.name().clone(), object.clone());
        let targets = std::slice::from_ref(&target);
        let mut said: Option<Unmet> = None;
        let mut look = |seen: &Sightings| {
            let is_another = |live: &Object| match leaving {
                Leaving::Ours => false,
                Leaving::Others { uid } => live.uid() != Some(uid),
            };
            if seen.get(&target).is_some_and(is_another) {
                return Look::Met;
            }
            let unmet = done::still_there(targets, seen);
            if let Some(unmet) = unmet.as_ref().filter(|unmet| said.as_ref() != Some(*unmet)) {
                said = Some(unmet.clone());
                // A run that nobody looks at goes on.
                let _ = self.events.send(Event::Waiting { step: step.clone(), unmet: unmet.clone() });
            }
            unmet.into()
        };
        let label = Some((self.label.0.as_str(), self.label.1.as_str()));
        let wait = Wait { targets, label, deadline: self.deadline };
        let cluster = |name: &ClusterName| (name == self.cluster.name()).then(|| self.cluster.clone());
        let (mut seen, mut stop) = (Sightings::new(), self.stop.clone());
        let waited = wait.until(cluster, &mut seen, &mut stop, &mut look).await;
        match (leaving, waited) {
            // The roles of an apply let it watch what it may delete itself, and of the rest no more than read.
            (Leaving::Others { .. }, Err(ClusterError { fault: Fault::Forbidden(_), .. })) => {
                self.read_until(&target, look).await
            }
            (Leaving::Ours | Leaving::Others { .. }, waited) => Ok(waited?),
        }
    }

    /// Reads an object again and again until it is as it should be.
    async fn read_until(
        &self,
        target: &(ClusterName, ObjectRef),
        mut look: impl FnMut(&Sightings) -> Look,
    ) -> Result<Waited, ApplyError> {
        loop {
            let mut seen = Sightings::new();
            if let Some(live) = self.cluster.find(&target.1).await? {
                seen.insert(target.clone(), live);
            }
            let lacks = match look(&seen) {
                Look::Met => return Ok(Waited::Met),
                Look::Vain(unmet) => return Ok(Waited::Vain(unmet)),
                Look::Lacks(unmet) => unmet,
            };
            if *self.stop.borrow() == Stop::Finish {
                return Ok(Waited::Stopped);
            }
            if tokio::time::Instant::now() >= self.deadline.at {
                return Ok(Waited::Timeout(lacks));
            }
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(READ_PAUSE) => {}
                // One whose stopper is gone can no longer be stopped.
                _ = stop.changed(), if stop.has_changed().is_ok() => {}
            }
        }
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

//! One step: fill, send, wait, and give what others need.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::registered::{self, Registered};
use super::run::Run;
use super::send::{Sender, Sent};
use super::wait::{Deadline, Look, Sightings, Wait, Waited};
use super::{ApplyError, Counts, Event, Evidence, Stop, fill, trouble};
use crate::cluster::together;
use crate::compile::{DesiredUnit, Done, Hole, Minted, PART_OF, Value, Values, applyset_id};
use crate::graph::UnitKind;
use crate::object::{Object, ObjectRef};
use crate::plan::{Mode, Step, Unmet, done};
use crate::topology::ClusterName;

/// How many objects a condition's first look reads at once.
const SIDE_BY_SIDE: usize = 8;

/// How a step ended.
pub(super) enum Ended {
    /// Done; for a remote secret with the evidence that there is.
    Done(Counts, Option<Evidence>),
    /// The run was stopped.
    Stopped,
}

/// Whose objects are waited for: ours carry the label of our apply set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Others,
}

/// Runs one step to its end.
pub(super) async fn perform(run: &Arc<Run>, step: &Step) -> Result<Ended, ApplyError> {
    let deadline = run.deadline(&step.unit);
    let sender = run.sender(&step.unit.cluster, deadline)?;
    let is_namespace = step.unit.kind == UnitKind::Namespace;
    // The inventory lies in the mesh namespace: it is written as soon as that is there, and goes with it.
    match run.plan.mode {
        Mode::Apply if is_namespace => {}
        Mode::Apply => sender.ledger.open().await?,
        Mode::Destroy => sender.ledger.note_saved().await?,
    }
    if run.plan.mode == Mode::Destroy && is_namespace {
        run.leases.leave(&step.unit.cluster);
    }
    let desired = step.desired.as_ref().filter(|_| run.plan.mode == Mode::Apply);
    let theirs = desired.filter(|_| step.others_install());
    // What goes beside a release of others is sent once that serves: its webhooks may refuse all until then.
    if let Some(theirs) = theirs
        && !is_ready(run, step, theirs, deadline, Sightings::new()).await?
    {
        return Ok(Ended::Stopped);
    }
    let sent = send(run, step, &sender).await?;
    // Where the lease waits for this very namespace, the next step of the cluster writes it.
    if run.plan.mode == Mode::Apply && is_namespace && run.leases.covers(&step.unit.cluster) {
        sender.ledger.open().await?;
    }
    if sent.stopped {
        return Ok(Ended::Stopped);
    }
    if !sent.deleted.is_empty() && !are_gone(run, step, &sender, &sent).await? {
        return Ok(Ended::Stopped);
    }
    let Some(desired) = desired.filter(|_| theirs.is_none()) else {
        return Ok(Ended::Done(sent.counts, None));
    };
    if !is_ready(run, step, desired, deadline, sent.objects).await? {
        return Ok(Ended::Stopped);
    }
    let Some(registered) = registered(step, desired) else { return Ok(Ended::Done(sent.counts, None)) };
    match registered::evidence(run, step, deadline, &registered).await? {
        Some(evidence) => Ok(Ended::Done(sent.counts, Some(evidence))),
        None => Ok(Ended::Stopped),
    }
}

/// What the step's remote secret leads to; none where it has none.
fn registered<'s>(step: &'s Step, desired: &'s DesiredUnit) -> Option<Registered<'s>> {
    let Done::Registered { cluster, effects } = &desired.done else { return None };
    let secret = step.changes.iter().find(|change| change.desired.is_some()).map(|change| &change.object);
    Some(Registered { cluster, effects: effects.as_deref(), secret })
}

/// Fills the step's objects and sends them.
async fn send(run: &Arc<Run>, step: &Step, sender: &Sender) -> Result<Sent, ApplyError> {
    let minted = run.mint.issue(&run.plan, &step.unit, &step.open, |name| run.cluster(name)).await?;
    // By it the control plane that comes after starts anew; of all that is minted it alone is for others.
    let digest = Hole::Minted { cluster: step.unit.cluster.clone(), piece: Minted::RootDigest };
    if let Some(Value::Public(text)) = minted.get(&digest) {
        let mut learned = Values::default();
        learned.insert(digest, text.as_str());
        run.learn(learned);
    }
    let mut live = Sightings::new();
    let here = |object: ObjectRef| (step.unit.cluster.clone(), object);
    look(run, &fill::to_look_at(step).into_iter().map(here).collect::<Vec<_>>(), &mut live).await?;
    let live = live.into_iter().map(|((_, name), object)| (name, object)).collect();
    let objects = {
        let mut values = run.values.lock().unwrap_or_else(PoisonError::into_inner).clone();
        values.extend(minted);
        fill::objects(&run.plan.mesh, step, &values, &live)?
    };
    let of = step.writes().count();
    let (events, id) = (run.events.clone(), step.id());
    let progress = move |sent| {
        // A run that nobody looks at goes on.
        let _ = events.send(Event::Applied { step: id.clone(), sent, of });
    };
    sender.send(step, objects, progress).await
}

/// Waits until what was deleted is gone, and takes it out of the inventory.
async fn are_gone(run: &Arc<Run>, step: &Step, sender: &Sender, sent: &Sent) -> Result<bool, ApplyError> {
    let targets = &sent.deleted;
    let mut seen = Sightings::new();
    let look = |seen: &Sightings| done::still_there(targets, seen).into();
    if !wait(run, step, sender.deadline, (targets, Whose::Ours), &mut seen, look).await? {
        return Ok(false);
    }
    for (_, object) in targets {
        sender.ledger.forget(object).await;
    }
    Ok(true)
}

/// Waits until the unit's condition holds, and notes what it gives to others.
async fn is_ready(
    run: &Arc<Run>,
    step: &Step,
    desired: &DesiredUnit,
    deadline: Deadline,
    mut seen: Sightings,
) -> Result<bool, ApplyError> {
    let unit = &step.unit;
    let objects = conditioned(step, desired);
    let targets = done::reads(unit, &desired.done, &objects);
    look(run, &targets, &mut seen).await?;
    let lacks = |seen: &Sightings| done::unmet(unit, &desired.done, &objects, seen);
    // A time of the topology's own says how long to wait, whatever Kubernetes thinks of it.
    let is_patient = run.plan.timeout(unit).is_some();
    let failed = done::failed_since(unit, &desired.done, &seen);
    let look = |seen: &Sightings| match lacks(seen) {
        None => Look::Met,
        Some(unmet) => match done::failed_since(unit, &desired.done, seen) {
            // What it failed at before this change may be mended by it, and stays until there is progress.
            since @ Some(_) if since != failed && !is_patient => Look::Vain(unmet),
            Some(_) | None => Look::Lacks(unmet),
        },
    };
    let whose = if desired.done.is_about_others() { Whose::Others } else { Whose::Ours };
    let waited_for = (targets.as_slice(), whose);
    if lacks(&seen).is_some() && !wait(run, step, deadline, waited_for, &mut seen, look).await? {
        return Ok(false);
    }
    run.learn(done::outputs(unit, &desired.done, &seen, &run.plan.in_use));
    Ok(true)
}

/// The objects that a unit's condition is about. Where it is that they exist, those that were
/// just written are the ones to look at; the plan saw the others.
fn conditioned(step: &Step, desired: &DesiredUnit) -> Vec<ObjectRef> {
    let of_all = || step.changes.iter().filter(|change| change.desired.is_some());
    match desired.done {
        Done::Exists | Done::Registered { effects: None, .. } => of_all()
            .filter(|change| change.action.writes() || step.unmet.is_some())
            .map(|change| change.object.clone())
            .collect(),
        Done::Established
        | Done::RolledOut { .. }
        | Done::ControlPlane { .. }
        | Done::Installed(_)
        | Done::Gateway { .. }
        | Done::Address { .. }
        | Done::Token { .. }
        | Done::Registered { effects: Some(_), .. } => of_all().map(|change| change.object.clone()).collect(),
    }
}

/// Reads what a condition looks at and the step did not just write.
async fn look(
    run: &Arc<Run>,
    targets: &[(ClusterName, ObjectRef)],
    seen: &mut Sightings,
) -> Result<(), ApplyError> {
    let unseen: Vec<_> = targets.iter().filter(|target| !seen.contains_key(target)).cloned().collect();
    let reads: Vec<_> = unseen
        .into_iter()
        .filter_map(|(name, object)| {
            let cluster = run.cluster(&name)?;
            Some(async move {
                let found = cluster.find(&object).await;
                (name, object, found)
            })
        })
        .collect();
    for (name, object, found) in together(SIDE_BY_SIDE, reads).await {
        if let Some(found) = found? {
            seen.insert((name, object), found);
        }
    }
    Ok(())
}

/// Waits, and says so whenever what is lacking changes. False where the run stops.
async fn wait(
    run: &Arc<Run>,
    step: &Step,
    deadline: Deadline,
    (targets, whose): (&[(ClusterName, ObjectRef)], Whose),
    seen: &mut Sightings,
    look: impl Fn(&Sightings) -> Look,
) -> Result<bool, ApplyError> {
    let id = applyset_id(&run.plan.mesh);
    let label = match whose {
        Whose::Ours => Some((PART_OF, id.as_str())),
        Whose::Others => None,
    };
    let wait = Wait { targets, label, deadline };
    let mut said: Option<Unmet> = None;
    let mut stop = run.stop.clone();
    let waiting = run.activity.wait();
    let waited = wait.until(
        |name| run.cluster(name),
        seen,
        &mut stop,
        |seen| {
            let look = look(seen);
            if let Look::Lacks(unmet) = &look
                && said.as_ref() != Some(unmet)
            {
                said = Some(unmet.clone());
                run.tell(Event::Waiting { step: step.id(), unmet: unmet.clone() });
            }
            look
        },
    );
    let waited = waited.await;
    drop(waiting);
    match waited? {
        Waited::Met => Ok(true),
        Waited::Stopped => Ok(false),
        Waited::Timeout(unmet) => Err(ApplyError::Timeout {
            unit: step.unit.clone(),
            waited: deadline.after,
            warnings: {
                let mut warnings = troubles(run, targets, seen, &unmet.facts).await;
                if let Some(registered) = step.desired.as_ref().and_then(|desired| registered(step, desired))
                {
                    warnings.extend(registered::facts(run, &step.unit.cluster, &registered).await);
                }
                warnings
            },
            unmet: Box::new(unmet),
        }),
        Waited::Vain(unmet) => Err(ApplyError::Failed {
            unit: step.unit.clone(),
            warnings: troubles(run, targets, seen, &unmet.facts).await,
            unmet: Box::new(unmet),
        }),
    }
}

/// What Kubernetes recorded of the objects of a wait, cluster after cluster.
async fn troubles(
    run: &Run,
    targets: &[(ClusterName, ObjectRef)],
    seen: &Sightings,
    said: &[String],
) -> Vec<String> {
    let mut by_cluster: BTreeMap<&ClusterName, Vec<&Object>> = BTreeMap::new();
    for target in targets {
        if let Some(object) = seen.get(target) {
            by_cluster.entry(&target.0).or_default().push(object);
        }
    }
    let mut lines = Vec::new();
    for (name, objects) in by_cluster {
        if let Some(cluster) = run.cluster(name) {
            lines.extend(trouble::lines(&cluster, &objects, said).await);
        }
    }
    lines
}

impl Run {
    /// Notes values that are known from now on.
    fn learn(&self, values: Values) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).extend(values);
    }

    /// Whether the run is asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow() == Stop::Finish
    }
}

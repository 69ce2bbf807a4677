//! Whether istiod uses a remote secret: its own word where it is to be had, else what its condition saw.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::clusterz::{self, Answer};
use super::run::Run;
use super::wait::Deadline;
use super::{ApplyError, Event, Evidence, Stop};
use crate::compile::Effects;
use crate::object::ObjectRef;
use crate::plan::{Step, Unmet};
use crate::topology::ClusterName;

/// The pause before istiod is asked again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause. istiod reads a cluster within seconds, or not until something is mended.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a remote secret leads to.
pub(super) struct Registered<'d> {
    /// The cluster that it leads to.
    pub(super) cluster: &'d ClusterName,
    /// What istiod leaves in that cluster, which has been seen.
    pub(super) effects: Option<&'d Effects>,
    /// The secret; none where this step does not ask for it any more.
    pub(super) secret: Option<&'d ObjectRef>,
}

/// Waits until every ready istiod says that it has synced the cluster, where they can be asked; says what
/// is known then. None where the run stops.
///
/// For a primary that serves the cluster its effects there have been seen before: `synced` alone does not
/// mean that it was allowed to leave any (`pilot/pkg/bootstrap/istio_ca.go`, 1.30.3), and the pods of the
/// steps behind this one need them.
pub(super) async fn evidence(
    run: &Arc<Run>,
    step: &Step,
    deadline: Deadline,
    registered: &Registered<'_>,
) -> Result<Option<Evidence>, ApplyError> {
    let otherwise = if registered.effects.is_some() { Evidence::Effects } else { Evidence::Written };
    let primary = &step.unit.cluster;
    let (Some(istiods), Some(secret)) = (run.istiods(primary), registered.secret) else {
        return Ok(Some(otherwise));
    };
    let Some(planned) = run.plan.clusters.get(registered.cluster) else { return Ok(Some(otherwise)) };
    let mut said: Option<Unmet> = None;
    let mut stop = run.stop.clone();
    let mut stoppable = true;
    let mut pause = PAUSE;
    loop {
        let answer = istiods.ask(Instant::now()).await;
        let unmet = match &*answer {
            Answer::Refused(why) => {
                if istiods.is_news() {
                    let note = format!("istiod of {primary} cannot be asked whether it has synced: {why}");
                    run.tell(Event::Noted { step: step.id(), note });
                }
                return Ok(Some(otherwise));
            }
            Answer::Listed(listed) => {
                clusterz::lacks(listed, primary.as_str(), &planned.facts.id, &secret.name)
            }
        };
        let Some(unmet) = unmet else { return Ok(Some(Evidence::Synced)) };
        if Instant::now() >= deadline.at {
            return Err(ApplyError::Timeout {
                unit: step.unit.clone(),
                waited: deadline.after,
                unmet: Box::new(unmet),
                warnings: Vec::new(),
            });
        }
        if said.as_ref() != Some(&unmet) {
            run.tell(Event::Waiting { step: step.id(), unmet: unmet.clone() });
            said = Some(unmet);
        }
        let again = (Instant::now() + pause).min(deadline.at);
        pause = (pause * 2).min(LONGEST_PAUSE);
        let _waiting = run.activity.wait();
        loop {
            if *stop.borrow() == Stop::Finish {
                return Ok(None);
            }
            tokio::select! {
                () = tokio::time::sleep_until(again) => break,
                // A run whose stopper is gone can no longer be stopped.
                changed = stop.changed(), if stoppable => stoppable = changed.is_ok(),
            }
        }
    }
}

/// What the istiods of a primary lack, in their own words, while the effects in a cluster are waited for in vain.
pub(super) async fn facts(run: &Run, primary: &ClusterName, registered: &Registered<'_>) -> Vec<String> {
    let (Some(istiods), Some(secret)) = (run.istiods(primary), registered.secret) else { return Vec::new() };
    let Some(planned) = run.plan.clusters.get(registered.cluster) else { return Vec::new() };
    match &*istiods.ask(Instant::now()).await {
        Answer::Refused(_) => Vec::new(),
        Answer::Listed(listed) => {
            let id = &planned.facts.id;
            clusterz::lacks(listed, primary.as_str(), id, &secret.name)
                .map_or_else(Vec::new, |unmet| unmet.facts)
        }
    }
}

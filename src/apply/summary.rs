//! What came of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Counts;
use crate::diagnostic::Failure;
use crate::plan::StepId;
use crate::topology::ClusterName;

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Why it did not begin, but for namespaces: another run holds a lease, or the plan no longer fits.
    pub refused: Option<Failure>,
    /// What became of each step.
    pub steps: BTreeMap<StepId, StepOutcome>,
    /// What became of the objects of all steps.
    pub counts: Counts,
    /// What went wrong beside the steps: an inventory that could not be written.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub elapsed: Duration,
    /// For how long of that it did nothing but wait until objects were as others need them.
    pub waited: Duration,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepOutcome {
    /// There was nothing to do.
    Idle,
    /// It is done.
    Done(Counts),
    /// It failed.
    Failed(Failure),
    /// It was not started because a step that it waits for failed.
    HeldBack {
        /// That step, at whatever distance.
        by: StepId,
    },
    /// It was not started because a cluster could not be read.
    Unknown {
        /// Which.
        clusters: BTreeSet<ClusterName>,
    },
    /// The run was stopped before or while it ran.
    Stopped,
}

impl Summary {
    /// Whether every step is done.
    pub fn is_complete(&self) -> bool {
        self.refused.is_none()
            && self.failures.is_empty()
            && self.steps.values().all(|step| matches!(step, StepOutcome::Idle | StepOutcome::Done(_)))
    }

    /// Whether something failed, beside what could not be read.
    pub fn has_failed(&self) -> bool {
        self.refused.is_some()
            || !self.failures.is_empty()
            || self.steps.values().any(|step| matches!(step, StepOutcome::Failed(_)))
    }

    /// Whether it was stopped before its end.
    pub fn was_stopped(&self) -> bool {
        self.steps.values().any(|step| matches!(step, StepOutcome::Stopped))
    }

    /// How many steps did something and are done.
    pub fn steps_done(&self) -> usize {
        self.steps.values().filter(|step| matches!(step, StepOutcome::Done(_))).count()
    }

    /// The steps that a failed step holds back, in order.
    pub fn held_back_by<'s>(&'s self, failed: &'s StepId) -> impl Iterator<Item = &'s StepId> {
        self.steps
            .iter()
            .filter(move |(_, step)| matches!(step, StepOutcome::HeldBack { by } if by == failed))
            .map(|(step, _)| step)
    }
}

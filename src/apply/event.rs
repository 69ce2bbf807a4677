//! What happens while a plan runs: a closed list, for the view.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::Failure;
use crate::plan::{Action, StepId, Unmet};
use crate::topology::ClusterName;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A step has started.
    Started {
        /// Which.
        step: StepId,
    },
    /// One more change of a step has reached its cluster.
    Applied {
        /// Which.
        step: StepId,
        /// How many have by now.
        sent: usize,
        /// How many there are.
        of: usize,
    },
    /// A step waits, or waits for something else than before.
    Waiting {
        /// Which.
        step: StepId,
        /// What it waits for.
        unmet: Unmet,
    },
    /// Something about a step that is worth a line and changes nothing.
    Noted {
        /// The step.
        step: StepId,
        /// What.
        note: String,
    },
    /// A step is done.
    Done {
        /// Which.
        step: StepId,
        /// What became of its objects.
        counts: Counts,
        /// By what it is known that istiod uses a remote secret; none for steps of anything else.
        evidence: Option<Evidence>,
        /// How long it took.
        elapsed: Duration,
    },
    /// A step has failed.
    Failed {
        /// Which.
        step: StepId,
        /// Why.
        failure: Failure,
        /// How long it took.
        elapsed: Duration,
    },
    /// A step will not be started.
    HeldBack {
        /// Which.
        step: StepId,
        /// The failed step that it waits for, at whatever distance.
        by: StepId,
    },
    /// Something about the lease of a cluster.
    Lease {
        /// The cluster.
        cluster: ClusterName,
        /// What.
        news: LeaseNews,
    },
    /// The run was asked to stop: what runs is brought to an end, nothing new starts.
    Stopping,
}

/// What happens with the lease of a cluster before and after the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseNews {
    /// Another run holds it, and is waited for.
    Awaited {
        /// Who: `alice@laptop (pid 4711)`.
        holder: String,
        /// What it runs, and since when.
        what: Option<String>,
        /// How long it is waited for.
        limit: Duration,
    },
    /// Its holder gave no sign of life for longer than it lasts: it is watched whether that stays so.
    Doubted {
        /// Who.
        holder: String,
        /// For how long, as far as the times in the lease can be believed.
        silent: Option<Duration>,
        /// How long it is watched.
        watched: Duration,
    },
    /// Its holder was a process of this machine that has ended: it is taken over.
    Ended {
        /// Who.
        holder: String,
    },
    /// Nobody renewed it while it was watched: it is taken over.
    Expired {
        /// Who.
        holder: String,
    },
    /// It could not be given back, and runs out.
    Left {
        /// Why not.
        why: String,
        /// When it runs out.
        lasts: Duration,
    },
}

/// By what it is known that istiod uses a remote secret: the strongest evidence that was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Every ready istiod says that it has synced the cluster; where it serves that cluster, its effects
    /// were seen there too.
    Synced,
    /// istiod could not be asked; its effects were seen in the cluster that it serves.
    Effects,
    /// istiod could not be asked and leaves nothing in that cluster: the secret is written, no more is known.
    Written,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It did not exist and does now.
    Created,
    /// It existed and is ours now.
    Adopted,
    /// It was changed.
    Configured,
    /// It was deleted and made anew.
    Replaced,
    /// It is gone.
    Deleted,
    /// It stays without our fields.
    Released,
    /// It stays whole, for others to install from now on.
    HandedOver,
    /// It was as it should be.
    Unchanged,
    /// It was left as it is, though it is not as asked for.
    Kept,
}

impl Outcome {
    /// What an action leads to.
    pub fn of(action: Action) -> Self {
        match action {
            Action::Create => Self::Created,
            Action::Adopt => Self::Adopted,
            Action::Update => Self::Configured,
            Action::Replace => Self::Replaced,
            Action::Delete => Self::Deleted,
            Action::Release => Self::Released,
            Action::HandOver => Self::HandedOver,
            Action::Keep => Self::Kept,
            Action::NoOp => Self::Unchanged,
        }
    }

    /// The past tense: `created`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Configured => "configured",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
            Self::Released => "released",
            Self::HandedOver => "handed over",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
        }
    }
}

/// How many objects came to which outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(BTreeMap<Outcome, usize>);

impl Counts {
    /// One more.
    pub fn add(&mut self, outcome: Outcome) {
        *self.0.entry(outcome).or_default() += 1;
    }

    /// Those of another step.
    pub fn extend(&mut self, other: &Self) {
        for (outcome, count) in &other.0 {
            *self.0.entry(*outcome).or_default() += count;
        }
    }

    /// Each outcome that befell any, in the order of [`Outcome`].
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, usize)> {
        self.0.iter().map(|(outcome, count)| (*outcome, *count))
    }

    /// Those that were sent to a cluster.
    pub fn written(&self) -> usize {
        self.iter()
            .filter(|(outcome, _)| !matches!(outcome, Outcome::Unchanged | Outcome::Kept))
            .map(|(_, count)| count)
            .sum()
    }
}

//! Why a step failed.

use std::time::Duration;

use super::codes;
use crate::cluster::ClusterError;
use crate::compile::{CompileError, Hole};
use crate::diagnostic::{Failure, lasting};
use crate::graph::{Unit, UnitKind};
use crate::object::ObjectRef;
use crate::plan::Unmet;
use crate::plan::codes::PLAN_STALE;
use crate::topology::ClusterName;
use crate::trust::TrustError;

/// Why a step failed. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// A cluster said no, or nothing.
    #[error("{0}")]
    Cluster(#[source] Box<ClusterError>),
    /// The unit did not render with its values.
    #[error("{0}")]
    Compile(#[source] Box<CompileError>),
    /// A certificate could not be issued.
    #[error("{unit}: {source}")]
    Trust {
        /// The unit.
        unit: Unit,
        /// Why not.
        #[source]
        source: Box<TrustError>,
    },
    /// What is to be sent is not what the plan showed.
    #[error("{unit}: {object} is not what the plan showed: {why}")]
    Diverged {
        /// The unit.
        unit: Unit,
        /// The object.
        object: Box<ObjectRef>,
        /// The difference, without values.
        why: String,
    },
    /// An address that only turned out to be none when it was known.
    #[error("{}", .0.message)]
    Address(Box<Failure>),
    /// Holes that should be known by now and are not.
    #[error("{unit}: {} did not come about", .holes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    ValueMissing {
        /// The unit that needs them.
        unit: Unit,
        /// The holes.
        holes: Vec<Hole>,
    },
    /// Another run holds the lease of a cluster.
    #[error("{cluster} is being changed by {holder}")]
    LeaseHeld {
        /// The cluster.
        cluster: ClusterName,
        /// Who: `alice@laptop (pid 4711)`.
        holder: String,
        /// What it runs, and since when.
        what: Option<String>,
        /// How long ago it gave its last sign of life, by the cluster's clock.
        silent: Option<Duration>,
        /// How long the lease lasts after one.
        lasts: Duration,
    },
    /// The lease of a cluster is not ours any more.
    #[error("{cluster}: the lease of this run was lost: {why}")]
    LeaseLost {
        /// The cluster.
        cluster: ClusterName,
        /// How.
        why: String,
    },
    /// The inventory of a cluster is not the one that the plan was made from.
    #[error("{cluster} was changed by another run since the plan was made")]
    PlanStale {
        /// The cluster.
        cluster: ClusterName,
        /// What is different.
        why: String,
    },
    /// A wait came to its end.
    #[error("{unit} waited {} for {}", lasting(*.waited), .unmet.what)]
    Timeout {
        /// The unit.
        unit: Unit,
        /// How long.
        waited: Duration,
        /// What for, and what was seen instead.
        unmet: Box<Unmet>,
        /// What Kubernetes recorded of the objects.
        warnings: Vec<String>,
    },
    /// Kubernetes counts as failed what was waited for.
    #[error("{unit} waited for {} and Kubernetes counts it as failed", .unmet.what)]
    Failed {
        /// The unit.
        unit: Unit,
        /// What for, and what was seen instead.
        unmet: Box<Unmet>,
        /// What Kubernetes recorded of the objects.
        warnings: Vec<String>,
    },
}

impl ApplyError {
    /// For a view.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Cluster(error) => error.failure(),
            Self::Compile(error) => error.failure(),
            Self::Trust { unit, source } => {
                let mut failure = source.failure();
                failure.message = format!("{unit}: {}", failure.message);
                failure
            }
            Self::Diverged { .. } => Failure::new(&codes::PLAN_DIVERGED, self.to_string())
                .with_help("run the same command again: the new plan shows what comes of it"),
            Self::Address(failure) => (**failure).clone(),
            Self::ValueMissing { .. } => {
                Failure::new(&codes::VALUE_MISSING, self.to_string()).with_help("run the same command again")
            }
            Self::Failed { unit, unmet, warnings } => {
                let mut failure = Failure::new(&codes::DEPLOYMENT_FAILED, self.to_string());
                failure.facts.extend(unmet.facts.iter().chain(warnings).cloned());
                failure.with_help(format!(
                    "mend the cause and run the same command again; to wait longer, give the step a time of its \
                     own: clusters.{}.timeouts.{}",
                    unit.cluster,
                    unit.kind.name()
                ))
            }
            Self::LeaseHeld { what, silent, lasts, .. } => {
                let mut failure = Failure::new(&codes::LEASE_HELD, self.to_string());
                failure.facts.extend(what.clone());
                if let Some(silent) = silent {
                    let silent = Duration::from_secs(silent.as_secs());
                    failure.facts.push(format!(
                        "last sign of life {} ago; without another one the lease runs out after {}",
                        lasting(silent),
                        lasting(*lasts)
                    ));
                }
                failure.with_help(
                    "run the same command again once that is done, or let it wait: --lock-timeout 10m",
                )
            }
            Self::LeaseLost { .. } => Failure::new(&codes::LEASE_LOST, self.to_string())
                .with_fact("nothing more was written to this cluster")
                .with_help("see that no other run is at work there, then run the same command again"),
            Self::PlanStale { why, .. } => Failure::new(&PLAN_STALE, self.to_string())
                .with_fact(why.clone())
                .with_help("plan again: the new plan shows what is left to do"),
            Self::Timeout { unit, unmet, warnings, .. } => {
                let facts = unmet.facts.iter().chain(warnings);
                let mut failure = Failure::new(&codes::WAIT_TIMEOUT, self.to_string());
                failure.facts.extend(facts.cloned());
                match &unit.kind {
                    UnitKind::RemoteSecret(_)
                        if !unmet.facts.iter().any(|fact| fact.starts_with("MISSING")) =>
                    {
                        failure.with_help(
                            "istiod reads the annotation once, when it registers the cluster: where it came \
                             later, delete the remote secret and run the same command again",
                        )
                    }
                    _ => failure,
                }
            }
        }
    }
}

impl From<ClusterError> for ApplyError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

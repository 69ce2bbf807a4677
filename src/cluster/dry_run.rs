//! Server dry runs of the changes of a plan.

use std::collections::BTreeMap;

use super::{ApplyOptions, Cluster, ClusterError, Fault, Write, together};
use crate::plan::{Candidate, DryRun, DryRuns};
use crate::topology::ClusterName;

/// How many are under way at once.
const SIDE_BY_SIDE: usize = 16;

/// Asks each candidate's cluster what would come of it. Nothing is written.
pub async fn dry_runs(
    candidates: Vec<Candidate>,
    clusters: &BTreeMap<ClusterName, Cluster>,
    answers: &mut DryRuns,
) {
    let requests: Vec<_> = candidates
        .into_iter()
        .map(|candidate| {
            let cluster = clusters.get(&candidate.cluster).cloned();
            async move {
                let answer = match cluster {
                    Some(cluster) => ask(&cluster, &candidate).await,
                    None => DryRun::NotAsked,
                };
                (candidate, answer)
            }
        })
        .collect();
    for (candidate, answer) in together(SIDE_BY_SIDE, requests).await {
        answers.insert(candidate, answer);
    }
}

async fn ask(cluster: &Cluster, candidate: &Candidate) -> DryRun {
    let options = ApplyOptions { write: Write::DryRun, conflicts: candidate.conflicts };
    match cluster.apply(&candidate.object, options).await {
        Ok(object) => DryRun::Merged(object),
        Err(error) => answer(&error),
    }
}

/// What an error says of the change, where it says anything of it.
fn answer(error: &ClusterError) -> DryRun {
    match &error.fault {
        Fault::FieldConflict(causes) => DryRun::Conflict(causes.iter().map(ToString::to_string).collect()),
        Fault::Invalid { .. } | Fault::TooLarge => DryRun::Refused(error.failure()),
        // A webhook says no as a missing right does, and means the object.
        Fault::Forbidden(said) if said.contains("admission webhook") => DryRun::Refused(error.failure()),
        Fault::Forbidden(_) => DryRun::NotAllowed,
        // Without the kind or the namespace, or without an answer the plan goes on with what it has.
        Fault::Unreachable(_)
        | Fault::Silent(_)
        | Fault::Credentials(_)
        | Fault::Unauthorized(_)
        | Fault::KindUnknown(_)
        | Fault::KindUnsupported(_)
        | Fault::NotFound(_)
        | Fault::Changed
        | Fault::Expired
        | Fault::Server { .. }
        | Fault::Unintelligible(_) => DryRun::NotAsked,
    }
}

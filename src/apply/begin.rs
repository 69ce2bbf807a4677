//! Before the first step: the leases of all clusters that are written to, and whether the plan still fits.
//!
//! A lease lies in the mesh namespace. Where that is not there yet it is made first, and nothing else
//! is, anywhere, until every lease is held: of two first applies at once, one does all of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ApplyError;
use super::lease::{Absent, Taken, Wanted};
use super::run::{Run, Schedule};
use crate::cluster::{Cluster, together};
use crate::diagnostic::listed;
use crate::graph::UnitKind;
use crate::plan::{Inventory, Mode, inventory_ref};
use crate::topology::ClusterName;

/// How many inventories are read at once.
const SIDE_BY_SIDE: usize = 16;

/// Takes the leases of a run; an error is why it must not begin. What is held is given back by whoever
/// ends the run, in either case.
pub(super) async fn begin(run: &Arc<Run>, schedule: &mut Schedule<'_>) -> Result<(), ApplyError> {
    let clusters: Vec<Cluster> = run.written().await;
    if clusters.is_empty() {
        return Ok(());
    }
    let absent = match run.plan.mode {
        Mode::Apply => Absent::IsTold,
        Mode::Destroy => Absent::IsDenied,
    };
    let wanted = Wanted { clusters, mesh: run.plan.mesh.clone(), mode: run.plan.mode, absent };
    // A lease in a namespace that goes would go with it.
    let is_lasting = |cluster: &&Cluster| !run.plan.makes_namespace_anew(cluster.name());
    let lasting: Vec<Cluster> = wanted.clusters.iter().filter(is_lasting).cloned().collect();
    let first = Wanted { clusters: lasting, ..wanted.clone() };
    let Taken::But(absent) = run.leases.take(&first, &run.events, &run.stop).await? else { return Ok(()) };
    still_fits(run, &first).await?;
    let leaving = wanted.clusters.iter().filter(|cluster| !is_lasting(cluster)).map(Cluster::name);
    let without: BTreeSet<ClusterName> =
        absent.into_iter().map(|(name, _)| name).chain(leaving.cloned()).collect();
    if without.is_empty() {
        return Ok(());
    }
    schedule.admit(|step| step.unit.kind == UnitKind::Namespace && without.contains(&step.unit.cluster));
    schedule.follow(run).await;
    schedule.admit(|_| true);
    if run.is_stopping() {
        return Ok(());
    }
    // One that is still not there could not be made, which its step says, or was deleted since the plan was made.
    let wanted = Wanted { absent: Absent::IsDenied, ..wanted };
    let Taken::But(_) = run.leases.take(&wanted, &run.events, &run.stop).await? else { return Ok(()) };
    still_fits(run, &wanted).await
}

/// Whether the inventories are those that the plan was made from. Asked once the leases are held: from
/// then on nobody else writes them.
async fn still_fits(run: &Arc<Run>, wanted: &Wanted) -> Result<(), ApplyError> {
    let held = wanted.clusters.iter().filter(|cluster| run.leases.covers(cluster.name()));
    let reads: Vec<_> = held
        .map(|cluster| {
            let (cluster, parent) = (cluster.clone(), inventory_ref(&wanted.mesh));
            async move {
                let found = cluster.get(&parent).await;
                (cluster.name().clone(), found)
            }
        })
        .collect();
    for (name, found) in together(SIDE_BY_SIDE, reads).await {
        let stale = |why: String| Err(ApplyError::PlanStale { cluster: name.clone(), why });
        let found = match found {
            Ok(Some(object)) => match Inventory::from_object(&object, &name) {
                Ok(inventory) => Some(inventory),
                Err(fault) => return stale(format!("its inventory cannot be read any more: {fault}")),
            },
            Ok(None) => None,
            Err(error) => {
                run.leases.deny(name, error.into());
                continue;
            }
        };
        let planned = run.plan.clusters.get(&name).and_then(|cluster| cluster.inventory.as_ref());
        let planned = planned.filter(|_| !run.plan.makes_namespace_anew(&name));
        if found.as_ref() != planned {
            return stale(difference(planned, found.as_ref()));
        }
    }
    Ok(())
}

/// What tells two inventories apart, in a line.
fn difference(planned: Option<&Inventory>, found: Option<&Inventory>) -> String {
    let (Some(planned), Some(found)) = (planned, found) else {
        let what = if found.is_some() { "there is one now" } else { "it is gone" };
        return format!("its inventory: {what}");
    };
    let both = planned.entries.keys().chain(found.entries.keys());
    let mut names: Vec<String> = both
        .filter(|object| planned.entries.get(object) != found.entries.get(object))
        .map(ToString::to_string)
        .collect();
    names.sort();
    names.dedup();
    match names.as_slice() {
        [] => "its inventory is of another cluster or of other members".to_owned(),
        [_] | [_, _] | [_, _, _] => {
            format!("its inventory: {} differ", listed(names.iter().map(String::as_str)))
        }
        [first, .., last] => format!("its inventory: {} objects differ, {first} to {last}", names.len()),
    }
}

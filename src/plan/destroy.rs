//! The way back: what the inventories name, deleted in the reverse order.

use std::collections::{BTreeMap, BTreeSet};

use super::prune::{going_namespace, prunes};
use super::steps::{hold_back, planned_clusters, refuse_inventories, unread};
use super::{Change, Inputs, Live, Mode, Part, Plan, RootOutlook, Step};
use crate::compile::{Desired, Values};
use crate::diagnostic::Failure;
use crate::graph::{Unit, UnitKind};

/// What it takes to leave the clusters as they were before the first apply.
///
/// Bounded by the inventories: what they do not name stays. An inventory itself goes once every
/// step of its cluster is done, which is `apply`'s to do.
pub fn destroy(desired: &Desired, live: &Live, inputs: &Inputs) -> Result<Plan, Vec<Failure>> {
    refuse_inventories(desired, live)?;
    let unknown = unread(desired, live);
    let mut changes: BTreeMap<Unit, Vec<Change>> = BTreeMap::new();
    for name in desired.clusters.keys() {
        if let Some(cluster) = live.cluster(name) {
            changes.extend(prunes(desired, cluster, &BTreeSet::new()));
            let namespace = Unit::new(name, UnitKind::Namespace);
            changes.extend(
                going_namespace(desired, cluster, &namespace).map(|change| (namespace, vec![change])),
            );
        }
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut stages: BTreeMap<Unit, usize> = BTreeMap::new();
    for (unit, after) in reversed(desired, changes.keys()) {
        if unknown.contains_key(&unit.cluster) {
            continue;
        }
        let stage = 1 + after.iter().filter_map(|first| stages.get(first)).max().copied().unwrap_or(0);
        stages.insert(unit.clone(), stage);
        steps.push(Step {
            stage,
            after: after.into_iter().map(Into::into).collect(),
            changes: changes.remove(&unit).unwrap_or_default(),
            unit,
            part: Part::Unit,
            desired: None,
            open: Vec::new(),
            unmet: None,
            held_by: BTreeSet::new(),
            wave: None,
        });
    }
    steps.sort_by(|a, b| (a.stage, &a.unit).cmp(&(b.stage, &b.unit)));
    hold_back(&mut steps, desired.units.iter().map(|unit| &unit.unit), &unknown);
    Ok(Plan {
        mode: Mode::Destroy,
        at: inputs.now,
        mesh: desired.mesh.clone(),
        root: RootOutlook::None,
        clusters: planned_clusters(desired, live),
        steps,
        waves: Vec::new(),
        unknown,
        estimated: BTreeSet::new(),
        values: Values::default(),
        in_use: Values::default(),
    })
}

/// The units with what goes before each, in an order in which that stands before it: first those that the
/// topology no longer has, then the graph's, each after what waited for it.
fn reversed<'u>(desired: &Desired, recorded: impl Iterator<Item = &'u Unit>) -> Vec<(Unit, Vec<Unit>)> {
    let known: BTreeSet<&Unit> = desired.units.iter().map(|unit| &unit.unit).collect();
    let mut gone: Vec<Unit> = recorded.filter(|unit| !known.contains(*unit)).cloned().collect();
    gone.sort_by(|a, b| (b.kind.number(), a).cmp(&(a.kind.number(), b)));
    let mut waited_for: BTreeMap<&Unit, BTreeSet<Unit>> = BTreeMap::new();
    for unit in &desired.units {
        for edge in &unit.after {
            waited_for.entry(&edge.unit).or_default().insert(unit.unit.clone());
        }
    }
    let mut order: Vec<(Unit, Vec<Unit>)> = Vec::new();
    for unit in &gone {
        let is_later =
            |other: &&Unit| other.cluster == unit.cluster && other.kind.number() > unit.kind.number();
        order.push((unit.clone(), gone.iter().filter(is_later).cloned().collect()));
    }
    for unit in desired.units.iter().rev() {
        let mut after = waited_for.remove(&unit.unit).unwrap_or_default();
        after.extend(gone.iter().filter(|gone| gone.cluster == unit.unit.cluster).cloned());
        order.push((unit.unit.clone(), after.into_iter().collect()));
    }
    order
}

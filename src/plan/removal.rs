//! Removals: the steps by which what nobody asks for any more goes.
//!
//! What is to go leaves `prune`, unit by unit; steps leave here. They come after every step that makes or
//! changes something, in whichever cluster: what replaces them stands by then, and whoever leaned on
//! them has moved away. Two kinds go first instead: what would keep a new form from coming about, and what is
//! left to others, whose own tools may not touch it while it is ours.

use std::collections::BTreeSet;

use super::{Change, Part, Step, StepId};
use crate::compile::RootFacts;
use crate::graph::{Unit, UnitKind};

/// Adds the steps that take away what is `gone` to those that stay.
pub(super) fn add_removals(steps: &mut Vec<Step>, gone: Vec<(Unit, Vec<Change>)>, root: &RootFacts) {
    let mut removals = removals(gone, steps);
    for removal in &mut removals {
        let Some(waiting) = first_for(removal, root) else { continue };
        let waiting = steps.iter_mut().find(|step| step.unit == waiting && step.part == Part::Unit);
        if let Some(step) = waiting {
            step.after.push(removal.id());
        } else if !removal.hands_over() {
            continue;
        }
        removal.after.clear();
        removal.stage = 1;
    }
    steps.extend(removals);
    steps.sort_by_key(|step| (step.stage, step.id()));
}

/// The unit that waits for a removal, where that goes first. An istiod that finds a `cacerts` when it starts
/// signs with it, though it is to sign for itself; and nobody installs what is not theirs yet.
fn first_for(removal: &Step, root: &RootFacts) -> Option<Unit> {
    if removal.hands_over() {
        return Some(removal.unit.clone());
    }
    let stands_in_the_way = removal.unit.kind == UnitKind::Trust && *root == RootFacts::Istiod;
    stands_in_the_way.then(|| Unit::new(&removal.unit.cluster, UnitKind::ControlPlane))
}

fn removals(gone: Vec<(Unit, Vec<Change>)>, steps: &[Step]) -> Vec<Step> {
    if gone.is_empty() {
        return Vec::new();
    }
    let standing: BTreeSet<&Unit> = steps.iter().map(|step| &step.unit).collect();
    let writing: Vec<StepId> = steps.iter().filter(|step| !step.is_done()).map(Step::id).collect();
    let last = steps.iter().map(|step| step.stage).max().unwrap_or(0);
    let numbers: BTreeSet<u8> = gone.iter().map(|(unit, _)| unit.kind.number()).collect();
    let named: Vec<StepId> = gone
        .iter()
        .map(|(unit, _)| {
            let part = if standing.contains(unit) { Part::Leftovers } else { Part::Unit };
            StepId { unit: unit.clone(), part }
        })
        .collect();
    let step = |(id, changes): (&StepId, Vec<Change>)| {
        let number = id.unit.kind.number();
        let before = named.iter().filter(|other| goes_before(&other.unit, &id.unit)).cloned();
        Step {
            after: writing.iter().cloned().chain(before).collect(),
            stage: last + 1 + numbers.iter().filter(|other| **other > number).count(),
            unit: id.unit.clone(),
            part: id.part,
            changes,
            desired: None,
            open: Vec::new(),
            unmet: None,
            held_by: BTreeSet::new(),
            wave: None,
        }
    };
    named.iter().zip(gone.into_iter().map(|(_, changes)| changes)).map(step).collect()
}

/// Whether a removal waits for another: in one cluster the later units go first, and nobody keeps a
/// credential that no longer leads anywhere.
///
/// Always from a higher file number to a lower one, so that no circle can come about.
fn goes_before(first: &Unit, then: &Unit) -> bool {
    let is_later = first.kind.number() > then.kind.number();
    let leads_there = first.kind == UnitKind::RemoteSecret(then.cluster.clone());
    is_later && (first.cluster == then.cluster || leads_there)
}

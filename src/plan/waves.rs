//! Waves: the order of the steps that restart something or cut traffic.
//!
//! The steps of a plan and the rollout of its topology enter; the same steps leave, each that disrupts
//! with the number of its wave and waiting for the waves before it. What disrupts nothing waits for no
//! wave of its own.
//!
//! A step never overtakes what it needs. Its *level* is the wave of its cluster, or that of a step
//! that it waits for, at whatever distance, if that is later. Along the graph's edges levels never
//! fall, and a wave's edges lead from lower levels to higher ones: so they close no circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{Step, StepId};
use crate::topology::{ClusterName, Rollout};

/// What a step is to the waves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// It disrupts: it goes in a wave.
    Disrupts,
    /// It is not healthy from before: later waves wait for it, it waits for none.
    Gate,
    /// None.
    None,
}

/// Puts steps that disrupt in waves, and gives the clusters of each.
///
/// `steps` come in an order in which what a step waits for stands before it, and so they leave.
/// `unknown` are clusters of which nothing is known: where the file names the waves, what comes after
/// them is held back.
pub(super) fn in_waves<'u>(
    steps: &mut [Step],
    rollout: &Rollout,
    unknown: impl Iterator<Item = &'u ClusterName> + Clone,
) -> Vec<BTreeSet<ClusterName>> {
    let shares: Vec<Share> = steps.iter().map(share).collect();
    if !shares.contains(&Share::Disrupts) {
        return Vec::new();
    }
    let levels = levels(steps, &shares, rollout);
    let disrupting = |place: &usize| shares[*place] == Share::Disrupts;
    let numbers: BTreeSet<usize> = (0..steps.len()).filter(disrupting).map(|place| levels[place]).collect();
    let numbers: Vec<usize> = numbers.into_iter().collect();

    let mut waves = vec![BTreeSet::new(); numbers.len()];
    let mut first: BTreeMap<usize, Vec<StepId>> = BTreeMap::new();
    for (wave, level) in numbers.iter().enumerate() {
        // What stands before the wave before is waited for by that one.
        let before = wave.checked_sub(1).map_or(0, |before| numbers[before]);
        let waited_for = (0..steps.len()).filter(|place| match shares[*place] {
            Share::Disrupts => levels[*place] == before,
            Share::Gate => (before..*level).contains(&levels[*place]),
            Share::None => false,
        });
        first.insert(*level, waited_for.map(|place| steps[place].id()).collect());
    }
    for (place, step) in steps.iter_mut().enumerate().filter(|(place, _)| disrupting(place)) {
        let level = levels[place];
        let wave = numbers.partition_point(|number| *number < level);
        waves[wave].insert(step.unit.cluster.clone());
        step.wave = Some(wave + 1);
        let earlier = &first[&level];
        step.after
            .extend(earlier.iter().filter(|first| !step.after.contains(first)).cloned().collect::<Vec<_>>());
        let out_of_sight = unknown.clone().filter(|name| {
            let wave = rollout.waves.iter().position(|wave| wave.contains(*name));
            wave.is_some_and(|wave| wave < rollout.declared && wave + 1 < level)
        });
        step.held_by.extend(out_of_sight.cloned());
    }
    restage(steps);
    waves
}

fn share(step: &Step) -> Share {
    if step.disrupts() {
        Share::Disrupts
    } else if step.is_rolling_out() {
        Share::Gate
    } else {
        Share::None
    }
}

/// The level of each step; 0 is before all waves. Removals have waves of their own, after the others.
fn levels(steps: &[Step], shares: &[Share], rollout: &Rollout) -> Vec<usize> {
    let mut known: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut levels = Vec::with_capacity(steps.len());
    for (step, share) in steps.iter().zip(shares) {
        let own = match share {
            Share::None => 0,
            Share::Disrupts | Share::Gate => {
                let wave = rollout.waves.iter().position(|wave| wave.contains(&step.unit.cluster));
                let wave = wave.unwrap_or(rollout.waves.len()) + 1;
                if step.desired.is_none() { wave + rollout.waves.len() + 1 } else { wave }
            }
        };
        let level = step.after.iter().filter_map(|first| known.get(first)).copied().fold(own, usize::max);
        known.insert(step.id(), level);
        levels.push(level);
    }
    levels
}

/// Moves each step behind the stages of all that it waits for.
fn restage(steps: &mut [Step]) {
    let places: BTreeMap<StepId, usize> =
        steps.iter().enumerate().map(|(place, step)| (step.id(), place)).collect();
    let mut waiting: Vec<usize> = Vec::with_capacity(steps.len());
    let mut unblocks: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (place, step) in steps.iter().enumerate() {
        let first: Vec<usize> = step.after.iter().filter_map(|first| places.get(first)).copied().collect();
        first.iter().for_each(|first| unblocks[*first].push(place));
        waiting.push(first.len());
    }
    let mut ready: Vec<usize> = (0..steps.len()).filter(|place| waiting[*place] == 0).collect();
    while let Some(place) = ready.pop() {
        let stage = steps[place].stage;
        for then in &unblocks[place] {
            steps[*then].stage = steps[*then].stage.max(stage + 1);
            waiting[*then] -= 1;
            if waiting[*then] == 0 {
                ready.push(*then);
            }
        }
    }
    debug_assert!(waiting.iter().all(|left| *left == 0), "no step waits for itself");
    steps.sort_by_key(|step| (step.stage, step.id()));
}

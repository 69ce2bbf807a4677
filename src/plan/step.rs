//! A plan: steps in order, each a unit's changes and what it waits for.

use std::collections::BTreeMap;

use super::Change;
use crate::compile::{DesiredCluster, DesiredUnit, Hole, MeshFacts};
use crate::diagnostic::Failure;
use crate::graph::Unit;
use crate::topology::ClusterName;

/// Which way a plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Towards what the topology asks for.
    Apply,
    /// Back to what was there before.
    Destroy,
}

/// What is to be done, and everything that `apply` needs to do it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Which way.
    pub mode: Mode,
    /// The mesh.
    pub mesh: MeshFacts,
    /// The clusters of the topology.
    pub clusters: BTreeMap<ClusterName, DesiredCluster>,
    /// Every unit, changed or not, in the order of its stages.
    pub steps: Vec<Step>,
    /// Clusters that could not be read: their steps are unknown and are not run.
    pub unknown: BTreeMap<ClusterName, Failure>,
}

/// The executor's atom: a unit's changes and its wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The unit.
    pub unit: Unit,
    /// Its stage, from 1.
    pub stage: usize,
    /// The steps that must be done first.
    pub after: Vec<Unit>,
    /// The changes, no-ops among them, in apply order.
    pub changes: Vec<Change>,
    /// The desired unit with its holes, for `apply` to fill; none where the topology no longer has the unit.
    pub desired: Option<DesiredUnit>,
    /// Holes whose value is known only after apply.
    pub open: Vec<Hole>,
    /// What its condition still lacks in the live state.
    pub unmet: Option<Unmet>,
}

/// What a condition lacks: for the progress line and for the error of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What is waited for: `an address on Service istio-system/istio-eastwestgateway`.
    pub what: String,
    /// What was seen instead, and what it would take: one line each.
    pub facts: Vec<String>,
}

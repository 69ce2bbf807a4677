//! A plan: steps in order, each a unit's changes and what it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Action, Change, Inventory};
use crate::compile::{DesiredCluster, DesiredUnit, Hole, MeshFacts, Values};
use crate::diagnostic::Failure;
use crate::graph::{Unit, UnitKind, UnknownUnit};
use crate::object::ObjectRef;
use crate::topology::ClusterName;

/// Which way a plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// When it was made: what ages are counted from. Must not decide anything.
    pub at: Timestamp,
    /// The mesh.
    pub mesh: MeshFacts,
    /// Whom the certificates that it issues go back to.
    pub root: RootOutlook,
    /// The clusters of the topology.
    pub clusters: BTreeMap<ClusterName, PlannedCluster>,
    /// Every unit of the clusters that were read, changed or not, in the order of its stages.
    pub steps: Vec<Step>,
    /// The clusters of each wave of what restarts something or cuts traffic. A wave is waited for in
    /// `after`; this is to be told.
    pub waves: Vec<BTreeSet<ClusterName>>,
    /// Clusters that could not be read: their steps are unknown and are not run.
    pub unknown: BTreeMap<ClusterName, Failure>,
    /// Clusters where something differs and no server could be asked for the exact difference, for want of
    /// the right to write: what is said of them is an estimate.
    pub estimated: BTreeSet<ClusterName>,
    /// Holes that live state fills.
    pub values: Values,
    /// Of gateways that report several addresses, the one that others lean on: it is taken again for as long
    /// as it is reported.
    pub in_use: Values,
}

/// What a plan knows of one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCluster {
    /// What the topology says of it.
    pub facts: DesiredCluster,
    /// The UID of its kube-system namespace; none where it could not be read.
    pub uid: Option<String>,
    /// The inventory that the last apply left.
    pub inventory: Option<Inventory>,
    /// What would go if it were known what it holds. It stays where it is and in the inventory, so that
    /// the next run looks again.
    pub unseen: BTreeSet<ObjectRef>,
}

/// Whom the certificates that a plan issues go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootOutlook {
    /// A root that is there: live, or in the files that the topology names.
    Known {
        /// The start of its certificate's SHA-256: `5f:3a:91`.
        fingerprint: String,
        /// The primary that keeps its key; none where that is a file.
        keeper: Option<ClusterName>,
    },
    /// It is made by this plan.
    New {
        /// The primary that will keep it.
        keeper: ClusterName,
    },
    /// Each istiod signs for itself, or the plan does not reach so far.
    None,
}

/// What names a step: no two of a plan have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    /// The unit whose objects change.
    pub unit: Unit,
    /// Which of its objects.
    pub part: Part,
}

/// Which objects of a unit a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Those that it asks for; all of them where the unit itself is no longer asked for.
    Unit,
    /// Those that it no longer asks for. They go once everything that replaces them stands, in other
    /// clusters too: whoever still leans on them moves away first.
    Leftovers,
}

impl From<Unit> for StepId {
    fn from(unit: Unit) -> Self {
        Self { unit, part: Part::Unit }
    }
}

impl fmt::Display for StepId {
    /// `cluster1/control-plane`, `cluster1/control-plane leftovers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Unit => self.unit.fmt(f),
            Part::Leftovers => f.pad(&format!("{} leftovers", self.unit)),
        }
    }
}

impl std::str::FromStr for StepId {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, UnknownUnit> {
        let (unit, part) = match text.strip_suffix(" leftovers") {
            Some(unit) => (unit, Part::Leftovers),
            None => (text, Part::Unit),
        };
        Ok(Self { unit: unit.parse()?, part })
    }
}

/// The executor's atom: a unit's changes and its wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The unit.
    pub unit: Unit,
    /// Which of its objects. No two steps of a plan have the same unit and part.
    pub part: Part,
    /// Its stage, from 1.
    pub stage: usize,
    /// The steps that must be done first, as far as they are in the plan.
    pub after: Vec<StepId>,
    /// The changes, no-ops among them, in the order in which they are sent.
    pub changes: Vec<Change>,
    /// The desired unit with its holes, for `apply` to fill; none for what the topology no longer
    /// asks for, and when a mesh is destroyed.
    pub desired: Option<DesiredUnit>,
    /// Holes whose value is known only after apply.
    pub open: Vec<Hole>,
    /// What its condition still lacks in the live state; none where it is met or is not asked.
    pub unmet: Option<Unmet>,
    /// Clusters that could not be read and that this step waits for, at whatever distance:
    /// as long as there is one the step is not run.
    pub held_by: BTreeSet<ClusterName>,
    /// The wave that it goes in, from 1; none where it neither restarts anything nor cuts traffic.
    pub wave: Option<usize>,
}

/// What a condition lacks: for the progress line and for the error of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What is waited for: `an address on Service istio-system/istio-eastwestgateway`.
    pub what: String,
    /// What was seen instead, and what it would take: one line each.
    pub facts: Vec<String>,
}

impl PlannedCluster {
    /// Whether what a destroy keeps stays in the inventory: what nobody could look into, and the namespace
    /// in which the inventory lies that names it.
    pub fn goes_on_to_name(&self, object: &ObjectRef) -> bool {
        !self.unseen.is_empty() && (self.unseen.contains(object) || object.kind == "Namespace")
    }
}

impl Step {
    /// What names it.
    pub fn id(&self) -> StepId {
        StepId { unit: self.unit.clone(), part: self.part }
    }

    /// The changes that are sent to the cluster.
    pub fn writes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.action.writes())
    }

    /// Whether it leaves objects to whoever installs their release from now on. Nobody has to move away first.
    pub fn hands_over(&self) -> bool {
        self.changes.iter().any(|change| change.action == Action::HandOver)
    }

    /// Whether it is about a release that others install.
    pub fn others_install(&self) -> bool {
        self.desired.as_ref().is_some_and(|unit| unit.done.is_about_others())
    }

    /// Whether there is nothing to do and nothing to wait for.
    pub fn is_done(&self) -> bool {
        self.unmet.is_none() && self.writes().next().is_none()
    }
}

impl Plan {
    /// Whether nothing is to be done. Says nothing of clusters that could not be read.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(Step::is_done)
    }

    /// Whether a cluster could not be read, or something in one could not be looked into.
    pub fn is_incomplete(&self) -> bool {
        !self.unknown.is_empty() || self.clusters.values().any(|cluster| !cluster.unseen.is_empty())
    }

    /// How many objects each action befalls.
    pub fn counts(&self) -> BTreeMap<Action, usize> {
        let mut counts = BTreeMap::new();
        for change in self.steps.iter().flat_map(|step| &step.changes) {
            *counts.entry(change.action).or_default() += 1;
        }
        counts
    }

    /// The clusters whose istiod gets another root of trust than it has.
    ///
    /// Where no `cacerts` was there before, it is the annotation of istiod's pods that tells a new root from
    /// a `cacerts` that somebody deleted and that comes back.
    pub fn replaced_roots(&self) -> BTreeSet<&ClusterName> {
        let restarts_for_it = |cluster: &ClusterName| {
            let istiod = self.step(&Unit::new(cluster, UnitKind::ControlPlane));
            istiod.is_some_and(|step| step.writes().any(Change::follows_root))
        };
        let is_replaced = |step: &&Step| {
            step.writes().any(Change::replaces_root)
                || step.writes().any(Change::begins_intermediate) && restarts_for_it(&step.unit.cluster)
        };
        self.steps.iter().filter(is_replaced).map(|step| &step.unit.cluster).collect()
    }

    /// How long the step of a unit may take, where the topology says so; none leaves it to who runs it.
    pub fn timeout(&self, unit: &Unit) -> Option<Duration> {
        self.clusters.get(&unit.cluster)?.facts.timeouts.get(&unit.kind.name()).copied()
    }

    /// Whether the mesh namespace of a cluster is being deleted, and made again by this plan: what lies in
    /// it goes, the inventory and the lease among it.
    pub fn makes_namespace_anew(&self, cluster: &ClusterName) -> bool {
        let step = self.step(&Unit::new(cluster, UnitKind::Namespace));
        let is_leaving = |change: &Change| change.action == Action::Create && change.uid.is_some();
        step.is_some_and(|step| step.changes.iter().any(is_leaving))
    }

    /// The step of what a unit asks for.
    pub fn step(&self, unit: &Unit) -> Option<&Step> {
        self.steps.iter().find(|step| step.unit == *unit && step.part == Part::Unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_back_from_its_name() {
        let unit: Unit = "cluster1/eastwest-gateway".parse().unwrap();
        for (part, name) in [
            (Part::Unit, "cluster1/eastwest-gateway"),
            (Part::Leftovers, "cluster1/eastwest-gateway leftovers"),
        ] {
            let step = StepId { unit: unit.clone(), part };
            assert_eq!(step.to_string(), name);
            assert_eq!(name.parse(), Ok(step));
        }
        assert_eq!("leftovers".parse::<StepId>(), Err(UnknownUnit("leftovers".to_owned())));
    }
}

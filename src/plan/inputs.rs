//! What a diff takes beside desired and live state: the clock, the given root, dry runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::markers::has_markers;
use super::{Action, Change, Conflicts, Plan, Step};
use crate::diagnostic::Failure;
use crate::graph::{Unit, UnitKind};
use crate::object::{Object, ObjectRef};
use crate::topology::ClusterName;

/// What a diff takes beside desired and live state.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The clock: certificates expire by it.
    pub now: Timestamp,
    /// The PEM certificate of `trust.root.certificate`, where the root is given in files.
    pub root_certificate: Option<String>,
    /// Whether fields that another tool applied may be taken from it.
    pub conflicts: Conflicts,
    /// What the server said of the changes of an earlier diff; empty at first, and where
    /// there are no rights for it.
    pub dry_runs: DryRuns,
}

impl Inputs {
    /// The clock alone.
    pub fn at(now: Timestamp) -> Self {
        Self { now, root_certificate: None, conflicts: Conflicts::default(), dry_runs: DryRuns::default() }
    }
}

/// Answers of servers to dry runs.
#[derive(Debug, Clone, Default)]
pub struct DryRuns(BTreeMap<(ClusterName, ObjectRef), (Object, DryRun)>);

/// What a server said to a dry run.
#[derive(Debug, Clone, PartialEq)]
pub enum DryRun {
    /// The object as it would become.
    Merged(Object),
    /// Other managers hold fields of it; one line of the server's for each.
    Conflict(Vec<String>),
    /// The server would refuse it.
    Refused(Failure),
    /// It may not be asked: a dry run takes the right to write.
    NotAllowed,
    /// Nothing is known: it did not answer, or the kind does not exist yet.
    NotAsked,
}

/// A change that a server may be asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The cluster to ask.
    pub cluster: ClusterName,
    /// The object to send, complete.
    pub object: Object,
    /// Whether to force it.
    pub conflicts: Conflicts,
}

impl DryRuns {
    /// Notes the answer to a candidate.
    pub fn insert(&mut self, candidate: Candidate, answer: DryRun) {
        let key = (candidate.cluster, candidate.object.reference());
        self.0.insert(key, (candidate.object, answer));
    }

    /// The answer for an object, if it was this very one that was sent.
    pub(super) fn of(&self, cluster: &ClusterName, desired: &Object) -> Option<&DryRun> {
        let (sent, answer) = self.0.get(&(cluster.clone(), desired.reference()))?;
        (sent == desired).then_some(answer)
    }
}

impl Plan {
    /// What is worth a dry run: objects that exist, differ, hold no marker and no
    /// [renamed item](super::Change::renamed), and were not asked about yet. Of those that are new, Services
    /// that ask for a port of every node, which another one may have.
    ///
    /// Asked about, their answers go into [`Inputs::dry_runs`] and the diff is made again: a
    /// difference that the server would make vanish is then none, and what hung on it is known.
    /// Two or three rounds end it.
    pub fn candidates(&self, asked: &DryRuns) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for step in &self.steps {
            for change in &step.changes {
                let Some(desired) = &change.desired else { continue };
                let is_asked = match change.action {
                    Action::Adopt | Action::Update => true,
                    Action::Create => self.may_clash(&step.unit.cluster, change, desired),
                    Action::Replace
                    | Action::Delete
                    | Action::Release
                    | Action::HandOver
                    | Action::Keep
                    | Action::NoOp => false,
                };
                if is_asked
                    && change.renamed.is_empty()
                    && !has_markers(desired)
                    && asked.of(&step.unit.cluster, desired).is_none()
                {
                    candidates.push(Candidate {
                        cluster: step.unit.cluster.clone(),
                        object: desired.clone(),
                        conflicts: change.conflicts,
                    });
                }
            }
        }
        candidates
    }

    /// Whether a new object asks for something that each server gives once, in a namespace that is there.
    fn may_clash(&self, cluster: &ClusterName, change: &Change, desired: &Object) -> bool {
        let ports = desired.get(&["spec", "ports"]).and_then(Value::as_array);
        let fixes_ports = || ports.into_iter().flatten().any(|port| port.get("nodePort").is_some());
        let namespace = self.step(&Unit::new(cluster, UnitKind::Namespace));
        let is_there = |step: &Step| step.changes.iter().all(|change| change.action != Action::Create);
        desired.kind() == "Service"
            && change.uid.is_none()
            && fixes_ports()
            && namespace.is_some_and(is_there)
    }
}

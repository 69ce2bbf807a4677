//! The diff: units in the order of their stages, each against what is live of it.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Comparison, Lasting};
use super::disruption::INTERMEDIATE_SECRET;
use super::in_use::addresses_in_use;
use super::removal::add_removals;
use super::rendered::RenderedUnit;
use super::root::{self, RootState};
use super::steps::{hold_back, planned_clusters, refuse_inventories, unread};
use super::waves::in_waves;
use super::{Action, Change, DryRun, Inputs, Live, Mode, Part, Plan, Step, StepId, Unmet, done, prune};
use crate::compile::{Desired, DesiredUnit, Done, Hole, Minted, Output, Value, Values};
use crate::cores::on_all_cores;
use crate::diagnostic::Failure;
use crate::graph::{Unit, UnitKind};
use crate::object::ObjectRef;
use crate::plan::codes;
use crate::topology::ClusterName;

/// What it takes to bring the live clusters to what the topology asks for.
///
/// Everything that keeps a plan from being made is collected. A cluster that could not be read is no
/// such thing: the plan says so, and is incomplete.
pub fn diff(desired: &Desired, live: &Live, inputs: &Inputs) -> Result<Plan, Vec<Failure>> {
    refuse_inventories(desired, live)?;
    let root = root::find(desired, live, inputs)?;
    let unknown = unread(desired, live);
    let mut diff = Diff {
        desired,
        live,
        inputs,
        root: &root,
        unread: unknown.keys().cloned().collect(),
        values: context_values(desired, live),
        in_use: addresses_in_use(desired, live),
        asked: BTreeMap::new(),
        steps: Vec::new(),
        failures: Vec::new(),
    };
    diff.values.extend(root.kept_values(desired));
    for unit in root.placed(desired) {
        if !diff.unread.contains(&unit.unit.cluster) {
            diff.step(&unit);
        }
    }
    diff.prune();
    let Diff { values, in_use, mut steps, failures, .. } = diff;
    if !failures.is_empty() {
        return Err(failures);
    }
    let waves = in_waves(&mut steps, &desired.rollout, unknown.keys());
    for step in steps.iter_mut().filter(|step| step.desired.is_none() && !step.hands_over()) {
        // A cluster that is out of sight may lean on it still.
        step.held_by.extend(unknown.keys().cloned());
    }
    hold_back(&mut steps, desired.units.iter().map(|unit| &unit.unit), &unknown);
    let estimated = estimated(&steps, inputs);
    Ok(Plan {
        mode: Mode::Apply,
        at: inputs.now,
        mesh: desired.mesh.clone(),
        root: root.outlook(),
        clusters: planned_clusters(desired, live),
        steps,
        waves,
        unknown,
        estimated,
        values,
        in_use,
    })
}

/// Clusters of which a server could not be asked for an exact difference.
fn estimated(steps: &[Step], inputs: &Inputs) -> BTreeSet<ClusterName> {
    let is_guess = |cluster: &ClusterName, change: &Change| {
        let desired = change.desired.as_ref().filter(|_| change.action.writes());
        let answer = desired.and_then(|desired| inputs.dry_runs.of(cluster, desired));
        matches!(answer, Some(DryRun::NotAllowed))
    };
    let guessed =
        steps.iter().filter(|step| step.changes.iter().any(|change| is_guess(&step.unit.cluster, change)));
    guessed.map(|step| step.unit.cluster.clone()).collect()
}

/// Why a unit cannot be filled: a hostname stands where its remote needs an address.
///
/// Also for `apply`, which learns addresses only later.
pub fn address_fault(unit: &DesiredUnit, values: &Values) -> Option<Failure> {
    if unit.unit.kind != UnitKind::ControlPlane {
        return None;
    }
    unit.holes().iter().find_map(|hole| {
        let Hole::Observed { unit: producer, output: Output::Address } = hole else { return None };
        let Some(Value::Public(address)) = values.get(hole) else { return None };
        if address.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let message = format!("{}: {producer} is reached at {address}, which is no IP address", unit.unit);
        let help = format!("set clusters.{}.controlPlane.address to an IP address", producer.cluster);
        Some(Failure::new(&codes::CONTROL_PLANE_ADDRESS_HOSTNAME, message).with_help(help))
    })
}

/// The API addresses of the clusters that were read.
fn context_values(desired: &Desired, live: &Live) -> Values {
    let mut values = Values::default();
    for name in desired.clusters.keys() {
        if let Some(cluster) = live.cluster(name) {
            values.insert(Hole::Context { cluster: name.clone() }, cluster.server.as_str());
        }
    }
    values
}

struct Diff<'d> {
    desired: &'d Desired,
    live: &'d Live,
    inputs: &'d Inputs,
    root: &'d RootState,
    unread: BTreeSet<ClusterName>,
    /// Holes that are known so far: a unit's outputs come in once it is found unchanged.
    values: Values,
    /// Addresses that stay, of several that are reported.
    in_use: Values,
    /// What is asked for in each cluster, so that the rest can be pruned.
    asked: BTreeMap<ClusterName, BTreeSet<ObjectRef>>,
    steps: Vec<Step>,
    failures: Vec<Failure>,
}

impl Diff<'_> {
    /// Adds the step of a unit whose cluster was read.
    fn step(&mut self, unit: &DesiredUnit) {
        let cluster = &unit.unit.cluster;
        let mut reissue = None;
        if unit.unit.kind == UnitKind::Trust {
            let namespace = &self.desired.mesh.namespace;
            match self.root.intermediate(cluster, namespace, self.live, self.inputs) {
                Ok(values) => self.values.extend(values),
                Err(why) => {
                    self.values.extend(self.root.digest(cluster));
                    reissue = why;
                }
            }
        }
        if let Some(failure) = address_fault(unit, &self.values) {
            self.failures.push(failure);
            return;
        }
        let rendered = match RenderedUnit::of(unit, &self.desired.mesh, &self.values) {
            Ok(rendered) => rendered,
            Err(failure) => {
                self.failures.push(failure);
                return;
            }
        };
        let references = rendered.references();
        self.asked.entry(cluster.clone()).or_default().extend(references.iter().cloned());
        let mut changes = self.changes(&unit.unit, &rendered);
        if let Some(why) = reissue {
            let secret = changes.iter_mut().find(|change| change.object.name == INTERMEDIATE_SECRET);
            if let Some(change) = secret.filter(|change| change.action.writes()) {
                change.note = Some(format!("the live one {why}"));
            }
        }
        if gives_what_it_gave(&unit.done, &changes) {
            self.values.extend(done::outputs(&unit.unit, &unit.done, self.live, &self.in_use));
        }
        let open = unit.holes().into_iter().filter(|hole| self.values.get(hole).is_none()).collect();
        let unmet = done::unmet(&unit.unit, &unit.done, &references, self.live);
        let unmet = unmet.or_else(|| self.restart_by_others(unit));
        self.steps.push(Step {
            unit: unit.unit.clone(),
            part: Part::Unit,
            stage: unit.stage,
            after: unit
                .after
                .iter()
                .map(|edge| edge.unit.clone())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(StepId::from)
                .collect(),
            changes,
            desired: Some(unit.clone()),
            open,
            unmet,
            held_by: BTreeSet::new(),
            wave: None,
        });
    }

    /// What an istiod of others lacks after this plan's own step of its certificates, though it lacks nothing yet.
    fn restart_by_others(&self, unit: &DesiredUnit) -> Option<Unmet> {
        let Done::Installed(awaited) = &unit.done else { return None };
        let cluster = &unit.unit.cluster;
        let trust = self.steps.iter().find(|step| step.unit == Unit::new(cluster, UnitKind::Trust))?;
        let is_new = trust.writes().any(|change| change.replaces_root() || change.begins_intermediate());
        let digest = Hole::Minted { cluster: cluster.clone(), piece: Minted::RootDigest };
        let root = self.values.get(&digest).map(Value::expose);
        is_new.then(|| done::to_start_anew(cluster, awaited, root, self.live)).flatten()
    }

    fn changes(&mut self, unit: &Unit, rendered: &RenderedUnit) -> Vec<Change> {
        let cluster = &unit.cluster;
        let Some(live) = self.live.cluster(cluster) else { return Vec::new() };
        let compared = on_all_cores(&rendered.objects, |object| {
            let reference = object.reference();
            let digest = rendered.digest(object);
            let comparison = Comparison {
                cluster,
                desired: object,
                digest: &digest,
                live: live.objects.get(&reference),
                lasting: if live.is_leaving(&reference) { Lasting::Leaves } else { Lasting::Stays },
                recorded: live.inventory.as_ref().and_then(|inventory| inventory.entries.get(&reference)),
                conflicts: self.inputs.conflicts,
                unread: &self.unread,
                dry_runs: &self.inputs.dry_runs,
            };
            comparison.change()
        });
        let mut changes = Vec::new();
        for change in compared {
            match change {
                Ok(change) => changes.push(change),
                Err(failure) => self.failures.push(failure.with_fact(format!("in step {unit}"))),
            }
        }
        changes
    }

    /// Adds what the inventories name and nobody asks for.
    fn prune(&mut self) {
        let mut gone: Vec<(Unit, Vec<Change>)> = Vec::new();
        for name in self.desired.clusters.keys() {
            let Some(cluster) = self.live.cluster(name) else { continue };
            let asked = self.asked.remove(name).unwrap_or_default();
            gone.extend(prune::prunes(self.desired, cluster, &asked));
        }
        add_removals(&mut self.steps, gone, &self.desired.mesh.root);
    }
}

/// Whether what a unit gives to others is still what its live objects say.
///
/// A change elsewhere in the unit moves no address: only one of the object that gives it does, and
/// of that only fields by which it is given.
fn gives_what_it_gave(done: &Done, changes: &[Change]) -> bool {
    let (giver, fields): (&ObjectRef, &[&str]) = match done {
        Done::Gateway { address: Some(service), .. } | Done::Address { service } => (
            service,
            &["spec.type", "spec.loadBalancer", "spec.externalIPs", "spec.ipFamil", "metadata.annotations"],
        ),
        Done::Token { secret } => (secret, &["type", "data", "metadata.annotations"]),
        Done::Exists
        | Done::Established
        | Done::RolledOut { .. }
        | Done::ControlPlane { .. }
        | Done::Installed(_)
        | Done::Gateway { address: None, .. }
        | Done::Registered { .. } => return true,
    };
    changes.iter().filter(|change| change.object == *giver).all(|change| match change.action {
        Action::NoOp | Action::Keep => true,
        Action::Update | Action::Adopt => {
            !change.fields.iter().any(|field| fields.iter().any(|start| field.path.starts_with(start)))
        }
        Action::Create | Action::Replace | Action::Delete | Action::Release | Action::HandOver => false,
    })
}

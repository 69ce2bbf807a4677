//! What each command asks of each cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::passed_on::{PassOn, passed_on};
use super::right::{Right, Rights};
use crate::apply::{lease_ref, watched};
use crate::cluster::Request;
use crate::compile::{Desired, DesiredUnit, Done, MeshFacts, Values};
use crate::diagnostic::Failure;
use crate::graph::{Unit, UnitKind};
use crate::object::{GroupKind, Object, ObjectRef};
use crate::plan::{self, done, inventory_ref, is_root, may_be_replaced};
use crate::topology::ClusterName;

/// What the rights are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Reading alone: what an apply would do, as an estimate where something differs.
    Plan,
    /// Planning and applying.
    Apply,
    /// Planning and taking a mesh down.
    Destroy,
}

/// The rights in one cluster, those that others cover left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterRights {
    /// In all of it.
    pub cluster: Rights,
    /// In the mesh namespace alone.
    pub namespace: Rights,
}

/// What a task takes in each cluster of a topology.
///
/// `before` is a topology that was applied earlier: what it asked for and `desired` does not is
/// deleted or released, which takes rights too.
pub fn rights(
    task: Task,
    desired: &Desired,
    before: Option<&Desired>,
    pass_on: PassOn,
) -> Result<BTreeMap<ClusterName, ClusterRights>, Vec<Failure>> {
    let reads = plan::reads(desired)?;
    let now = objects_by_unit(desired)?;
    let earlier = before.map(objects_by_unit).transpose()?.unwrap_or_default();
    let seen_into = match task {
        Task::Plan | Task::Apply => None,
        Task::Destroy => Some(desired.mesh.namespace.as_str()),
    };
    let mut needs: BTreeMap<ClusterName, Needs<'_>> =
        desired.clusters.keys().map(|name| (name.clone(), Needs::new(name, seen_into))).collect();
    for (name, mut reads) in reads {
        let Some(needs) = needs.get_mut(&name) else { continue };
        let recorded = earlier.iter().filter(|(unit, _)| unit.cluster == name);
        reads.add_objects(recorded.flat_map(|(_, objects)| objects).map(Object::reference));
        needs.read(&reads);
    }
    let (handed_over, dropped) = handed_over(&desired.mesh, dropped(&now, &earlier));
    if task != Task::Plan {
        let_go(&mut needs, &handed_over, pass_on);
    }
    match task {
        Task::Plan => {}
        Task::Apply => {
            for unit in &desired.units {
                let objects = now.get(&unit.unit).map(Vec::as_slice).unwrap_or_default();
                apply(&mut needs, unit, objects);
            }
            for (name, needs) in &mut needs {
                let here = now.iter().filter(|(unit, _)| unit.cluster == *name);
                let objects: Vec<Object> = here.flat_map(|(_, objects)| objects.clone()).collect();
                needs.rights.extend(passed_on(&objects, pass_on));
                needs.ask(Request::Apply, &inventory_ref(&desired.mesh));
                needs.hold(&lease_ref(&desired.mesh));
            }
            remove(&mut needs, &dropped);
        }
        Task::Destroy => {
            remove(&mut needs, &now);
            remove(&mut needs, &dropped);
            for needs in needs.values_mut() {
                needs.ask(Request::Change, &inventory_ref(&desired.mesh));
                needs.ask(Request::Delete, &inventory_ref(&desired.mesh));
                needs.hold(&lease_ref(&desired.mesh));
                needs.ask(Request::Delete, &lease_ref(&desired.mesh));
                // A namespace is deleted only where nobody else has anything in it, of whatever kind.
                for verb in Request::List.verbs() {
                    needs.in_namespace.add(Right::new("*", "*", None, verb));
                }
            }
        }
    }
    Ok(needs.into_iter().map(|(name, needs)| (name, needs.minimal())).collect())
}

type ByUnit = BTreeMap<Unit, Vec<Object>>;

fn objects_by_unit(desired: &Desired) -> Result<ByUnit, Vec<Failure>> {
    let mut by_unit = ByUnit::new();
    let mut failures = Vec::new();
    for unit in &desired.units {
        match unit.objects(&desired.mesh, &Values::default()) {
            Ok(objects) => {
                by_unit.insert(unit.unit.clone(), objects);
            }
            Err(error) => failures.push(error.failure()),
        }
    }
    if failures.is_empty() { Ok(by_unit) } else { Err(failures) }
}

/// What was asked for and is no longer, by the unit that it was recorded with.
fn dropped(now: &ByUnit, earlier: &ByUnit) -> ByUnit {
    let asked: BTreeSet<(&ClusterName, ObjectRef)> = now
        .iter()
        .flat_map(|(unit, objects)| objects.iter().map(|object| (&unit.cluster, object.reference())))
        .collect();
    let mut dropped = ByUnit::new();
    for (unit, objects) in earlier {
        let gone = objects.iter().filter(|object| !asked.contains(&(&unit.cluster, object.reference())));
        let gone: Vec<Object> = gone.cloned().collect();
        if !gone.is_empty() {
            dropped.insert(unit.clone(), gone);
        }
    }
    dropped
}

/// What others install from now on, and the rest of what is no longer asked for.
fn handed_over(mesh: &MeshFacts, dropped: ByUnit) -> (ByUnit, ByUnit) {
    let (mut theirs, mut ours) = (ByUnit::new(), ByUnit::new());
    for (unit, objects) in dropped {
        let (stay, go): (Vec<Object>, Vec<Object>) =
            objects.into_iter().partition(|object| mesh.hands_over(&unit.kind, &object.reference()));
        theirs.insert(unit.clone(), stay);
        ours.insert(unit, go);
    }
    (theirs, ours)
}

/// What it takes to take our label from objects that others install from now on.
fn let_go(needs: &mut BTreeMap<ClusterName, Needs<'_>>, objects: &ByUnit, pass_on: PassOn) {
    for (unit, objects) in objects {
        let Some(needs) = needs.get_mut(&unit.cluster) else { continue };
        for object in objects {
            needs.ask(Request::Change, &object.reference());
        }
        // A server looks at what a role holds whichever part of it is written.
        needs.rights.extend(passed_on(objects, pass_on));
    }
}

/// What is asked of one cluster.
struct Needs<'d> {
    name: &'d ClusterName,
    /// The namespace of which everything may be listed.
    seen_into: Option<&'d str>,
    rights: Rights,
    in_namespace: Rights,
}

impl<'d> Needs<'d> {
    fn new(name: &'d ClusterName, seen_into: Option<&'d str>) -> Self {
        Self { name, seen_into, rights: Rights::default(), in_namespace: Rights::default() }
    }

    fn ask(&mut self, request: Request, object: &ObjectRef) {
        self.rights.ask(request, object);
    }

    /// What a survey of the cluster reads.
    fn read(&mut self, reads: &plan::ClusterReads) {
        self.rights.ask_for(Request::Read, &core("Namespace"), Some("kube-system"));
        for kind in &reads.lists {
            self.rights.ask_for(Request::List, kind, None);
        }
        for object in &reads.objects {
            self.ask(Request::Read, object);
        }
    }

    /// What a wait watches: each watch begins with a list.
    fn watch(&mut self, targets: &[(ClusterName, ObjectRef)]) {
        self.watch_with(targets, Some(("", "")));
    }

    /// What a wait for objects watches that do not carry our label, each by its name.
    fn watch_others(&mut self, targets: &[(ClusterName, ObjectRef)]) {
        self.watch_with(targets, None);
    }

    fn watch_with(&mut self, targets: &[(ClusterName, ObjectRef)], label: Option<(&str, &str)>) {
        for (cluster, kind, selection) in watched(targets, label) {
            if cluster == *self.name {
                if selection.namespace.is_none() || selection.namespace.as_deref() != self.seen_into {
                    self.rights.ask_for(Request::List, &kind, selection.name.as_deref());
                }
                self.rights.ask_for(Request::Watch, &kind, selection.name.as_deref());
            }
        }
    }

    /// What it takes to hold a lease, and to watch one that others hold.
    fn hold(&mut self, lease: &ObjectRef) {
        for request in [Request::Read, Request::Create, Request::Change] {
            self.ask(request, lease);
        }
        self.watch(&[(self.name.clone(), lease.clone())]);
    }

    fn minimal(&self) -> ClusterRights {
        ClusterRights { cluster: self.rights.minimal(), namespace: self.in_namespace.minimal() }
    }
}

fn core(kind: &str) -> GroupKind {
    GroupKind { group: String::new(), kind: kind.to_owned() }
}

/// What it takes to write a unit's objects and to wait until it is done.
fn apply(needs: &mut BTreeMap<ClusterName, Needs<'_>>, unit: &DesiredUnit, objects: &[Object]) {
    let own: Vec<ObjectRef> = objects.iter().map(Object::reference).collect();
    if let Some(needs) = needs.get_mut(&unit.unit.cluster) {
        for object in objects {
            let reference = object.reference();
            needs.ask(Request::Apply, &reference);
            // The key of the root cannot be made again: nobody is given the right to delete it.
            if may_be_replaced(object) && !is_root(&reference) {
                needs.ask(Request::Delete, &reference);
                needs.watch(&[(unit.unit.cluster.clone(), reference)]);
            }
        }
    }
    if let Done::Registered { .. } = &unit.done
        && let Some(needs) = needs.get_mut(&unit.unit.cluster)
    {
        // istiod is asked whether it has synced. Without these an apply goes by weaker evidence.
        needs.in_namespace.ask_for(Request::List, &core("Pod"), None);
        for verb in Request::Forward.verbs() {
            needs.in_namespace.add(Right::new("", "pods/portforward", None, verb));
        }
    }
    let targets = match &unit.done {
        // What was written is there: nothing is waited for.
        Done::Exists | Done::Registered { effects: None, .. } => return,
        Done::Established
        | Done::RolledOut { .. }
        | Done::ControlPlane { .. }
        | Done::Installed(_)
        | Done::Gateway { .. }
        | Done::Address { .. }
        | Done::Token { .. }
        | Done::Registered { effects: Some(_), .. } => done::reads(&unit.unit, &unit.done, &own),
    };
    for needs in needs.values_mut() {
        match unit.done.is_about_others() {
            true => needs.watch_others(&targets),
            false => needs.watch(&targets),
        }
        let here =
            || targets.iter().filter(|(cluster, object)| cluster == needs.name && object.namespace.is_some());
        let has = |kind: &str| here().any(|(_, object)| object.kind == kind);
        // What Kubernetes recorded of them, for the error of a wait that ended in vain.
        let recorded = here().next().map(|_| core("Event"));
        let pods = (has("Deployment") || has("DaemonSet")).then(|| core("Pod"));
        let sets =
            has("Deployment").then(|| GroupKind { group: "apps".to_owned(), kind: "ReplicaSet".to_owned() });
        for kind in recorded.iter().chain(&pods).chain(&sets) {
            needs.in_namespace.ask_for(Request::List, kind, None);
        }
    }
}

/// What it takes to delete objects, or to release those that were there before.
fn remove(needs: &mut BTreeMap<ClusterName, Needs<'_>>, objects: &ByUnit) {
    for (unit, objects) in objects {
        let Some(needs) = needs.get_mut(&unit.cluster) else { continue };
        let mut targets = Vec::new();
        for object in objects {
            let reference = object.reference();
            needs.ask(Request::Change, &reference);
            if reference.kind == "Namespace" && unit.kind == UnitKind::AppNamespaces {
                continue;
            }
            needs.ask(Request::Delete, &reference);
            if reference.kind == "CustomResourceDefinition" {
                let text = |path: &[&str]| object.text(path).unwrap_or_default();
                // A definition is deleted only where there is none of its kind.
                for verb in Request::List.verbs() {
                    let (group, plural) = (text(&["spec", "group"]), text(&["spec", "names", "plural"]));
                    needs.rights.add(Right::new(group, plural, None, verb));
                }
            }
            targets.push((unit.cluster.clone(), reference));
        }
        needs.watch(&targets);
    }
}

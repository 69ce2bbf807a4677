//! On API servers with RBAC: each printed right is taken away in turn, and what the command does then says
//! which one it lacks, and where.
//!
//! Every case is a user of its own who has the printed roles but for one right, so that no case waits for what
//! another one was granted to be forgotten. Before it runs an administrator brings the clusters into a state in
//! which the command takes that very right. `cargo test` takes a sample; `STOLOS_MATRIX=full` takes every right
//! of every role (see `support::matrix`).

mod applies;
mod destroys;
mod reads;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use stolos::apply::{Event, LeaseNews, StepOutcome};
use stolos::cluster::Cluster;
use stolos::diagnostic::Failure;
use stolos::object::{ObjectRef, kinds};
use stolos::plan::{Mode, Plan, inventory_ref};
use stolos::rbac::{self, ClusterRights, PassOn, Right, Rights, Task};
use stolos::topology::ClusterName;

use super::real::{grant, may};
use super::{FILES, PATIENCE, shown};
use crate::support::back_end::BackEnd;
use crate::support::meshes::{Meshes, Ran, collection, desired, topology_text};

/// Who has all of the rights.
const ALL: &str = "has-all";

/// One right that somebody lacks.
#[derive(Debug, Clone)]
struct Case {
    cluster: ClusterName,
    right: Right,
    /// Whether it is granted in the mesh namespace alone.
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Cluster,
    MeshNamespace,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shown(&self.cluster, &self.right))
    }
}

impl Case {
    fn resource(&self) -> &str {
        match &self.right {
            Right::Objects { resource, .. } => resource,
            Right::Path { path, .. } => panic!("no role of ours names {path}"),
        }
    }

    fn verb(&self) -> &str {
        match &self.right {
            Right::Objects { verb, .. } | Right::Path { verb, .. } => verb,
        }
    }

    fn name(&self) -> Option<&str> {
        match &self.right {
            Right::Objects { name, .. } => name.as_deref(),
            Right::Path { .. } => None,
        }
    }

    /// Whether a text says that this right is missing in this cluster.
    fn is_told_by(&self, text: &str) -> bool {
        let Right::Objects { group, resource, name, verb } = &self.right else { return false };
        let is_here = text.contains(self.cluster.as_str());
        let refused = match verb.as_str() {
            "escalate" | "bind" => "is attempting to grant RBAC permissions not currently held".to_owned(),
            _ if resource == "*" => format!("cannot {verb} resource "),
            _ => format!("cannot {verb} resource \"{resource}\" in API group \"{group}\""),
        };
        // A role is bound by another object, which may have another name.
        let is_named =
            verb == "bind" || name.as_ref().is_none_or(|name| text.contains(&format!("\"{name}\"")));
        // Of a Secret that we sent nothing is repeated: the request is named, and what it takes.
        let is_private = name.as_ref().is_some_and(|name| {
            resource == "secrets"
                && text.contains(&format!(
                    "apply Secret istio-system/{name}: Forbidden: takes the rights create, patch"
                ))
                && matches!(verb.as_str(), "create" | "patch")
        });
        // A second right to the same part is missing without a word: both are named.
        let is_second = *verb == "create"
            && resource == "pods/portforward"
            && text.contains("is forbidden: takes the rights get, create to pods/portforward");
        is_here && (is_private || is_second || is_named && text.contains(&refused))
    }
}

/// A mesh on API servers, and who may do what there.
struct World {
    meshes: Meshes,
    task: Task,
    rights: BTreeMap<ClusterName, ClusterRights>,
    admin: BTreeMap<ClusterName, Cluster>,
    users: usize,
}

impl World {
    /// Empty clusters in which nothing happens by itself.
    async fn open(test: &str, task: Task) -> Self {
        let back_end = BackEnd::ApiServers;
        let meshes = Meshes::still_on(back_end, test, desired(FILES[0], &topology_text(FILES[0]))).await;
        let rights = rights_of(&meshes, task);
        let admin = meshes.clusters.clone();
        Self { meshes, task, rights, admin, users: 0 }
    }

    fn mode(&self) -> Mode {
        match self.task {
            Task::Plan | Task::Apply => Mode::Apply,
            Task::Destroy => Mode::Destroy,
        }
    }

    /// A case for each right of each role.
    fn cases(&self) -> Vec<Case> {
        cases_of(&self.rights)
    }

    /// The same clusters, for another task.
    fn turned_to(self, task: Task) -> Self {
        let rights = rights_of(&self.meshes, task);
        Self { task, rights, ..self }
    }

    /// Whether the role has another right as well, on the very object.
    fn grants(&self, case: &Case, verb: &str) -> bool {
        let Right::Objects { group, resource, name, .. } = &case.right else { return false };
        let right = Right::new(group, resource, name.as_deref(), verb);
        self.rights[&case.cluster].cluster.iter().any(|granted| *granted == right)
    }

    /// From here on the mesh is reached by somebody who has all rights but one.
    async fn without(&mut self, case: &Case) {
        self.users += 1;
        let user = format!("lacks-{}", self.users);
        let but = |rights: &Rights, place| -> Rights {
            rights.iter().filter(|right| place != case.place || **right != case.right).cloned().collect()
        };
        for (name, all) in &self.rights {
            if *name == case.cluster {
                let rest = ClusterRights {
                    cluster: but(&all.cluster, Place::Cluster),
                    namespace: but(&all.namespace, Place::MeshNamespace),
                };
                grant(&self.meshes, name, &user, self.task, &rest).await;
                let namespace = &self.meshes.desired.mesh.namespace;
                let place = (case.place == Place::MeshNamespace).then_some(namespace.as_str());
                assert!(!may(&self.meshes, name, &user, &case.right, place).await, "{}", case);
            } else {
                grant(&self.meshes, name, ALL, self.task, all).await;
            }
        }
        let mut doors = self.meshes.clusters_as(ALL).await;
        let lacking = self.meshes.clusters_as(&user).await.remove(&case.cluster).expect("a cluster");
        doors.insert(case.cluster.clone(), lacking);
        self.meshes.clusters = doors;
    }

    /// From here on it is the administrator again.
    fn as_admin(&mut self) {
        self.meshes.clusters = self.admin.clone();
    }

    /// The mesh is as its topology asks, and what it lacks comes by itself.
    async fn complete(&mut self) {
        self.as_admin();
        // Who lacked a right to its lease may not have been able to give it back.
        for cluster in self.admin.keys() {
            self.lend_lease(cluster, Value::Null).await;
        }
        self.meshes.start_controllers().await;
        let ran = self.meshes.apply().await;
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    }

    /// The door of the administrator to the cluster of a case.
    fn admin(&self, case: &Case) -> &Cluster {
        &self.admin[&case.cluster]
    }

    /// The object that a right is about.
    fn object(&self, case: &Case) -> ObjectRef {
        let Right::Objects { group, resource, name: Some(name), .. } = &case.right else {
            panic!("{} names no object", case)
        };
        let info = kinds::find_plural(group, resource).expect("a kind of the table");
        let is_it = |object: &ObjectRef| {
            object.group == info.group && object.kind == info.kind && object.name == *name
        };
        let parent = inventory_ref(&self.meshes.desired.mesh);
        let mut known = self.meshes.objects().into_iter().filter(|(cluster, _)| *cluster == case.cluster);
        let found = known.find_map(|(_, object)| Some(object.reference()).filter(is_it));
        found.or(Some(parent).filter(is_it)).unwrap_or_else(|| panic!("{}: not ours", case))
    }

    /// The object of the cluster of a case with this kind and name.
    fn ours(&self, case: &Case, kind: &str, name: &str) -> ObjectRef {
        let mut known = self.meshes.objects().into_iter();
        let found = known.find(|(cluster, object)| {
            *cluster == case.cluster && object.kind() == kind && object.name() == name
        });
        found.unwrap_or_else(|| panic!("{kind} {name}")).1.reference()
    }

    /// An administrator deletes objects, and waits until they are gone.
    async fn delete(&self, case: &Case, objects: &[ObjectRef]) {
        for object in objects {
            self.admin(case).delete(object, None).await.expect("deleted");
        }
        let start = Instant::now();
        for object in objects {
            while self.admin(case).find(object).await.expect("an answer").is_some() {
                assert!(start.elapsed() < PATIENCE, "{object} does not go");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// An administrator merges a patch into an object, if it is there.
    async fn merge(&self, cluster: &ClusterName, object: &ObjectRef, patch: Value) {
        let raw = self.meshes.raw(cluster.as_str()).await;
        let path = format!("{}/{}?fieldManager=admin", collection(object), object.name);
        let answer = raw.ask(Method::PATCH, &path, "application/merge-patch+json", &patch).await;
        assert!(matches!(answer.code, 200 | 404), "{object}: {answer:?}");
    }

    /// Holds objects, so that they stay though they are deleted, or lets them go.
    async fn hold(&self, case: &Case, objects: &[ObjectRef], finalizers: Value) {
        for object in objects {
            self.merge(&case.cluster, object, json!({"metadata": {"finalizers": finalizers}})).await;
        }
    }

    /// Somebody of whom nothing was heard for long has the lease of a cluster, or nobody has it any more.
    async fn lend_lease(&self, cluster: &ClusterName, holder: Value) {
        let lease = stolos::apply::lease_ref(&self.meshes.desired.mesh);
        let renewed = holder.as_str().map(|_| "2026-01-01T00:00:00.000000Z");
        let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": renewed});
        self.merge(cluster, &lease, json!({"spec": spec})).await;
    }

    /// What a plan and its run say of what they lack.
    async fn said(&self, narrow: impl FnOnce(&mut Plan)) -> Vec<String> {
        let mut plan = self.meshes.plan(self.mode()).await;
        let mut said = said_by_plan(&plan);
        narrow(&mut plan);
        said.extend(said_by_run(&self.meshes.run(plan).await));
        said
    }
}

fn rights_of(meshes: &Meshes, task: Task) -> BTreeMap<ClusterName, ClusterRights> {
    rbac::rights(task, &meshes.desired, None, PassOn::Escalate).expect("it renders")
}

/// A case for each right of roles.
fn cases_of(roles: &BTreeMap<ClusterName, ClusterRights>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (cluster, rights) in roles {
        for (place, rights) in [(Place::Cluster, &rights.cluster), (Place::MeshNamespace, &rights.namespace)]
        {
            let case = |right: &Right| Case { cluster: cluster.clone(), right: right.clone(), place };
            cases.extend(rights.iter().map(case));
        }
    }
    cases
}

/// Everything of a plan that may say that a right is missing.
fn said_by_plan(plan: &Plan) -> Vec<String> {
    let unknown = plan.unknown.values().map(told);
    let notes = plan.steps.iter().flat_map(|step| {
        let notes = step.changes.iter().filter_map(|change| change.note.as_ref());
        notes.map(move |note| format!("{}: {note}", step.unit))
    });
    unknown.chain(notes).collect()
}

/// The same of a run.
fn said_by_run(ran: &Ran) -> Vec<String> {
    let mut said: Vec<String> = ran.summary.refused.iter().chain(&ran.summary.failures).map(told).collect();
    for (step, outcome) in &ran.summary.steps {
        if let StepOutcome::Failed(failure) = outcome {
            said.push(format!("{step}: {}", told(failure)));
        }
    }
    for event in &ran.events {
        match event {
            Event::Noted { step, note } => said.push(format!("{step}: {note}")),
            Event::Lease { cluster, news: LeaseNews::Left { why, .. } } => {
                said.push(format!("{cluster}: the lease stays: {why}"));
            }
            _ => {}
        }
    }
    said
}

fn told(failure: &Failure) -> String {
    format!("{} {}", failure.message, failure.facts.join("; "))
}

/// A case that was not told: nothing of what was said names the right that is missing.
fn untold(case: &Case, said: &[String]) -> Option<String> {
    let is_told = said.iter().any(|text| case.is_told_by(text));
    (!is_told).then(|| format!("it is not told: {said:#?}"))
}

//! The rights of an apply that a plan does not take.

use std::time::{Duration, Instant};

use serde_json::json;
use stolos::graph::UnitKind;
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Mode, Plan, inventory_ref};
use stolos::rbac::Task;

use super::reads::is_read;
use super::{Case, World, cases_of, rights_of, untold};
use crate::rights::make_anew;
use crate::support::matrix::{Tally, sample};

/// How long a wait takes that must end in vain.
const SHORT: Duration = Duration::from_secs(2);

/// What takes a right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Provocation {
    /// To begin where nothing of the mesh is.
    Beginning,
    /// To go on where no root was made yet.
    Root,
    /// To make objects that somebody deleted.
    Gone(Vec<ObjectRef>),
    /// The same where nothing gets ready by itself.
    GoneAndWaited(Vec<ObjectRef>),
    /// The same, and it is waited for in vain.
    GoneAndLate(Vec<ObjectRef>),
    /// To replace an object of which a field that never changes has another value.
    Anew(ObjectRef),
    /// The same where the old object goes only by and by.
    AnewAndHeld(ObjectRef),
    /// To wait for definitions, one of whose names somebody else has.
    NamesTaken,
    /// To take a lease whose holder has long been silent.
    Doubt,
}

impl Provocation {
    fn of(world: &World, case: &Case) -> Self {
        let mesh = &world.meshes.desired.mesh;
        let ours = |kind: &str, name: &str| world.ours(case, kind, name);
        let something = || vec![ours("ConfigMap", "values")];
        let gateway = || vec![ours("Deployment", "istio-eastwestgateway")];
        let is_primary = case.cluster.as_str() == "cluster1";
        match (case.verb(), case.resource(), case.name()) {
            ("create" | "patch", "namespaces", Some(name)) if name == mesh.namespace => Self::Beginning,
            ("create" | "patch", "configmaps", Some(name)) if name == inventory_ref(mesh).name => {
                Self::Beginning
            }
            ("create", "leases", None) => Self::Beginning,
            ("create" | "patch", "secrets", Some("stolos-root")) => Self::Root,
            ("get" | "patch", "leases", _) => Self::Gone(something()),
            ("list" | "watch", "leases", _) => Self::Doubt,
            ("get" | "create", "pods/portforward", _) => {
                Self::Gone(vec![ours("Secret", "istio-remote-secret-cluster2")])
            }
            ("list", "pods", _) if is_primary => {
                Self::Gone(vec![ours("Secret", "istio-remote-secret-cluster2")])
            }
            ("list", "pods" | "replicasets" | "events", _) => Self::GoneAndLate(gateway()),
            ("bind", resource, Some(role)) => {
                let kind = if resource == "roles" { "Role" } else { "ClusterRole" };
                let is_bound = |object: &Object| {
                    object.text(&["roleRef", "kind"]) == Some(kind)
                        && object.text(&["roleRef", "name"]) == Some(role)
                };
                let objects = world.meshes.objects().into_iter();
                let bindings =
                    objects.filter(|(cluster, object)| *cluster == case.cluster && is_bound(object));
                Self::Gone(bindings.map(|(_, object)| object.reference()).collect())
            }
            ("create" | "patch" | "escalate", _, Some(_)) => Self::Gone(vec![world.object(case)]),
            ("delete", _, Some(_)) => Self::Anew(world.object(case)),
            ("list" | "watch", _, Some(_)) if world.grants(case, "delete") => {
                Self::AnewAndHeld(world.object(case))
            }
            ("watch", "customresourcedefinitions", None) | ("watch", "serviceaccounts", _) => {
                Self::NamesTaken
            }
            ("watch", "services", _) => Self::GoneAndWaited(gateway()),
            // What istiod leaves in a remote is waited for together.
            ("watch", "mutatingwebhookconfigurations" | "configmaps" | "namespaces", _) => {
                Self::GoneAndWaited(vec![ours("MutatingWebhookConfiguration", "istio-sidecar-injector")])
            }
            _ => panic!("nothing takes {}", case),
        }
    }
}

/// Keeps the steps of one cluster, and of these kinds.
fn only<'p>(case: &'p Case, kinds: &'p [UnitKind]) -> impl FnOnce(&mut Plan) + 'p {
    move |plan| plan.steps.retain(|step| step.unit.cluster == case.cluster && kinds.contains(&step.unit.kind))
}

impl World {
    /// What an apply says that takes the right of a case, which nobody has.
    async fn provoked(&mut self, case: &Case, provocation: &Provocation) -> Vec<String> {
        match provocation {
            Provocation::Beginning => {
                self.without(case).await;
                self.said(only(case, &[UnitKind::Namespace])).await
            }
            Provocation::Root => {
                let mut plan = self.meshes.plan(Mode::Apply).await;
                plan.steps.retain(|step| step.unit.kind == UnitKind::Namespace);
                assert!(self.meshes.run(plan).await.summary.is_complete());
                self.without(case).await;
                self.said(only(case, &[UnitKind::Namespace, UnitKind::Trust])).await
            }
            Provocation::Gone(objects) => {
                self.complete().await;
                self.delete(case, objects).await;
                self.without(case).await;
                self.said(|_| ()).await
            }
            Provocation::GoneAndWaited(objects) => {
                self.complete().await;
                self.meshes.stop_controllers();
                self.delete(case, objects).await;
                self.without(case).await;
                self.said(|_| ()).await
            }
            Provocation::GoneAndLate(objects) => {
                self.complete().await;
                self.meshes.stop_controllers();
                self.delete(case, objects).await;
                self.without(case).await;
                let patience = std::mem::replace(&mut self.meshes.options.timeout, SHORT);
                let said = self.said(|_| ()).await;
                self.meshes.options.timeout = patience;
                said
            }
            Provocation::Anew(object) => {
                self.complete().await;
                make_anew(self.admin(case), object).await;
                self.without(case).await;
                self.said(|_| ()).await
            }
            Provocation::AnewAndHeld(object) => {
                self.complete().await;
                make_anew(self.admin(case), object).await;
                let object = std::slice::from_ref(object);
                self.hold(case, object, json!(["example.com/hold"])).await;
                self.without(case).await;
                let said = self.said(|_| ()).await;
                self.hold(case, object, json!(null)).await;
                said
            }
            Provocation::NamesTaken => {
                self.complete().await;
                let definition =
                    self.ours(case, "CustomResourceDefinition", "telemetries.telemetry.istio.io");
                self.delete(case, &[definition]).await;
                let other = self.take_names(case).await;
                self.without(case).await;
                let said = self.said(|_| ()).await;
                self.delete(case, &[other]).await;
                said
            }
            Provocation::Doubt => {
                self.complete().await;
                self.delete(case, &[self.ours(case, "ConfigMap", "values")]).await;
                self.lend_lease(&case.cluster, json!("bob@ci-7/12/aa")).await;
                self.without(case).await;
                let said = self.said(|_| ()).await;
                self.lend_lease(&case.cluster, json!(null)).await;
                said
            }
        }
    }

    /// Somebody makes a definition that has the kind `Telemetry`, so that no other one can have it.
    async fn take_names(&self, case: &Case) -> ObjectRef {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "others.telemetry.istio.io"},
            "spec": {
                "group": "telemetry.istio.io", "scope": "Namespaced",
                "names": {"plural": "others", "singular": "other", "kind": "Telemetry", "listKind": "TelemetryList"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object"}}}],
            },
        });
        let made = self.meshes.create(case.cluster.as_str(), definition, "others").await;
        let is_established = |object: &Object| {
            let conditions = object.get(&["status", "conditions"]).and_then(|list| list.as_array());
            conditions
                .into_iter()
                .flatten()
                .any(|seen| seen["type"] == "Established" && seen["status"] == "True")
        };
        let start = Instant::now();
        while !self.admin(case).get(&made).await.expect("an answer").is_some_and(|live| is_established(&live))
        {
            assert!(start.elapsed() < super::PATIENCE, "it is never established");
        }
        made
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn an_apply_without_one_of_its_rights_says_which() {
    let mut world = World::open("rights-withdrawn-apply", Task::Apply).await;
    let read = cases_of(&rights_of(&world.meshes, Task::Plan));
    let cases: Vec<Case> = world.cases().into_iter().filter(|case| !is_read(&read, case)).collect();
    let what = "rights of an apply";
    let chosen = sample(what, cases, 10);
    let mut provoked: Vec<(Provocation, Case)> =
        chosen.into_iter().map(|case| (Provocation::of(&world, &case), case)).collect();
    // What takes an empty cluster goes first, and of that what leaves nothing behind.
    let late = |case: &Case| matches!(case.resource(), "leases" | "configmaps");
    provoked.sort_by_key(|(provocation, case)| match provocation {
        Provocation::Beginning => (0, late(case), case.resource() == "configmaps"),
        Provocation::Root => (1, false, false),
        _ => (2, false, false),
    });
    let mut tally = Tally::of(what, provoked.len());
    for (provocation, case) in provoked {
        world.as_admin();
        let said = world.provoked(&case, &provocation).await;
        tally.ended(&case.to_string(), untold(&case, &said).into_iter().collect());
    }
    assert!(tally.faults.is_empty(), "{}", tally.faults.join("\n"));
}

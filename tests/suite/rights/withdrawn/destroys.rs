//! The rights of a destroy that a plan does not take.
//!
//! A destroy takes down what the inventory names. So an administrator lets it name what takes the right in
//! question and nothing else, and the rest of the mesh stays for the next case.

use std::time::Duration;

use serde_json::{Value, json};
use stolos::graph::UnitKind;
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Inventory, Mode, Origin, Plan, inventory_ref};
use stolos::rbac::Task;

use super::reads::is_read;
use super::{Case, World, cases_of, rights_of, untold};
use crate::rights::{forced, without_state};
use crate::support::matrix::{Tally, sample};

/// How long a wait takes that must end in vain.
const SHORT: Duration = Duration::from_secs(2);

/// What takes a right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Provocation {
    /// To take down a mesh namespace in which nothing is but the inventory and the lease.
    Namespace(Going),
    /// To take down objects, the inventory naming no others.
    Named(Vec<ObjectRef>, Going),
    /// To let go of an object that was there before.
    Adopted(ObjectRef),
    /// To look for objects of a definition before that goes.
    Looked(ObjectRef),
    /// To write down what is left where one of two objects does not go in time.
    Left { goes: ObjectRef, stays: ObjectRef },
    /// To take a lease anew that somebody deleted.
    NoLease,
    /// To take a lease whose holder has long been silent.
    Doubt,
}

/// Whether objects go as soon as they are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Going {
    AtOnce,
    ByAndBy,
}

impl Provocation {
    fn of(world: &World, case: &Case) -> Self {
        let mesh = &world.meshes.desired.mesh;
        let ours = |kind: &str, name: &str| world.ours(case, kind, name);
        let something = || vec![ours("ConfigMap", "values")];
        let is_inventory = |name: &str| name == inventory_ref(mesh).name;
        match (case.verb(), case.resource(), case.name()) {
            ("list", "*", None) | ("delete", "namespaces", _) => Self::Namespace(Going::AtOnce),
            ("watch", "namespaces", _) => Self::Namespace(Going::ByAndBy),
            ("create", "leases", _) => Self::NoLease,
            ("watch", "leases", _) => Self::Doubt,
            ("get" | "patch" | "delete", "leases", _) => Self::Named(something(), Going::AtOnce),
            ("delete", "configmaps", Some(name)) if is_inventory(name) => {
                Self::Named(something(), Going::AtOnce)
            }
            ("patch", "configmaps", Some(name)) if is_inventory(name) => Self::Left {
                goes: ours("HorizontalPodAutoscaler", "istio-eastwestgateway"),
                stays: ours("ConfigMap", "values"),
            },
            ("patch", "namespaces", Some(name)) if name != mesh.namespace => {
                Self::Named(vec![world.object(case)], Going::AtOnce)
            }
            ("patch", _, Some(_)) => Self::Adopted(world.object(case)),
            ("delete", _, Some(_)) => Self::Named(vec![world.object(case)], Going::AtOnce),
            ("watch", _, Some(_)) => Self::Named(vec![world.object(case)], Going::ByAndBy),
            // Several of a kind are watched together.
            ("watch", "customresourcedefinitions", None) => {
                let two = ["telemetries.telemetry.istio.io", "wasmplugins.extensions.istio.io"];
                let two = two.map(|name| ours("CustomResourceDefinition", name));
                Self::Named(two.into(), Going::ByAndBy)
            }
            ("watch", resource, None) => {
                let kind = match resource {
                    "configmaps" => "ConfigMap",
                    "clusterroles" => "ClusterRole",
                    "clusterrolebindings" => "ClusterRoleBinding",
                    other => panic!("several {other} are not expected"),
                };
                Self::Named(world.of_one_unit(case, kind), Going::ByAndBy)
            }
            ("list", plural, None) => {
                let is_of = |object: &Object| object.name().starts_with(&format!("{plural}."));
                let mut objects = world.meshes.objects().into_iter();
                let found = objects.find(|(cluster, object)| {
                    *cluster == case.cluster && object.kind() == "CustomResourceDefinition" && is_of(object)
                });
                Self::Looked(found.unwrap_or_else(|| panic!("no definition of {plural}")).1.reference())
            }
            _ => panic!("nothing takes {}", case),
        }
    }
}

/// Keeps the steps of the cluster of a case. The mesh of the others stays: to make it again would take longer than
/// all the rest, as Kubernetes takes five seconds to let a namespace go.
fn only_there(case: &Case) -> impl FnOnce(&mut Plan) {
    |plan| plan.steps.retain(|step| step.unit.cluster == case.cluster)
}

impl World {
    /// Several objects of a kind that one unit of the cluster of a case is made of.
    fn of_one_unit(&self, case: &Case, kind: &str) -> Vec<ObjectRef> {
        let desired = &self.meshes.desired;
        let units = desired.units.iter().filter(|unit| unit.unit.cluster == case.cluster);
        let mut kinds = units.map(|unit| {
            let objects = unit.objects(&desired.mesh, &stolos::compile::Values::default());
            let objects = objects.expect("it renders").into_iter().filter(|object| object.kind() == kind);
            objects.map(|object| object.reference()).collect::<Vec<_>>()
        });
        kinds.find(|objects| objects.len() > 1).unwrap_or_else(|| panic!("no two {kind}s"))
    }

    /// The inventory of the cluster of a case.
    async fn inventory(&self, case: &Case) -> Inventory {
        let parent = inventory_ref(&self.meshes.desired.mesh);
        let live = self.admin(case).get(&parent).await.expect("an answer").expect("an inventory");
        Inventory::from_object(&live, &case.cluster).expect("it is one")
    }

    /// An administrator lets the inventory name these objects alone.
    async fn name_only(&self, case: &Case, objects: &[ObjectRef], origin: Origin) {
        let mut inventory = self.inventory(case).await;
        inventory.entries.retain(|object, _| objects.contains(object));
        inventory.entries.values_mut().for_each(|entry| entry.origin = origin);
        assert_eq!(inventory.entries.len(), objects.len(), "{}", case);
        let object = inventory.to_object(&self.meshes.desired.mesh);
        self.admin(case).apply(&object, forced()).await.expect("applied");
    }

    /// An administrator deletes what lies in these objects, if they are definitions.
    async fn empty(&self, case: &Case, objects: &[ObjectRef]) {
        for (cluster, object) in self.meshes.objects() {
            let is_in = |definition: &ObjectRef| {
                definition.kind == "CustomResourceDefinition"
                    && definition.name.ends_with(&format!("s.{}", object.reference().group))
                    && definition.name.starts_with(&object.kind().to_lowercase())
            };
            if cluster == case.cluster && objects.iter().any(is_in) {
                self.delete(case, &[object.reference()]).await;
            }
        }
    }

    /// What a destroy says that takes the right of a case, which nobody has.
    async fn provoked_to_go(&mut self, case: &Case, provocation: &Provocation) -> Vec<String> {
        let hold = || json!(["example.com/hold"]);
        match provocation {
            Provocation::Namespace(going) => {
                let mut plan = self.meshes.plan(Mode::Apply).await;
                plan.steps.retain(|step| step.unit.kind == UnitKind::Namespace);
                assert!(self.meshes.run(plan).await.summary.is_complete());
                let namespace = self.ours(case, "Namespace", &self.meshes.desired.mesh.namespace);
                let held: &[ObjectRef] = match going {
                    Going::AtOnce => &[],
                    Going::ByAndBy => &[namespace],
                };
                self.hold(case, held, hold()).await;
                self.without(case).await;
                let said = self.said(only_there(case)).await;
                self.hold(case, held, Value::Null).await;
                self.delete(case, held).await;
                said
            }
            Provocation::Named(objects, going) => {
                self.complete().await;
                self.empty(case, objects).await;
                self.name_only(case, objects, Origin::Created).await;
                let held = match going {
                    Going::AtOnce => &[],
                    Going::ByAndBy => objects.as_slice(),
                };
                let mut kept = Vec::new();
                for object in held {
                    kept.push(self.admin(case).get(object).await.expect("an answer").expect("it is there"));
                }
                self.hold(case, held, hold()).await;
                self.without(case).await;
                let said = self.said(only_there(case)).await;
                self.hold(case, held, Value::Null).await;
                self.delete(case, held).await;
                // A root that is gone is not made again.
                for object in kept.iter().filter(|object| object.name() == "stolos-root") {
                    let object = Object::from_value(without_state(object)).expect("an object");
                    self.admin(case).apply(&object, forced()).await.expect("applied");
                }
                said
            }
            Provocation::Adopted(object) => {
                self.complete().await;
                self.name_only(case, std::slice::from_ref(object), Origin::Adopted).await;
                self.without(case).await;
                self.said(only_there(case)).await
            }
            Provocation::Looked(definition) => {
                self.complete().await;
                self.name_only(case, std::slice::from_ref(definition), Origin::Created).await;
                self.without(case).await;
                self.said(only_there(case)).await
            }
            Provocation::Left { goes, stays } => {
                self.complete().await;
                self.name_only(case, &[goes.clone(), stays.clone()], Origin::Created).await;
                let held = std::slice::from_ref(stays);
                self.hold(case, held, hold()).await;
                self.without(case).await;
                let patience = std::mem::replace(&mut self.meshes.options.timeout, SHORT);
                let said = self.said(only_there(case)).await;
                self.meshes.options.timeout = patience;
                self.hold(case, held, Value::Null).await;
                said
            }
            Provocation::NoLease => {
                self.complete().await;
                self.name_only(case, &[self.ours(case, "ConfigMap", "values")], Origin::Created).await;
                self.delete(case, &[stolos::apply::lease_ref(&self.meshes.desired.mesh)]).await;
                self.without(case).await;
                self.said(only_there(case)).await
            }
            Provocation::Doubt => {
                self.complete().await;
                self.name_only(case, &[self.ours(case, "ConfigMap", "values")], Origin::Created).await;
                self.lend_lease(&case.cluster, json!("bob@ci-7/12/aa")).await;
                self.without(case).await;
                let said = self.said(only_there(case)).await;
                self.lend_lease(&case.cluster, Value::Null).await;
                said
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_destroy_without_one_of_its_rights_says_which() {
    let mut world = World::open("rights-withdrawn-destroy", Task::Destroy).await;
    let read = cases_of(&rights_of(&world.meshes, Task::Plan));
    let cases: Vec<Case> = world.cases().into_iter().filter(|case| !is_read(&read, case)).collect();
    let what = "rights of a destroy";
    let chosen = sample(what, cases, 10);
    let mut provoked: Vec<(Provocation, Case)> =
        chosen.into_iter().map(|case| (Provocation::of(&world, &case), case)).collect();
    // What takes clusters that hold nothing else goes first.
    provoked.sort_by_key(|(provocation, _)| !matches!(provocation, Provocation::Namespace(_)));
    let mut tally = Tally::of(what, provoked.len());
    for (provocation, case) in provoked {
        world.as_admin();
        let said = world.provoked_to_go(&case, &provocation).await;
        tally.ended(&case.to_string(), untold(&case, &said).into_iter().collect());
    }
    assert!(tally.faults.is_empty(), "{}", tally.faults.join("\n"));
}

//! The rights that `stolos rbac` prints are enough, and none of them is more than enough.
//!
//! Here an authorizing proxy stands before each cluster of a sandbox, and says afterwards which of the granted
//! rights nothing took. `real` does it on API servers, and `withdrawn` takes the rights away there, one by one.

mod external;
mod real;
mod unwatched;
mod withdrawn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::apply::{Event, StepOutcome, Stop, Summary, lease_ref};
use stolos::cluster::{ApplyOptions, Cluster, Limits, Transport};
use stolos::compile::{Desired, Values};
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Action, Conflicts, Inventory, Mode, Origin, Plan, done, inventory_ref, may_be_replaced};
use stolos::rbac::{self, PassOn, Right, Task};
use stolos::sandbox::{ApplyOptions as ByOthers, Patch, WriteOptions};
use stolos::topology::ClusterName;
use stolos::view;
use stolos::view::diagnostics::{Colours, Look};
use tokio::sync::watch;

use crate::support::authorizer::Authorizer;
use crate::support::meshes::{Meshes, desired, topology_text, writes};
use crate::support::scratch::scratch;

/// How long anything of these tests may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mesh that is reached through authorizers, and by an administrator past them.
struct Guarded {
    meshes: Meshes,
    admin: BTreeMap<ClusterName, Cluster>,
    guards: BTreeMap<ClusterName, Arc<Authorizer>>,
}

impl Guarded {
    async fn open(test: &str, desired: Desired) -> Self {
        let mut meshes = Meshes::open(&scratch(test), desired).await;
        let admin = meshes.clusters.clone();
        let mut guards = BTreeMap::new();
        for endpoint in meshes.running.endpoints() {
            let guard = Authorizer::before(&endpoint.url).await;
            let name = ClusterName::from(endpoint.cluster.as_str());
            let transport = Transport::plain(&guard.url, Limits::default()).expect("a URL");
            let cluster = Cluster::new(name.clone(), admin[&name].server(), transport);
            meshes.clusters.insert(name.clone(), cluster);
            guards.insert(name, Arc::new(guard));
        }
        Self { meshes, admin, guards }
    }

    /// Grants what a task takes.
    fn grant(&self, task: Task, before: Option<&Desired>, pass_on: PassOn) {
        let desired = &self.meshes.desired;
        for (name, rights) in rbac::rights(task, desired, before, pass_on).expect("it renders") {
            self.guards[&name].grant(&rights.cluster, &desired.mesh.namespace, &rights.namespace);
        }
    }

    /// Nothing was refused of all that was asked.
    fn assert_enough(&self, when: &str) {
        for (name, guard) in &self.guards {
            assert_eq!(guard.refused(), [], "{when}: {name}");
        }
    }

    /// Without any one of the rights something that was asked would have been refused.
    fn assert_no_more_than_enough(&self, when: &str) {
        let superfluous: Vec<String> = self
            .guards
            .iter()
            .flat_map(|(name, guard)| guard.superfluous().into_iter().map(move |right| shown(name, &right)))
            .filter(|right| !is_out_of_sight(right))
            .collect();
        assert_eq!(superfluous, Vec::<String>::new(), "{when}");
    }

    /// An administrator's plan.
    async fn admins_plan(&mut self) -> Plan {
        std::mem::swap(&mut self.meshes.clusters, &mut self.admin);
        let plan = self.meshes.plan(Mode::Apply).await;
        std::mem::swap(&mut self.meshes.clusters, &mut self.admin);
        plan
    }

    /// An administrator applies.
    async fn admins_apply(&mut self) {
        std::mem::swap(&mut self.meshes.clusters, &mut self.admin);
        let ran = self.meshes.apply().await;
        std::mem::swap(&mut self.meshes.clusters, &mut self.admin);
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    }

    /// Applies so that everything has to be waited for, at times in vain.
    async fn apply_by_and_by(&mut self) {
        let patience = self.meshes.options.timeout;
        let start = Instant::now();
        loop {
            self.meshes.stop_controllers();
            self.meshes.options.timeout = Duration::from_millis(200);
            let mut ran = self.meshes.apply().await;
            // On a busy machine a wait may end before it has looked at everything.
            while !self.was_watched(&ran.summary) {
                assert!(start.elapsed() < PATIENCE, "{:#?}", ran.summary);
                self.meshes.options.timeout *= 2;
                ran = self.meshes.apply().await;
            }
            if ran.summary.is_complete() {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{:#?}", ran.summary);
            self.meshes.start_controllers().await;
            let is_waiting = |plan: &Plan| {
                plan.steps.iter().any(|step| step.unmet.is_some() && step.writes().next().is_none())
            };
            while is_waiting(&self.admins_plan().await) {
                assert!(start.elapsed() < PATIENCE, "{:#?}", writes(&self.admins_plan().await));
            }
        }
        self.meshes.options.timeout = patience;
        self.meshes.start_controllers().await;
    }

    /// Whether all that failed steps wait for was watched.
    fn was_watched(&self, summary: &Summary) -> bool {
        let desired = &self.meshes.desired;
        let failed = summary.steps.iter().filter(|(_, outcome)| matches!(outcome, StepOutcome::Failed(_)));
        let mut targets = failed.flat_map(|(unit, _)| {
            let unit = desired.unit(&unit.unit).expect("a unit of the topology");
            let own = unit.objects(&desired.mesh, &Values::default()).expect("it renders");
            done::reads(&unit.unit, &unit.done, &own.iter().map(Object::reference).collect::<Vec<_>>())
        });
        targets.all(|(name, object)| self.guards[&name].watched(&object))
    }

    /// An administrator deletes all but what others lie in or are of.
    async fn empty(&self) {
        for (name, object) in self.meshes.objects() {
            if !matches!(object.kind(), "Namespace" | "CustomResourceDefinition") {
                self.admin[&name].delete(&object.reference(), None).await.expect("deleted");
            }
        }
    }

    /// An administrator deletes all that the topology asks for, and the inventories.
    async fn wipe(&self) {
        for (name, object) in self.meshes.objects().into_iter().rev() {
            self.admin[&name].delete(&object.reference(), None).await.expect("deleted");
        }
        for (name, object) in self.meshes.objects() {
            while self.admin[&name].find(&object.reference()).await.expect("an answer").is_some() {}
        }
    }

    /// What the inventories name becomes what was there before.
    async fn adopt_all(&self) {
        let mesh = &self.meshes.desired.mesh;
        for (name, admin) in &self.admin {
            let object = admin.get(&inventory_ref(mesh)).await.expect("an answer").expect("an inventory");
            let mut inventory = Inventory::from_object(&object, name).expect("it is one");
            inventory.entries.values_mut().for_each(|entry| entry.origin = Origin::Adopted);
            // Whoever had made a token Secret would hold what says whose token it is.
            let store = self.meshes.running.sandbox().cluster(name.as_str()).expect("a cluster");
            for object in inventory.entries.keys().filter(|object| object.kind == "Secret") {
                let live = admin.get(object).await.expect("an answer").expect("it is there");
                let Some(annotations) = live.get(&["metadata", "annotations"]) else { continue };
                let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
                    "name": object.name, "namespace": object.namespace, "annotations": annotations}});
                let theirs = Object::from_value(theirs).expect("an object");
                store.apply(theirs, &ByOthers::forced_by("helm")).expect("applied");
            }
            admin.apply(&inventory.to_object(mesh), forced()).await.expect("applied");
        }
    }

    /// An administrator makes an object anew with another value of a field that never changes.
    async fn make_anew(&self, name: &ClusterName, object: &ObjectRef) {
        make_anew(&self.admin[name], object).await;
    }

    /// Somebody has taken every lease, and does not renew it.
    fn neglect_leases(&self) {
        let spec = json!({"holderIdentity": "bob@ci-7/12/aa", "leaseDurationSeconds": 1,
            "renewTime": "2026-01-01T00:00:00.000000Z"});
        for store in self.meshes.running.sandbox().clusters() {
            let patch = Patch::Merge(json!({"spec": spec}));
            let lease = lease_ref(&self.meshes.desired.mesh);
            store.patch(&lease, &patch, None, &WriteOptions::by("stolos")).expect("it is there");
        }
    }

    /// Holds objects, so that a delete has to be waited for; each is let go once its end is watched.
    async fn hold(&self, objects: &[(ClusterName, ObjectRef)]) -> tokio::task::JoinHandle<()> {
        for (name, object) in objects {
            self.set_finalizers(name, object, json!(["example.com/hold"]));
        }
        let (guards, admin) = (self.guards.clone(), self.admin.clone());
        let mut held = objects.to_vec();
        let sandbox = self.meshes.running.sandbox().clusters().to_vec();
        tokio::spawn(async move {
            while let Some((name, object)) = held.pop() {
                let live = admin[&name].get(&object).await.expect("an answer");
                let Some(live) = live else { continue };
                let is_going = live.get(&["metadata", "deletionTimestamp"]).is_some();
                if is_going && guards[&name].watched(&object) {
                    let store =
                        sandbox.iter().find(|store| store.name() == name.as_str()).expect("a cluster");
                    let patch = Patch::Merge(json!({"metadata": {"finalizers": []}}));
                    store.patch(&object, &patch, None, &WriteOptions::by("holder")).expect("let go");
                } else {
                    held.insert(0, (name, object));
                }
            }
        })
    }

    fn set_finalizers(&self, name: &ClusterName, object: &ObjectRef, finalizers: Value) {
        let store = self.meshes.running.sandbox().cluster(name.as_str()).expect("a cluster");
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        store.patch(object, &patch, None, &WriteOptions::by("kube-controller-manager")).expect("it is there");
    }
}

/// Somebody makes an object anew with another value of a field that never changes.
async fn make_anew(admin: &Cluster, object: &ObjectRef) {
    let live = admin.get(object).await.expect("an answer").expect("it is there");
    let mut anew = without_state(&live);
    match object.kind.as_str() {
        "Deployment" => {
            anew["spec"]["selector"]["matchLabels"] = json!({"another": "one"});
            anew["spec"]["template"]["metadata"]["labels"]["another"] = json!("one");
        }
        "Secret" => {
            anew["type"] = json!("example.com/other");
            anew["metadata"].as_object_mut().expect("metadata").remove("annotations");
        }
        "ClusterRoleBinding" | "RoleBinding" => {
            anew["roleRef"] =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
        }
        "EndpointSlice" => {
            anew["addressType"] = json!("IPv6");
            anew["endpoints"] = json!([{"addresses": ["2001:db8::1"]}]);
        }
        "Service" => anew["spec"]["clusterIP"] = json!("None"),
        kind => panic!("{kind} is never replaced"),
    }
    admin.delete(object, None).await.expect("deleted");
    while admin.get(object).await.expect("an answer").is_some() {}
    admin.apply(&Object::from_value(anew).expect("an object"), forced()).await.expect("applied");
}

/// An object as somebody would write it who wants one like it.
fn without_state(live: &Object) -> Value {
    let mut value = Value::Object(live.as_map().clone());
    let kept = ["name", "namespace", "labels", "annotations"];
    value["metadata"].as_object_mut().expect("metadata").retain(|key, _| kept.contains(&key.as_str()));
    value.as_object_mut().expect("an object").remove("status");
    value
}

fn forced() -> ApplyOptions {
    ApplyOptions { conflicts: Conflicts::Force, ..ApplyOptions::default() }
}

fn shown(name: &ClusterName, right: &Right) -> String {
    match right {
        Right::Objects { group, resource, name: object, verb } => {
            format!("{name}: {verb} {resource}.{group} {}", object.as_deref().unwrap_or("*"))
        }
        Right::Path { path, verb } => format!("{name}: {verb} {path}"),
    }
}

const FILES: [&str; 2] = ["primary-remote-multi-network.yaml", "multi-primary.toml"];

/// Rights for something that a sandbox never shows: its definitions are established at once. API servers show
/// it (`withdrawn`).
fn is_out_of_sight(right: &str) -> bool {
    right.contains("watch customresourcedefinitions") || right.contains("watch serviceaccounts. istio-reader")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_takes_the_printed_rights_and_each_of_them() {
    for file in FILES {
        let mut guarded =
            Guarded::open(&format!("rights-plan-{file}"), desired(file, &topology_text(file))).await;
        guarded.grant(Task::Plan, None, PassOn::Escalate);
        assert!(guarded.meshes.plan(Mode::Apply).await.unknown.is_empty(), "{file}");
        guarded.admins_apply().await;
        assert_eq!(writes(&guarded.meshes.plan(Mode::Apply).await), Vec::<String>::new(), "{file}");
        // What a list lacks is read by its name.
        guarded.empty().await;
        assert!(guarded.meshes.plan(Mode::Apply).await.unknown.is_empty(), "{file}");
        guarded.assert_enough(file);
        guarded.assert_no_more_than_enough(file);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_takes_the_printed_rights_and_each_of_them() {
    for file in FILES {
        let mut guarded =
            Guarded::open(&format!("rights-apply-{file}"), desired(file, &topology_text(file))).await;
        guarded.grant(Task::Apply, None, PassOn::Escalate);
        guarded.apply_by_and_by().await;
        guarded.empty().await;
        guarded.neglect_leases();
        assert!(guarded.meshes.apply().await.summary.is_complete(), "{file}");
        // What cannot be changed is made anew.
        let fixed: Vec<(ClusterName, ObjectRef)> = guarded
            .meshes
            .objects()
            .into_iter()
            .filter(|(_, object)| may_be_replaced(object) && object.name() != "stolos-root")
            .map(|(name, object)| (name, object.reference()))
            .collect();
        for (name, object) in &fixed {
            guarded.make_anew(name, object).await;
        }
        let plan = guarded.meshes.plan(Mode::Apply).await;
        for (name, object) in &fixed {
            let mut changes = plan.steps.iter().filter(|step| step.unit.cluster == *name);
            let change = changes.find_map(|step| step.changes.iter().find(|change| change.object == *object));
            assert_eq!(change.map(|change| change.action), Some(Action::Replace), "{file}: {object}");
        }
        let holder = guarded.hold(&fixed).await;
        let ran = guarded.meshes.apply().await;
        assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
        holder.await.expect("all were let go");
        guarded.assert_enough(file);
        guarded.assert_no_more_than_enough(file);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroy_takes_the_printed_rights_and_each_of_them() {
    for file in FILES {
        let mut guarded =
            Guarded::open(&format!("rights-destroy-{file}"), desired(file, &topology_text(file))).await;
        guarded.grant(Task::Destroy, None, PassOn::Escalate);
        guarded.admins_apply().await;
        // What others deleted is read by its name.
        guarded.empty().await;
        guarded.meshes.plan(Mode::Destroy).await;
        guarded.admins_apply().await;
        // What was there before only loses our fields.
        guarded.adopt_all().await;
        for admin in guarded.admin.values() {
            admin.delete(&lease_ref(&guarded.meshes.desired.mesh), None).await.expect("deleted");
        }
        let ran = guarded.meshes.destroy().await;
        assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
        assert_eq!(guarded.meshes.applied_by_us().await, Vec::<String>::new(), "{file}");

        let mut guarded_again = guarded;
        guarded_again.wipe().await;
        guarded_again.admins_apply().await;
        // Stopped at first: what is left is written down.
        let plan = guarded_again.meshes.plan(Mode::Destroy).await;
        let (stopper, stop) = watch::channel(Stop::Go);
        let ran = guarded_again
            .meshes
            .run_telling(plan, stop, |event| {
                if matches!(event, Event::Done { .. }) {
                    let _ = stopper.send(Stop::Finish);
                }
            })
            .await;
        assert!(ran.summary.was_stopped(), "{file}: {:#?}", ran.summary);
        guarded_again.admins_apply().await;
        let everything: Vec<(ClusterName, ObjectRef)> = guarded_again
            .meshes
            .objects()
            .into_iter()
            .map(|(name, object)| (name, object.reference()))
            .filter(|(_, object)| object.kind != "Namespace" || object.name == "istio-system")
            .collect();
        let holder = guarded_again.hold(&everything).await;
        guarded_again.neglect_leases();
        let ran = guarded_again.meshes.destroy().await;
        assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
        holder.abort();
        guarded_again.assert_enough(file);
        guarded_again.assert_no_more_than_enough(file);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_topology_asked_for_goes_under_the_rights_from_there_to_here() {
    let (from, to) = ("multi-primary-multi-network.yaml", "multi-primary.toml");
    let (before, now) = (desired(from, &topology_text(from)), desired(to, &topology_text(to)));
    for adopted in [false, true] {
        let mut guarded = Guarded::open(&format!("rights-from-{adopted}"), before.clone()).await;
        guarded.admins_apply().await;
        if adopted {
            guarded.adopt_all().await;
        }
        guarded.meshes.desired = now.clone();
        guarded.grant(Task::Apply, Some(&before), PassOn::Escalate);
        let ran = guarded.meshes.apply().await;
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
        guarded.assert_enough(to);
        assert_eq!(writes(&guarded.meshes.plan(Mode::Apply).await), Vec::<String>::new());
    }
    // Without what the earlier one asked for the rights to remove it are missing.
    let mut guarded = Guarded::open("rights-from-nothing", before.clone()).await;
    guarded.admins_apply().await;
    guarded.meshes.desired = now;
    guarded.grant(Task::Apply, None, PassOn::Escalate);
    let plan = guarded.meshes.plan(Mode::Apply).await;
    let codes: Vec<&str> = plan.unknown.values().map(|failure| failure.code.name).collect();
    assert_eq!(codes, ["forbidden", "forbidden"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_can_be_written_by_holding_all_that_is_in_them() {
    for file in FILES {
        let guarded =
            Guarded::open(&format!("rights-hold-{file}"), desired(file, &topology_text(file))).await;
        guarded.grant(Task::Apply, None, PassOn::Hold);
        let ran = guarded.meshes.apply().await;
        assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
        guarded.assert_enough(file);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_may_only_read_says_that_what_differs_is_an_estimate() {
    let (before, now) = (topology_text(FILES[0]), {
        let gateways = "role: primary, eastWestGateway: { replicas: 3 }";
        topology_text(FILES[0]).replace("role: primary", gateways)
    });
    let mut guarded = Guarded::open("rights-estimate", desired(FILES[0], &before)).await;
    guarded.admins_apply().await;
    guarded.grant(Task::Plan, None, PassOn::Escalate);
    // Where nothing differs no dry run is needed.
    let plan = guarded.meshes.plan(Mode::Apply).await;
    assert!(plan.is_empty() && plan.estimated.is_empty(), "{:?}", writes(&plan));
    guarded.meshes.desired = desired(FILES[0], &now);
    let plan = guarded.meshes.plan(Mode::Apply).await;
    let names: Vec<&str> = plan.estimated.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["cluster1"]);
    let told = "what differs in cluster1 is an estimate: a dry run would tell exactly, and takes the right to write \
                there";
    let look = Look { colours: Colours::Off, columns: 100 };
    assert!(view::plan::text(&plan, look).contains(&format!("\n  {told}\n")));
    assert!(view::plan::markdown(&plan).contains(&format!("\n- {told}\n")));
    let json: Value = serde_json::from_str(&view::plan::json(&plan)).expect("JSON");
    assert_eq!(json["estimated"], json!(["cluster1"]));
    // With the right to write it is exact, and otherwise the same.
    let exact = guarded.admins_plan().await;
    assert!(exact.estimated.is_empty());
    assert_eq!(writes(&exact), writes(&plan));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_which_a_read_is_forbidden_is_unknown_and_says_which_right_it_takes() {
    let guarded = Guarded::open("rights-none", desired(FILES[0], &topology_text(FILES[0]))).await;
    let plan = guarded.meshes.plan(Mode::Apply).await;
    let (name, failure) = plan.unknown.first_key_value().expect("it may read nothing");
    assert_eq!((name.as_str(), failure.code.name), ("cluster1", "forbidden"));
    assert_eq!(
        failure.message,
        "cluster1: read Namespace kube-system: namespaces. \"kube-system\" is forbidden: User \"test\" cannot get \
         resource \"namespaces\" in API group \"\""
    );
    assert_eq!(
        failure.help.as_deref(),
        Some("the rights that each command takes: stolos rbac plan|apply|destroy PATH")
    );
}

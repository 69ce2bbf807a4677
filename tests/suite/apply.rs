//! Plans that become live, on either back end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use stolos::apply::{Event, StepOutcome, Stop};
use stolos::cluster::{greet, survey};
use stolos::object::{Object, ObjectRef};
use stolos::plan::{self, ClusterReads, Conflicts, Inventory, Mode, Reading, StepId};
use stolos::topology::ClusterName;
use tokio::sync::watch;

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::golden;
use crate::support::meshes::{Meshes, desired, text, topology_text, writes};
use crate::support::nobody::Nobody;
use crate::support::scratch::scratch;

on_both_back_ends!(
    a_plan_of_what_is_there_lists_each_kind_once_and_writes_nothing,
    a_shared_control_plane_over_two_networks_comes_and_goes,
    a_shared_control_plane_on_one_network_comes_and_goes,
    two_primaries_on_one_network_come_and_go,
    two_primaries_on_two_networks_come_and_go,
    a_mixed_mesh_comes_and_goes,
    a_wait_that_ends_says_what_it_saw_and_holds_back_what_depends_on_it,
    what_the_file_says_of_a_unit_goes_before_the_flag_for_all,
    a_run_that_is_stopped_gives_up_its_waits_and_writes_its_inventories,
    a_run_that_is_cut_off_anywhere_converges_when_it_is_repeated,
    a_destroy_that_is_cut_off_converges_when_it_is_repeated,
    what_was_there_before_is_adopted_and_stays,
    what_was_adopted_keeps_its_values_and_loses_our_labels,
    what_we_made_is_ours_although_its_record_was_lost,
    a_namespace_that_holds_something_of_others_is_kept,
    a_namespace_that_does_not_go_is_all_that_a_destroy_complains_of,
    an_apply_does_what_does_not_depend_on_a_cluster_that_cannot_be_read,
    an_object_whose_definition_has_just_gone_is_not_there_and_no_fault_of_its_cluster
);

/// What istiod and Kubernetes leave behind, and the application namespaces, which are never deleted.
fn is_of_others(name: &str) -> bool {
    let is_of = |namespace: &str| {
        name.ends_with(&format!(" Namespace {namespace}")) || name.contains(&format!(" {namespace}/"))
    };
    is_of("sample") || is_of("batch") || name.ends_with("/istio-ca-root-cert")
}

/// A topology comes, is as its plan said, and goes. Every back end gives the plan that was read.
async fn there_and_back(on: BackEnd, file: &str) {
    let test = format!("there-and-back-{file}");
    let meshes = Meshes::on(on, &test, desired(file, &topology_text(file))).await;
    let before = meshes.everything().await;
    let stem = file.split('.').next().expect("a stem");
    golden::assert_file(&format!("{stem}/plan.txt"), &text(&meshes.plan(Mode::Apply).await));
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
    let plan = meshes.plan(Mode::Apply).await;
    assert_eq!(writes(&plan), Vec::<String>::new(), "{file}");
    assert!(plan.is_empty(), "{}", text(&plan));
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
    let left: Vec<String> =
        meshes.everything().await.into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(
        left.iter().filter(|name| !is_of_others(name)).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "{file}"
    );
    assert_eq!(meshes.applied_by_us().await, Vec::<String>::new(), "{file}");
}

async fn a_shared_control_plane_over_two_networks_comes_and_goes(on: BackEnd) {
    there_and_back(on, "primary-remote-multi-network.yaml").await;
}

async fn a_shared_control_plane_on_one_network_comes_and_goes(on: BackEnd) {
    there_and_back(on, "primary-remote.yaml").await;
}

async fn two_primaries_on_one_network_come_and_go(on: BackEnd) {
    there_and_back(on, "multi-primary.toml").await;
}

async fn two_primaries_on_two_networks_come_and_go(on: BackEnd) {
    there_and_back(on, "multi-primary-multi-network.yaml").await;
}

async fn a_mixed_mesh_comes_and_goes(on: BackEnd) {
    there_and_back(on, "mixed.yaml").await;
}

const SHARED: &str = "primary-remote-multi-network.yaml";

async fn shared(on: BackEnd, test: &str) -> Meshes {
    Meshes::on(on, test, desired(SHARED, &topology_text(SHARED))).await
}

fn step(text: &str) -> StepId {
    text.parse().expect("a step")
}

fn reference(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

fn inventory_of(object: &Object) -> Inventory {
    Inventory::from_object(object, &"cluster1".into()).expect("an inventory")
}

fn parent() -> ObjectRef {
    reference("", "ConfigMap", Some("istio-system"), "stolos-mesh1")
}

async fn a_wait_that_ends_says_what_it_saw_and_holds_back_what_depends_on_it(on: BackEnd) {
    let mut meshes = Meshes::still_on(on, "wait-that-ends", desired(SHARED, &topology_text(SHARED))).await;
    let patience = meshes.options.timeout;
    meshes.options.timeout = on.short();
    let ran = meshes.apply().await;
    let StepOutcome::Failed(failure) = &ran.summary.steps[&step("cluster1/control-plane")] else {
        panic!("{:#?}", ran.summary);
    };
    assert_eq!(failure.code.name, "wait-timeout");
    let seconds = on.short().as_secs();
    assert_eq!(
        failure.message,
        format!(
            "cluster1/control-plane waited {seconds}s for Deployment istio-system/istiod to be available"
        )
    );
    let held: Vec<String> =
        ran.summary.held_back_by(&step("cluster1/control-plane")).map(ToString::to_string).collect();
    assert!(held.contains(&"cluster2/control-plane".to_owned()), "{held:?}");
    // What does not depend on it was finished, and what was made is recorded.
    for done in ["cluster1/trust", "cluster2/namespace", "cluster2/base"] {
        assert!(matches!(ran.summary.steps[&step(done)], StepOutcome::Done(_)), "{done}");
    }
    let inventory = inventory_of(&meshes.live("cluster1", &parent()).await.expect("an inventory"));
    let istiod = &inventory.entries[&reference("apps", "Deployment", Some("istio-system"), "istiod")];
    assert!(istiod.uid.is_some());
    // The same command goes on from there once the cause is mended.
    meshes.start_controllers().await;
    meshes.options.timeout = patience;
    assert!(meshes.apply().await.summary.is_complete());
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn what_the_file_says_of_a_unit_goes_before_the_flag_for_all(on: BackEnd) {
    let text = topology_text(SHARED) + "defaults: { timeouts: { control-plane: 4s } }\n";
    let mut meshes = Meshes::still_on(on, "own-timeout", desired(SHARED, &text)).await;
    meshes.options.timeout = Duration::from_secs(3600);
    let (stopper, stop) = watch::channel(Stop::Go);
    let plan = meshes.plan(Mode::Apply).await;
    let ran = meshes.run_telling(plan, stop, |event| {
        // What has an hour is not waited for any longer.
        if matches!(event, Event::Failed { .. }) {
            stopper.send_replace(Stop::Finish);
        }
    });
    let StepOutcome::Failed(failure) = &ran.await.summary.steps[&step("cluster1/control-plane")] else {
        panic!("it failed first");
    };
    assert_eq!(
        failure.message,
        "cluster1/control-plane waited 4s for Deployment istio-system/istiod to be available"
    );
}

async fn a_run_that_is_stopped_gives_up_its_waits_and_writes_its_inventories(on: BackEnd) {
    let meshes = Meshes::still_on(on, "stopped", desired(SHARED, &topology_text(SHARED))).await;
    let plan = meshes.plan(Mode::Apply).await;
    let (stopper, stop) = watch::channel(Stop::Go);
    let ran = meshes
        .run_telling(plan, stop, |event| {
            if matches!(event, Event::Waiting { .. }) {
                let _ = stopper.send(Stop::Finish);
            }
        })
        .await;
    assert!(ran.summary.was_stopped() && !ran.summary.has_failed(), "{:#?}", ran.summary);
    assert!(ran.events.contains(&Event::Stopping));
    let written = inventory_of(&meshes.live("cluster1", &parent()).await.expect("an inventory"));
    for (object, entry) in &written.entries {
        assert_eq!(
            meshes.live("cluster1", object).await.as_ref().and_then(Object::uid),
            entry.uid.as_deref(),
            "{object}"
        );
    }
}

async fn a_run_that_is_cut_off_anywhere_converges_when_it_is_repeated(on: BackEnd) {
    let cuts: &[usize] = match on {
        BackEnd::Sandbox => &[1, 6, 20, 45, 70, 90],
        BackEnd::ApiServers => &[45],
    };
    for &cut in cuts {
        let meshes = shared(on, &format!("cut-off-{cut}")).await;
        let plan = meshes.plan(Mode::Apply).await;
        meshes.run_until_cut(plan, cut).await;
        let ran = meshes.apply().await;
        assert!(ran.summary.is_complete(), "cut after {cut} events: {:#?}", ran.summary);
        assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new(), "cut after {cut} events");
        // Everything is recorded as made by us, so that nothing stays behind.
        assert!(meshes.destroy().await.summary.is_complete(), "cut after {cut} events");
        assert_eq!(meshes.applied_by_us().await, Vec::<String>::new(), "cut after {cut} events");
    }
}

async fn a_destroy_that_is_cut_off_converges_when_it_is_repeated(on: BackEnd) {
    let cuts: &[usize] = match on {
        BackEnd::Sandbox => &[1, 20, 60],
        BackEnd::ApiServers => &[20],
    };
    for &cut in cuts {
        let meshes = shared(on, &format!("destroy-cut-off-{cut}")).await;
        assert!(meshes.apply().await.summary.is_complete());
        let plan = meshes.plan(Mode::Destroy).await;
        meshes.run_until_cut(plan, cut).await;
        let ran = meshes.destroy().await;
        assert!(ran.summary.is_complete(), "cut after {cut} events: {:#?}", ran.summary);
        assert_eq!(meshes.applied_by_us().await, Vec::<String>::new(), "cut after {cut} events");
    }
}

async fn what_was_there_before_is_adopted_and_stays(on: BackEnd) {
    let meshes = shared(on, "adopted").await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "istio-system", "labels": {"team": "platform"}}});
    let name = meshes.create("cluster1", namespace, "kubectl-create").await;
    let before = meshes.live("cluster1", &name).await.expect("it is there");
    assert!(meshes.apply().await.summary.is_complete());
    assert!(meshes.destroy().await.summary.is_complete());
    let after = meshes.live("cluster1", &name).await.expect("it stays");
    assert_eq!(after.uid(), before.uid());
    assert_eq!(after.get(&["metadata", "labels"]), before.get(&["metadata", "labels"]));
    assert_eq!(meshes.live("cluster1", &parent()).await, None);
}

async fn what_was_adopted_keeps_its_values_and_loses_our_labels(on: BackEnd) {
    let meshes = shared(on, "adopted-values").await;
    let theirs = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "values", "namespace": "istio-system", "labels": {"team": "platform"}},
            "data": {"merged-values": "theirs", "notes": "theirs"}}),
    ];
    for object in theirs {
        meshes.create("cluster1", object, "helm").await;
    }
    assert!(meshes.apply().await.summary.is_complete());
    let values = reference("", "ConfigMap", Some("istio-system"), "values");
    let data = |object: &Object| object.get(&["data"]).cloned();
    let applied = meshes.live("cluster1", &values).await.expect("it is there");
    assert_ne!(data(&applied).expect("data")["merged-values"], "theirs");
    assert!(meshes.destroy().await.summary.is_complete());
    let after = meshes.live("cluster1", &values).await.expect("it stays");
    assert_eq!(data(&after), data(&applied));
    assert_eq!(after.get(&["metadata", "labels"]), Some(&json!({"team": "platform"})));
    assert_eq!(meshes.applied_by_us().await, Vec::<String>::new());
}

async fn what_we_made_is_ours_although_its_record_was_lost(on: BackEnd) {
    let meshes = shared(on, "record-lost").await;
    let before = meshes.everything().await;
    assert!(meshes.apply().await.summary.is_complete());
    // As after a kill between the namespace and the inventory that lies in it, or after somebody's mistake.
    for cluster in ["cluster1", "cluster2"] {
        meshes.delete(cluster, &parent()).await;
    }
    assert!(meshes.apply().await.summary.is_complete());
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
    assert!(meshes.destroy().await.summary.is_complete());
    let after = meshes.everything().await;
    let left: Vec<&String> =
        after.iter().filter(|name| !before.contains(name) && !is_of_others(name)).collect();
    assert_eq!(left, Vec::<&String>::new());
}

async fn a_namespace_that_holds_something_of_others_is_kept(on: BackEnd) {
    let meshes = shared(on, "kept").await;
    assert!(meshes.apply().await.summary.is_complete());
    let note = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "note", "namespace": "istio-system"}, "data": {"a": "b"}});
    let name = meshes.create("cluster1", note, "kubectl-create").await;
    assert!(meshes.destroy().await.summary.is_complete());
    assert!(meshes.live("cluster1", &name).await.is_some());
    assert_eq!(meshes.live("cluster1", &parent()).await, None);
}

async fn a_namespace_that_does_not_go_is_all_that_a_destroy_complains_of(on: BackEnd) {
    let mut meshes = shared(on, "stuck").await;
    assert!(meshes.apply().await.summary.is_complete());
    // istiod's own, so the namespace may go with it; and somebody's finalizer on it.
    let lock = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "istio-leader", "namespace": "istio-system", "finalizers": ["example.com/hold"]}});
    meshes.create("cluster2", lock, "kubectl-create").await;
    meshes.options.timeout = on.short();
    let ran = meshes.destroy().await;
    let StepOutcome::Failed(failure) = &ran.summary.steps[&step("cluster2/namespace")] else {
        panic!("{:#?}", ran.summary);
    };
    assert_eq!(failure.code.name, "wait-timeout");
    assert_eq!(ran.summary.failures, []);
}

async fn an_apply_does_what_does_not_depend_on_a_cluster_that_cannot_be_read(on: BackEnd) {
    let text = topology_text(SHARED).replace("root: generate", "root: istiod");
    let mut meshes = Meshes::on(on, "one-unread", desired(SHARED, &text)).await;
    let nobody = Nobody::listens();
    meshes.reach("cluster2", &nobody.url());
    let plan = meshes.plan(Mode::Apply).await;
    assert_eq!(plan.unknown.keys().map(ToString::to_string).collect::<Vec<_>>(), ["cluster2"]);
    let ran = meshes.run(plan).await;
    assert!(!ran.summary.has_failed(), "{:#?}", ran.summary);
    assert!(matches!(ran.summary.steps[&step("cluster1/expose-control-plane")], StepOutcome::Done(_)));
    assert!(matches!(
        ran.summary.steps[&step("cluster1/remote-secret-cluster2")],
        StepOutcome::Unknown { .. }
    ));
}

async fn an_object_whose_definition_has_just_gone_is_not_there_and_no_fault_of_its_cluster(on: BackEnd) {
    let meshes = shared(on, "kind-gone").await;
    let name = ClusterName::from("cluster1");
    let gateway = reference("networking.istio.io", "Gateway", Some("default"), "g");
    let reads = ClusterReads { lists: BTreeSet::new(), objects: BTreeSet::from([gateway]) };
    let live =
        survey(&meshes.desired.mesh, &BTreeMap::from([(name.clone(), reads)]), greet(&meshes.clusters).await)
            .await;
    let Reading::Read(cluster) = &live.clusters[&name] else { panic!("{:#?}", live.clusters[&name]) };
    assert_eq!(cluster.objects, BTreeMap::new());
}

async fn a_plan_of_what_is_there_lists_each_kind_once_and_writes_nothing(on: BackEnd) {
    let mut meshes = shared(on, "requests").await;
    assert!(meshes.apply().await.summary.is_complete());
    meshes.running.forget();
    let plan = meshes.plan(Mode::Apply).await;
    assert!(plan.is_empty());
    // By name are read: kube-system, the inventory, what istiod leaves in a remote, and Secrets, which are
    // never listed.
    for (name, expected) in [
        ("cluster1", [("configmaps", 1), ("namespaces", 1), ("secrets", 3)]),
        ("cluster2", [("configmaps", 2), ("namespaces", 1), ("secrets", 3)]),
    ] {
        let mut by_name = Vec::new();
        let mut kinds = 0;
        for ((verb, resource), count) in meshes.running.asked(name) {
            match verb.as_str() {
                "list" if count == 1 && resource != "secrets" => kinds += 1,
                "get" => by_name.push((resource, count)),
                _ => panic!("{name}: {count} times {verb} {resource}"),
            }
        }
        let by_name: Vec<(&str, u64)> =
            by_name.iter().map(|(resource, count)| (resource.as_str(), *count)).collect();
        assert_eq!(by_name, expected, "{name}");
        let asked = plan::reads(&meshes.desired).expect("it renders");
        assert_eq!(kinds, asked[&ClusterName::from(name)].lists.len(), "{name}: one list for each kind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_for_one_cluster_are_refused() {
    let mut meshes = Meshes::open(&scratch("one-cluster"), desired(SHARED, &topology_text(SHARED))).await;
    let url = meshes.running.endpoints()[0].url.clone();
    meshes.reach("cluster2", &url);
    let failures = meshes.try_plan(Mode::Apply, Conflicts::Refuse).await.expect_err("one cluster twice");
    let told: Vec<(&str, &str)> =
        failures.iter().map(|failure| (failure.code.name, failure.message.as_str())).collect();
    assert_eq!(told, [("cluster-reached-twice", "cluster1, cluster2 are the same cluster")]);
}

//! Objects that are deleted and not gone yet: what a finalizer, or a namespace with one in it, holds back.

use std::time::Duration;

use serde_json::json;
use stolos::apply::{Event, StepOutcome, Stop};
use stolos::object::ObjectRef;
use stolos::plan::{Action, Mode, Plan};
use tokio::sync::{mpsc, watch};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, Ran, desired, text, topology_text, writes};

on_both_back_ends!(
    what_a_finalizer_holds_is_waited_for_named_and_seen_by_the_next_destroy,
    a_namespace_that_has_lost_its_inventory_and_is_not_gone_is_seen_by_the_next_destroy,
    what_is_going_is_made_again_once_it_is_gone,
    a_mesh_namespace_that_is_going_is_made_again_with_all_that_was_in_it,
);

const SHARED: &str = "primary-remote-multi-network.yaml";

async fn applied(on: BackEnd, test: &str) -> Meshes {
    Meshes::applied_on(on, test, desired(SHARED, &topology_text(SHARED))).await
}

fn reference(kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        group: String::new(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

/// The ConfigMap with the mesh's configuration.
fn config() -> ObjectRef {
    reference("ConfigMap", Some("istio-system"), "istio")
}

/// Somebody keeps an object from going.
async fn hold(meshes: &Meshes, cluster: &str, object: &ObjectRef) {
    let held = json!([{"op": "add", "path": "/metadata/finalizers", "value": ["example.com/hold"]}]);
    meshes.patch(cluster, object, held, "somebody").await;
}

async fn let_go(meshes: &Meshes, cluster: &str, object: &ObjectRef) {
    let free = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    meshes.patch(cluster, object, free, "somebody").await;
}

/// Applies, and lets an object go as soon as it is said to be waited for.
async fn apply_letting_go(meshes: &Meshes, cluster: &str, object: &ObjectRef, waited_for: &str) -> Ran {
    let plan = meshes.plan(Mode::Apply).await;
    let (_stopper, stop) = watch::channel(Stop::Go);
    let (tell, mut told) = mpsc::unbounded_channel();
    let expected = format!("{waited_for} to be gone");
    let ran = meshes.run_telling(plan, stop, |event| {
        if let Event::Waiting { unmet, .. } = event
            && unmet.what == expected
        {
            let _ = tell.send(());
        }
    });
    let freed = async {
        let waited = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
        assert_eq!(waited, Ok(Some(())), "it says that it waits for {waited_for}");
        let_go(meshes, cluster, object).await;
    };
    let (ran, ()) = tokio::join!(ran, freed);
    ran
}

/// The line of an object in a plan.
fn line(plan: &Plan, object: &str) -> String {
    let text = text(plan);
    let line = text.lines().find(|line| line.contains(object)).map(str::trim);
    line.unwrap_or_else(|| panic!("{object} in {text}")).to_owned()
}

async fn what_a_finalizer_holds_is_waited_for_named_and_seen_by_the_next_destroy(on: BackEnd) {
    let mut meshes = applied(on, "leaving-destroy").await;
    meshes.options.timeout = on.short();
    hold(&meshes, "cluster1", &config()).await;
    // Twice: the second run finds what the first left behind.
    for _ in 0..2 {
        let ran = meshes.destroy().await;
        let StepOutcome::Failed(failure) =
            &ran.summary.steps[&"cluster1/control-plane".parse().expect("a step")]
        else {
            panic!("{:#?}", ran.summary);
        };
        assert_eq!(failure.code.name, "wait-timeout");
        let named = "ConfigMap istio-system/istio has finalizers example.com/hold".to_owned();
        assert!(failure.facts.contains(&named), "{failure:#?}");
        let plan = meshes.plan(Mode::Destroy).await;
        assert_eq!(
            line(&plan, "ConfigMap istio-system/istio "),
            "- ConfigMap istio-system/istio    still being deleted"
        );
    }
    let_go(&meshes, "cluster1", &config()).await;
    meshes.options.timeout = Duration::from_secs(60);
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(meshes.live("cluster1", &reference("Namespace", None, "istio-system")).await, None);
    assert_eq!(meshes.applied_by_us().await, Vec::<String>::new());
}

async fn a_namespace_that_has_lost_its_inventory_and_is_not_gone_is_seen_by_the_next_destroy(on: BackEnd) {
    let mut meshes = applied(on, "leaving-inventory").await;
    // istiod makes it in every namespace: it keeps none from being deleted.
    let made = reference("ConfigMap", Some("istio-system"), "istio-ca-root-cert");
    hold(&meshes, "cluster1", &made).await;
    meshes.options.timeout = on.short();
    let ran = meshes.destroy().await;
    assert!(!ran.summary.is_complete(), "{:#?}", ran.summary);
    let inventory = reference("ConfigMap", Some("istio-system"), "stolos-mesh1");
    assert_eq!(meshes.live("cluster1", &inventory).await, None);
    let plan = meshes.plan(Mode::Destroy).await;
    assert_eq!(line(&plan, "Namespace istio-system"), "- Namespace istio-system    still being deleted");
    let_go(&meshes, "cluster1", &made).await;
    meshes.options.timeout = Duration::from_secs(60);
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(meshes.live("cluster1", &reference("Namespace", None, "istio-system")).await, None);
}

async fn what_is_going_is_made_again_once_it_is_gone(on: BackEnd) {
    let meshes = applied(on, "leaving-apply").await;
    let before = meshes.live("cluster1", &config()).await.expect("it is there");
    hold(&meshes, "cluster1", &config()).await;
    meshes.delete("cluster1", &config()).await;
    let plan = meshes.plan(Mode::Apply).await;
    assert_eq!(
        line(&plan, "ConfigMap istio-system/istio "),
        "! ConfigMap istio-system/istio    is being deleted; made again once it is gone"
    );
    let ran = apply_letting_go(&meshes, "cluster1", &config(), "ConfigMap istio-system/istio").await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let after = meshes.live("cluster1", &config()).await.expect("it is there again");
    assert_ne!(after.uid(), before.uid());
    assert_eq!(after.get(&["data"]), before.get(&["data"]));
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn a_mesh_namespace_that_is_going_is_made_again_with_all_that_was_in_it(on: BackEnd) {
    let meshes = applied(on, "leaving-namespace").await;
    let namespace = reference("Namespace", None, "istio-system");
    let before = meshes.live("cluster2", &namespace).await.expect("it is there");
    let account = reference("ServiceAccount", Some("istio-system"), "istio-reader-service-account");
    hold(&meshes, "cluster2", &account).await;
    meshes.delete("cluster2", &namespace).await;
    let plan = meshes.plan(Mode::Apply).await;
    // What it holds goes with it, though nobody has deleted that yet.
    let of_account = plan.steps.iter().filter(|step| step.unit.to_string() == "cluster2/base");
    let of_account = of_account.flat_map(|step| &step.changes).find(|change| change.object == account);
    assert_eq!(of_account.map(|change| change.action), Some(Action::Create));
    let ran = apply_letting_go(&meshes, "cluster2", &account, "Namespace istio-system").await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let after = meshes.live("cluster2", &namespace).await.expect("it is there again");
    assert_ne!(after.uid(), before.uid());
    let plan = meshes.plan(Mode::Apply).await;
    assert_eq!(writes(&plan), Vec::<String>::new());
    let inventory = plan.clusters["cluster2"].inventory.as_ref().expect("it is written anew");
    assert!(inventory.entries.contains_key(&account));
    assert!(meshes.destroy().await.summary.is_complete());
    assert_eq!(meshes.applied_by_us().await, Vec::<String>::new());
}

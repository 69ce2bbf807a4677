//! One run at a time in each cluster, through the library; what rests on API servers on both back ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::apply::{self, Event, Guard, LeaseNews, StepOutcome, Stop};
use stolos::cluster::{Cluster, Created, Deleted, Fault};
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Mode, Plan};
use stolos::sandbox::{ClusterStore, DeleteOptions, Patch, WriteOptions};
use tokio::sync::{mpsc, watch};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, Ran, desired, topology_text, writes};
use crate::support::relay::Relay;
use crate::support::scratch::scratch;

const SHARED: &str = "primary-remote-multi-network.yaml";

async fn shared(test: &str) -> Meshes {
    Meshes::open(&scratch(test), desired(SHARED, &topology_text(SHARED))).await
}

async fn without_controllers(test: &str) -> Meshes {
    Meshes::without_controllers(&scratch(test), desired(SHARED, &topology_text(SHARED))).await
}

on_both_back_ends!(
    of_two_writers_that_saw_the_same_state_one_gets_through,
    nothing_is_made_in_a_namespace_that_is_not_there,
    of_two_first_applies_at_once_one_does_all_of_it,
);

async fn on_back_end(on: BackEnd, test: &str) -> Meshes {
    Meshes::on(on, test, desired(SHARED, &topology_text(SHARED))).await
}

/// A Lease as anybody may write one.
fn lease(namespace: &str, spec: Value) -> Object {
    Object::from_value(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "stolos-mesh1", "namespace": namespace}, "spec": spec,
    }))
    .expect("an object")
}

fn place() -> ObjectRef {
    lease("istio-system", json!({})).reference()
}

fn store<'m>(meshes: &'m Meshes, cluster: &str) -> &'m Arc<ClusterStore> {
    meshes.running.sandbox().cluster(cluster).expect("a cluster")
}

/// Makes somebody of another machine hold a cluster's lease, having renewed it `ago` seconds ago.
fn hold(meshes: &Meshes, cluster: &str, ago: i64, lasts: u64) {
    let renewed = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(ago);
    let spec = json!({
        "holderIdentity": "bob@ci-7/12/aa", "leaseDurationSeconds": lasts, "leaseTransitions": 3,
        "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    });
    let store = store(meshes, cluster);
    if store.get(&place()).is_some() {
        store.delete(&place(), &DeleteOptions::default()).expect("it is there");
    }
    store.create(lease("istio-system", spec), &WriteOptions::by("stolos")).expect("its namespace is there");
}

/// A mesh that is as its topology asks but for a Service in each cluster that somebody deleted.
async fn with_work(test: &str) -> Meshes {
    let meshes = shared(test).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    for cluster in ["cluster1", "cluster2"] {
        store(&meshes, cluster).delete(&service(), &DeleteOptions::default()).expect("it is there");
    }
    meshes
}

fn service() -> ObjectRef {
    ObjectRef {
        group: String::new(),
        kind: "Service".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istio-eastwestgateway".to_owned(),
    }
}

fn has_service(meshes: &Meshes, cluster: &str) -> bool {
    store(meshes, cluster).get(&service()).is_some()
}

fn holder(meshes: &Meshes, cluster: &str) -> Option<String> {
    let live = store(meshes, cluster).get(&place())?;
    live.text(&["spec", "holderIdentity"]).map(str::to_owned)
}

fn refusal(ran: &Ran) -> (&'static str, String) {
    let failure = ran.summary.refused.as_ref().unwrap_or_else(|| panic!("{:#?}", ran.summary));
    (failure.code.name, failure.message.clone())
}

fn news(ran: &Ran) -> Vec<(String, LeaseNews)> {
    let told = ran.events.iter().filter_map(|event| match event {
        Event::Lease { cluster, news } => Some((cluster.to_string(), news.clone())),
        _ => None,
    });
    told.collect()
}

async fn made(cluster: &Cluster, object: &Object) -> Object {
    match cluster.create(object).await {
        Ok(Created::Made(made)) => made,
        other => panic!("{other:?}"),
    }
}

async fn of_two_writers_that_saw_the_same_state_one_gets_through(on: BackEnd) {
    let meshes = on_back_end(on, "lease-versions").await;
    let cluster = &meshes.clusters["cluster1"];
    let lease = lease("default", json!({"holderIdentity": "a"}));
    let seen = made(cluster, &lease).await;
    assert_eq!(cluster.create(&lease).await, Ok(Created::Exists));
    let first = cluster.amend(&seen, &json!({"spec": {"holderIdentity": "b"}})).await.expect("the first");
    assert_eq!(first.text(&["spec", "holderIdentity"]), Some("b"));
    let second = cluster.amend(&seen, &json!({"spec": {"holderIdentity": "c"}})).await;
    assert_eq!(second.map_err(|error| error.fault), Err(Fault::Changed));
    let deleted = cluster.delete_unchanged(&seen).await;
    assert_eq!(deleted.map_err(|error| error.fault), Err(Fault::Changed));
    assert_eq!(cluster.get(&lease.reference()).await, Ok(Some(first.clone())));
    assert_eq!(cluster.delete_unchanged(&first).await, Ok(Deleted::Requested));
    // It is neither patched nor made anew where it has gone.
    let gone = cluster.amend(&first, &json!({"spec": {"holderIdentity": "d"}})).await;
    assert!(matches!(gone, Err(ref error) if matches!(error.fault, Fault::NotFound(_))), "{gone:?}");
    assert_eq!(cluster.get(&lease.reference()).await, Ok(None));
}

async fn nothing_is_made_in_a_namespace_that_is_not_there(on: BackEnd) {
    let meshes = on_back_end(on, "lease-no-namespace").await;
    let refused = meshes.clusters["cluster1"].create(&lease("nowhere", json!({}))).await;
    let refused = refused.map_err(|error| error.fault);
    assert_eq!(refused, Err(Fault::NotFound("namespaces \"nowhere\" not found".to_owned())));
}

/// Runs two plans at once: the run that got through, and the one that was refused.
async fn at_once(meshes: &Meshes, one: Plan, other: Plan) -> (Ran, Ran) {
    let (one, other) = tokio::join!(meshes.run(one), meshes.run(other));
    if one.summary.refused.is_none() { (one, other) } else { (other, one) }
}

async fn of_two_first_applies_at_once_one_does_all_of_it(on: BackEnd) {
    let rounds = if on == BackEnd::Sandbox { 4 } else { 1 };
    for round in 0..rounds {
        let meshes = on_back_end(on, &format!("lease-two-first-{round}")).await;
        let plans = (meshes.plan(Mode::Apply).await, meshes.plan(Mode::Apply).await);
        let (won, refused) = at_once(&meshes, plans.0, plans.1).await;
        assert!(won.summary.is_complete(), "{:#?}", won.summary);
        assert!(matches!(refusal(&refused).0, "lease-held" | "plan-stale"), "{:?}", refusal(&refused));
        // The other one made namespaces at most, which are the same for both.
        let only_namespaces = refused.summary.steps.iter().all(|(step, outcome)| match outcome {
            StepOutcome::Done(_) => step.to_string().ends_with("/namespace"),
            outcome => matches!(outcome, StepOutcome::Stopped | StepOutcome::Idle),
        });
        assert!(only_namespaces, "{:#?}", refused.summary.steps);
        assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
        for cluster in ["cluster1", "cluster2"] {
            let live = meshes.live(cluster, &place()).await.expect("it stays");
            assert_eq!(live.get(&["spec", "holderIdentity"]), None, "{cluster}");
        }
        // A run whose process is gone is succeeded, and a destroy takes the lease along.
        let (job, killed) = meshes.job(meshes.plan(Mode::Destroy).await);
        let (sender, mut events) = mpsc::unbounded_channel();
        let (_stopper, stop) = watch::channel(Stop::Go);
        tokio::select! {
            biased;
            _ = events.recv() => {}
            _ = apply::run(job, sender, stop) => panic!("it is longer than that"),
        }
        assert_eq!(refusal(&meshes.destroy().await).0, "lease-held");
        meshes.killed(killed);
        let ran = meshes.destroy().await;
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
        assert_eq!(meshes.live("cluster1", &place()).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_apply_and_a_destroy_at_once_one_does_all_of_it() {
    let meshes = with_work("lease-apply-destroy").await;
    let plans = (meshes.plan(Mode::Apply).await, meshes.plan(Mode::Destroy).await);
    let (won, refused) = at_once(&meshes, plans.0, plans.1).await;
    assert!(won.summary.is_complete(), "{:#?}", won.summary);
    assert!(matches!(refusal(&refused).0, "lease-held" | "plan-stale"), "{:?}", refusal(&refused));
    assert_eq!(refused.summary.steps_done(), 0);
    let applied = meshes.live("cluster1", &service()).await.is_some();
    let left = meshes.plan(if applied { Mode::Apply } else { Mode::Destroy }).await;
    assert_eq!(writes(&left), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_anywhere_while_another_run_holds_the_lease_of_one_cluster() {
    let meshes = with_work("lease-second-held").await;
    hold(&meshes, "cluster2", 5, 30);
    let start = Instant::now();
    let ran = meshes.apply().await;
    assert!(start.elapsed() < Duration::from_secs(20), "a holder that is alive is not watched first");
    let failure = ran.summary.refused.as_ref().expect("it is refused");
    assert_eq!(failure.code.name, "lease-held");
    assert_eq!(failure.message, "cluster2 is being changed by bob@ci-7/12/aa");
    assert!(failure.facts[0].starts_with("last sign of life "), "{:?}", failure.facts);
    assert!(!has_service(&meshes, "cluster1") && !has_service(&meshes, "cluster2"));
    assert_eq!(holder(&meshes, "cluster1"), None);
    assert_eq!(holder(&meshes, "cluster2").as_deref(), Some("bob@ci-7/12/aa"));
    assert_eq!(ran.summary.steps_done(), 0);
    // With nothing to do no lease is asked for.
    let meshes = shared("lease-none").await;
    assert!(meshes.apply().await.summary.is_complete());
    hold(&meshes, "cluster1", 5, 30);
    assert!(meshes.apply().await.summary.is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_dead_is_outlived() {
    let meshes = with_work("lease-expired").await;
    hold(&meshes, "cluster1", 3600, 1);
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert!(has_service(&meshes, "cluster1"));
    let told = news(&ran);
    let holder = "bob@ci-7/12/aa".to_owned();
    let [(cluster, LeaseNews::Doubted { holder: doubted, silent: Some(silent), watched }), expired] =
        told.as_slice()
    else {
        panic!("{told:#?}");
    };
    assert_eq!((cluster.as_str(), doubted, *watched), ("cluster1", &holder, Duration::from_secs(1)));
    assert!(silent.as_secs().abs_diff(3600) < 30, "{silent:?}");
    assert_eq!(*expired, ("cluster1".to_owned(), LeaseNews::Expired { holder }));
    let live = store(&meshes, "cluster1").get(&place()).expect("it stays");
    assert_eq!(live.get(&["spec", "leaseTransitions"]), Some(&json!(4)));
}

/// Renews the lease of a cluster as a run on a machine whose clock is wrong does.
fn renewing(meshes: &Meshes, cluster: &str, time: &'static str, stop: &Arc<AtomicBool>) {
    let (store, stop) = (Arc::clone(store(meshes, cluster)), Arc::clone(stop));
    tokio::spawn(async move {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            count += 1;
            let patch = Patch::Merge(json!({"spec": {"renewTime": format!("{time}.{count:06}Z")}}));
            let _ = store.patch(&place(), &patch, None, &WriteOptions::by("stolos"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_alive_keeps_its_lease_whatever_its_clock_says() {
    let meshes = with_work("lease-skew-alive").await;
    for (time, ago) in [("1999-01-01T00:00:00", 900_000_000), ("2999-01-01T00:00:00", -900_000_000)] {
        hold(&meshes, "cluster1", ago, 5);
        let stop = Arc::new(AtomicBool::new(false));
        renewing(&meshes, "cluster1", time, &stop);
        let ran = meshes.apply().await;
        assert_eq!(
            refusal(&ran),
            ("lease-held", "cluster1 is being changed by bob@ci-7/12/aa".to_owned()),
            "{time}"
        );
        assert!(!has_service(&meshes, "cluster1"));
        stop.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_dead_is_outlived_though_its_clock_was_ahead() {
    let meshes = with_work("lease-skew-dead").await;
    hold(&meshes, "cluster1", -900_000_000, 1);
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert!(matches!(news(&ran)[0].1, LeaseNews::Doubted { silent: None, .. }), "{:?}", news(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_can_be_run_again_at_once() {
    let meshes = without_controllers("lease-killed").await;
    let (job, killed) = meshes.job(meshes.plan(Mode::Apply).await);
    let (sender, mut events) = mpsc::unbounded_channel();
    let (_stopper, stop) = watch::channel(Stop::Go);
    tokio::select! {
        _ = apply::run(job, sender, stop) => panic!("nothing ever gets ready"),
        () = async {
            while !matches!(events.recv().await, Some(Event::Waiting { .. })) {}
        } => {}
    }
    assert!(holder(&meshes, "cluster1").is_some());
    let mut meshes = meshes;
    meshes.start_controllers().await;
    let refused = meshes.apply().await;
    assert_eq!(
        refusal(&refused),
        ("lease-held", "cluster1 is being changed by test@here (pid 1)".to_owned())
    );
    let what = &refused.summary.refused.as_ref().expect("it is refused").facts[0];
    assert!(what.starts_with("stolos apply mesh.yaml, for "), "{what}");
    meshes.killed(killed);
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let ended = LeaseNews::Ended { holder: "test@here (pid 1)".to_owned() };
    assert_eq!(news(&ran), [("cluster1".to_owned(), ended.clone()), ("cluster2".to_owned(), ended)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_waited_for_and_a_plan_that_another_run_overtook_is_refused() {
    let mut meshes = with_work("lease-waited").await;
    meshes.terms.patience = Duration::from_secs(30);
    hold(&meshes, "cluster2", 1, 60);
    let ran = {
        let plan = meshes.plan(Mode::Apply).await;
        let (_stopper, stop) = watch::channel(Stop::Go);
        let given = |event: &Event| {
            if matches!(event, Event::Lease { news: LeaseNews::Awaited { .. }, .. }) {
                // While it waits it holds none itself.
                assert_eq!(holder(&meshes, "cluster1"), None);
                store(&meshes, "cluster2").delete(&place(), &DeleteOptions::default()).expect("it is there");
            }
        };
        meshes.run_telling(plan, stop, given).await
    };
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let [(cluster, LeaseNews::Awaited { holder, limit, .. })] = &news(&ran)[..] else {
        panic!("{:?}", news(&ran))
    };
    assert_eq!((cluster.as_str(), holder.as_str()), ("cluster2", "bob@ci-7/12/aa"));
    assert_eq!(*limit, Duration::from_secs(30));
    // Two destroys of what stands: the second finds that there is nothing left of its plan.
    let plans = (meshes.plan(Mode::Destroy).await, meshes.plan(Mode::Destroy).await);
    assert!(meshes.run(plans.0).await.summary.is_complete());
    assert!(meshes.apply().await.summary.is_complete());
    let stale = meshes.run(plans.1).await;
    assert_eq!(refusal(&stale).0, "plan-stale");
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_lease_has_an_end_and_can_be_stopped() {
    let mut meshes = with_work("lease-wait-ends").await;
    hold(&meshes, "cluster1", 1, 600);
    meshes.terms.patience = Duration::from_secs(1);
    assert_eq!(refusal(&meshes.apply().await).0, "lease-held");
    meshes.terms.patience = Duration::from_secs(600);
    let (stopper, stop) = watch::channel(Stop::Go);
    let plan = meshes.plan(Mode::Apply).await;
    let ran = meshes
        .run_telling(plan, stop, |event| {
            if matches!(event, Event::Lease { .. }) {
                let _ = stopper.send(Stop::Finish);
            }
        })
        .await;
    assert!(ran.summary.was_stopped() && !ran.summary.has_failed(), "{:#?}", ran.summary);
    assert!(!has_service(&meshes, "cluster1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_given_back_after_success_failure_and_a_stop() {
    let mut meshes = without_controllers("lease-given-back").await;
    meshes.options.timeout = Duration::from_secs(1);
    assert!(meshes.apply().await.summary.has_failed());
    let stood = |meshes: &Meshes| {
        for cluster in ["cluster1", "cluster2"] {
            let live = store(meshes, cluster).get(&place()).expect("it stays");
            assert_eq!(live.get(&["spec", "holderIdentity"]), None, "{cluster}");
            assert_eq!(live.annotation("stolos/holder"), None, "{cluster}");
            assert_eq!(live.label("app.kubernetes.io/managed-by"), Some("stolos"));
        }
    };
    stood(&meshes);
    let plan = meshes.plan(Mode::Apply).await;
    let (stopper, stop) = watch::channel(Stop::Go);
    meshes.options.timeout = Duration::from_secs(30);
    let stopped = meshes
        .run_telling(plan, stop, |event| {
            if matches!(event, Event::Waiting { .. }) {
                assert!(holder(&meshes, "cluster1").is_some(), "it is held while it runs");
                let _ = stopper.send(Stop::Finish);
            }
        })
        .await;
    assert!(stopped.summary.was_stopped());
    stood(&meshes);
    meshes.start_controllers().await;
    assert!(meshes.apply().await.summary.is_complete());
    stood(&meshes);
    // It goes with the namespace, or by itself where that stays.
    let note = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "note", "namespace": "istio-system"}, "data": {"a": "b"}});
    let note = Object::from_value(note).expect("an object");
    store(&meshes, "cluster1").create(note, &WriteOptions::by("kubectl-create")).expect("created");
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    for cluster in ["cluster1", "cluster2"] {
        assert_eq!(store(&meshes, cluster).get(&place()), None, "{cluster}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_given_back_by_a_panic() {
    let mut meshes = with_work("lease-panic").await;
    // A process to ask about, and an answer that is a bug.
    let mut held = lease("istio-system", json!({"holderIdentity": "b", "leaseDurationSeconds": 30}));
    held.set_annotation("stolos/holder", r#"{"process": "p"}"#);
    let store2 = store(&meshes, "cluster2");
    store2.delete(&place(), &DeleteOptions::default()).expect("it is there");
    store2.create(held, &WriteOptions::by("stolos")).expect("its namespace is there");
    let taken = Arc::new(AtomicBool::new(false));
    let (seen, first) = (Arc::clone(&taken), Arc::clone(store(&meshes, "cluster1")));
    meshes.terms.has_ended = Arc::new(move |_| {
        let live = first.get(&place()).expect("it is there");
        seen.store(live.text(&["spec", "holderIdentity"]).is_some(), Ordering::Relaxed);
        panic!("a bug")
    });
    let (job, _) = meshes.job(meshes.plan(Mode::Apply).await);
    let (sender, _events) = mpsc::unbounded_channel();
    let (_stopper, stop) = watch::channel(Stop::Go);
    let ended = tokio::spawn(async move {
        let _guard = Guard::over(&job.leases);
        apply::run(job, sender, stop).await
    });
    assert!(ended.await.is_err_and(|error| error.is_panic()));
    assert!(taken.load(Ordering::Relaxed), "it was held when the panic came");
    assert_eq!(holder(&meshes, "cluster1"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_given_back_where_a_step_panics() {
    let mut meshes = with_work("lease-step-panics").await;
    let taken = |meshes: &Meshes, cluster: &str| {
        let live = store(meshes, cluster).get(&place()).expect("it stays");
        live.get(&["spec", "leaseTransitions"]).and_then(Value::as_i64).expect("a number")
    };
    let before = ["cluster1", "cluster2"].map(|cluster| taken(&meshes, cluster));
    // A step that is to be done later than any clock can tell does not get to its first request.
    meshes.options.timeout = Duration::MAX;
    let ran = meshes.apply().await;
    let panicked: Vec<&str> = ran
        .summary
        .steps
        .values()
        .filter_map(|outcome| match outcome {
            StepOutcome::Failed(failure) => Some(failure.code.name),
            _ => None,
        })
        .collect();
    assert_eq!(panicked, ["step-panicked"], "{:#?}", ran.summary);
    for (cluster, before) in ["cluster1", "cluster2"].into_iter().zip(before) {
        assert_eq!(taken(&meshes, cluster), before + 1, "{cluster}: it was taken");
        assert_eq!(holder(&meshes, cluster), None, "{cluster}");
        assert!(!has_service(&meshes, cluster), "{cluster}");
    }
    meshes.options.timeout = Duration::from_secs(30);
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete() && news(&ran).is_empty(), "{:#?}", ran.summary);
}

/// Runs an apply that never gets ready, and does something to it once it waits.
async fn interfered(meshes: &Meshes, interfere: impl Fn()) -> Ran {
    let plan = meshes.plan(Mode::Apply).await;
    let (_stopper, stop) = watch::channel(Stop::Go);
    let done = AtomicBool::new(false);
    meshes
        .run_telling(plan, stop, |event| {
            if matches!(event, Event::Waiting { step, .. } if step.unit.cluster.as_str() == "cluster1")
                && !done.swap(true, Ordering::Relaxed)
            {
                interfere();
            }
        })
        .await
}

/// What became of the steps of a cluster that did not end well.
fn failures(ran: &Ran, cluster: &str) -> Vec<String> {
    let of_cluster = ran.summary.steps.iter().filter(|(step, _)| step.unit.cluster.as_str() == cluster);
    let mut found: Vec<String> = of_cluster
        .filter_map(|(_, outcome)| match outcome {
            StepOutcome::Failed(failure) => Some(format!("{}: {}", failure.code.name, failure.message)),
            _ => None,
        })
        .collect();
    found.dedup();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_lost_stops_what_is_written_to_its_cluster() {
    let mut meshes = without_controllers("lease-lost").await;
    meshes.terms.lasts = Duration::from_secs(1);
    let deleted = interfered(&meshes, || {
        store(&meshes, "cluster1").delete(&place(), &DeleteOptions::default()).expect("it is there");
    })
    .await;
    let lost = |why: &str| vec![format!("lease-lost: cluster1: the lease of this run was lost: {why}")];
    assert_eq!(failures(&deleted, "cluster1"), lost("somebody deleted it"));
    assert_eq!(store(&meshes, "cluster1").get(&place()), None);
    // Another run's lease is left alone, and its inventory too.
    let inventory = |meshes: &Meshes| {
        let parent = ObjectRef { group: String::new(), kind: "ConfigMap".to_owned(), ..place() };
        store(meshes, "cluster1").get(&parent).map(|live| live.as_value()["data"].clone())
    };
    let before = std::sync::Mutex::new(None);
    let taken = interfered(&meshes, || {
        hold(&meshes, "cluster1", 0, 60);
        *before.lock().expect("no panic while held") = Some(inventory(&meshes));
    })
    .await;
    assert_eq!(failures(&taken, "cluster1"), lost("bob@ci-7/12/aa took it over"));
    assert_eq!(before.into_inner().expect("no panic while held"), Some(inventory(&meshes)));
    assert_eq!(holder(&meshes, "cluster1").as_deref(), Some("bob@ci-7/12/aa"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_is_lost_before_others_may_take_it() {
    let mut meshes = without_controllers("lease-unreachable").await;
    let endpoint = meshes.running.endpoints().into_iter().find(|endpoint| endpoint.cluster == "cluster1");
    let relay = Relay::to(&endpoint.expect("it answers").url).await;
    meshes.reach("cluster1", &relay.url);
    meshes.terms.lasts = Duration::from_secs(3);
    let cut = std::sync::Mutex::new(None);
    let ran = interfered(&meshes, || {
        relay.cut();
        *cut.lock().expect("no panic while held") = Some(Instant::now());
    })
    .await;
    let failed = failures(&ran, "cluster1");
    let lost = "lease-lost: cluster1: the lease of this run was lost: it could not be renewed: \
                change Lease istio-system/stolos-mesh1: ";
    // A machine that is busy notices a silence before it notices that nobody listens any more.
    let says_why =
        |failure: &&String| failure.contains("cannot be reached: ") || failure.contains("no answer within ");
    assert!(
        failed
            .iter()
            .filter(says_why)
            .any(|failure| failure.starts_with(lost) && failure.ends_with(" attempts)")),
        "{failed:?}"
    );
    assert!(holder(&meshes, "cluster1").is_some(), "nobody could give it back");
}

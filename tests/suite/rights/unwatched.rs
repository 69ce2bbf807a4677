//! What becomes of an apply that may not watch what it makes anew: where it deleted that itself, its roles let it
//! watch, and so it says at once which right it lacks; what somebody else deleted it goes on to read.

use std::time::Duration;

use serde_json::json;
use stolos::apply::{Event, StepOutcome, Stop};
use stolos::object::ObjectRef;
use stolos::plan::Mode;
use stolos::rbac::{self, PassOn, Right, Rights, Task};
use stolos::topology::ClusterName;
use tokio::sync::watch;

use super::{FILES, Guarded};
use crate::support::meshes::{Ran, desired, topology_text, writes};

async fn opened(test: &str) -> Guarded {
    let mut guarded = Guarded::open(test, desired(FILES[0], &topology_text(FILES[0]))).await;
    guarded.admins_apply().await;
    guarded
}

fn cluster1() -> ClusterName {
    ClusterName::from("cluster1")
}

fn in_mesh_namespace(guarded: &Guarded, kind: &str, name: &str) -> ObjectRef {
    let objects = guarded.meshes.objects();
    let found = objects
        .iter()
        .find(|(cluster, object)| *cluster == cluster1() && object.kind() == kind && object.name() == name);
    found.expect("it is asked for").1.reference()
}

/// Grants cluster1 what an apply takes, but for these verbs on a Secret.
fn grant_without(guarded: &Guarded, secret: &str, verbs: &[&str]) {
    guarded.grant(Task::Apply, None, PassOn::Escalate);
    let desired = &guarded.meshes.desired;
    let rights = rbac::rights(Task::Apply, desired, None, PassOn::Escalate).expect("it renders");
    let rights = &rights[&cluster1()];
    let but = |granted: &Rights| -> Rights {
        let is_kept = |right: &&Right| {
            !verbs.iter().any(|verb| **right == Right::new("", "secrets", Some(secret), verb))
        };
        granted.iter().filter(is_kept).cloned().collect()
    };
    let namespace = &desired.mesh.namespace;
    guarded.guards[&cluster1()].grant(&but(&rights.cluster), namespace, &but(&rights.namespace));
}

fn failed(ran: &Ran) -> Vec<String> {
    let mut failed = Vec::new();
    for (step, outcome) in &ran.summary.steps {
        if let StepOutcome::Failed(failure) = outcome {
            failed.push(format!("{step}: {}: {}", failure.code.name, failure.message));
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_may_not_be_watched_fails_for_want_of_that_right() {
    for verb in ["list", "watch"] {
        let mut guarded = opened(&format!("rights-unwatched-{verb}")).await;
        let secret = in_mesh_namespace(&guarded, "Secret", "cacerts");
        guarded.make_anew(&cluster1(), &secret).await;
        guarded.set_finalizers(&cluster1(), &secret, json!(["example.com/hold"]));
        grant_without(&guarded, "cacerts", &[verb]);
        guarded.meshes.options.timeout = Duration::from_secs(5);
        let ran = guarded.meshes.apply().await;
        let told = format!(
            "cluster1/trust: forbidden: cluster1: {verb} Secret: secrets. \"cacerts\" is forbidden: User \"test\" cannot \
             {verb} resource \"secrets\" in API group \"\""
        );
        assert_eq!(failed(&ran), [told]);

        // With it the next one goes on from there.
        grant_without(&guarded, "cacerts", &[]);
        guarded.set_finalizers(&cluster1(), &secret, json!([]));
        let ran = guarded.meshes.apply().await;
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
        assert_eq!(writes(&guarded.meshes.plan(Mode::Apply).await), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_deleted_is_read_until_it_is_gone_where_it_may_not_be_watched() {
    let guarded = opened("rights-unwatched-going").await;
    let config = in_mesh_namespace(&guarded, "ConfigMap", "istio");
    let before = guarded.admin[&cluster1()].get(&config).await.expect("an answer").expect("it is there");
    guarded.set_finalizers(&cluster1(), &config, json!(["example.com/hold"]));
    guarded.admin[&cluster1()].delete(&config, None).await.expect("deleted");
    guarded.grant(Task::Apply, None, PassOn::Escalate);
    let plan = guarded.meshes.plan(Mode::Apply).await;
    let (_stopper, stop) = watch::channel(Stop::Go);
    let ran = guarded.meshes.run_telling(plan, stop, |event| {
        if matches!(event, Event::Waiting { unmet, .. } if unmet.what.contains("ConfigMap istio-system/istio")) {
            guarded.set_finalizers(&cluster1(), &config, json!([]));
        }
    });
    let ran = ran.await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let refused = guarded.guards[&cluster1()].refused();
    assert_eq!(refused, [Right::new("", "configmaps", Some("istio"), "watch")]);
    let after = guarded.admin[&cluster1()].get(&config).await.expect("an answer").expect("it is there again");
    assert_ne!(after.uid(), before.uid());
}

//! Of releases that others install, only to read is granted; what is handed over is written to once, and never
//! deleted.

use stolos::object::{ObjectRef, kinds};
use stolos::plan::Mode;
use stolos::rbac::{self, ClusterRights, PassOn, Right, Task};
use stolos::topology::ClusterName;

use super::real::grant;
use super::{Guarded, desired, topology_text, writes};
use crate::support::back_end::BackEnd;
use crate::support::meshes::Meshes;
use crate::support::owner::{Owner, theirs};

const FILE: &str = "external-multi-network.yaml";

fn external() -> stolos::compile::Desired {
    desired(FILE, &topology_text(FILE))
}

fn embedded() -> stolos::compile::Desired {
    desired(FILE, &topology_text(FILE).replace("charts: external", "charts: embedded"))
}

/// The verbs that are granted on an object, but those to read.
fn written(rights: &ClusterRights, object: &ObjectRef) -> Vec<&'static str> {
    let plural = kinds::find(&object.group, &object.kind).expect("a kind of the table").plural;
    ["create", "update", "patch", "delete", "deletecollection"]
        .into_iter()
        .filter(|verb| {
            let wanted = Right::new(&object.group, plural, Some(&object.name), verb);
            rights.cluster.iter().chain(rights.namespace.iter()).any(|right| right.covers(&wanted))
        })
        .collect()
}

#[test]
fn nothing_of_a_release_of_others_may_be_written() {
    let desired = external();
    for task in [Task::Plan, Task::Apply, Task::Destroy] {
        let rights = rbac::rights(task, &desired, None, PassOn::Escalate).expect("it renders");
        for (cluster, object) in theirs(&Owner::with_embedded(), &desired) {
            let granted = written(&rights[&ClusterName::from(cluster.as_str())], &object);
            assert_eq!(granted, Vec::<&str>::new(), "{task:?}: {cluster} {object}");
        }
    }
    let rights =
        rbac::rights(Task::Apply, &desired, Some(&embedded()), PassOn::Escalate).expect("it renders");
    for (cluster, object) in theirs(&Owner::with_embedded(), &desired) {
        let granted = written(&rights[&ClusterName::from(cluster.as_str())], &object);
        assert_eq!(granted, ["patch"], "{cluster} {object}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_beside_others_takes_no_more_than_the_printed_rights() {
    let guarded = Guarded::open("rights-external", external()).await;
    guarded.grant(Task::Apply, None, PassOn::Escalate);
    let owner = Owner::with_embedded();
    owner.comes(&guarded.meshes).await;
    guarded.assert_enough("beside others");
    guarded.grant(Task::Plan, None, PassOn::Escalate);
    assert_eq!(writes(&guarded.meshes.plan(Mode::Apply).await), Vec::<String>::new());
    guarded.assert_enough("a plan beside others");
    for admin in guarded.admin.values() {
        let lease = stolos::apply::lease_ref(&guarded.meshes.desired.mesh);
        admin.delete(&lease, None).await.expect("deleted");
    }
    guarded.grant(Task::Destroy, None, PassOn::Escalate);
    let ran = guarded.meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    guarded.assert_enough("a destroy beside others");

    // And to hand over what was installed.
    let mut guarded = Guarded::open("rights-hand-over", embedded()).await;
    guarded.admins_apply().await;
    guarded.meshes.desired = external();
    guarded.grant(Task::Apply, Some(&embedded()), PassOn::Escalate);
    let ran = guarded.meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    guarded.assert_enough("a hand-over");
    assert_eq!(writes(&guarded.meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_mesh_is_handed_over_and_planned_under_the_printed_roles() {
    let mut meshes = Meshes::applied_on(BackEnd::ApiServers, "rights-real-external", embedded()).await;
    let admin = meshes.clusters.clone();
    meshes.desired = external();
    for pass_on in [PassOn::Escalate, PassOn::Hold] {
        let user = if pass_on == PassOn::Hold { "holder" } else { "escalator" };
        let rights =
            rbac::rights(Task::Apply, &meshes.desired, Some(&embedded()), pass_on).expect("it renders");
        for (name, rights) in &rights {
            grant(&meshes, name, user, Task::Apply, rights).await;
        }
        meshes.clusters = meshes.clusters_as(user).await;
        let ran = meshes.apply().await;
        assert!(ran.summary.is_complete(), "{user}: {:#?}", ran.summary);
        assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
        // Installed again, for the next one to hand over.
        meshes.clusters = admin.clone();
        meshes.desired = embedded();
        assert!(meshes.apply().await.summary.is_complete());
        meshes.desired = external();
    }
}

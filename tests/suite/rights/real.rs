//! On API servers with RBAC: a mesh comes and goes under the printed roles.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use stolos::compile::parent_name;
use stolos::plan::Mode;
use stolos::rbac::{self, ClusterRights, PassOn, Right, Task};
use stolos::topology::ClusterName;
use stolos::view;

use super::{FILES, PATIENCE};
use crate::support::back_end::BackEnd;
use crate::support::helm::yaml;
use crate::support::meshes::{Meshes, desired, topology_text, writes};

const RBAC: &str = "rbac.authorization.k8s.io";

/// An administrator lets a user do in a cluster what is printed, and nothing else, and waits until that is so.
pub(super) async fn grant(
    meshes: &Meshes,
    cluster: &ClusterName,
    user: &str,
    task: Task,
    rights: &ClusterRights,
) {
    let mesh = &meshes.desired.mesh;
    let about = view::rbac::About { task, mesh: &mesh.id, namespace: &mesh.namespace };
    for document in view::rbac::roles(about, cluster, rights).split("---\n") {
        let mut role = yaml(document);
        let printed = role["metadata"]["name"].as_str().expect("a name");
        let namespace = printed.ends_with("-in-namespace").then_some(&mesh.namespace);
        // So that it still begins as the name of a role of ours does.
        let mesh_role = parent_name(mesh);
        let name = printed.replacen(&mesh_role, &format!("{mesh_role}-{user}"), 1);
        role["metadata"]["name"] = json!(name);
        meshes.apply_by(cluster.as_str(), role, "admin").await;
        if namespace.is_some() && !meshes.live_namespace(cluster, &mesh.namespace).await {
            continue;
        }
        let kind = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        let binding = json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}]});
        meshes.apply_by(cluster.as_str(), binding, "admin").await;
        let granted = if namespace.is_some() { &rights.namespace } else { &rights.cluster };
        let namespace = namespace.map(String::as_str);
        let start = Instant::now();
        // A role is in force as a whole, and a new one may be a moment later than it was written.
        while let Some(right) = granted.iter().next()
            && !may(meshes, cluster, user, right, namespace).await
        {
            assert!(start.elapsed() < PATIENCE, "{cluster}: {user} may not {right:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Whether an API server lets a user do something, in one namespace or everywhere.
pub(super) async fn may(
    meshes: &Meshes,
    cluster: &ClusterName,
    user: &str,
    right: &Right,
    namespace: Option<&str>,
) -> bool {
    let Right::Objects { group, resource, name, verb } = right else { panic!("no role of ours names paths") };
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    let asked = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
        "user": user, "groups": ["system:authenticated"],
        "resourceAttributes": {"group": group, "resource": resource, "subresource": part, "name": name,
            "verb": verb, "namespace": namespace}}});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = meshes.raw(cluster.as_str()).await.ask(Method::POST, path, "application/json", &asked).await;
    answer.body["status"]["allowed"].as_bool().unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_mesh_comes_is_planned_and_goes_under_the_printed_roles() {
    let back_end = BackEnd::ApiServers;
    let mut meshes = Meshes::on(back_end, "rights-real", desired(FILES[0], &topology_text(FILES[0]))).await;
    let admin = meshes.clusters.clone();
    let of = |task| rbac::rights(task, &meshes.desired, None, PassOn::Escalate).expect("it renders");
    let (plans, applies, destroys) = (of(Task::Plan), of(Task::Apply), of(Task::Destroy));

    // Nobody knows them yet.
    meshes.clusters = meshes.clusters_as("applier").await;
    assert_eq!(meshes.plan(Mode::Apply).await.unknown.len(), 2);
    for (name, rights) in &applies {
        grant(&meshes, name, "applier", Task::Apply, rights).await;
    }
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());

    // Reading alone is enough for a plan.
    for (name, rights) in &plans {
        grant(&meshes, name, "planner", Task::Plan, rights).await;
    }
    meshes.clusters = meshes.clusters_as("planner").await;
    let plan = meshes.plan(Mode::Apply).await;
    assert!(plan.unknown.is_empty(), "{:?}", plan.unknown);
    assert_eq!(writes(&plan), Vec::<String>::new());

    for (name, rights) in &destroys {
        grant(&meshes, name, "destroyer", Task::Destroy, rights).await;
    }
    meshes.clusters = meshes.clusters_as("destroyer").await;
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    meshes.clusters = admin;
    assert_eq!(meshes.applied_by_us().await, Vec::<String>::new());
}

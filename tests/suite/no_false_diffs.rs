//! What servers and controllers write in their own way is no difference; what another tool applied is a conflict.

use serde_json::json;
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Conflicts, Mode};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::command::repository;
use crate::support::meshes::{Meshes, desired, text, topology_text, writes};

on_both_back_ends!(
    every_option_is_no_difference_once_it_is_applied,
    what_controllers_write_of_their_own_is_no_difference,
    a_field_that_another_tool_applied_is_a_conflict_until_it_is_forced,
);

const SHARED: &str = "primary-remote-multi-network.yaml";

/// The same quantities in other words.
const REWORDED: &[(&str, &str)] = &[
    ("cpu: 0.5, memory: 1024Mi, ephemeral-storage: 1e9", "cpu: 500m, memory: 1Gi, ephemeral-storage: 1G"),
    ("cpu: 1500m, memory: \"2147483648\"", "cpu: 1.5, memory: 2Gi"),
    ("cpu: 1000m, memory: 1.5Gi", "cpu: \"1\", memory: 1536Mi"),
    ("cpu: \"2\", memory: 2e9", "cpu: 2000m, memory: 2G"),
];

/// Nothing is to be written, and nothing to be asked of a server either; once what others changed has come
/// about there is nothing to wait for.
async fn is_as_asked(meshes: &Meshes, when: &str) {
    let estimate = meshes.estimate().await;
    assert_eq!(
        estimate.steps.iter().flat_map(|step| step.writes()).count(),
        0,
        "{when}: {}",
        text(&estimate)
    );
    let ran = meshes.run(estimate).await;
    assert!(ran.summary.is_complete(), "{when}: {:#?}", ran.summary);
    let plan = meshes.plan(Mode::Apply).await;
    assert!(plan.is_empty(), "{when}: {}", text(&plan));
}

async fn every_option_is_no_difference_once_it_is_applied(on: BackEnd) {
    let file = repository("tests/data/every-option.yaml");
    let asked = std::fs::read_to_string(file).expect("a topology");
    let mut meshes = Meshes::on(on, "every-option", desired("every-option.yaml", &asked)).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    is_as_asked(&meshes, "as applied").await;

    let mut reworded = asked.clone();
    for (words, others) in REWORDED {
        assert!(reworded.contains(words), "{words}");
        reworded = reworded.replace(words, others);
    }
    meshes.desired = desired("every-option.yaml", &reworded);
    // But for the chart's own note of its values, which is a text.
    let path = "  data.merged-values";
    assert_eq!(
        writes(&meshes.plan(Mode::Apply).await),
        [
            "cluster1/control-plane update ConfigMap mesh-system/values",
            path,
            "cluster2/control-plane update ConfigMap mesh-system/values",
            path,
        ]
    );

    // Another quantity is a difference.
    meshes.desired = desired("every-option.yaml", &asked.replace("memory: 1.5Gi", "memory: 1.25Gi"));
    let gateways = writes(&meshes.plan(Mode::Apply).await);
    let path = "  spec.template.spec.containers[name=istio-proxy].resources.requests.memory";
    assert_eq!(
        gateways,
        [
            "cluster1/eastwest-gateway update Deployment mesh-system/istio-eastwestgateway",
            path,
            "cluster2/eastwest-gateway update Deployment mesh-system/istio-eastwestgateway",
            path,
        ]
    );
}

fn of_mesh(group: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: name.to_owned(),
    }
}

async fn what_controllers_write_of_their_own_is_no_difference(on: BackEnd) {
    let meshes = Meshes::on(on, "controllers-write", desired(SHARED, &topology_text(SHARED))).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let gateway = of_mesh("", "Service", "istio-eastwestgateway");
    let cloud = "cloud-controller-manager";
    let operations = json!([
        {"op": "add", "path": "/metadata/finalizers", "value": ["service.kubernetes.io/load-balancer-cleanup"]},
        {"op": "add", "path": "/metadata/annotations", "value": {"cloud.example.com/neg-status": "{}"}},
    ]);
    meshes.patch("cluster1", &gateway, operations, cloud).await;
    let condition = json!({
        "type": "LoadBalancerReady", "status": "True", "reason": "Programmed", "message": "",
        "lastTransitionTime": "2027-01-01T00:00:00Z",
    });
    meshes.patch_status("cluster1", &gateway, json!({"status": {"conditions": [condition]}}), cloud).await;

    let istiod = of_mesh("apps", "Deployment", "istiod");
    let restarted = json!([
        {
            "op": "add", "path": "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt",
            "value": "2027-01-01T00:00:00Z",
        },
    ]);
    meshes.patch("cluster1", &istiod, restarted, "kubectl-rollout").await;
    let scaled = json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]);
    meshes.patch("cluster1", &istiod, scaled, "kube-controller-manager").await;

    let account = of_mesh("", "ServiceAccount", "istiod");
    let tokens = json!([{"op": "add", "path": "/secrets", "value": [{"name": "istiod-dockercfg"}]}]);
    meshes.patch("cluster1", &account, tokens, "openshift-controller-manager").await;
    is_as_asked(&meshes, "after others wrote").await;

    // What they wrote is still there after an apply of ours.
    assert!(meshes.apply().await.summary.is_complete());
    let live = meshes.live("cluster1", &istiod).await.expect("it is there");
    assert_eq!(live.get(&["spec", "replicas"]), Some(&json!(2)));
    let free = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    meshes.patch("cluster1", &gateway, free, cloud).await;
}

const FORCED: &str = "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

  Deployment istio-system/istiod restarts in cluster1
  1 object differs though the topology did not change: it is set right

stage 3
  ! cluster1/control-plane    1 of 17 objects
      ! Deployment istio-system/istiod    restarts; changed by argocd, just now
          metadata.labels.app  pilot -> istiod
          spec.template.spec.containers[name=discovery].image  example.com/pilot:1 -> registry.istio.io/release/pilot:1.30.3

14 other units are as they should be.
Plan: 1 to change in 1 step over 1 stage. 1 workload restarts, nothing is deleted.
";

async fn a_field_that_another_tool_applied_is_a_conflict_until_it_is_forced(on: BackEnd) {
    let meshes = Meshes::on(on, "conflict", desired(SHARED, &topology_text(SHARED))).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let theirs = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "istiod", "namespace": "istio-system", "labels": {"app": "pilot"}},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": "example.com/pilot:1"}]}}},
    });
    let istiod = meshes.apply_by("cluster1", theirs, "argocd").await;
    let spec = |object: Option<Object>| object.and_then(|object| object.get(&["spec"]).cloned());
    let before = spec(meshes.live("cluster1", &istiod).await);

    let failures = meshes.try_plan(Mode::Apply, Conflicts::Refuse).await.expect_err("a conflict");
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    assert_eq!(failure.code.name, "field-conflict");
    assert_eq!(failure.message, "cluster1: Deployment istio-system/istiod has fields of another tool");
    assert_eq!(
        failure.facts,
        [
            "metadata.labels.app is applied by argocd",
            "spec.template.spec.containers[name=discovery].image is applied by argocd",
            "in step cluster1/control-plane",
        ]
    );

    let plan = meshes.try_plan(Mode::Apply, Conflicts::Force).await.expect("a plan");
    assert_eq!(text(&plan), FORCED);
    assert_eq!(spec(meshes.live("cluster1", &istiod).await), before);
    let ran = meshes.run(plan).await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    is_as_asked(&meshes, "after it was forced").await;
}

//! Ports of nodes that a topology fixes and another Service has.

use serde_json::json;
use stolos::object::ObjectRef;
use stolos::plan::{Conflicts, Mode};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, desired, topology_text, writes};

on_both_back_ends!(a_new_service_whose_node_port_is_taken_fails_the_plan_and_not_the_apply);

const SHARED: &str = "primary-remote-multi-network.yaml";

async fn a_new_service_whose_node_port_is_taken_fails_the_plan_and_not_the_apply(on: BackEnd) {
    let text = topology_text(SHARED).replace(
        "network: network2, role: remote,",
        "network: network2, role: remote, eastWestGateway: \
         { service: { type: NodePort }, addresses: [192.0.2.1], ports: { 15443: 32443 } },",
    );
    assert_ne!(text, topology_text(SHARED));
    let meshes = Meshes::on(on, "node-ports", desired(SHARED, &text)).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let gateway = ObjectRef {
        group: String::new(),
        kind: "Service".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istio-eastwestgateway".to_owned(),
    };
    meshes.delete("cluster2", &gateway).await;
    // As long as it is free the plan makes the Service again.
    let planned = writes(&meshes.plan(Mode::Apply).await);
    let made = "cluster2/eastwest-gateway create Service istio-system/istio-eastwestgateway".to_owned();
    assert!(planned.contains(&made), "{planned:#?}");
    let other = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other", "namespace": "default"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 32443}]}});
    let other = meshes.create("cluster2", other, "kubectl-create").await;
    let failures = meshes.try_plan(Mode::Apply, Conflicts::Refuse).await.expect_err("it is refused");
    let codes: Vec<&str> = failures.iter().map(|failure| failure.code.name).collect();
    assert_eq!(codes, ["object-refused"]);
    let said = format!("{:?}", failures[0]);
    for words in
        ["cluster2", "32443", "provided port is already allocated", "in step cluster2/eastwest-gateway"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    meshes.delete("cluster2", &other).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
}

use serde_json::{Value, json};

use super::*;
use crate::compile::Desired;
use crate::plan::tests::world::{World, desired, example, now, with_charts};
use crate::plan::{Inputs, Plan, destroy};
use crate::view::diagnostics::{Colours, Look};

const PLAIN: Look = Look { colours: Colours::Off, columns: 100 };

fn applied() -> (Desired, World) {
    let desired = desired(&example("primary-remote-multi-network.yaml"));
    let mut world = World::new(&desired);
    world.apply(&desired);
    (desired, world)
}

/// A topology that changed, and live objects that others changed.
fn changed() -> Plan {
    let (_, mut world) = applied();
    world.edit("cluster2", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["spec"]["ports"][0]["name"] = json!("wrong");
    });
    world.edit("cluster1", "ConfigMap istio-system/istio", "kubectl-edit", |map| {
        map["data"]["mesh"] = json!("trustDomain: other\nmore: 1\n");
    });
    world.edit("cluster1", "Secret istio-system/istio-remote-secret-cluster2", "kubectl", |secret| {
        secret["data"]["cluster2"] = json!("aHVudGVyMg==");
    });
    world.remove("cluster1", "Service istio-system/istiod");
    let text = example("primary-remote-multi-network.yaml").replace(
        "cluster1: { network: network1, role: primary }",
        "cluster1: { network: network1, role: primary, eastWestGateway: { replicas: 3 } }",
    );
    world.plan(&desired(&text)).unwrap()
}

#[test]
fn a_first_plan_reads_as_a_table_of_contents() {
    let desired = desired(&example("primary-remote-multi-network.yaml"));
    let plan = World::new(&desired).plan(&desired).unwrap();
    assert_eq!(
        text(&plan, PLAIN),
        "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

  cluster1 becomes a primary on network1
  cluster2 joins network2 as a remote of cluster1
  every cluster gets an east-west gateway

stage 1
  + cluster1/namespace                1 object
  + cluster2/namespace                1 object
stage 2
  + cluster1/trust                   2 objects    intermediate CA, issued at apply from a new root
  + cluster1/base                    2 objects    waits for 1 CRD
  + cluster2/base                    2 objects    waits for 1 CRD
stage 3
  + cluster1/control-plane           5 objects    waits for istiod and its webhook
stage 4
  + cluster1/eastwest-gateway        2 objects    waits for its pods and an address
  + cluster1/app-namespaces           1 object
stage 5
  + cluster1/expose-control-plane    2 objects
  + cluster1/expose-services          1 object
stage 6
  + cluster2/control-plane           3 objects    remote profile
      address = (known after apply: address of cluster1/eastwest-gateway)
stage 7
  + cluster2/reader-credential        1 object    waits for its token
stage 8
  + cluster1/remote-secret-cluster2   1 object    lets istiod here read cluster2; waits for its effects in cluster2 and until istiod says synced
      token, ca = (known after apply: cluster2/reader-credential)
stage 9
  + cluster2/eastwest-gateway        2 objects    waits for its pods and an address
  + cluster2/app-namespaces           1 object

Plan: 27 to create in 15 steps over 9 stages. Nothing restarts, nothing is deleted.
"
    );
}

#[test]
fn a_plan_without_changes_says_so_in_one_line() {
    let (desired, world) = applied();
    assert_eq!(
        text(&world.plan(&desired).unwrap(), PLAIN),
        "Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)\n\n\
         No changes. 2 clusters are as the topology asks.\n"
    );
}

#[test]
fn changes_show_their_fields_and_drift_its_author() {
    let shown = text(&changed(), PLAIN);
    let fingerprint = shown.split("-> (sha256:").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    assert_eq!(
        shown.replace(fingerprint, "FINGERPRINT"),
        "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

  4 objects differ though the topology did not change: they are set right

stage 3
  ! cluster1/control-plane           2 of 5 objects
      ! ConfigMap istio-system/istio    another trust domain; changed by kubectl-edit, 1 hour ago
          data.mesh
            @@ -1,2 +1 @@
            -trustDomain: other
            -more: 1
            +trustDomain: cluster.local
      ! Service istio-system/istiod    was deleted since the last apply
stage 4
  ~ cluster1/eastwest-gateway        1 of 2 objects
      ~ Deployment istio-system/istio-eastwestgateway
          spec.replicas  3  (new)
stage 6
  ! cluster2/control-plane           1 of 3 objects
      ! Service istio-system/istiod    changed by kubectl-edit, 1 hour ago
          spec.ports[port=15012,protocol=TCP].name  wrong -> tcp-istiod
stage 8
  ! cluster1/remote-secret-cluster2        1 object
      ! Secret istio-system/istio-remote-secret-cluster2    istiod reads the cluster anew; changed by kubectl, 1 hour ago
          data.cluster2  (sha256:f52fbd32) -> (sha256:FINGERPRINT)

11 other units are as they should be.
Plan: 1 to create, 4 to change in 4 steps over 4 stages. Nothing restarts, nothing is deleted.
"
    );
}

#[test]
fn colours_add_nothing_but_colours() {
    let plan = changed();
    let coloured = text(&plan, Look { colours: Colours::On, columns: 100 });
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, text(&plan, PLAIN));
}

#[test]
fn no_live_text_reaches_the_terminal_as_it_is() {
    let (desired, mut world) = applied();
    world.edit("cluster1", "ConfigMap istio-system/istio", "evil\u{1b}[2J", |map| {
        map["data"]["mesh"] = json!("\u{1b}]0;owned\u{7}");
    });
    let plan = world.plan(&desired).unwrap();
    for shown in [text(&plan, PLAIN), markdown(&plan)] {
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown}");
    }
}

#[test]
fn no_format_shows_a_secret() {
    let plan = changed();
    for shown in [text(&plan, PLAIN), markdown(&plan), json(&plan)] {
        for secret in ["t0ken", "dDBrZW4", "hunter2", "aHVudGVyMg", "PRIVATE KEY"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }
}

#[test]
fn in_a_pull_request_the_verdict_comes_first_then_what_hurts_and_neither_is_folded() {
    let (desired, world) = applied();
    let plan = destroy(&desired, &world.live, &Inputs::at(now())).unwrap();
    let shown = markdown(&plan);
    let start: Vec<&str> = shown.lines().take(5).collect();
    assert_eq!(
        start,
        [
            "## Destroy: 21 to delete, 2 to release, 4 kept in 13 steps over 8 stages. Nothing restarts, 21 objects are deleted.",
            "",
            "> [!CAUTION]",
            "> - cluster1: deletes 14 objects: Gateway istio-system/cross-network-gateway, Secret istio-system/istio-remote-secret-cluster2, Gateway istio-system/istiod-gateway, VirtualService istio-system/istiod-vs, Deployment istio-system/istio-eastwestgateway, Service istio-system/istio-eastwestgateway, MutatingWebhookConfiguration istio-sidecar-injector, ValidatingWebhookConfiguration istio-validator-istio-system and 6 more",
            "> - cluster1: cuts traffic through 5 objects: Gateway istio-system/cross-network-gateway, Gateway istio-system/istiod-gateway, VirtualService istio-system/istiod-vs, Service istio-system/istio-eastwestgateway, Service istio-system/istiod",
        ]
    );
    assert!(shown.find("<details>").unwrap() > shown.find("[!CAUTION]").unwrap());
}

#[test]
fn a_comment_has_room_for_a_thousand_clusters() {
    let mut topology = String::from(
        "version: 1\nmesh: { id: mesh1 }\nistio: { version: 1.30.3, charts: embedded }\ntrust: { root: generate }\n\
         networks: { n: {} }\nclusters:\n  p: { network: n, role: primary }\n",
    );
    for number in 0..400 {
        topology.push_str(&format!("  r{number}: {{ network: n, role: remote, primaries: [p] }}\n"));
    }
    let desired = desired(&topology);
    let shown = markdown(&World::new(&desired).plan(&desired).unwrap());
    assert!(shown.len() < 65_536, "{}", shown.len());
    assert!(shown.contains("clusters are left out here: `stolos plan` shows all."));
}

#[test]
fn a_program_gets_a_schema_and_the_same_bytes_each_time() {
    let plan = changed();
    let shown = json(&plan);
    assert_eq!(shown, json(&plan));
    let value: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(value["schema"], "stolos.plan/v1");
    assert_eq!(
        value["summary"],
        json!({
            "create": 1, "adopt": 0, "update": 4, "replace": 0, "delete": 0, "release": 0, "hand-over": 0, "keep": 0, "no-op": 22,
            "steps": 4, "stages": 4, "restarts": 0,
        })
    );
    assert_eq!(
        value["steps"][1]["changes"],
        json!([{
            "object": {"group": "apps", "kind": "Deployment", "namespace": "istio-system", "name": "istio-eastwestgateway"},
            "action": "update", "cause": "topology", "by": null, "note": null, "restarts": false, "cutsTraffic": false,
            "takesFields": false, "migrates": [],
            "fields": [{"path": "spec.replicas", "before": null, "after": {"value": 3}, "by": null}],
        }])
    );
}

#[test]
fn a_cluster_out_of_sight_is_named_with_what_it_holds_back() {
    let (desired, mut world) = applied();
    world.edit("cluster2", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["spec"]["ports"][0]["name"] = json!("wrong");
    });
    world.unreachable("cluster1");
    assert_eq!(
        text(&world.plan(&desired).unwrap(), PLAIN),
        "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

  ? cluster1 could not be read: cluster1: no answer

  1 object differs though the topology did not change: it is set right

stage 6
  ! cluster2/control-plane    1 of 3 objects    held back by cluster1, which could not be read
      ! Service istio-system/istiod    changed by kubectl-edit, 1 hour ago
          spec.ports[port=15012,protocol=TCP].name  wrong -> tcp-istiod

5 other units are as they should be.
Plan: 1 to change in 1 step over 1 stage. Nothing restarts, nothing is deleted.
"
    );
}

#[test]
fn another_version_says_what_restarts_and_tells_what_changes_alike_together() {
    let text_of = |version: &str| example("primary-remote-multi-network.yaml").replace("1.30.3", version);
    let old = with_charts(&text_of("1.30.3"));
    let mut world = World::new(&old);
    world.apply(&old);
    let shown = text(&world.plan(&with_charts(&text_of("1.30.2"))).unwrap(), PLAIN);
    let start: Vec<&str> = shown.lines().take(10).collect();
    assert_eq!(
        start,
        [
            "Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.2 (embedded charts)",
            "",
            "  Deployment istio-system/istiod restarts in cluster1",
            "",
            "stage 2",
            "  ~ cluster1/base             17 objects",
            "      ~ 17 objects alike: 15 CustomResourceDefinition, 1 ServiceAccount, 1 \
             ValidatingWebhookConfiguration",
            "          metadata.labels[\"app.kubernetes.io/version\"]  1.30.3 -> 1.30.2",
            "  ~ cluster2/base             16 objects",
            "      ~ 16 objects alike: 15 CustomResourceDefinition, 1 ServiceAccount",
        ]
    );
}

/// Two primaries whose istiod gets another annotation.
fn restarted() -> Plan {
    let text_of = |note: &str| {
        let values = format!(
            "charts: embedded, values: {{ istiod: {{ pilot: {{ podAnnotations: {{ note: {note} }} }} }} }}"
        );
        example("multi-primary-multi-network.yaml").replace("charts: embedded", &values)
    };
    let old = desired(&text_of("a"));
    let mut world = World::new(&old);
    world.apply(&old);
    world.plan(&desired(&text_of("b"))).unwrap()
}

#[test]
fn a_node_agent_that_starts_anew_is_told_apart_from_workloads() {
    let file = example("primary-remote-multi-network.yaml");
    let on = |version: &str| {
        desired(&file.replace(
            "version: 1.30.3, charts: embedded",
            &format!("version: {version}, charts: embedded, cni: enabled"),
        ))
    };
    let mut world = World::new(&on("1.30.2"));
    world.apply(&on("1.30.2"));
    let plan = world.plan(&on("1.30.3")).unwrap();
    let (shown, told) = (text(&plan, PLAIN), markdown(&plan));
    assert!(told.contains("cluster1: restarts the node agent of 1 object, node by node: pods that begin there meanwhile are tried again, those that run go on: DaemonSet istio-system/istio-cni-node"), "{told}");
    assert!(
        shown.contains("~ DaemonSet istio-system/istio-cni-node    restarts node by node, workloads do not"),
        "{shown}"
    );
    assert!(shown.contains("Nothing restarts, 2 node agents do, nothing is deleted."), "{shown}");
}

#[test]
fn waves_are_told_in_a_sentence_and_at_their_steps() {
    assert_eq!(
        text(&restarted(), PLAIN),
        "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

  Deployment istio-system/istiod restarts in cluster1, cluster2
  in 2 waves, each healthy before the next: cluster1, then cluster2

stage 3
  ~ cluster1/control-plane    1 of 5 objects    wave 1 of 2
      ~ Deployment istio-system/istiod    restarts
          spec.template.metadata.annotations.note  a -> b
stage 4
  ~ cluster2/control-plane    1 of 5 objects    wave 2 of 2
      ~ Deployment istio-system/istiod    restarts
          spec.template.metadata.annotations.note  a -> b

16 other units are as they should be.
Plan: 2 to change in 2 steps over 2 stages. 2 workloads restart, nothing is deleted.
"
    );
}

#[test]
fn a_program_is_told_the_waves_and_each_step_its_own() {
    let value: Value = serde_json::from_str(&json(&restarted())).unwrap();
    assert_eq!(value["waves"], json!([["cluster1"], ["cluster2"]]));
    let waves: Vec<&Value> = value["steps"].as_array().unwrap().iter().map(|step| &step["wave"]).collect();
    assert_eq!(waves, [1, 2]);
}

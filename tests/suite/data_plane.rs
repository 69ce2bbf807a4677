//! What runs in the clusters is the same on both back ends: Pods that webhooks let in, and those that they refuse.

use std::time::Duration;

use serde_json::{Value, json};
use stolos::cluster::{Seen, Selection};
use stolos::object::{GroupKind, Object, ObjectRef};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, desired, topology_text};

on_both_back_ends!(
    a_gateway_is_completed_by_the_istiod_that_its_webhook_leads_to,
    a_pod_whose_webhook_is_not_trusted_is_refused_in_the_words_of_an_api_server,
);

const SHARED: &str = "primary-remote-multi-network.yaml";

/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the proxies of a cluster's gateway were given: their image, and what says where they are.
async fn proxies(meshes: &Meshes, cluster: &str) -> Vec<Value> {
    let pods = GroupKind { group: String::new(), kind: "Pod".to_owned() };
    let gateways = Selection::labelled("istio", "eastwestgateway");
    let listing = meshes.clusters[cluster].list(&pods, &gateways).await.expect("it answers");
    let known = ["CA_ADDR", "ISTIO_META_CLUSTER_ID", "ISTIO_META_NETWORK"];
    let told = listing.objects.iter().map(|pod| {
        let containers = pod.get(&["spec", "containers"]).and_then(Value::as_array).expect("containers");
        let variables = containers[0]["env"].as_array().expect("variables").iter();
        let told = variables.filter(|one| known.iter().any(|name| one["name"] == *name));
        let told: Vec<String> = told.map(|one| format!("{}={}", one["name"], one["value"])).collect();
        json!([containers[0]["name"], containers[0]["image"], told])
    });
    told.collect()
}

async fn a_gateway_is_completed_by_the_istiod_that_its_webhook_leads_to(on: BackEnd) {
    let meshes = Meshes::on(on, "completed", desired(SHARED, &topology_text(SHARED))).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    for (cluster, network) in [("cluster1", "network1"), ("cluster2", "network2")] {
        let told = [
            "\"CA_ADDR\"=\"istiod.istio-system.svc:15012\"".to_owned(),
            format!("\"ISTIO_META_CLUSTER_ID\"=\"{cluster}\""),
            format!("\"ISTIO_META_NETWORK\"=\"{network}\""),
        ];
        assert_eq!(proxies(&meshes, cluster).await, [json!(["istio-proxy", "istio/proxyv2", told])]);
    }
}

/// The message of a condition of a Deployment, once it is True.
async fn condition(meshes: &Meshes, cluster: &str, deployment: &ObjectRef, kind: &str) -> String {
    let mut watch = meshes.clusters[cluster].watch(deployment.group_kind(), Selection::of(deployment));
    let message = |object: &Object| {
        let conditions = object.get(&["status", "conditions"])?.as_array()?;
        let found = conditions.iter().find(|one| one["type"] == kind && one["status"] == "True")?;
        Some(found["message"].as_str()?.to_owned())
    };
    let told = async {
        loop {
            let found = match watch.next().await.expect("it goes on") {
                Seen::State(objects) => objects.iter().find_map(message),
                Seen::Changed(object) => message(&object),
                Seen::Gone(_) => None,
            };
            if let Some(found) = found {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("it comes")
}

async fn a_pod_whose_webhook_is_not_trusted_is_refused_in_the_words_of_an_api_server(on: BackEnd) {
    let mut desired = desired(SHARED, &topology_text(SHARED));
    let secret =
        desired.units.iter_mut().find(|one| one.unit.to_string() == "cluster1/remote-secret-cluster2");
    // Without it no istiod writes its CA into the webhooks of cluster2.
    secret.expect("a unit").content.objects.clear();
    let mut meshes = Meshes::on(on, "refused", desired).await;
    meshes.options.timeout = on.short();
    assert!(meshes.apply().await.summary.has_failed());
    let web = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "sidecar.istio.io/inject": "true"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        },
    });
    let web = meshes.create("cluster2", web, "kubectl-create").await;
    assert_eq!(
        condition(&meshes, "cluster2", &web, "ReplicaFailure").await,
        "Internal error occurred: failed calling webhook \"object.sidecar-injector.istio.io\": failed to call \
         webhook: Post \"https://istiod.istio-system.svc:443/inject/cluster/cluster2/net/network2?timeout=10s\": \
         tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
}

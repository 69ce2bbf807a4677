//! Claims about istiod: how it starts, whom it registers, what it writes where.

use std::time::Duration;

use serde_json::{Value, json};

use super::fleet::*;
use crate::sandbox::controllers::{Leads, Registration, SyncStatus};
use crate::sandbox::{Patch, WriteOptions};
use crate::trust::Root;

const VALIDATING: (&str, &str) = ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration");

fn serving(annotation: Option<&str>) -> Value {
    match annotation {
        Some(ids) => json!({"topology.istio.io/controlPlaneClusters": ids}),
        None => json!({}),
    }
}

/// A primary with gateway and exposure, and a remote that is not registered yet.
fn pair(test: &str, external: &str, annotation: Option<&str>) -> (Fleet, Root) {
    let mut fleet = Fleet::new(test, &["cluster1", "cluster2"]);
    let root = root();
    fleet.apply("cluster1", [namespace(NS, json!({}), json!({})), cacerts(&issued(&root, "cluster1"))]);
    fleet.apply("cluster1", primary("cluster1", external));
    fleet.apply("cluster1", gateway());
    fleet.apply("cluster1", exposure());
    fleet.settle();
    let address = fleet.address("cluster1", "istio-eastwestgateway").unwrap();
    fleet.apply("cluster2", [namespace(NS, json!({}), serving(annotation))]);
    fleet.apply("cluster2", remote("cluster2", &address));
    fleet.apply("cluster2", [token_secret()]);
    fleet.apply("cluster2", gateway());
    fleet.settle();
    (fleet, root)
}

fn register(fleet: &mut Fleet) {
    let config = kubeconfig(fleet, "cluster2");
    fleet.apply("cluster1", [remote_secret("cluster2", &config)]);
    fleet.settle();
}

fn registration(leads: Leads, sync: SyncStatus) -> Registration {
    Registration {
        primary: "cluster1".to_owned(),
        id: "cluster2".to_owned(),
        secret: "istio-remote-secret-cluster2".to_owned(),
        sync,
        leads,
    }
}

#[test]
fn a_primary_patches_its_own_webhooks_and_publishes_its_root() {
    let (mut fleet, root) = pair("primary", "true", None);
    let pem = root.certificate().pem();
    assert_eq!(fleet.available("cluster1", "istiod"), "True");
    assert_eq!(fleet.available("cluster1", "istio-eastwestgateway"), "True");
    assert_eq!(fleet.bundle("cluster1").as_deref(), Some(pem));
    let validator = fleet
        .store("cluster1")
        .find(VALIDATING.0, VALIDATING.1, None, "istio-validator-istio-system")
        .unwrap();
    assert_eq!(validator.get(&["webhooks"]).unwrap()[0]["failurePolicy"], "Fail");

    fleet.apply("cluster1", [namespace("sample", json!({}), json!({}))]);
    fleet.settle();
    for (namespace, wanted) in [("sample", Some(pem)), ("kube-system", Some(pem)), ("kube-public", None)] {
        assert_eq!(fleet.root("cluster1", namespace).as_deref(), wanted, "{namespace}");
    }
    let labels = fleet.store("cluster1").find("", "ConfigMap", Some("sample"), "istio-ca-root-cert").unwrap();
    assert_eq!(labels.label("istio.io/config"), Some("true"));
}

#[test]
fn a_deleted_root_and_an_emptied_bundle_come_back() {
    let (mut fleet, root) = pair("comes-back", "true", None);
    fleet.delete("cluster1", "", "ConfigMap", Some(NS), "istio-ca-root-cert");
    let live = fleet
        .store("cluster1")
        .find("admissionregistration.k8s.io", "MutatingWebhookConfiguration", None, "istio-sidecar-injector")
        .unwrap();
    let emptied = Patch::Json(json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]));
    fleet
        .store("cluster1")
        .patch(&live.reference(), &emptied, None, &WriteOptions::by("kubectl-edit"))
        .unwrap();
    fleet.settle();
    assert_eq!(fleet.root("cluster1", NS).as_deref(), Some(root.certificate().pem()));
    assert_eq!(fleet.bundle("cluster1").as_deref(), Some(root.certificate().pem()));
}

#[test]
fn a_remote_gets_everything_once_secret_annotation_and_external_istiod_are_there() {
    let (mut fleet, root) = pair("remote", "true", Some("cluster1"));
    assert_eq!(fleet.bundle("cluster2"), None);
    assert_eq!(
        fleet.condition("cluster2", "istio-eastwestgateway", "ReplicaFailure"),
        "Internal error occurred: failed calling webhook \"object.sidecar-injector.istio.io\": failed to call webhook: \
         Post \"https://istiod.istio-system.svc:443/inject/cluster/cluster2/net/network2?timeout=10s\": \
         tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
    register(&mut fleet);
    assert_eq!(fleet.controllers.registrations(), [registration(Leads::Yes, SyncStatus::Synced)]);
    assert_eq!(fleet.bundle("cluster2").as_deref(), Some(root.certificate().pem()));
    assert_eq!(fleet.root("cluster2", NS).as_deref(), Some(root.certificate().pem()));
    assert_eq!(fleet.available("cluster2", "istio-eastwestgateway"), "True");
    assert_eq!(fleet.condition("cluster2", "istio-eastwestgateway", "ReplicaFailure"), "none");
}

#[test]
fn without_the_remote_secret_nothing_happens_in_the_remote() {
    let (mut fleet, _) = pair("no-secret", "true", Some("cluster1"));
    fleet.settle();
    assert_eq!((fleet.bundle("cluster2"), fleet.root("cluster2", NS)), (None, None));
    assert_eq!(fleet.controllers.registrations(), []);
}

#[test]
fn without_the_annotation_a_synced_remote_gets_nothing() {
    for (test, annotation) in [("no-annotation", None), ("other-annotation", Some("cluster9,cluster11"))] {
        let (mut fleet, _) = pair(test, "true", annotation);
        register(&mut fleet);
        assert_eq!(fleet.controllers.registrations(), [registration(Leads::No, SyncStatus::Synced)]);
        assert_eq!((fleet.bundle("cluster2"), fleet.root("cluster2", NS)), (None, None));
    }
}

#[test]
fn without_external_istiod_a_synced_remote_gets_nothing() {
    let (mut fleet, _) = pair("no-external", "false", Some("*"));
    register(&mut fleet);
    assert_eq!(fleet.controllers.registrations(), [registration(Leads::No, SyncStatus::Synced)]);
    assert_eq!((fleet.bundle("cluster2"), fleet.root("cluster2", NS)), (None, None));
}

#[test]
fn an_annotation_that_comes_late_counts_once_the_secret_changes() {
    let (mut fleet, root) = pair("late", "true", None);
    register(&mut fleet);
    fleet.apply("cluster2", [namespace(NS, json!({}), serving(Some("cluster9,cluster1")))]);
    fleet.settle();
    assert_eq!(fleet.bundle("cluster2"), None);
    fleet.restart();
    fleet.settle();
    assert_eq!(fleet.bundle("cluster2"), None);

    let mut config = kubeconfig(&fleet, "cluster2");
    config["preferences"] = json!({});
    fleet.apply("cluster1", [remote_secret("cluster2", &config)]);
    fleet.settle();
    assert_eq!(fleet.bundle("cluster2").as_deref(), Some(root.certificate().pem()));
}

#[test]
fn a_restart_of_istiod_reads_the_annotation_again() {
    let (mut fleet, root) = pair("rollout-reads", "true", None);
    register(&mut fleet);
    fleet.apply("cluster2", [namespace(NS, json!({}), serving(Some("*")))]);
    let mut deployment = istiod("cluster1", "true");
    deployment["spec"]["template"]["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/restartedAt": "now"});
    fleet.apply("cluster1", [deployment]);
    fleet.settle();
    assert_eq!(fleet.bundle("cluster2").as_deref(), Some(root.certificate().pem()));
}

#[test]
fn a_registration_ends_with_its_secret() {
    let (mut fleet, _) = pair("unregister", "true", Some("cluster1"));
    register(&mut fleet);
    fleet.delete("cluster1", "", "Secret", Some(NS), "istio-remote-secret-cluster2");
    fleet.apply("cluster2", [namespace("sample", json!({}), json!({}))]);
    fleet.settle();
    assert_eq!(fleet.controllers.registrations(), []);
    assert_eq!(fleet.root("cluster2", "sample"), None);
}

#[test]
fn a_kubeconfig_that_does_not_reach_its_cluster_times_out() {
    type Case = (&'static str, fn(&mut Value), &'static str);
    let cases: [Case; 3] = [
        (
            "elsewhere",
            |config| config["clusters"][0]["cluster"]["server"] = "https://10.0.0.1:6443".into(),
            "Get \"https://10.0.0.1:6443\": dial tcp: i/o timeout",
        ),
        (
            "other-ca",
            |config| config["clusters"][0]["cluster"]["certificate-authority-data"] = "eA==".into(),
            "Get \"https://cluster2.sandbox.invalid:6443\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        (
            "other-token",
            |config| config["users"][0]["user"]["token"] = "x".into(),
            "Unauthorized: the token is not one of a ServiceAccount of that cluster",
        ),
    ];
    for (test, break_it, reason) in cases {
        let (mut fleet, _) = pair(test, "true", Some("cluster1"));
        let mut config = kubeconfig(&fleet, "cluster2");
        break_it(&mut config);
        fleet.apply("cluster1", [remote_secret("cluster2", &config)]);
        fleet.settle();
        let wanted = registration(Leads::Unknown, SyncStatus::Timeout(reason.to_owned()));
        assert_eq!(fleet.controllers.registrations(), [wanted]);
        assert_eq!(fleet.bundle("cluster2"), None);
    }
}

#[test]
fn a_token_without_rights_times_out_until_it_has_them() {
    let (mut fleet, root) = pair("no-rights", "true", Some("cluster1"));
    fleet.delete(
        "cluster2",
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        None,
        "istio-reader-clusterrole-istio-system",
    );
    register(&mut fleet);
    let reason = "namespaces is forbidden: User \"system:serviceaccount:istio-system:istio-reader-service-account\" \
                  cannot list resource \"namespaces\" in API group \"\" at the cluster scope";
    let wanted = registration(Leads::Unknown, SyncStatus::Timeout(reason.to_owned()));
    assert_eq!(fleet.controllers.registrations(), [wanted]);
    fleet.apply("cluster2", reader());
    fleet.settle();
    assert_eq!(fleet.controllers.registrations(), [registration(Leads::Yes, SyncStatus::Synced)]);
    assert_eq!(fleet.bundle("cluster2").as_deref(), Some(root.certificate().pem()));
}

#[test]
fn the_own_id_and_a_second_secret_for_an_id_are_ignored() {
    let (mut fleet, _) = pair("ignored", "true", Some("cluster1"));
    register(&mut fleet);
    let config = kubeconfig(&fleet, "cluster2");
    let mut second = remote_secret("cluster2", &config);
    second["metadata"]["name"] = "another".into();
    let mut own = remote_secret("cluster1", &config);
    own["metadata"]["name"] = "own".into();
    fleet.apply("cluster1", [second, own]);
    fleet.settle();
    assert_eq!(fleet.controllers.registrations(), [registration(Leads::Yes, SyncStatus::Synced)]);

    // Nobody looks at the second one again when the first goes.
    fleet.delete("cluster1", "", "Secret", Some(NS), "istio-remote-secret-cluster2");
    fleet.settle();
    assert_eq!(fleet.controllers.registrations(), []);
}

#[test]
fn a_denied_kubeconfig_is_not_registered() {
    let (mut fleet, _) = pair("denied", "true", Some("cluster1"));
    let mut config = kubeconfig(&fleet, "cluster2");
    config["users"][0]["user"] = json!({"exec": {"command": "aws"}});
    fleet.apply("cluster1", [remote_secret("cluster2", &config)]);
    fleet.settle();
    assert_eq!(fleet.controllers.registrations(), []);
}

#[test]
fn a_remote_is_not_injected_without_the_way_to_istiod() {
    let (mut fleet, _) = pair("no-way", "true", Some("cluster1"));
    fleet.delete("cluster1", "networking.istio.io", "VirtualService", Some(NS), "istiod-vs");
    register(&mut fleet);
    let failure = fleet.condition("cluster2", "istio-eastwestgateway", "ReplicaFailure");
    assert!(failure.ends_with("dial tcp 203.0.113.1:15017: connect: connection refused"), "{failure}");
    fleet.apply("cluster1", exposure());
    fleet.settle();
    assert_eq!(fleet.available("cluster2", "istio-eastwestgateway"), "True");
}

#[test]
fn istiod_behind_a_load_balancer_of_its_own_is_reached() {
    let (mut fleet, _) = pair("own-balancer", "true", Some("cluster1"));
    let mut service = istiod_service();
    service["metadata"]["name"] = "istiod-external".into();
    service["spec"]["type"] = "LoadBalancer".into();
    service["spec"]["ports"] = json!([
        {"name": "a", "port": 15012, "protocol": "TCP"}, {"name": "b", "port": 15017, "protocol": "TCP"},
    ]);
    fleet.apply("cluster1", [service]);
    fleet.settle();
    let address = fleet.address("cluster1", "istiod-external").unwrap();
    fleet.delete("cluster1", "networking.istio.io", "VirtualService", Some(NS), "istiod-vs");
    fleet.apply("cluster2", remote("cluster2", &address));
    register(&mut fleet);
    assert_eq!(fleet.available("cluster2", "istio-eastwestgateway"), "True");
}

#[test]
fn an_address_that_the_sandbox_does_not_know_leads_to_whom_serves_the_remote() {
    let (mut fleet, _) = pair("vip", "true", Some("cluster1"));
    fleet.apply("cluster2", remote("cluster2", "192.0.2.77"));
    fleet.settle();
    let failure = fleet.condition("cluster2", "istio-eastwestgateway", "ReplicaFailure");
    assert!(failure.ends_with("dial tcp 192.0.2.77:15017: i/o timeout"), "{failure}");
    register(&mut fleet);
    assert_eq!(fleet.available("cluster2", "istio-eastwestgateway"), "True");
}

#[test]
fn a_proxy_with_another_clusters_id_gets_no_certificate() {
    let (mut fleet, _) = pair("wrong-id", "true", Some("cluster1"));
    fleet.apply("cluster2", [webhook("/inject")]);
    register(&mut fleet);
    let message = fleet.available("cluster2", "istio-eastwestgateway");
    assert!(
        message.ends_with(
            "istio-proxy waits for istiod.istio-system.svc:15012: Unauthenticated: \
             the proxy says that it is in cluster cluster1, and its token is of another one"
        ),
        "{message}"
    );
}

#[test]
fn an_incomplete_or_incoherent_bundle_keeps_istiod_from_starting() {
    let root = root();
    let intermediate = issued(&root, "cluster1");
    let mut partial = cacerts(&intermediate);
    partial["stringData"].as_object_mut().unwrap().remove("cert-chain.pem");
    let mut mixed = cacerts(&intermediate);
    mixed["stringData"]["ca-key.pem"] = issued(&root, "cluster1").ca_key.expose().into();
    for (test, secret, wanted) in [
        ("partial", partial, "CrashLoopBackOff: incomplete signing CA bundle: it lacks cert-chain.pem"),
        (
            "mixed",
            mixed,
            "CrashLoopBackOff: failed to create an istiod CA: the bundle holds a key of another certificate",
        ),
    ] {
        let mut fleet = Fleet::new(test, &["cluster1"]);
        fleet.apply("cluster1", [namespace(NS, json!({}), json!({})), secret]);
        fleet.apply("cluster1", primary("cluster1", "false"));
        fleet.settle();
        let message = fleet.available("cluster1", "istiod");
        assert!(message.ends_with(wanted), "{message}");
        assert_eq!(fleet.bundle("cluster1"), None);
    }
}

#[test]
fn istiod_signs_with_a_root_of_its_own_where_there_is_no_bundle() {
    let mut fleet = Fleet::new("self-signed", &["cluster1"]);
    fleet.apply("cluster1", [namespace(NS, json!({}), json!({}))]);
    fleet.apply("cluster1", primary("cluster1", "false"));
    fleet.settle();
    let first = fleet.bundle("cluster1").unwrap();
    // A bundle that comes late is not read before the next start.
    let root = root();
    fleet.apply("cluster1", [cacerts(&issued(&root, "cluster1"))]);
    fleet.restart();
    fleet.settle();
    assert_eq!(fleet.bundle("cluster1").as_deref(), Some(first.as_str()));
    let mut deployment = istiod("cluster1", "false");
    deployment["spec"]["template"]["metadata"]["annotations"] = json!({"restarted": "1"});
    fleet.apply("cluster1", [deployment]);
    fleet.settle();
    assert_eq!(fleet.bundle("cluster1").as_deref(), Some(root.certificate().pem()));
}

#[test]
fn istiod_waits_for_its_injection_templates_and_its_rights() {
    let mut fleet = Fleet::new("waits", &["cluster1"]);
    fleet.apply("cluster1", [namespace(NS, json!({}), json!({}))]);
    fleet.apply("cluster1", primary("cluster1", "false"));
    fleet.delete("cluster1", "", "ConfigMap", Some(NS), "istio-sidecar-injector");
    fleet.delete(
        "cluster1",
        "rbac.authorization.k8s.io",
        "ClusterRole",
        None,
        "istiod-clusterrole-istio-system",
    );
    fleet.settle();
    let message = fleet.available("cluster1", "istiod");
    assert!(
        message
            .ends_with("configmap \"istio-sidecar-injector\" not found: istiod would run with injection off"),
        "{message}"
    );
    fleet.apply("cluster1", [injector_config()]);
    fleet.settle();
    let message = fleet.available("cluster1", "istiod");
    assert!(
        message.ends_with("cannot list resource \"namespaces\" in API group \"\" at the cluster scope"),
        "{message}"
    );
    fleet.apply("cluster1", role("istiod-clusterrole-istio-system", "istiod"));
    fleet.settle();
    assert_eq!(fleet.available("cluster1", "istiod"), "True");
}

#[test]
fn two_primaries_with_different_roots_do_not_write_for_ever() {
    let mut fleet = Fleet::new("two-roots", &["cluster1", "cluster2", "cluster3"]);
    for cluster in ["cluster1", "cluster2"] {
        fleet.apply(cluster, [namespace(NS, json!({}), json!({})), cacerts(&issued(&root(), cluster))]);
        fleet.apply(cluster, primary(cluster, "true"));
    }
    fleet.apply("cluster3", [namespace(NS, json!({}), serving(Some("*")))]);
    fleet.apply("cluster3", remote("cluster3", "192.0.2.1"));
    fleet.apply("cluster3", [token_secret()]);
    fleet.settle();
    let config = kubeconfig(&fleet, "cluster3");
    fleet.apply("cluster2", [remote_secret("cluster3", &config)]);
    fleet.apply("cluster1", [remote_secret("cluster3", &config)]);
    fleet.settle();
    assert_eq!(fleet.bundle("cluster3"), fleet.bundle("cluster1"));
    let revision = fleet.store("cluster3").revision();
    fleet.settle();
    assert_eq!(fleet.store("cluster3").revision(), revision);
}

#[test]
fn a_sidecar_is_put_into_the_pods_of_an_enabled_namespace() {
    let (mut fleet, _) = pair("sidecar", "true", None);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "sample"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}},
        },
    });
    fleet.apply(
        "cluster1",
        [namespace("sample", json!({"istio-injection": "enabled"}), json!({})), deployment],
    );
    fleet.settle();
    let pods = fleet.store("cluster1").list("", "Pod", Some("sample"));
    let names: Vec<&str> = pods
        .iter()
        .flat_map(|pod| pod.get(&["spec", "containers"]).and_then(Value::as_array).unwrap())
        .map(|container| container["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["web", "istio-proxy"]);
    assert_eq!(pods[0].get(&["status", "conditions"]).unwrap()[3]["status"], "True");
}

#[test]
fn no_token_stands_in_what_istiod_remembers() {
    let (mut fleet, _) = pair("canary", "true", Some("cluster1"));
    register(&mut fleet);
    let config = kubeconfig(&fleet, "cluster2");
    let token = config["users"][0]["user"]["token"].as_str().unwrap();
    for kind in ["Pod", "Event"] {
        for object in fleet.store("cluster1").list("", kind, None) {
            let text = Value::Object(object.as_map().clone()).to_string();
            assert!(!text.contains(token) && !text.contains("PRIVATE KEY"), "{}", object.reference());
        }
    }
}

#[tokio::test]
async fn running_controllers_react_to_what_is_written() {
    let (fleet, _) = pair("running", "true", Some("cluster1"));
    let mut feed = fleet.store("cluster2").feed();
    let handle = crate::sandbox::controllers::start(fleet.controllers.world.members.clone());
    let config = kubeconfig(&fleet, "cluster2");
    fleet.apply("cluster1", [remote_secret("cluster2", &config)]);
    let comes_up = async {
        while fleet.available("cluster2", "istio-eastwestgateway") != "True" {
            feed.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), comes_up).await.unwrap();
    assert_eq!(handle.registrations(), [registration(Leads::Yes, SyncStatus::Synced)]);
}

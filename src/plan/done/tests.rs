use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::compile::Effects;

type Seen = BTreeMap<(ClusterName, ObjectRef), Object>;

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn seen(objects: impl IntoIterator<Item = (&'static str, Value)>) -> Seen {
    let entry = |(cluster, value): (&str, Value)| {
        let object = object(value);
        ((cluster.into(), object.reference()), object)
    };
    objects.into_iter().map(entry).collect()
}

fn unit(text: &str) -> Unit {
    text.parse().unwrap()
}

fn reference(value: &Value) -> ObjectRef {
    object(value.clone()).reference()
}

fn service(kind: &str, ingress: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "gw", "namespace": "istio-system"},
        "spec": {"type": kind}, "status": {"loadBalancer": {"ingress": ingress}},
    })
}

#[test]
fn a_load_balancer_without_address_is_waited_for_by_name() {
    let pending = service("LoadBalancer", json!([]));
    let done = Done::Address { service: reference(&pending) };
    assert_eq!(
        unmet(&unit("c1/eastwest-gateway"), &done, &[], &seen([("c1", pending)])),
        Some(Unmet {
            what: "an address on Service istio-system/gw".to_owned(),
            facts: vec![
                "Service istio-system/gw is of type LoadBalancer and its status.loadBalancer.ingress is empty"
                    .to_owned()
            ],
        })
    );
    let given = seen([("c1", service("LoadBalancer", json!([{"hostname": "h"}, {"ip": "203.0.113.7"}])))]);
    assert_eq!(unmet(&unit("c1/eastwest-gateway"), &done, &[], &given), None);
    let mut expected = Values::default();
    expected
        .insert(Hole::Observed { unit: unit("c1/eastwest-gateway"), output: Output::Address }, "203.0.113.7");
    assert_eq!(outputs(&unit("c1/eastwest-gateway"), &done, &given, &Values::default()), expected);
    // Which of them is taken first follows an order; the one that is in use stays.
    for (kept, given_address) in [("h", "h"), ("203.0.113.7", "203.0.113.7"), ("203.0.113.8", "203.0.113.7")]
    {
        let hole = Hole::Observed { unit: unit("c1/eastwest-gateway"), output: Output::Address };
        let (mut in_use, mut expected) = (Values::default(), Values::default());
        in_use.insert(hole.clone(), kept);
        expected.insert(hole, given_address);
        assert_eq!(outputs(&unit("c1/eastwest-gateway"), &done, &given, &in_use), expected);
    }
}

#[test]
fn a_token_secret_gives_its_token_and_its_authority_as_a_kubeconfig_holds_it() {
    let secret = |data: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "t", "namespace": "n", "annotations": {"kubernetes.io/service-account.name": "reader"}},
            "data": data,
        })
    };
    let done = Done::Token { secret: reference(&secret(json!({}))) };
    let credential = unit("c2/reader-credential");
    assert_eq!(
        unmet(&credential, &done, &[], &seen([("c2", secret(json!({"ca.crt": "cGVt"})))])),
        Some(Unmet {
            what: "a token in Secret n/t".to_owned(),
            facts: vec![
                "key token is missing or empty".to_owned(),
                "Kubernetes fills it once ServiceAccount reader exists".to_owned(),
            ],
        })
    );
    let filled = seen([("c2", secret(json!({"ca.crt": "cGVt", "token": "dG9r"})))]);
    assert_eq!(unmet(&credential, &done, &[], &filled), None);
    let given = outputs(&credential, &done, &filled, &Values::default());
    let values: Vec<&str> = given.iter().map(|(_, value)| value.expose()).collect();
    assert_eq!(values, ["tok", "cGVt"]);
}

#[test]
fn an_old_replica_that_still_serves_does_not_make_a_deployment_done() {
    let deployment = |status: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "istiod", "namespace": "n", "generation": 2},
            "spec": {"replicas": 1}, "status": status,
        })
    };
    let available = json!([{"type": "Available", "status": "True"}]);
    let facts = |status: Value| {
        let value = deployment(status);
        let done = Done::Gateway { deployment: reference(&value), address: None };
        unmet(&unit("c1/control-plane"), &done, &[], &seen([("c1", value)])).map(|unmet| unmet.facts)
    };
    let good = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "conditions": available});
    assert_eq!(facts(good), None);
    assert_eq!(
        facts(
            json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "conditions": available})
        ),
        Some(vec!["its controller has not seen the last change yet".to_owned()])
    );
    let failing = json!([
        {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "none is up"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota exceeded"},
    ]);
    assert_eq!(
        facts(json!({"observedGeneration": 2, "conditions": failing})),
        Some(vec![
            "0 of 1 replicas are of the newest form, 0 are available".to_owned(),
            "Available is False: MinimumReplicasUnavailable: none is up".to_owned(),
            "ReplicaFailure is True: FailedCreate: quota exceeded".to_owned(),
        ])
    );
}

#[test]
fn a_daemon_set_is_done_once_its_newest_form_runs_on_every_node_that_it_is_for() {
    let facts = |strategy: &str, status: Value| {
        let value = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "istio-cni-node", "namespace": "n", "generation": 2},
            "spec": {"updateStrategy": {"type": strategy}}, "status": status,
        });
        let done = Done::RolledOut { daemon_set: reference(&value) };
        unmet(&unit("c1/cni"), &done, &[], &seen([("c1", value)])).map(|unmet| unmet.facts)
    };
    let status = |observed: u32, wanted: u32, updated: u32, available: u32| {
        json!({
            "observedGeneration": observed, "desiredNumberScheduled": wanted, "updatedNumberScheduled": updated,
            "numberAvailable": available,
        })
    };
    let rolling = |status: Value| facts("RollingUpdate", status);
    assert_eq!(rolling(status(2, 3, 3, 3)), None);
    assert_eq!(rolling(status(2, 0, 0, 0)), None, "there is no node for it");
    assert_eq!(
        rolling(status(1, 3, 3, 3)),
        Some(vec!["its controller has not seen the last change yet".to_owned()])
    );
    assert_eq!(
        rolling(status(2, 3, 2, 2)),
        Some(vec![
            "its newest form is on 2 of 3 nodes, and it is available on 2".to_owned(),
            "pods that are injected meanwhile do not begin on the others".to_owned(),
        ])
    );
    assert_eq!(
        rolling(status(2, 3, 2, 3)),
        Some(vec!["its newest form is on 2 of 3 nodes, and it is available on 3".to_owned()])
    );
    assert_eq!(facts("OnDelete", status(2, 3, 0, 3)), None, "somebody deletes its pods by hand");
    let done = Done::RolledOut {
        daemon_set: reference(&json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "istio-cni-node", "namespace": "n"},
        })),
    };
    let elsewhere = seen([("c2", service("ClusterIP", json!([])))]);
    let lacking = unmet(&unit("c1/cni"), &done, &[], &elsewhere).expect("it is not there");
    assert_eq!(lacking.what, "DaemonSet n/istio-cni-node to run on every node");
    assert_eq!(lacking.facts, ["DaemonSet n/istio-cni-node does not exist in c1"]);
}

#[test]
fn a_definition_that_is_not_established_is_named() {
    let definition = |name: &str, status: &str| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
            "status": {"conditions": [{"type": "Established", "status": status, "reason": "Installing"}]},
        })
    };
    let live = [("c1", definition("a.istio.io", "True")), ("c1", definition("b.istio.io", "False"))];
    let objects: Vec<ObjectRef> = live.iter().map(|(_, value)| reference(value)).collect();
    assert_eq!(
        unmet(&unit("c1/base"), &Done::Established, &objects, &seen(live)),
        Some(Unmet {
            what: "1 of 2 CustomResourceDefinitions to be Established".to_owned(),
            facts: vec![
                "b.istio.io: its names are accepted, and it is not established; an API server that ended just then \
                 leaves it so for good: where it lasts, delete it, and run the same command again"
                    .to_owned()
            ],
        })
    );
}

mod registering {
    use super::*;

    fn secret() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": "istio-remote-secret-c2", "namespace": "n",
                "labels": {"istio/multiCluster": "true"}, "annotations": {"networking.istio.io/cluster": "c2"},
            },
            "data": {"c2": "eA=="},
        })
    }

    fn deployment(external: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istiod", "namespace": "n"},
            "spec": {"template": {"spec": {"containers": [{"name": "discovery", "env": [{"name": "EXTERNAL_ISTIOD", "value": external}]}]}}},
        })
    }

    fn namespace(controllers: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "n", "annotations": {"topology.istio.io/controlPlaneClusters": controllers}},
        })
    }

    fn webhook(bundle: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "istio-sidecar-injector"},
            "webhooks": [{"name": "a", "clientConfig": {"caBundle": bundle}}],
        })
    }

    fn root() -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert", "namespace": "n"},
            "data": {"root-cert.pem": "pem"},
        })
    }

    fn facts(live: impl IntoIterator<Item = (&'static str, Value)>) -> Option<Vec<String>> {
        let effects = Effects {
            webhook: reference(&webhook("")),
            root: reference(&root()),
            namespace: reference(&namespace("")),
            deployment: reference(&deployment("")),
            secret: reference(&secret()),
            primary_id: "c1".to_owned(),
        };
        let done = Done::Registered { cluster: "c2".into(), effects: Some(Box::new(effects)) };
        unmet(&unit("c1/remote-secret-c2"), &done, &[], &seen(live)).map(|unmet| unmet.facts)
    }

    const NO_BUNDLE: &str =
        "MutatingWebhookConfiguration istio-sidecar-injector in c2: caBundle is empty in 1 of 1 webhooks";
    const SECRET: &str = "there: remote Secret n/istio-remote-secret-c2 in c1";
    const ANNOTATION: &str = "there: annotation topology.istio.io/controlPlaneClusters on Namespace n in c2";
    const EXTERNAL: &str = "there: EXTERNAL_ISTIOD=true on Deployment n/istiod in c1";

    #[test]
    fn a_registered_cluster_lacks_nothing() {
        assert_eq!(facts([("c2", webhook("eA==")), ("c2", root())]), None);
    }

    #[test]
    fn each_prerequisite_that_is_missing_is_named_among_those_that_are_there() {
        let all = [
            ("c1", secret()),
            ("c1", deployment("true")),
            ("c2", namespace("c9, c1")),
            ("c2", root()),
            ("c2", webhook("")),
        ];
        let without = |position: usize, instead: Option<(&'static str, Value)>| {
            let mut live = all.to_vec();
            live.remove(position);
            live.extend(instead);
            facts(live).unwrap()
        };
        assert_eq!(facts(all.clone()).unwrap(), [NO_BUNDLE, SECRET, ANNOTATION, EXTERNAL]);
        assert_eq!(
            without(0, None),
            [NO_BUNDLE, "MISSING: remote Secret n/istio-remote-secret-c2 in c1", ANNOTATION, EXTERNAL]
        );
        assert_eq!(
            without(1, Some(("c1", deployment("false")))),
            [NO_BUNDLE, SECRET, ANNOTATION, "MISSING: EXTERNAL_ISTIOD=true on Deployment n/istiod in c1"]
        );
        assert_eq!(
            without(2, Some(("c2", namespace("c9")))),
            [
                NO_BUNDLE,
                SECRET,
                "MISSING: annotation topology.istio.io/controlPlaneClusters on Namespace n in c2 is \"c9\" and does not name c1",
                EXTERNAL,
            ]
        );
        assert_eq!(
            without(3, None),
            [NO_BUNDLE, "ConfigMap n/istio-ca-root-cert does not exist in c2", SECRET, ANNOTATION, EXTERNAL]
        );
    }
}

#[test]
fn of_several_addresses_the_first_of_ipv4_is_taken_whatever_comes_before_it() {
    let taken = |ingress: Value| address_of(&object(service("LoadBalancer", ingress)));
    let both = json!([{"hostname": "h"}, {"ip": "2001:db8::1"}, {"ip": "203.0.113.9", "ipMode": "Proxy"}, {"ip": "203.0.113.1"}]);
    assert_eq!(taken(both).as_deref(), Some("203.0.113.9"));
    assert_eq!(taken(json!([{"hostname": "h"}, {"ip": "2001:db8::1"}])).as_deref(), Some("2001:db8::1"));
    assert_eq!(taken(json!([{"hostname": ""}, {"hostname": "h"}])).as_deref(), Some("h"));
    assert_eq!(taken(json!([{"ip": ""}])), None);
}

#[test]
fn an_object_that_is_being_deleted_is_as_good_as_gone() {
    let leaving = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "sample", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let objects = [reference(&leaving)];
    assert_eq!(
        unmet(&unit("c1/app-namespaces"), &Done::Exists, &objects, &seen([("c1", leaving)])),
        Some(Unmet {
            what: "Namespace sample".to_owned(),
            facts: vec!["Namespace sample of c1 is being deleted".to_owned()],
        })
    );
}

#[test]
fn a_definition_whose_names_are_taken_says_by_whom() {
    let definition = |conditions: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "gateways.networking.istio.io"}, "status": {"conditions": conditions}})
    };
    let facts = |conditions: Value| {
        let value = definition(conditions);
        let objects = [reference(&value)];
        unmet(&unit("c1/base"), &Done::Established, &objects, &seen([("c1", value)])).map(|unmet| unmet.facts)
    };
    let taken = json!([
        {"type": "NamesAccepted", "status": "False", "reason": "ListKindConflict", "message": "\"GatewayList\" is already in use"},
        {"type": "Established", "status": "False", "reason": "NotAccepted", "message": "not all names are accepted"},
    ]);
    assert_eq!(
        facts(taken),
        Some(vec![
            "gateways.networking.istio.io: NamesAccepted is False: ListKindConflict: \"GatewayList\" is already in use"
                .to_owned()
        ])
    );
    assert_eq!(
        facts(json!([])),
        Some(vec!["gateways.networking.istio.io: no condition Established".to_owned()])
    );
    let accepted =
        json!([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]);
    assert_eq!(facts(accepted), None);
}

#[test]
fn what_stays_though_it_was_deleted_says_what_keeps_it() {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "istio-system", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"phase": "Terminating", "conditions": [
            {"type": "NamespaceDeletionContentFailure", "status": "False", "reason": "ContentDeleted", "message": "All content successfully deleted"},
            {"type": "NamespaceFinalizersRemaining", "status": "True", "reason": "SomeFinalizersRemain",
             "message": "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"},
        ]},
    });
    let gateway = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "n", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a", "b"]},
    });
    let anew = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}});
    let targets: Vec<_> =
        [&namespace, &gateway, &anew].map(|value| (ClusterName::from("c1"), reference(value))).into();
    assert_eq!(still_there(&targets, &seen([])), None);
    assert_eq!(
        still_there(&targets, &seen([("c1", namespace), ("c1", gateway), ("c1", anew)])),
        Some(Unmet {
            what: "Namespace istio-system and 2 more to be gone".to_owned(),
            facts: vec![
                "Namespace istio-system: SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances".to_owned(),
                "Gateway n/g has finalizers a, b".to_owned(),
                "ConfigMap n/c is not being deleted: somebody made it anew".to_owned(),
            ],
        })
    );
}

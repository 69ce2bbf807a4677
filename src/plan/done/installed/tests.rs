use serde_json::json;

use super::*;
use crate::trust::Root;

type Seen = BTreeMap<(ClusterName, ObjectRef), Object>;

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

/// An object of a namespace, with more fields.
fn named(api_version: &str, kind: &str, name: &str, more: Value) -> Object {
    let mut value = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "istio-system"},
    });
    for (key, more) in more.as_object().unwrap() {
        match value.get_mut(key) {
            Some(there) => there.as_object_mut().unwrap().extend(more.as_object().unwrap().clone()),
            None => value[key] = more.clone(),
        }
    }
    object(value)
}

fn seen<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Seen {
    objects.into_iter().map(|object| (("c1".into(), object.reference()), object.clone())).collect()
}

/// What an object lacks beside the line that says where its values are.
fn lacks(found: &Object, look: Look, others: &[&Object]) -> Vec<String> {
    let demand = Demand { object: found.reference(), look, key: Some("a.key") };
    let awaited =
        Awaited { release: "istiod".to_owned(), values: "c1/istiod.yaml".to_owned(), demands: vec![demand] };
    let live = seen(others.iter().copied().chain([found]));
    let unmet = lacking(&"c1".into(), &awaited, &live);
    let mut facts = unmet.map(|unmet| unmet.facts).unwrap_or_default();
    assert!(facts.is_empty() || facts.pop().unwrap().contains("c1/istiod.yaml"));
    facts
}

fn value(at: Place, wanted: Value) -> Look {
    Look::Value { at, wanted }
}

#[test]
fn the_environment_of_any_container_is_looked_at() {
    let istiod = named(
        "apps/v1",
        "Deployment",
        "istiod",
        json!({"spec": {"template": {"spec": {"containers": [
            {"name": "other"},
            {"name": "discovery", "env": [{"name": "POD", "valueFrom": {}}, {"name": "CLUSTER_ID", "value": "c1"}]},
        ]}}}}),
    );
    let id = |wanted: &str| value(Place::Env("CLUSTER_ID"), json!(wanted));
    assert_eq!(lacks(&istiod, id("c1"), &[]), Vec::<String>::new());
    assert_eq!(
        lacks(&istiod, id("c2"), &[]),
        ["Deployment istio-system/istiod: CLUSTER_ID is \"c1\", wanted \"c2\": value a.key"]
    );
    assert_eq!(
        lacks(&istiod, value(Place::Env("POD"), json!("x")), &[]),
        ["Deployment istio-system/istiod: POD is not set, wanted \"x\": value a.key"]
    );
}

#[test]
fn texts_of_yaml_and_json_are_looked_into_and_broken_ones_hold_nothing() {
    let config = named(
        "v1",
        "ConfigMap",
        "istio",
        json!({"data": {
            "mesh": "trustDomain: a.example\ndefaultConfig:\n  meshId: \"1\"\n",
            "values": "{\"global\": {\"network\": \"n1\"}}", "broken": "a: [",
        }}),
    );
    for (key, path, wanted) in [
        ("mesh", &["trustDomain"][..], json!("a.example")),
        ("mesh", &["defaultConfig", "meshId"], json!("1")),
        ("values", &["global", "network"], json!("n1")),
    ] {
        assert_eq!(lacks(&config, value(Place::Data(key, path), wanted), &[]), Vec::<String>::new());
    }
    for (key, path) in [("mesh", &["other"][..]), ("broken", &["a"]), ("none", &["a"])] {
        assert_eq!(
            lacks(&config, value(Place::Data(key, path), json!("x")), &[]),
            [format!(
                "ConfigMap istio-system/istio: {} in its {key} is not set, wanted \"x\": value a.key",
                path[0]
            )]
        );
    }
}

#[test]
fn a_value_that_is_too_long_for_a_line_is_shown_in_part() {
    let long = json!("é".repeat(1000));
    let config = named("v1", "ConfigMap", "istio", json!({"data": {"mesh": format!("a: {long}")}}));
    let [fact] = &lacks(&config, value(Place::Data("mesh", &["a"]), json!("x")), &[])[..] else {
        panic!("one line")
    };
    let shown = "é".repeat(SHOWN - 1);
    assert_eq!(
        fact,
        &format!("ConfigMap istio-system/istio: a in its mesh is \"{shown}…, wanted \"x\": value a.key")
    );
}

#[test]
fn a_chart_is_of_another_version_where_its_label_says_so() {
    let of = |version: Option<&str>| {
        let labels = version.map_or_else(|| json!({}), |version| json!({VERSION: version}));
        let account = named("v1", "ServiceAccount", "reader", json!({"metadata": {"labels": labels}}));
        lacks(&account, Look::Version(IstioVersion { minor: 30, patch: 3 }), &[])
    };
    for right in [None, Some("1.0.0"), Some("1.30.3"), Some("1.30.3-distribution.1")] {
        assert_eq!(of(right), Vec::<String>::new(), "{right:?}");
    }
    for other in ["1.30.30", "1.29.6", "2.1.30.3"] {
        assert_eq!(
            of(Some(other)),
            [format!(
                "ServiceAccount istio-system/reader: its chart is of {other}, wanted 1.30.3: istio.version"
            )]
        );
    }
}

#[test]
fn endpoints_and_slices_must_lead_to_the_one_address() {
    let endpoints =
        |addresses: Value| named("v1", "Endpoints", "istiod", json!({"subsets": [{"addresses": addresses}]}));
    let slice = |addresses: Value| {
        let endpoints = json!({"endpoints": [{"addresses": addresses}]});
        named("discovery.k8s.io/v1", "EndpointSlice", "istiod", endpoints)
    };
    let to = || Look::LeadsTo("203.0.113.7".to_owned());
    for right in [endpoints(json!([{"ip": "203.0.113.7"}])), slice(json!(["203.0.113.7"]))] {
        assert_eq!(lacks(&right, to(), &[]), Vec::<String>::new());
    }
    assert_eq!(
        lacks(&slice(json!(["203.0.113.7", "203.0.113.8"])), to(), &[]),
        [
            "EndpointSlice istio-system/istiod: leads to 203.0.113.7, 203.0.113.8, wanted 203.0.113.7: value a.key"
        ]
    );
    assert_eq!(
        lacks(&endpoints(json!([])), to(), &[]),
        ["Endpoints istio-system/istiod: leads to none, wanted 203.0.113.7: value a.key"]
    );
}

#[test]
fn every_webhook_must_ask_at_the_path_and_trust_its_server() {
    let webhook =
        |path: &str, bundle: &str| json!({"clientConfig": {"caBundle": bundle, "service": {"path": path}}});
    let configuration = |webhooks: Value| {
        named(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "injector",
            json!({"webhooks": webhooks}),
        )
    };
    let right = configuration(json!([webhook("/inject/a", "eA=="), webhook("/inject/a", "eA==")]));
    let path = || Look::Path("/inject/a".to_owned());
    assert_eq!(lacks(&right, path(), &[]), Vec::<String>::new());
    assert_eq!(lacks(&right, Look::Trusted, &[]), Vec::<String>::new());
    let wrong = configuration(json!([webhook("/inject/a", "eA=="), webhook("/inject", "")]));
    let name = "MutatingWebhookConfiguration istio-system/injector";
    assert_eq!(
        lacks(&wrong, path(), &[]),
        [format!("{name}: its webhooks ask at \"/inject\", wanted \"/inject/a\": value a.key")]
    );
    assert_eq!(
        lacks(&wrong, Look::Trusted, &[]),
        [format!("{name} in c1: caBundle is empty in 1 of 2 webhooks")]
    );
}

#[test]
fn a_service_has_its_ports_those_of_the_nodes_among_them() {
    let service = named(
        "v1",
        "Service",
        "gw",
        json!({"spec": {"ports": [{"port": 15443, "nodePort": 32443}, {"port": 15012}]}}),
    );
    let port = |port, node_port| lacks(&service, Look::Port { port, node_port }, &[]);
    assert_eq!(port(15443, Some(32443)), Vec::<String>::new());
    assert_eq!(port(15012, None), Vec::<String>::new());
    let name = "Service istio-system/gw";
    assert_eq!(port(15017, None), [format!("{name}: has no port 15017: value a.key")]);
    assert_eq!(
        port(15012, Some(32012)),
        [format!("{name}: port 15012 is none of the nodes', wanted 32012: value a.key")]
    );
}

#[test]
fn another_root_than_that_of_the_certificate_is_told_and_a_bundle_with_it_is_not() {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let [ours, other] =
        ["a", "b"].map(|name| Root::generate(name, now).unwrap().certificate().pem().to_owned());
    let secret = |root: &str| {
        use base64::Engine;
        let root = base64::engine::general_purpose::STANDARD.encode(root);
        named("v1", "Secret", "cacerts", json!({"data": {"root-cert.pem": root}}))
    };
    let config = |root: &str| named("v1", "ConfigMap", "root", json!({"data": {"root-cert.pem": root}}));
    let look = || Look::RootOf { secret: secret("").reference(), mend: "do this".to_owned() };
    let cacerts = secret(&ours);
    for right in [ours.clone(), format!("{other}{ours}")] {
        assert_eq!(lacks(&config(&right), look(), &[&cacerts]), Vec::<String>::new());
    }
    assert_eq!(
        lacks(&config(&other), look(), &[&cacerts]),
        [
            "ConfigMap istio-system/root holds another root of trust than Secret istio-system/cacerts, so istiod \
             started before that was there: do this"
        ]
    );
    // Where there is no certificate of ours, it is nobody's business.
    assert_eq!(lacks(&config(&other), look(), &[]), Vec::<String>::new());
}

#[test]
fn what_is_not_there_is_named_where_something_of_the_release_is_and_many_of_a_kind_are_counted() {
    let definition = |name: &str| {
        object(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }))
    };
    let demands: Vec<Demand> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .map(|name| Demand { object: definition(name).reference(), look: Look::Established, key: None })
        .collect();
    let awaited = Awaited { release: "istio-base".to_owned(), values: "c1/base.yaml".to_owned(), demands };
    let unmet = |there: &[Object]| {
        let unmet = lacking(&"c1".into(), &awaited, &seen(there)).unwrap();
        (unmet.what, unmet.facts)
    };
    let values = "its values: c1/base.yaml of `stolos compile --values`".to_owned();
    assert_eq!(unmet(&[]), ("others to install release istio-base".to_owned(), vec![values.clone()]));
    let partly = "release istio-base, which others install, to be as the topology asks".to_owned();
    assert_eq!(
        unmet(&[definition("a")]),
        (partly.clone(), vec!["not there: 4 CustomResourceDefinitions".to_owned(), values.clone()])
    );
    assert_eq!(
        unmet(&["a", "b", "c", "d"].map(definition)),
        (partly, vec!["not there: CustomResourceDefinition e".to_owned(), values])
    );
}

#[test]
fn a_node_agent_of_others_has_to_run_on_every_node() {
    let agent = |updated: u32| {
        let status = json!({
            "observedGeneration": 3, "desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": 2,
        });
        let metadata = json!({"generation": 3});
        named("apps/v1", "DaemonSet", "istio-cni-node", json!({"metadata": metadata, "status": status}))
    };
    assert_eq!(lacks(&agent(2), Look::RolledOut, &[]), Vec::<String>::new());
    assert_eq!(
        lacks(&agent(1), Look::RolledOut, &[]),
        [
            "DaemonSet istio-system/istio-cni-node: its newest form is on 1 of 2 nodes, and it is available on 2"
        ]
    );
}

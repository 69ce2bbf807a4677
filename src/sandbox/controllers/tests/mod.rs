//! Claims about the controllers of single clusters.

mod fleet;
mod istiod;
mod rounds;

use serde_json::{Value, json};

use self::fleet::{Fleet, NS, account, namespace, token_secret};

fn plain_deployment(image: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": NS},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    })
}

fn balancer(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NS},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    })
}

fn one_cluster(test: &str) -> Fleet {
    let fleet = Fleet::new(test, &["c1"]);
    fleet.apply("c1", [namespace(NS, json!({}), json!({}))]);
    fleet
}

#[test]
fn load_balancers_get_addresses_that_no_cluster_shares() {
    let mut fleet = Fleet::new("addresses", &["c1", "c2"]);
    for cluster in ["c1", "c2"] {
        fleet.apply(cluster, [namespace(NS, json!({}), json!({})), balancer("a"), balancer("b")]);
    }
    fleet.settle();
    let address = |fleet: &Fleet, cluster, name| fleet.address(cluster, name).unwrap();
    assert_eq!(
        [
            address(&fleet, "c1", "a"),
            address(&fleet, "c1", "b"),
            address(&fleet, "c2", "a"),
            address(&fleet, "c2", "b")
        ],
        ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"]
    );

    fleet.restart();
    fleet.settle();
    assert_eq!(address(&fleet, "c2", "b"), "203.0.113.4");

    fleet.delete("c1", "", "Service", Some(NS), "b");
    fleet.apply("c2", [balancer("c")]);
    fleet.settle();
    assert_eq!(address(&fleet, "c2", "c"), "203.0.113.2");
}

#[test]
fn what_a_deployment_that_is_gone_left_behind_does_not_hold_up_the_next() {
    let mut fleet = one_cluster("garbage");
    fleet.apply("c1", [plain_deployment("web:1", 1)]);
    fleet.settle();
    let first = fleet.store("c1").list("apps", "ReplicaSet", Some(NS)).pop().unwrap();
    fleet.delete("c1", "apps", "Deployment", Some(NS), "web");
    // As a round does that still saw the Deployment: its owner is no more.
    let mut late = first.as_value().clone();
    for field in ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"] {
        late["metadata"].as_object_mut().unwrap().remove(field);
    }
    late.as_object_mut().unwrap().remove("status");
    fleet.apply("c1", [late, plain_deployment("web:1", 1)]);
    fleet.settle();
    assert_eq!(fleet.available("c1", "web"), "True");
}

#[test]
fn a_daemon_set_runs_once_and_its_new_form_takes_the_place_of_the_old() {
    let daemons = |image: &str| {
        let mut daemons = plain_deployment(image, 1);
        daemons["kind"] = "DaemonSet".into();
        daemons["spec"].as_object_mut().unwrap().remove("replicas");
        daemons
    };
    let mut fleet = one_cluster("daemons");
    fleet.apply("c1", [daemons("web:1")]);
    fleet.settle();
    let status = |fleet: &Fleet| {
        let found = fleet.store("c1").list("apps", "DaemonSet", Some(NS)).pop().unwrap();
        let number = |key: &str| found.get(&["status", key]).and_then(Value::as_u64).unwrap_or(0);
        let behind = found.get(&["metadata", "generation"]) != found.get(&["status", "observedGeneration"]);
        let numbers =
            ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberUnavailable"];
        (numbers.map(number), behind)
    };
    let pods = |fleet: &Fleet| {
        let pods = fleet.store("c1").list("", "Pod", Some(NS));
        pods.iter()
            .map(|pod| pod.get(&["spec", "containers"]).unwrap()[0]["image"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((status(&fleet), pods(&fleet)), (([1, 1, 1, 0], false), vec![json!("web:1")]));
    fleet.apply("c1", [daemons("web:2")]);
    fleet.settle();
    assert_eq!((status(&fleet), pods(&fleet)), (([1, 1, 1, 0], false), vec![json!("web:2")]));

    let mut kept = daemons("web:3");
    kept["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    kept["spec"]["template"]["spec"]["serviceAccountName"] = "nobody".into();
    fleet.apply("c1", [kept]);
    fleet.settle();
    assert_eq!((status(&fleet), pods(&fleet)), (([1, 0, 1, 0], false), vec![json!("web:2")]));
    let name = fleet.store("c1").list("", "Pod", Some(NS)).pop().unwrap().name().to_owned();
    fleet.delete("c1", "", "Pod", Some(NS), &name);
    fleet.settle();
    assert_eq!(
        (status(&fleet), pods(&fleet)),
        (([1, 0, 0, 1], false), Vec::new()),
        "its account is not there"
    );
    fleet.delete("c1", "apps", "DaemonSet", Some(NS), "web");
    fleet.settle();
    assert_eq!(pods(&fleet), Vec::<Value>::new());
}

#[test]
fn a_service_that_is_no_load_balancer_any_more_gives_its_address_back() {
    let mut fleet = one_cluster("address-back");
    fleet.apply("c1", [balancer("a")]);
    fleet.settle();
    assert_eq!(fleet.address("c1", "a").as_deref(), Some("203.0.113.1"));
    let mut service = balancer("a");
    service["spec"]["type"] = "ClusterIP".into();
    fleet.apply("c1", [service]);
    fleet.settle();
    assert_eq!(fleet.address("c1", "a"), None);
}

#[test]
fn a_token_secret_is_filled_and_goes_with_its_account() {
    let mut fleet = one_cluster("tokens");
    fleet.apply("c1", [account("istio-reader-service-account"), token_secret()]);
    fleet.settle();
    let secret = fleet.store("c1").find("", "Secret", Some(NS), "reader-token").unwrap();
    let data: Vec<&String> = secret.get(&["data"]).and_then(Value::as_object).unwrap().keys().collect();
    assert_eq!(data, ["ca.crt", "namespace", "token"]);
    fleet.restart();
    fleet.settle();
    let again = fleet.store("c1").find("", "Secret", Some(NS), "reader-token").unwrap();
    assert_eq!(again, secret);

    fleet.delete("c1", "", "ServiceAccount", Some(NS), "istio-reader-service-account");
    fleet.settle();
    assert!(fleet.store("c1").find("", "Secret", Some(NS), "reader-token").is_none());
}

#[test]
fn a_token_secret_without_an_account_is_deleted() {
    let mut fleet = one_cluster("token-without-account");
    fleet.apply("c1", [token_secret()]);
    fleet.settle();
    assert!(fleet.store("c1").find("", "Secret", Some(NS), "reader-token").is_none());
}

#[test]
fn tokens_of_equal_secrets_in_two_clusters_differ() {
    let mut fleet = Fleet::new("two-tokens", &["c1", "c2"]);
    for cluster in ["c1", "c2"] {
        fleet.apply(
            cluster,
            [namespace(NS, json!({}), json!({})), account("istio-reader-service-account"), token_secret()],
        );
    }
    fleet.settle();
    let token = |cluster| {
        fleet.text(cluster, ("", "Secret"), "istio-system/reader-token", &["data", "token"]).unwrap()
    };
    assert_ne!(token("c1"), token("c2"));
}

#[test]
fn a_deployment_becomes_available_with_all_its_replicas() {
    let mut fleet = one_cluster("deployment");
    fleet.apply("c1", [plain_deployment("web:1", 3)]);
    fleet.settle();
    let live = fleet.store("c1").find("apps", "Deployment", Some(NS), "web").unwrap();
    let status = live.get(&["status"]).unwrap();
    let counts = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
    ]
    .map(|field| status.get(field).and_then(Value::as_u64));
    assert_eq!(counts, [Some(1), Some(3), Some(3), Some(3), Some(3), None]);
    assert_eq!(fleet.available("c1", "web"), "True");
}

#[test]
fn a_new_template_replaces_the_pods_and_an_equal_one_does_not() {
    let mut fleet = one_cluster("rollout");
    fleet.apply("c1", [plain_deployment("web:1", 2)]);
    fleet.settle();
    let names = |fleet: &Fleet| -> Vec<String> {
        fleet.store("c1").list("", "Pod", Some(NS)).iter().map(|pod| pod.name().to_owned()).collect()
    };
    let first = names(&fleet);
    fleet.apply("c1", [plain_deployment("web:1", 2)]);
    fleet.settle();
    assert_eq!(names(&fleet), first);
    fleet.apply("c1", [plain_deployment("web:2", 1)]);
    fleet.settle();
    let second = names(&fleet);
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(second.iter().all(|name| !first.contains(name)));
    assert_eq!(fleet.store("c1").list("apps", "ReplicaSet", Some(NS)).len(), 1);
}

#[test]
fn the_old_pods_stay_while_the_new_ones_do_not_run() {
    let mut fleet = one_cluster("rollout-fails");
    fleet.apply("c1", [plain_deployment("web:1", 2)]);
    fleet.settle();
    fleet.apply("c1", [plain_deployment("auto", 2)]);
    fleet.settle();
    assert_eq!(fleet.available("c1", "web"), "True");
    let live = fleet.store("c1").find("apps", "Deployment", Some(NS), "web").unwrap();
    assert_eq!(live.get(&["status", "unavailableReplicas"]), Some(&json!(2)));
    assert_eq!(
        fleet.condition("c1", "web", "Progressing").split_once('"').map(|(start, _)| start.to_owned()),
        Some("ReplicaSet ".to_owned())
    );
}

#[test]
fn a_pod_needs_its_account_and_its_volumes() {
    let mut fleet = one_cluster("needs");
    let mut deployment = plain_deployment("web:1", 1);
    deployment["spec"]["template"]["spec"]["serviceAccountName"] = "web".into();
    deployment["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "config", "configMap": {"name": "web"}}]);
    fleet.apply("c1", [deployment]);
    fleet.settle();
    let reason = fleet.condition("c1", "web", "ReplicaFailure");
    assert!(
        reason
            .ends_with("error looking up service account istio-system/web: serviceaccount \"web\" not found"),
        "{reason}"
    );
    assert_eq!(fleet.warnings("c1", "ReplicaSet"), [format!("FailedCreate: Error creating: {reason}")]);

    fleet.apply("c1", [account("web")]);
    fleet.settle();
    assert_eq!(fleet.condition("c1", "web", "ReplicaFailure"), "none");
    assert_eq!(
        fleet.warnings("c1", "Pod"),
        ["FailedMount: MountVolume.SetUp failed for volume \"config\" : configmap \"web\" not found"]
    );

    fleet.apply(
        "c1",
        [json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": NS}})],
    );
    fleet.settle();
    assert_eq!(fleet.available("c1", "web"), "True");
}

#[test]
fn an_image_that_nobody_injected_cannot_be_pulled() {
    let mut fleet = one_cluster("auto");
    fleet.apply("c1", [plain_deployment("auto", 1)]);
    fleet.settle();
    let pod = fleet.store("c1").list("", "Pod", Some(NS))[0].name().to_owned();
    assert_eq!(
        fleet.available("c1", "web"),
        format!(
            "Deployment does not have minimum availability. pod {pod}: ImagePullBackOff: Back-off pulling image \"auto\": the Pod was not injected"
        )
    );
}

#[test]
fn a_deleted_deployment_takes_its_pods_along() {
    let mut fleet = one_cluster("cascade");
    fleet.apply("c1", [plain_deployment("web:1", 2)]);
    fleet.settle();
    fleet.delete("c1", "apps", "Deployment", Some(NS), "web");
    fleet.settle();
    assert_eq!(fleet.store("c1").list("", "Pod", None).len(), 0);
    assert_eq!(fleet.store("c1").list("apps", "ReplicaSet", None).len(), 0);
}

#[test]
fn what_settled_stays_as_it_is() {
    let mut fleet = one_cluster("steady");
    fleet.apply(
        "c1",
        [
            plain_deployment("web:1", 1),
            balancer("a"),
            account("istio-reader-service-account"),
            token_secret(),
        ],
    );
    fleet.settle();
    let revision = fleet.store("c1").revision();
    fleet.restart();
    fleet.settle();
    assert_eq!(fleet.store("c1").revision(), revision);
}

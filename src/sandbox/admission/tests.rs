use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::resource::built_in;

fn resource(kind: &str) -> Arc<ResourceInfo> {
    let found = built_in().iter().find(|resource| resource.kind == kind);
    Arc::clone(found.expect("it is built in"))
}

fn object(value: Value) -> Object {
    Object::from_value(value).expect("a whole object")
}

/// An object as it is kept: with defaults, in a cluster where these Services are.
fn kept(value: Value, services: &[Value]) -> Result<Object, ApiError> {
    let mut object = object(value);
    let resource = resource(object.kind());
    set_defaults(&resource, object.as_map_mut());
    let taken = Taken::by(services.iter().filter_map(Value::as_object));
    allocate(&resource, object.as_map_mut(), None, &taken)?;
    check_new(&resource, &object)?;
    Ok(object)
}

fn changed(live: &Object, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), ApiError> {
    let mut new = live.clone();
    change(new.as_map_mut());
    let resource = resource(live.kind());
    check_changed(&resource, live, &new)
}

fn refusal(result: Result<impl Sized, ApiError>) -> String {
    match result {
        Ok(_) => "it was taken".to_owned(),
        Err(error) => error.message,
    }
}

fn service(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": spec})
}

#[test]
fn a_service_gets_addresses_ports_and_policies() {
    let first =
        kept(service(json!({"type": "LoadBalancer", "ports": [{"port": 80}]})), &[]).expect("is taken");
    let expected = json!({
        "type": "LoadBalancer", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
        "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": true,
        "clusterIP": "10.96.1.0", "clusterIPs": ["10.96.1.0"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30000}],
    });
    assert_eq!(first.get(&["spec"]), Some(&expected));
    let second = kept(service(json!({"type": "NodePort", "ports": [{"port": 80}]})), &[first.into_value()]);
    let second = second.expect("is taken");
    assert_eq!(second.text(&["spec", "clusterIP"]), Some("10.96.1.1"));
    assert_eq!(second.get(&["spec", "ports"]).map(|ports| ports[0]["nodePort"].clone()), Some(json!(30001)));
}

#[test]
fn a_headless_or_external_service_gets_no_address() {
    let headless = kept(service(json!({"clusterIP": "None"})), &[]).expect("is taken");
    assert_eq!(headless.get(&["spec", "clusterIPs"]), Some(&json!(["None"])));
    let external = kept(service(json!({"type": "ExternalName", "externalName": "a.example.com"})), &[]);
    let external = external.expect("is taken");
    assert_eq!(
        external.get(&["spec"]),
        Some(&json!({"type": "ExternalName", "externalName": "a.example.com", "sessionAffinity": "None"}))
    );
}

#[test]
fn a_service_that_no_server_takes_is_refused() {
    let live =
        kept(service(json!({"ports": [{"port": 80, "nodePort": 0}]})), &[]).expect("is taken").into_value();
    for (spec, words) in [
        (json!({}), "spec.ports: Required value"),
        (
            json!({"ports": [{"port": 0, "targetPort": 1}]}),
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (json!({"ports": [{"port": 80}, {"port": 81, "name": "a"}]}), "spec.ports[0].name: Required value"),
        (
            json!({"clusterIP": "10.96.1.0", "ports": [{"port": 80}]}),
            "spec.clusterIPs: Invalid value: [\"10.96.1.0\"]: failed to allocate IP 10.96.1.0: provided IP is already allocated",
        ),
        (
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
        (
            json!({"type": "Wrong", "ports": [{"port": 80}]}),
            "spec.type: Unsupported value: \"Wrong\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ),
    ] {
        let result = kept(service(spec), std::slice::from_ref(&live));
        assert_eq!(refusal(result), format!("Service \"s\" is invalid: {words}"));
    }
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {
                    "serviceAccountName": "sa",
                    "containers": [{
                        "name": "c", "image": "i:1", "ports": [{"containerPort": 80}],
                        "readinessProbe": {"httpGet": {"port": 80}},
                        "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        "resources": {"requests": {"cpu": "1000m"}},
                    }],
                    "volumes": [{"name": "v"}, {"name": "w", "secret": {"secretName": "s"}}],
                },
            },
        },
    })
}

#[test]
fn a_deployment_gets_the_defaults_of_its_pods() {
    let kept = kept(deployment(), &[]).expect("is taken");
    let spec = json!({
        "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "serviceAccountName": "sa", "serviceAccount": "sa", "restartPolicy": "Always",
                "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30, "securityContext": {},
                "schedulerName": "default-scheduler",
                "containers": [{
                    "name": "c", "image": "i:1", "imagePullPolicy": "IfNotPresent",
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "readinessProbe": {
                        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
                    },
                    "env": [{"name": "N", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                    "resources": {"requests": {"cpu": "1"}},
                }],
                "volumes": [
                    {"name": "v", "emptyDir": {}},
                    {"name": "w", "secret": {"secretName": "s", "defaultMode": 420}},
                ],
            },
        },
    });
    assert_eq!(kept.get(&["spec"]), Some(&spec));
}

#[test]
fn a_deployment_that_no_server_takes_is_refused() {
    let with = |pointer: &str, value: Value| {
        let mut deployment = deployment();
        *deployment.pointer_mut(pointer).expect("it is there") = value;
        refusal(kept(deployment, &[]))
    };
    assert_eq!(
        with("/spec/template/metadata/labels", json!({"a": "c"})),
        "Deployment.apps \"d\" is invalid: spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`"
    );
    assert_eq!(
        with("/spec/template/spec/containers", json!([])),
        "Deployment.apps \"d\" is invalid: spec.template.spec.containers: Required value"
    );
    assert_eq!(
        with("/spec/template/spec/containers/0/resources/requests/cpu", json!("one")),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    );
    assert_eq!(
        with(
            "/spec/template/spec/containers/0",
            json!({"name": "c", "image": "i", "volumeMounts": [{"name": "x", "mountPath": "/"}]})
        ),
        "Deployment.apps \"d\" is invalid: spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"x\""
    );
}

#[test]
fn what_may_not_change_does_not() {
    let live = kept(deployment(), &[]).expect("is taken");
    let result = changed(&live, |map| map["spec"]["selector"] = json!({"matchLabels": {"c": "d"}}));
    assert!(
        refusal(result)
            .contains("spec.selector: Invalid value: {\"matchLabels\":{\"c\":\"d\"}}: field is immutable")
    );

    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}});
    let live = kept(secret, &[]).expect("is taken");
    assert_eq!((live.get(&["data"]), live.get(&["stringData"])), (Some(&json!({"k": "dg=="})), None));
    assert_eq!(
        refusal(changed(&live, |map| drop(map.insert("type".into(), json!("other"))))),
        "Secret \"s\" is invalid: type: Invalid value: \"other\": field is immutable"
    );

    let fixed = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "immutable": true, "data": {}});
    let live = kept(fixed, &[]).expect("is taken");
    assert_eq!(
        refusal(changed(&live, |map| drop(map.insert("data".into(), json!({"k": "v"}))))),
        "ConfigMap \"c\" is invalid: data: Forbidden: field is immutable when `immutable` is set"
    );

    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
        "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}],
    });
    let live = kept(binding, &[]).expect("is taken");
    let result = changed(&live, |map| map["roleRef"]["name"] = json!("other"));
    assert!(refusal(result).ends_with("cannot change roleRef"));

    let live = kept(service(json!({"ports": [{"port": 80}]})), &[]).expect("is taken");
    let result = changed(&live, |map| map["spec"]["clusterIP"] = json!("10.96.9.9"));
    assert_eq!(
        refusal(result),
        "Service \"s\" is invalid: spec.clusterIPs[0]: Invalid value: [\"10.96.9.9\"]: may not change once set"
    );
}

#[test]
fn an_endpoint_slice_takes_no_address_that_means_something_else_everywhere() {
    let slice = |kind: &str, address: &str| {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "e"},
            "addressType": kind, "endpoints": [{"addresses": [address]}], "ports": [{"port": 15012}],
        });
        refusal(kept(slice, &[]))
    };
    let fault = |address: &str, words: &str| {
        format!(
            "EndpointSlice.discovery.k8s.io \"e\" is invalid: endpoints[0].addresses[0]: Invalid value: {address:?}: {words}"
        )
    };
    for (kind, address, words) in [
        ("IPv4", "127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("IPv4", "0.0.0.0", "may not be unspecified (0.0.0.0 or ::)"),
        ("IPv4", "169.254.1.1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("IPv4", "224.0.0.1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
        ("IPv6", "::1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("IPv4", "300.1.1.1", "must be an IPv4 address"),
        ("IPv4", "fd00::1", "must be an IPv4 address"),
    ] {
        assert_eq!(slice(kind, address), fault(address, words));
    }
    assert_eq!(slice("IPv6", "fd00::1"), "it was taken");
}

#[test]
fn webhooks_get_their_defaults_and_say_what_they_lack() {
    let configuration = |webhook: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "w"}, "webhooks": [webhook],
        })
    };
    let webhook = json!({
        "name": "a.b.io", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    });
    let live = kept(configuration(webhook.clone()), &[]).expect("is taken");
    let live = &live.get(&["webhooks"]).expect("there are some")[0];
    let defaults = json!([
        live["failurePolicy"],
        live["matchPolicy"],
        live["timeoutSeconds"],
        live["reinvocationPolicy"],
        live["namespaceSelector"],
        live["objectSelector"],
        live["clientConfig"]["service"]["port"],
        live["rules"][0]["scope"],
    ]);
    assert_eq!(defaults, json!(["Fail", "Equivalent", 10, "Never", {}, {}, 443, "*"]));
    let mut lacking = webhook;
    lacking.as_object_mut().expect("a map").remove("sideEffects");
    assert_eq!(
        refusal(kept(configuration(lacking), &[])),
        "MutatingWebhookConfiguration.admissionregistration.k8s.io \"w\" is invalid: webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"
    );
}

#[test]
fn a_definition_is_named_after_what_it_defines() {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "wrong"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": true, "storage": true}],
        },
    });
    assert_eq!(
        refusal(kept(definition, &[])),
        "CustomResourceDefinition.apiextensions.k8s.io \"wrong\" is invalid: [metadata.name: Invalid value: \"wrong\": must be spec.names.plural+\".\"+spec.group, spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required]"
    );
}

#[test]
fn labels_and_annotations_keep_to_their_grammar() {
    let labelled = |labels: Value| {
        refusal(kept(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": labels}}),
            &[],
        ))
    };
    assert_eq!(labelled(json!({"istio.io/rev": "", "a": "A_b.c-1"})), "it was taken");
    for labels in
        [json!({"-a": "b"}), json!({"a": "b c"}), json!({"a/b/c": ""}), json!({"": ""}), json!({"a": 1})]
    {
        assert!(
            labelled(labels.clone()).starts_with("ConfigMap \"c\" is invalid: metadata.labels"),
            "{labels}"
        );
    }
}

#[test]
fn a_lease_lasts_some_time() {
    let lease = |spec: Value| {
        let metadata = json!({"name": "l", "namespace": "n"});
        kept(
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}),
            &[],
        )
    };
    assert!(lease(json!({"holderIdentity": "a", "leaseDurationSeconds": 1, "leaseTransitions": 0})).is_ok());
    assert_eq!(
        refusal(lease(json!({"leaseDurationSeconds": 0, "leaseTransitions": -1}))),
        "Lease.coordination.k8s.io \"l\" is invalid: [spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0, \
         spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0]"
    );
}

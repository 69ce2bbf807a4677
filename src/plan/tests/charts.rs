//! Releases as a few objects each, so that a plan's tests say what they are about and render no chart.

use serde_json::{Value, json};

use crate::compile::{Desired, Release};
use crate::object::Object;
use crate::topology::ChartName;

/// Puts objects of the same kinds in the place of each release.
pub(crate) fn without_charts(mut desired: Desired) -> Desired {
    for unit in &mut desired.units {
        if let Some(release) = unit.content.release.take() {
            let objects = objects(&release).into_iter().map(|value| Object::from_value(value).unwrap());
            unit.content.objects.splice(0..0, objects);
        }
    }
    desired
}

fn objects(release: &Release) -> Vec<Value> {
    let value = |path: &str| {
        path.split('.')
            .try_fold(&Value::Object((*release.values).clone()), |value, key| value.get(key))
            .cloned()
    };
    match release.chart {
        ChartName::Base => vec![
            json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "gateways.networking.istio.io"},
                "spec": {
                    "group": "networking.istio.io", "names": {"plural": "gateways", "kind": "Gateway"},
                    "versions": [{"name": "v1", "served": true, "storage": true}],
                },
            }),
            namespaced(release, "v1", "ServiceAccount", "istio-reader-service-account", json!({})),
        ],
        ChartName::Istiod if value("profile") == Some(json!("remote")) => vec![
            namespaced(release, "v1", "Service", "istiod", json!({"spec": {"ports": [{"port": 15012, "name": "tcp-istiod"}]}})),
            namespaced(release, "discovery.k8s.io/v1", "EndpointSlice", "istiod", json!({
                "addressType": "IPv4", "endpoints": [{"addresses": [value("global.remotePilotAddress")]}],
            })),
            mutating(),
        ],
        ChartName::Istiod => vec![
            namespaced(release, "v1", "ConfigMap", "istio", json!({"data": {"mesh": "trustDomain: cluster.local\n"}})),
            deployment(release, "istiod", json!([{
                "name": "discovery", "image": "pilot:1.30.3",
                "env": [{"name": "EXTERNAL_ISTIOD", "value": "true"}], "resources": {"requests": {"cpu": "500m"}},
            }])),
            namespaced(release, "v1", "Service", "istiod", json!({"spec": {"ports": [{"port": 15012}], "selector": {"app": "istiod"}}})),
            mutating(),
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "istio-validator-istio-system"},
                "webhooks": [{"name": "rev.validation.istio.io", "clientConfig": {}, "failurePolicy": "Ignore"}],
            }),
        ],
        ChartName::Cni => vec![
            namespaced(release, "v1", "ServiceAccount", "istio-cni", json!({})),
            namespaced(release, "apps/v1", "DaemonSet", "istio-cni-node", json!({"spec": {
                "selector": {"matchLabels": {"k8s-app": "istio-cni-node"}},
                "template": {
                    "metadata": {"labels": {"k8s-app": "istio-cni-node"}},
                    "spec": {"containers": [{"name": "install-cni", "image": format!("install-cni:{}", value("global.tag").and_then(|tag| tag.as_str().map(str::to_owned)).unwrap_or_default())}]},
                },
            }})),
        ],
        ChartName::Gateway => vec![
            deployment(release, "istio-eastwestgateway", json!([{"name": "istio-proxy", "image": "auto"}])),
            namespaced(release, "v1", "Service", "istio-eastwestgateway", json!({
                "spec": {
                    "type": "LoadBalancer", "ports": [{"port": 15443, "name": "tls"}],
                    "selector": {"istio": "eastwestgateway"},
                },
            })),
        ],
    }
    .into_iter()
    .map(|mut object| {
        if object["kind"] == "Deployment"
            && let Some(replicas) = value("replicaCount")
        {
            object["spec"]["replicas"] = replicas;
        }
        if object["kind"] == "Deployment"
            && let Some(annotations) = value("podAnnotations").or_else(|| value("pilot.podAnnotations"))
        {
            object["spec"]["template"]["metadata"]["annotations"] = annotations;
        }
        if object["kind"] == "Service"
            && let Some(kind) = value("service.type")
        {
            object["spec"]["type"] = kind;
        }
        object
    })
    .collect()
}

fn namespaced(release: &Release, api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": release.namespace},
    });
    for (key, value) in rest.as_object().into_iter().flatten() {
        object[key.as_str()] = value.clone();
    }
    object
}

fn deployment(release: &Release, name: &str, containers: Value) -> Value {
    namespaced(
        release,
        "apps/v1",
        "Deployment",
        name,
        json!({"spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
        }}),
    )
}

fn mutating() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "istio-sidecar-injector"},
        "webhooks": [{"name": "rev.namespace.sidecar-injector.istio.io", "clientConfig": {}, "failurePolicy": "Fail"}],
    })
}

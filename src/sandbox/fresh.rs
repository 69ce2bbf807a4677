//! What a cluster holds before anybody touched it.

use serde_json::{Value, json};

use crate::object::Object;

/// The namespaces of a fresh cluster.
const NAMESPACES: &[&str] = &["kube-system", "default", "kube-public", "kube-node-lease"];

/// Makes up the CA of a cluster's API server, PEM.
///
/// The key is thrown away: nothing here speaks TLS, and clients only pass the
/// certificate on.
pub(super) fn authority(cluster: &str) -> String {
    let key = rcgen::KeyPair::generate().expect("P-256 keys can always be made");
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        rcgen::KeyUsagePurpose::KeyCertSign,
        rcgen::KeyUsagePurpose::CrlSign,
        rcgen::KeyUsagePurpose::DigitalSignature,
    ];
    parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("{cluster} (sandbox)"));
    let certificate =
        parameters.self_signed(&key).expect("a name and a fresh key are all that signing needs");
    certificate.pem()
}

/// The objects of a fresh cluster; each namespace gets its content when it is made.
pub(super) fn objects(cluster: &str) -> Vec<Object> {
    let mut objects: Vec<Value> = NAMESPACES
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}}))
        .collect();
    let node = format!("{cluster}-node");
    objects.push(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": node, "labels": {
            "kubernetes.io/hostname": node, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        }},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "192.0.2.10"},
                {"type": "Hostname", "address": node},
            ],
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"},
            "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"},
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
            }],
            "nodeInfo": {
                "kubeletVersion": super::KUBERNETES_VERSION, "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
                "containerRuntimeVersion": "sandbox://1", "kernelVersion": "", "osImage": "sandbox", "machineID": "",
                "systemUUID": "", "bootID": "",
            },
        },
    }));
    objects.push(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        },
        "status": {"loadBalancer": {}},
    }));
    whole(objects)
}

/// What every namespace holds.
pub(super) fn namespace_content(namespace: &str, ca: &str) -> Vec<Object> {
    whole(vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "kube-root-ca.crt", "namespace": namespace,
                "annotations": {
                    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
                },
            },
            "data": {"ca.crt": ca},
        }),
    ])
}

fn whole(objects: Vec<Value>) -> Vec<Object> {
    objects.into_iter().map(|value| Object::from_value(value).expect("written whole above")).collect()
}

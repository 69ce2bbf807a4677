//! Clusters to test with: stores in a folder of their own, and the objects that the charts would make.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::object::{Object, ObjectRef};
use crate::sandbox::controllers::{Controllers, Member};
use crate::sandbox::{ApplyOptions, Clock, ClusterStore, DeleteOptions, ManualClock};
use crate::trust::{Intermediate, Root};

pub(super) const NS: &str = "istio-system";

/// Where journals are written in the background: without it each write waits for the disk.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The controllers of stores.
fn controllers(stores: &[Arc<ClusterStore>]) -> Controllers {
    let member = |store: &Arc<ClusterStore>| Member::new(Arc::<ClusterStore>::clone(store));
    Controllers::new(stores.iter().map(member).collect())
}

/// Clusters with their controllers.
pub(super) struct Fleet {
    folder: PathBuf,
    pub(super) controllers: Controllers,
    stores: Vec<Arc<ClusterStore>>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at("2027-01-01T00:00:00Z".parse().unwrap()))
}

fn open(folder: &std::path::Path, names: &[&str]) -> Vec<Arc<ClusterStore>> {
    let stores = names.iter().map(|name| {
        let path = folder.join(format!("{name}.jsonl"));
        Arc::new(ClusterStore::open(&path, name, name, clock()).unwrap())
    });
    stores.collect()
}

impl Fleet {
    /// Fresh clusters; `test` names the folder.
    pub(super) fn new(test: &str, names: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("stolos-controllers-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let stores = open(&folder, names);
        Self { controllers: controllers(&stores), stores, folder }
    }

    /// The same clusters after the process ended and began again.
    pub(super) fn restart(&mut self) {
        let names: Vec<String> = self.stores.iter().map(|store| store.name().to_owned()).collect();
        for store in &self.stores {
            RUNTIME.block_on(store.durable(store.revision())).unwrap();
        }
        self.stores.clear();
        self.controllers = Controllers::new(Vec::new());
        self.stores = open(&self.folder, &names.iter().map(String::as_str).collect::<Vec<_>>());
        self.controllers = controllers(&self.stores);
    }

    pub(super) fn settle(&mut self) {
        let _background = RUNTIME.enter();
        self.controllers.settle();
    }

    /// Settles with rounds that look at everything.
    pub(super) fn settle_leaving_nothing_out(&mut self) {
        let _background = RUNTIME.enter();
        self.controllers.rounds.settle_leaving_nothing_out();
    }

    /// The same clusters once more, in a folder of their own: whatever is done to both makes them
    /// equal to the last byte.
    pub(super) fn twin(&self, test: &str) -> Self {
        let names: Vec<&str> = self.stores.iter().map(|store| store.name()).collect();
        let twin = Self::new(test, &[]);
        for (store, name) in self.stores.iter().zip(&names) {
            RUNTIME.block_on(store.durable(store.revision())).unwrap();
            let file = format!("{name}.jsonl");
            std::fs::copy(self.folder.join(&file), twin.folder.join(&file)).unwrap();
        }
        let stores = open(&twin.folder, &names);
        let mut twin = twin;
        twin.controllers = controllers(&stores);
        twin.stores = stores;
        twin
    }

    /// Everything that a cluster holds.
    pub(super) fn content(&self, cluster: &str) -> Vec<Value> {
        let present = self.store(cluster).feed_from_start().take();
        present.iter().map(|change| change.object.as_value().clone()).collect()
    }

    pub(super) fn store(&self, cluster: &str) -> &Arc<ClusterStore> {
        self.stores.iter().find(|store| store.name() == cluster).unwrap()
    }

    /// Applies objects as Stolos does.
    pub(super) fn apply(&self, cluster: &str, objects: impl IntoIterator<Item = Value>) {
        let _background = RUNTIME.enter();
        for object in objects {
            let object = Object::from_value(object).unwrap();
            let name = object.reference().to_string();
            self.store(cluster)
                .apply(object, &ApplyOptions::forced_by("stolos"))
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
    }

    pub(super) fn delete(&self, cluster: &str, group: &str, kind: &str, namespace: Option<&str>, name: &str) {
        let reference = ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        self.store(cluster).delete(&reference, &DeleteOptions::default()).unwrap();
    }

    /// A text of an object; none where the object or the text is not there.
    pub(super) fn text(
        &self,
        cluster: &str,
        kind: (&str, &str),
        name: &str,
        path: &[&str],
    ) -> Option<String> {
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, name),
        };
        self.store(cluster).find(kind.0, kind.1, namespace, name)?.text(path).map(str::to_owned)
    }

    /// `Available=True` or why not, `none` where the Deployment has no such condition.
    pub(super) fn available(&self, cluster: &str, deployment: &str) -> String {
        self.condition(cluster, deployment, "Available")
    }

    pub(super) fn condition(&self, cluster: &str, deployment: &str, kind: &str) -> String {
        let live = self.store(cluster).find("apps", "Deployment", Some(NS), deployment).unwrap();
        let conditions =
            live.get(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
        match conditions.iter().find(|condition| condition["type"] == kind) {
            None => "none".to_owned(),
            Some(found) if found["status"] == "True" && kind == "Available" => "True".to_owned(),
            Some(found) => found["message"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// The decoded `caBundle` of the first injecting webhook.
    pub(super) fn bundle(&self, cluster: &str) -> Option<String> {
        let found = self.store(cluster).find(
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration",
            None,
            "istio-sidecar-injector",
        );
        let found = found?;
        let bundle = found.get(&["webhooks"])?.get(0)?.get("clientConfig")?.get("caBundle")?.as_str()?;
        (!bundle.is_empty()).then(|| String::from_utf8(STANDARD.decode(bundle).unwrap()).unwrap())
    }

    pub(super) fn root(&self, cluster: &str, namespace: &str) -> Option<String> {
        self.text(
            cluster,
            ("", "ConfigMap"),
            &format!("{namespace}/istio-ca-root-cert"),
            &["data", "root-cert.pem"],
        )
    }

    /// The address of a Service.
    pub(super) fn address(&self, cluster: &str, service: &str) -> Option<String> {
        let live = self.store(cluster).find("", "Service", Some(NS), service)?;
        Some(live.get(&["status", "loadBalancer", "ingress"])?.get(0)?.get("ip")?.as_str()?.to_owned())
    }

    /// Messages of the Warning Events about objects of a kind, sorted.
    pub(super) fn warnings(&self, cluster: &str, kind: &str) -> Vec<String> {
        let events = self.store(cluster).list("", "Event", None);
        let about = events.iter().filter(|event| event.text(&["involvedObject", "kind"]) == Some(kind));
        let mut messages: Vec<String> = about
            .map(|event| {
                format!("{}: {}", event.text(&["reason"]).unwrap(), event.text(&["message"]).unwrap())
            })
            .collect();
        messages.sort();
        messages
    }
}

/// What a unit `reader-credential` makes, filled by the controllers, as a kubeconfig for another cluster.
pub(super) fn kubeconfig(fleet: &Fleet, cluster: &str) -> Value {
    let secret = fleet.store(cluster).find("", "Secret", Some(NS), "reader-token").unwrap();
    let token = STANDARD.decode(secret.text(&["data", "token"]).unwrap()).unwrap();
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": {
            "server": format!("https://{cluster}.sandbox.invalid:6443"),
            "certificate-authority-data": secret.text(&["data", "ca.crt"]),
        }}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "users": [{"name": cluster, "user": {"token": String::from_utf8(token).unwrap()}}],
    })
}

pub(super) fn remote_secret(cluster: &str, kubeconfig: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": format!("istio-remote-secret-{cluster}"), "namespace": NS,
            "labels": {"istio/multiCluster": "true"},
            "annotations": {"networking.istio.io/cluster": cluster},
        },
        "data": {cluster: STANDARD.encode(kubeconfig.to_string())},
    })
}

pub(super) fn namespace(name: &str, labels: Value, annotations: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels, "annotations": annotations}})
}

pub(super) fn account(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NS}})
}

pub(super) fn token_secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "reader-token", "namespace": NS,
            "annotations": {"kubernetes.io/service-account.name": "istio-reader-service-account"},
        },
    })
}

pub(super) fn cacerts(intermediate: &Intermediate) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cacerts", "namespace": NS},
        "stringData": {
            "ca-cert.pem": intermediate.ca_certificate, "ca-key.pem": intermediate.ca_key.expose(),
            "root-cert.pem": intermediate.root_certificate, "cert-chain.pem": intermediate.certificate_chain,
        },
    })
}

pub(super) fn root() -> Root {
    Root::generate("mesh1", clock().now()).unwrap()
}

pub(super) fn issued(root: &Root, cluster: &str) -> Intermediate {
    root.issue(cluster, "cluster.local", clock().now()).unwrap()
}

/// A ClusterRole with everything that istiod and the reader use, bound to an account.
pub(super) fn role(name: &str, account: &str) -> [Value; 2] {
    let reads = ["get", "list", "watch"];
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [
                {"apiGroups": [""], "verbs": reads, "resources": ["namespaces", "services", "pods", "nodes", "secrets"]},
                {"apiGroups": ["discovery.k8s.io"], "verbs": reads, "resources": ["endpointslices"]},
                {"apiGroups": [""], "verbs": ["create", "get", "list", "update", "watch"], "resources": ["configmaps"]},
                {"apiGroups": [""], "verbs": ["create"], "resources": ["secrets"]},
                {"apiGroups": ["authentication.k8s.io"], "verbs": ["create"], "resources": ["tokenreviews"]},
                {"apiGroups": ["admissionregistration.k8s.io"], "verbs": ["get", "list", "patch", "update", "watch"],
                 "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]},
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NS}],
        }),
    ]
}

pub(super) fn reader() -> Vec<Value> {
    let mut objects = vec![account("istio-reader-service-account")];
    objects.extend(role("istio-reader-clusterrole-istio-system", "istio-reader-service-account"));
    objects
}

pub(super) fn injector_config() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-sidecar-injector", "namespace": NS},
        "data": {"config": "", "values": "{}"},
    })
}

pub(super) fn webhook(path: &str) -> Value {
    let entry = |name: &str, namespaces: Value, objects: Value| {
        json!({
            "name": format!("{name}.sidecar-injector.istio.io"),
            "clientConfig": {"service": {"name": "istiod", "namespace": NS, "path": path, "port": 443}},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "namespaceSelector": {"matchExpressions": namespaces}, "objectSelector": {"matchExpressions": objects},
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "istio-sidecar-injector", "labels": {"istio.io/rev": "default"}},
        "webhooks": [
            entry(
                "namespace",
                json!([{"key": "istio-injection", "operator": "In", "values": ["enabled"]}]),
                json!([{"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]),
            ),
            entry(
                "object",
                json!([{"key": "istio-injection", "operator": "DoesNotExist"}]),
                json!([{"key": "sidecar.istio.io/inject", "operator": "In", "values": ["true"]}]),
            ),
        ],
    })
}

/// istiod's Deployment.
pub(super) fn istiod(cluster: &str, external: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "istiod", "namespace": NS, "labels": {"app": "istiod"}},
        "spec": {
            "selector": {"matchLabels": {"istio": "pilot"}},
            "template": {
                "metadata": {"labels": {"app": "istiod", "istio": "pilot", "sidecar.istio.io/inject": "false"}},
                "spec": {
                    "serviceAccountName": "istiod",
                    "containers": [{
                        "name": "discovery", "image": "pilot",
                        "env": [
                            {"name": "REVISION", "value": "default"},
                            {"name": "PILOT_CERT_PROVIDER", "value": "istiod"},
                            {"name": "CLUSTER_ID", "value": cluster},
                            {"name": "EXTERNAL_ISTIOD", "value": external},
                        ],
                        "volumeMounts": [{"name": "cacerts", "mountPath": "/etc/cacerts", "readOnly": true}],
                    }],
                    "volumes": [{"name": "cacerts", "secret": {"secretName": "cacerts", "optional": true}}],
                },
            },
        },
    })
}

pub(super) fn istiod_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod", "namespace": NS},
        "spec": {
            "selector": {"app": "istiod", "istio": "pilot"},
            "ports": [
                {"name": "https-dns", "port": 15012, "protocol": "TCP"},
                {"name": "https-webhook", "port": 443, "targetPort": 15017, "protocol": "TCP"},
            ],
        },
    })
}

pub(super) fn validator() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "istio-validator-istio-system", "labels": {"istio.io/rev": "default"}},
        "webhooks": [{
            "name": "rev.validation.istio.io",
            "clientConfig": {"service": {"name": "istiod", "namespace": NS, "path": "/validate"}},
            "rules": [{"operations": ["CREATE"], "apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "resources": ["*"]}],
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
        }],
    })
}

/// Everything of a primary but its namespace and `cacerts`.
pub(super) fn primary(cluster: &str, external: &str) -> Vec<Value> {
    let mut objects = reader();
    objects.push(account("istiod"));
    objects.extend(role("istiod-clusterrole-istio-system", "istiod"));
    objects.extend([
        injector_config(),
        istiod_service(),
        istiod(cluster, external),
        webhook("/inject"),
        validator(),
    ]);
    objects
}

/// The remote profile.
pub(super) fn remote(cluster: &str, address: &str) -> Vec<Value> {
    let ports = [("tcp-istiod", 15012), ("tcp-webhook", 15017)];
    let mut objects = reader();
    objects.extend([
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod", "namespace": NS},
            "spec": {"ports": [
                {"name": "tcp-istiod", "port": 15012, "protocol": "TCP"},
                {"name": "tcp-webhook", "port": 443, "targetPort": 15017, "protocol": "TCP"},
            ]},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "istiod", "namespace": NS, "labels": {"kubernetes.io/service-name": "istiod"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": ports.map(|(name, port)| json!({"name": name, "port": port, "protocol": "TCP"})),
        }),
        webhook(&format!("/inject/cluster/{cluster}/net/network2")),
    ]);
    objects
}

/// The east-west gateway.
pub(super) fn gateway() -> Vec<Value> {
    let labels = json!({"app": "istio-eastwestgateway", "istio": "eastwestgateway"});
    let port = |name: &str, number: u16| json!({"name": name, "port": number, "targetPort": number, "protocol": "TCP"});
    vec![
        account("istio-eastwestgateway"),
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "istio-eastwestgateway", "namespace": NS},
            "spec": {
                "type": "LoadBalancer", "selector": labels,
                "ports": [port("tls", 15443), port("tls-istiod", 15012), port("tls-webhook", 15017)],
            },
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "istio-eastwestgateway", "namespace": NS},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": {
                        "app": "istio-eastwestgateway", "istio": "eastwestgateway", "sidecar.istio.io/inject": "true",
                    }},
                    "spec": {
                        "serviceAccountName": "istio-eastwestgateway",
                        "containers": [{"name": "istio-proxy", "image": "auto"}],
                    },
                },
            },
        }),
    ]
}

fn definition(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.networking.istio.io")},
        "spec": {
            "group": "networking.istio.io", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    })
}

/// What exposes istiod through the gateway, with the definitions of its kinds.
pub(super) fn exposure() -> Vec<Value> {
    let server = |name: &str, number: u16| json!({"port": {"name": name, "number": number, "protocol": "TLS"}, "tls": {"mode": "PASSTHROUGH"}, "hosts": ["*"]});
    let rule = |number: u16, port: u16| {
        json!({
            "match": [{"port": number, "sniHosts": ["*"]}],
            "route": [{"destination": {"host": "istiod.istio-system.svc.cluster.local", "port": {"number": port}}}],
        })
    };
    vec![
        definition("Gateway", "gateways"),
        definition("VirtualService", "virtualservices"),
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
            "metadata": {"name": "istiod-gateway", "namespace": NS},
            "spec": {"selector": {"istio": "eastwestgateway"}, "servers": [server("tls-istiod", 15012), server("tls-istiodwebhook", 15017)]},
        }),
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "istiod-vs", "namespace": NS},
            "spec": {"hosts": ["*"], "gateways": ["istiod-gateway"], "tls": [rule(15012, 15012), rule(15017, 443)]},
        }),
    ]
}

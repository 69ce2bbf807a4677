//! Access of primaries to the other clusters.

use serde_json::json;

use super::{Context, objects};
use crate::compile::{CompileError, Content, Done, Effects, Hole, Output};
use crate::graph::{Unit, UnitKind};
use crate::object::ObjectRef;
use crate::topology::Cluster;

/// The account that comes with chart `base`.
const READER: &str = "istio-reader-service-account";

/// The Secret that `istioctl create-remote-secret` makes for it (istioctl/pkg/multicluster/remote_secret.go, 1.30.3).
const READER_TOKEN: &str = "istio-reader-service-account-istio-remote-secret-token";

impl Context<'_> {
    /// The reader's token: Kubernetes makes none by itself from 1.24 on.
    pub(super) fn reader_credential(&self) -> (Content, Done) {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": READER_TOKEN,
                "namespace": self.mesh_namespace(),
                "annotations": { "kubernetes.io/service-account.name": READER },
            },
            "type": "kubernetes.io/service-account-token",
        });
        (objects([secret]), Done::Token { secret: self.in_mesh_namespace("", "Secret", READER_TOKEN) })
    }

    /// The secret by which a primary reads another cluster: its key is that cluster's ID.
    pub(super) fn remote_secret(
        &self,
        unit: &Unit,
        primary: &Cluster,
        other: &Cluster,
    ) -> Result<(Content, Done), CompileError> {
        let name = format!("istio-remote-secret-{}", other.id());
        let serves = other.primaries().iter().any(|served_by| served_by.value == primary.name.value);
        let mut kubeconfig = self.kubeconfig(unit, other)?;
        if serves {
            // istiod reads whether it may serve a cluster when it registers it, and registers it anew only for
            // other bytes (pkg/kube/multicluster/secretcontroller.go, 1.30.3): so they say that it does.
            kubeconfig.insert_str(0, "# istiod here serves this cluster.\n");
        }
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": self.mesh_namespace(),
                "labels": { "istio/multiCluster": "true" },
                "annotations": { "networking.istio.io/cluster": other.id() },
            },
            "type": "Opaque",
            "stringData": { other.id(): kubeconfig },
        });
        let effects = serves.then(|| {
            Box::new(Effects {
                webhook: self.webhook(),
                root: self.in_mesh_namespace("", "ConfigMap", "istio-ca-root-cert"),
                namespace: ObjectRef {
                    group: String::new(),
                    kind: "Namespace".to_owned(),
                    namespace: None,
                    name: self.mesh_namespace().to_owned(),
                },
                deployment: self.istiod(),
                secret: self.in_mesh_namespace("", "Secret", &name),
                primary_id: primary.id().to_owned(),
            })
        });
        Ok((objects([secret]), Done::Registered { cluster: other.name.value.clone(), effects }))
    }

    /// A kubeconfig as istiod reads it: one cluster, user and context, all named by the ID, a token inline.
    fn kubeconfig(&self, unit: &Unit, other: &Cluster) -> Result<String, CompileError> {
        let id = other.id();
        let credential = Unit::new(&other.name.value, UnitKind::ReaderCredential);
        let token = Hole::Observed { unit: credential.clone(), output: Output::Token }.marker();
        let declared = other.api_server.as_ref();
        let server = match declared {
            Some(api_server) => api_server.url.value.clone(),
            None => Hole::Context { cluster: other.name.value.clone() }.marker(),
        };
        let ca = match declared.and_then(|api_server| api_server.ca.as_ref()) {
            Some(path) => {
                let missing = || CompileError::FileMissing { unit: unit.clone(), path: path.value.clone() };
                let pem = self.files.get(&path.value).ok_or_else(missing)?;
                base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem)
            }
            None => Hole::Observed { unit: credential, output: Output::Ca }.marker(),
        };
        let server_name = match declared.and_then(|api_server| api_server.server_name.as_ref()) {
            Some(name) => format!("\n    tls-server-name: {}", quoted(&name.value)),
            None => String::new(),
        };
        Ok(format!(
            "\
apiVersion: v1
kind: Config
clusters:
- name: {id}
  cluster:
    certificate-authority-data: {ca}
    server: {server}{server_name}
contexts:
- name: {id}
  context:
    cluster: {id}
    user: {id}
current-context: {id}
users:
- name: {id}
  user:
    token: {token}
",
            id = quoted(id),
            server = quoted(&server),
        ))
    }
}

/// A text as a YAML scalar: an ID of digits alone would be a number. JSON's quoting is YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

//! What a cluster has before its control plane: namespace, trust, kinds.

use serde_json::{Map, Value, json};

use super::values::Computed;
use super::{Context, NODE_AGENT, objects};
use crate::compile::{Content, Done, Hole, Installer, Minted};
use crate::topology::{ChartName, Cluster};

impl Context<'_> {
    /// The mesh namespace: its label says the network, its annotation on remotes which primaries
    /// may write there. istiod reads the annotation once, when it registers the cluster
    /// (pkg/kube/multicluster, 1.30.3), so it stands before any remote secret.
    pub(super) fn namespace(&self, cluster: &Cluster) -> (Content, Done) {
        let mut metadata = json!({
            "name": self.mesh_namespace(),
            "labels": { "topology.istio.io/network": cluster.network.value.as_str() },
        });
        let controllers: Vec<&str> =
            cluster.primaries().iter().map(|primary| self.topology.clusters[&primary.value].id()).collect();
        if !controllers.is_empty() {
            metadata["annotations"] =
                json!({ "topology.istio.io/controlPlaneClusters": controllers.join(",") });
        }
        (objects([json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })]), Done::Exists)
    }

    /// `cacerts` in Istio's format (security/pkg/pki/ca, 1.30.3: all four keys), and in the
    /// keeper of a generated root the root itself.
    pub(super) fn trust(&self, cluster: &Cluster) -> (Content, Done) {
        let name = &cluster.name.value;
        let secret = |secret_name: &str, data: &[(&str, Minted)]| {
            let data: Map<String, Value> = data
                .iter()
                .map(|(key, piece)| {
                    let hole = Hole::Minted { cluster: name.clone(), piece: *piece };
                    ((*key).to_owned(), Value::String(hole.marker()))
                })
                .collect();
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": secret_name, "namespace": self.mesh_namespace() },
                "type": "Opaque",
                "stringData": data,
            })
        };
        let mut secrets = Vec::new();
        if self.topology.root_keeper() == Some(name) {
            let data = [("root-cert.pem", Minted::RootCertificate), ("root-key.pem", Minted::RootKey)];
            secrets.push(secret("stolos-root", &data));
        }
        let data = [
            ("ca-cert.pem", Minted::CaCertificate),
            ("ca-key.pem", Minted::CaKey),
            ("cert-chain.pem", Minted::CertificateChain),
            ("root-cert.pem", Minted::RootCertificate),
        ];
        secrets.push(secret("cacerts", &data));
        (objects(secrets), Done::Exists)
    }

    /// CRDs and the reader account, and in a primary the validator of whatever no revision claims. In a remote
    /// nobody would fill in its CA: istiod patches validators of its own cluster alone
    /// (pkg/webhooks/validation/controller, 1.29.1).
    pub(super) fn base(&self, cluster: &Cluster) -> (Content, Done) {
        let mut computed = Computed::default();
        computed.set("global.istioNamespace", self.mesh_namespace());
        computed.set("global.tag", self.topology.version().to_string());
        computed.set("defaultRevision", if cluster.is_primary() { "default" } else { "" });
        let release = self.release(cluster, ChartName::Base, "istio-base", computed);
        let done = match self.installer() {
            Installer::Stolos => Done::Established,
            Installer::Others => self.awaited_base(cluster, &release),
        };
        (Content { release: Some(release), objects: Vec::new() }, done)
    }

    /// The node agent that redirects the traffic of pods.
    pub(super) fn cni(&self, cluster: &Cluster) -> (Content, Done) {
        let mut computed = Computed::default();
        computed.set("global.tag", self.topology.version().to_string());
        let release = self.release(cluster, ChartName::Cni, "istio-cni", computed);
        let daemon_set = self.in_mesh_namespace("apps", "DaemonSet", NODE_AGENT);
        let done = match self.installer() {
            Installer::Stolos => Done::RolledOut { daemon_set },
            Installer::Others => self.awaited_cni(cluster, &release, &daemon_set),
        };
        (Content { release: Some(release), objects: Vec::new() }, done)
    }
}

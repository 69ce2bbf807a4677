//! The control plane: istiod in a primary, the remote profile in a remote.

use serde_json::{Map, Value, json};

use super::values::Computed;
use super::{Context, entrance_text, object};
use crate::compile::{Content, Done, Hole, Installer, Minted, ROOT_DIGEST};
use crate::topology::{ChartName, Cluster, Mtls, Root};

/// The release of a control plane.
const ISTIOD: &str = "istiod";

impl Context<'_> {
    /// istiod of a primary.
    pub(super) fn primary(&self, cluster: &Cluster) -> (Content, Done) {
        let topology = self.topology;
        let mut computed = self.common(cluster);
        computed.set("meshConfig.trustDomain", topology.mesh.trust_domain.as_str());
        if topology.serves_remotes(&cluster.name.value) {
            // Without it istiod neither patches a remote's webhooks nor publishes the root there.
            computed.set("global.externalIstiod", true);
        }
        if topology.captures_dns() {
            // A Service that exists only in another cluster resolves at the proxy.
            computed.set("meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE", "true");
        }
        let networks = self.declared_gateways();
        if !networks.is_empty() {
            computed.set("global.meshNetworks", networks);
        }
        let signs_for_itself = matches!(topology.root.as_ref().map(|root| &root.value), Some(Root::Istiod));
        if !signs_for_itself && self.installer() == Installer::Stolos {
            // A running istiod takes a new intermediate of its root by itself, but neither another root nor a
            // `cacerts` that was not there when it started (pilot/pkg/bootstrap/istio_ca.go, handleEvent and
            // createIstioCA, 1.24 to 1.31). So its pods carry the root's digest, and start anew with it.
            let digest = Hole::Minted { cluster: cluster.name.value.clone(), piece: Minted::RootDigest };
            computed.set("pilot.podAnnotations", json!({ ROOT_DIGEST: digest.marker() }));
        }
        let release = self.release(cluster, ChartName::Istiod, ISTIOD, computed);
        let mut objects = Vec::new();
        if topology.mesh.mtls == Mtls::Strict {
            objects.push(object(json!({
                "apiVersion": "security.istio.io/v1",
                "kind": super::POLICY,
                "metadata": { "name": "default", "namespace": self.mesh_namespace() },
                "spec": { "mtls": { "mode": "STRICT" } },
            })));
        }
        let done = match self.installer() {
            Installer::Stolos => Done::ControlPlane { deployment: self.istiod(), webhook: self.webhook() },
            Installer::Others => self.awaited_primary(cluster, &release),
        };
        (Content { release: Some(release), objects }, done)
    }

    /// A remote's share of the control plane: a Service that leads to its primary, and the webhook.
    pub(super) fn remote(&self, cluster: &Cluster) -> (Content, Done) {
        let topology = self.topology;
        let mut computed = self.common(cluster);
        computed.set("profile", "remote");
        if let Some(address) = entrance_text(&topology.entrance(cluster)) {
            computed.set("global.remotePilotAddress", address);
        }
        // The primary injects with its own cluster ID and network unless the path says otherwise
        // (pkg/kube/inject/webhook.go, parseInjectEnvs, 1.30.3).
        computed.set("istiodRemote.injectionPath", super::injection_path(cluster));
        if topology.names_services_of_remotes() {
            computed.set("pilot.configMap", true);
            computed.set("meshConfig.trustDomain", topology.mesh.trust_domain.as_str());
        }
        let release = self.release(cluster, ChartName::Istiod, ISTIOD, computed);
        let done = match self.installer() {
            Installer::Stolos => Done::Exists,
            Installer::Others => self.awaited_remote(cluster, &release),
        };
        (Content { release: Some(release), objects: Vec::new() }, done)
    }

    /// Values of both roles.
    fn common(&self, cluster: &Cluster) -> Computed {
        let topology = self.topology;
        let mut computed = Computed::default();
        computed.set("global.istioNamespace", self.mesh_namespace());
        computed.set("global.tag", topology.version().to_string());
        computed.set("global.meshID", topology.mesh.id.value.as_str());
        computed.set("global.multiCluster.clusterName", cluster.id());
        computed.set("global.network", cluster.network.value.as_str());
        if topology.istio.cni.is_some() {
            // Whoever installed it: injected pods wait for their traffic to be redirected, and do not do it themselves.
            computed.set("pilot.cni.enabled", true);
        }
        computed
    }

    /// `meshNetworks` of the gateways whose addresses are declared; those that are observed
    /// istiod finds by the label of their Services.
    pub(super) fn declared_gateways(&self) -> Map<String, Value> {
        let mut networks = Map::new();
        for cluster in self.topology.clusters.values() {
            let Some(gateway) = self.topology.gateway_of(cluster).map(|gateway| gateway.settings) else {
                continue;
            };
            if gateway.addresses.is_empty() {
                continue;
            }
            let port = gateway.ports.get(&15443).map_or(15443, |port| port.value);
            let network = networks
                .entry(cluster.network.value.as_str())
                .or_insert_with(|| json!({ "endpoints": [], "gateways": [] }));
            let gateways = network["gateways"].as_array_mut().expect("it was made a list");
            gateways.extend(
                gateway
                    .addresses
                    .iter()
                    .map(|address| json!({ "address": address.to_string(), "port": port })),
            );
        }
        for (name, network) in &mut networks {
            let members =
                self.topology.clusters.values().filter(|cluster| cluster.network.value.as_str() == name);
            network["endpoints"] = members.map(|cluster| json!({ "fromRegistry": cluster.id() })).collect();
        }
        networks
    }
}

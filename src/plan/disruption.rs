//! What a change does to a mesh that runs: whether it restarts, cuts or turns away.
//!
//! Changes enter, answers leave. What disrupts goes in waves and is told first; what is new disrupts
//! nothing.

use std::collections::BTreeSet;

use super::{Action, Change, FieldChange, Shown, Step};
use crate::compile::{NODE_AGENT, ROOT_DIGEST};
use crate::object::ObjectRef;

/// The Secret from which istiod takes its intermediate.
pub(super) const INTERMEDIATE_SECRET: &str = "cacerts";

/// What the names of remote secrets begin with.
const REMOTE_SECRET: &str = "istio-remote-secret-";

/// The ConfigMap with the mesh's configuration.
const MESH_CONFIG: &str = "istio";

/// The label by which istiod knows a cluster's network.
const NETWORK_LABEL: &str = "metadata.labels[\"topology.istio.io/network\"]";

impl Change {
    /// Whether pods start anew because of it: a workload's template changes.
    pub fn restarts(&self) -> bool {
        if !is_workload(&self.object) {
            return false;
        }
        match self.action {
            Action::Replace => true,
            Action::Adopt | Action::Update => self.touches("spec.template"),
            Action::Create
            | Action::Delete
            | Action::Release
            | Action::HandOver
            | Action::Keep
            | Action::NoOp => false,
        }
    }

    /// Whether it is Istio's node agent that starts anew, node by node: pods that run keep what it did for them, and
    /// those that begin on a node meanwhile are tried again.
    pub fn restarts_agents(&self) -> bool {
        self.restarts() && self.object.kind == "DaemonSet" && self.object.name == NODE_AGENT
    }

    /// Whether connections through the object break: the way in is not there for a while, or leads elsewhere.
    pub fn cuts_traffic(&self) -> bool {
        let is_a_way = matches!(
            self.object.kind.as_str(),
            "Service" | "Gateway" | "VirtualService" | "Endpoints" | "EndpointSlice"
        );
        match self.action {
            Action::Delete | Action::Replace => is_a_way,
            Action::Adopt | Action::Update => self.fields.iter().any(|field| self.leads_elsewhere(field)),
            Action::Create | Action::Release | Action::HandOver | Action::Keep | Action::NoOp => false,
        }
    }

    fn leads_elsewhere(&self, field: &FieldChange) -> bool {
        let path = field.path.as_str();
        match self.object.kind.as_str() {
            // A port that comes to others, or gets another name, moves nobody.
            "Service" if path.starts_with("spec.ports") => {
                field.before.is_some() && !path.ends_with(".name") && !path.ends_with(".appProtocol")
            }
            "Service" => [
                "spec.type",
                "spec.selector",
                "spec.clusterIP",
                "spec.external",
                "spec.internalTrafficPolicy",
                "spec.loadBalancer",
            ]
            .iter()
            .any(|start| path.starts_with(start)),
            "Gateway" | "VirtualService" => path.starts_with("spec") && field.before.is_some(),
            // What comes of another address says `moves_istiod`.
            _ => false,
        }
    }

    /// Whether istiod drops a cluster and reads it anew: another kubeconfig of it. Up to 1.29 the old one
    /// is stopped first, and its endpoints are gone until the new one has synced
    /// (`pkg/kube/multicluster/secretcontroller.go`).
    pub fn reregisters(&self) -> bool {
        self.object.kind == "Secret"
            && self.object.name.starts_with(REMOTE_SECRET)
            && match self.action {
                Action::Replace => true,
                Action::Adopt | Action::Update => self.touches("data"),
                Action::Create
                | Action::Delete
                | Action::Release
                | Action::HandOver
                | Action::Keep
                | Action::NoOp => false,
            }
    }

    /// Whether the cluster moves to another network: for all others at once, while its pods stay on the old one
    /// until they start anew.
    pub fn moves_network(&self) -> bool {
        self.object.kind == "Namespace"
            && matches!(self.action, Action::Adopt | Action::Update)
            && self.fields.iter().any(|field| field.path == NETWORK_LABEL && field.before.is_some())
    }

    /// Whether traffic into a network takes another way: a gateway that was declared by its address is declared no
    /// more. istiod reads it at once and tells every proxy, which from then on goes elsewhere or nowhere; what is
    /// open to the old address stays open for as long as that answers. One that comes to others moves nobody.
    pub fn moves_gateways(&self) -> bool {
        let gateways = |value: &Option<Shown>| match value {
            Some(Shown::Value(text)) => text.as_str().map(declared_gateways).unwrap_or_default(),
            Some(Shown::Fingerprint(_) | Shown::Later(_)) | None => BTreeSet::new(),
        };
        self.object.kind == "ConfigMap"
            && self.object.name == MESH_CONFIG
            && matches!(self.action, Action::Adopt | Action::Update)
            && self.fields.iter().any(|field| {
                field.path == "data.meshNetworks"
                    && !gateways(&field.before).is_subset(&gateways(&field.after))
            })
    }

    /// Whether a remote reaches istiod at another address from now on. Whoever is connected stays so for as long
    /// as the old address answers: nothing is cut, and no wave waits for it.
    pub fn moves_istiod(&self) -> bool {
        matches!(self.object.kind.as_str(), "Endpoints" | "EndpointSlice")
            && matches!(self.action, Action::Adopt | Action::Update)
            && (self.touches("endpoints") || self.touches("subsets"))
    }

    /// Whether every identity moves to another trust domain.
    pub fn moves_trust_domain(&self) -> bool {
        let domain = |value: &Option<Shown>| match value {
            Some(Shown::Value(text)) => text
                .as_str()
                .and_then(|text| text.lines().find_map(|line| line.strip_prefix("trustDomain:")))
                .map(|domain| domain.trim().to_owned()),
            Some(Shown::Fingerprint(_) | Shown::Later(_)) | None => None,
        };
        self.object.kind == "ConfigMap"
            && self.object.name == MESH_CONFIG
            && matches!(self.action, Action::Adopt | Action::Update)
            && self.fields.iter().any(|field| {
                field.path == "data.mesh"
                    && domain(&field.before).is_some_and(|old| Some(old) != domain(&field.after))
            })
    }

    /// Whether a running istiod gets another certificate to sign with.
    pub fn reissues(&self) -> bool {
        self.is_intermediate()
            && !self.fields.is_empty()
            && matches!(self.action, Action::Adopt | Action::Update | Action::Replace)
    }

    /// Whether the root itself becomes another one. istiod takes a new intermediate of the same root by
    /// itself, and a new root only when it starts.
    pub fn replaces_root(&self) -> bool {
        self.is_intermediate()
            && match self.action {
                Action::Adopt | Action::Update | Action::Replace => self.touches("data[\"root-cert.pem\"]"),
                Action::Delete => true,
                Action::Create | Action::Release | Action::HandOver | Action::Keep | Action::NoOp => false,
            }
    }

    /// Whether istiod gets a `cacerts` where none was.
    pub(super) fn begins_intermediate(&self) -> bool {
        self.is_intermediate() && self.action == Action::Create
    }

    /// Whether pods of istiod that run start anew for another root.
    pub(super) fn follows_root(&self) -> bool {
        let path = format!("spec.template.metadata.annotations[\"{ROOT_DIGEST}\"]");
        self.restarts() && self.fields.iter().any(|field| path.starts_with(&field.path))
    }

    fn is_intermediate(&self) -> bool {
        self.object.kind == "Secret" && self.object.name == INTERMEDIATE_SECRET
    }

    /// Whether plain text is refused from now on where it was taken before.
    fn refuses_plain_text(&self) -> bool {
        let strict = |value: &Option<Shown>| matches!(value, Some(Shown::Value(value)) if value.as_str() == Some("STRICT"));
        self.object.kind == "PeerAuthentication"
            && match self.action {
                Action::Create => true,
                Action::Adopt | Action::Update => self.fields.iter().any(|field| {
                    field.path == "spec.mtls.mode" && strict(&field.after) && !strict(&field.before)
                }),
                Action::Replace
                | Action::Delete
                | Action::Release
                | Action::HandOver
                | Action::Keep
                | Action::NoOp => false,
            }
    }

    fn touches(&self, start: &str) -> bool {
        self.fields.iter().any(|field| field.path.starts_with(start))
    }
}

impl Step {
    /// Whether it restarts something or cuts traffic.
    pub fn disrupts(&self) -> bool {
        self.writes().any(|change| {
            change.restarts()
                || change.cuts_traffic()
                || change.reregisters()
                || change.replaces_root()
                || change.moves_network()
                || change.moves_gateways()
                || change.moves_trust_domain()
        }) || self.refuses_plain_text().is_some()
    }

    /// The change by which a mesh that runs refuses plain text from now on.
    pub fn refuses_plain_text(&self) -> Option<&Change> {
        self.runs_already().then(|| self.writes().find(|change| change.refuses_plain_text())).flatten()
    }

    /// Whether pods of it that were there before are not yet as they should be.
    pub(super) fn is_rolling_out(&self) -> bool {
        self.unmet.is_some() && (self.runs_already() || self.others_install())
    }

    /// Whether its workload is there.
    fn runs_already(&self) -> bool {
        let mut workloads = self.changes.iter().filter(|change| is_workload(&change.object));
        workloads.any(|change| change.action != Action::Create)
    }
}

/// The gateways of `meshNetworks`, each as network, address and port. Charts write it with `toYaml`: each
/// network two deep, and the address of a gateway before its port.
fn declared_gateways(text: &str) -> BTreeSet<String> {
    let mut gateways = BTreeSet::new();
    let (mut network, mut address) = ("", None);
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let words = line.trim().trim_start_matches("- ");
        match words.split_once(':') {
            Some((name, "")) if depth == 2 => network = name,
            Some(("address", value)) => address = Some(value.trim()),
            Some(("port", value)) => {
                gateways
                    .extend(address.take().map(|address| format!("{network} {address} {}", value.trim())));
            }
            Some(_) | None => {}
        }
    }
    gateways
}

fn is_workload(object: &ObjectRef) -> bool {
    matches!(object.kind.as_str(), "Deployment" | "DaemonSet" | "StatefulSet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_gateways_are_known_by_network_address_and_port() {
        let text = "\
networks:
  network1:
    endpoints:
    - fromRegistry: cluster1
    gateways:
    - address: 203.0.113.1
      port: 15443
    - address: east.example.com
      port: 32443
  network2:
    endpoints:
      - fromRegistry: cluster2
    gateways:
      - address: 2001:db8::1
        port: 15443
";
        let gateways: Vec<String> = declared_gateways(text).into_iter().collect();
        assert_eq!(
            gateways,
            ["network1 203.0.113.1 15443", "network1 east.example.com 32443", "network2 2001:db8::1 15443"]
        );
        assert_eq!(declared_gateways("networks: {}\n"), BTreeSet::new());
    }
}

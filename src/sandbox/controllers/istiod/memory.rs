//! What an istiod remembers, kept in an annotation of its Pod.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::MANAGER;
use crate::object::Object;
use crate::sandbox::controllers::controlled::Part;
use crate::sandbox::controllers::world::Member;

/// The annotation. No real istiod has it.
const ANNOTATION: &str = "sandbox.invalid/istiod";

/// What an istiod remembers since it started. Holds no secret: kubeconfigs are fingerprints here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::sandbox::controllers) struct Memory {
    /// `root-cert.pem`, as it was read at the start.
    pub(in crate::sandbox::controllers) root: String,
    /// The registered clusters by ID.
    #[serde(default)]
    pub(in crate::sandbox::controllers) remotes: BTreeMap<String, Remote>,
    /// The resourceVersions in which remote secrets were last looked at.
    #[serde(default)]
    pub(in crate::sandbox::controllers) seen: BTreeMap<String, String>,
}

/// A registered cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox::controllers) struct Remote {
    /// The Secret that it came with.
    pub(in crate::sandbox::controllers) secret: String,
    /// The SHA-256 of its kubeconfig.
    pub(in crate::sandbox::controllers) kubeconfig: String,
    /// What the annotation `topology.istio.io/controlPlaneClusters` said when it was read, once.
    pub(in crate::sandbox::controllers) leads: Leads,
}

/// Whether an istiod manages a registered cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leads {
    /// The cluster's mesh namespace could not be read yet.
    Unknown,
    /// It patches its webhooks and publishes the root there.
    Yes,
    /// It only reads there.
    No,
}

impl Memory {
    /// The memory of a Pod; none before it started.
    pub(super) fn of_pod(pod: &Object) -> Option<Self> {
        serde_json::from_str(pod.annotation(ANNOTATION)?).ok()
    }

    /// Keeps it.
    pub(super) fn write(&self, member: &Member, pod: &Object) {
        let text = serde_json::to_string(self).expect("maps of texts are always JSON");
        let patch = json!({"metadata": {"annotations": {ANNOTATION: text}}});
        let _ = member.cluster.merge(&pod.reference(), Part::Object, &patch, MANAGER);
    }
}

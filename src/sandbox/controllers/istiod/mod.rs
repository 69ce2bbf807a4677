//! istiod, as far as its clusters see it.
//!
//! A Pod is an istiod if it carries label `app=istiod` and a container
//! `discovery`. What a real istiod keeps in memory (the root that it read when
//! it started, the clusters that it registered) stands in an annotation of its
//! Pod, so that it lasts as long as the Pod does and no longer: over a restart
//! of the sandbox, but not over a rollout.
//!
//! `startup` decides whether it gets going, `remotes` which clusters it
//! registers, `publish` what it writes there.

mod kubeconfig;
mod memory;
pub(super) mod publish;
pub(super) mod remotes;
pub(super) mod startup;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) use kubeconfig::Kubeconfigs;
pub use memory::Leads;
pub(super) use memory::{Memory, Remote};

use super::reading::{container, environment, is_ready};
use super::rights::{Deed, may};
use super::tokens::Account;
use super::world::{Member, World};
use crate::object::Object;

/// The field manager of everything that istiod writes.
pub(super) const MANAGER: &str = "pilot-discovery";

/// A running istiod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Istiod {
    /// The position of its cluster.
    pub(super) cluster: usize,
    /// Its Pod.
    pub(super) pod: Arc<Object>,
    /// Its namespace, which it takes for the mesh namespace of every cluster.
    pub(super) namespace: String,
    /// `REVISION`.
    pub(super) revision: String,
    /// `CLUSTER_ID`.
    pub(super) id: String,
    /// `EXTERNAL_ISTIOD`.
    pub(super) reach: Reach,
    /// Whether it patches webhooks at all.
    pub(super) patches: Patches,
    /// Whom it acts as in its own cluster.
    pub(super) account: Account,
    /// What it remembers.
    pub(super) memory: Memory,
}

/// Whether an istiod manages other clusters that ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// `EXTERNAL_ISTIOD=true`.
    External,
    /// Its own cluster only.
    Local,
}

/// Whether an istiod patches webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patches {
    /// It does.
    Webhooks,
    /// `INJECTION_WEBHOOK_CONFIG_NAME` is empty: somebody else does.
    Nothing,
}

impl Istiod {
    /// The root that it signs under, as a `caBundle`.
    pub(super) fn authority(&self) -> String {
        STANDARD.encode(&self.memory.root)
    }

    /// The clusters that it has registered.
    pub(super) fn remotes(&self) -> impl Iterator<Item = (&str, &Remote)> {
        self.memory.remotes.iter().map(|(id, remote)| (id.as_str(), remote))
    }

    /// Where the proxies that it injects look for it: the Service of their own cluster.
    pub(super) fn discovery_address(&self) -> String {
        format!("{}.{}.svc:15012", revisioned("istiod", &self.revision), self.namespace)
    }

    /// Whether a Pod of its cluster is one of its replicas.
    pub(super) fn is_served_by(&self, pod: &Object) -> bool {
        is_istiod(pod)
            && pod.namespace() == Some(self.namespace.as_str())
            && revision_of(pod) == self.revision
    }

    /// Whether it may do something in its own cluster.
    pub(super) fn may(&self, world: &World, deed: Deed<'_>) -> bool {
        may(&world.members[self.cluster], &self.account, deed)
    }
}

/// Whether a Pod runs istiod.
pub(super) fn is_istiod(pod: &Object) -> bool {
    pod.label("app") == Some("istiod") && container(pod, "discovery").is_some()
}

/// The running istiods of a cluster, one for each namespace and revision; `known` were read before.
pub(super) fn running(member: &Member, cluster: usize, known: &[Arc<Istiod>]) -> Vec<Arc<Istiod>> {
    let mut istiods: Vec<Arc<Istiod>> = Vec::new();
    for pod in member.cluster.list("", "Pod", None) {
        if !is_istiod(&pod) || !is_ready(&pod) || istiods.iter().any(|istiod| istiod.is_served_by(&pod)) {
            continue;
        }
        match known.iter().find(|istiod| Arc::ptr_eq(&istiod.pod, &pod)) {
            Some(istiod) => istiods.push(Arc::clone(istiod)),
            None => istiods.extend(of_pod(cluster, pod).map(Arc::new)),
        }
    }
    istiods
}

fn of_pod(cluster: usize, pod: Arc<Object>) -> Option<Istiod> {
    let memory = Memory::of_pod(&pod)?;
    let namespace = pod.namespace()?.to_owned();
    let account = Account { namespace: namespace.clone(), name: account_name(&pod).to_owned() };
    let reach = match variable(&pod, "EXTERNAL_ISTIOD") {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Reach::External,
        Some(_) | None => Reach::Local,
    };
    let patches = match variable(&pod, "INJECTION_WEBHOOK_CONFIG_NAME") {
        Some("") => Patches::Nothing,
        Some(_) | None => Patches::Webhooks,
    };
    Some(Istiod {
        cluster,
        namespace,
        revision: revision_of(&pod).to_owned(),
        id: variable(&pod, "CLUSTER_ID").unwrap_or("Kubernetes").to_owned(),
        reach,
        patches,
        account,
        memory,
        pod,
    })
}

fn variable<'p>(pod: &'p Object, name: &str) -> Option<&'p str> {
    environment(container(pod, "discovery")?, name)
}

fn revision_of(pod: &Object) -> &str {
    variable(pod, "REVISION").filter(|revision| !revision.is_empty()).unwrap_or("default")
}

/// The ServiceAccount of a Pod.
pub(super) fn account_name(pod: &Object) -> &str {
    pod.text(&["spec", "serviceAccountName"]).unwrap_or("default")
}

/// The name of a ConfigMap that has a revision in it, except for the default one.
fn revisioned(name: &str, revision: &str) -> String {
    if revision == "default" { name.to_owned() } else { format!("{name}-{revision}") }
}

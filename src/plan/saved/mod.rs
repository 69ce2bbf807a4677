//! A plan on disk, to be looked at and applied later.
//!
//! A plan and the live state that it was made from enter; a [`SavedPlan`] leaves, which [`to_text`](SavedPlan::to_text)
//! writes and [`read`] reads. It does not say what to send: to apply it is to compile the same topology, read the
//! clusters, plan again and see that nothing is [`stale`]. So it holds no desired object, and of live values only
//! what they were sealed to. No secret is in it, and none can be guessed from it.

mod binding;
pub(crate) mod codes;
mod file;
mod seal;
mod stale;

pub use file::{digest_of_file, read, refusal_as_topology};
pub use stale::{stale, used};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Conflicts, Live, Mode, Plan};

/// The version of Stolos that writes and applies plans here.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A plan on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    /// The version of Stolos that made it.
    pub stolos: String,
    /// Its ID, by which inventories remember it.
    pub id: String,
    /// When it was made, RFC 3339. Must not decide anything.
    pub made: String,
    /// What its seals are salted with.
    pub salt: String,
    /// Which way it goes.
    pub mode: Mode,
    /// Whether it takes fields that another tool applies.
    pub conflicts: Conflicts,
    /// How its clusters are reached.
    pub reach: SavedReach,
    /// What it was made from.
    pub topology: SavedTopology,
    /// The live state that it was made from.
    pub binding: Binding,
    /// How it looks.
    pub view: SavedView,
}

/// How the clusters of a saved plan are reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedReach {
    /// The folder of a sandbox; none for real clusters.
    pub sandbox: Option<String>,
    /// The kubeconfig that was named; another may be named at apply.
    pub kubeconfig: Option<String>,
    /// The context of each cluster; none in a sandbox.
    pub contexts: BTreeMap<String, String>,
    /// The clusters whose context is not the topology's.
    pub overrides: Vec<String>,
}

/// The topology of a saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedTopology {
    /// The path as it was given.
    pub path: String,
    /// Its files, in their order.
    pub sources: Vec<SavedSource>,
    /// The SHA-256 of each public file that it names, by path. Never of a key.
    pub files: BTreeMap<String, String>,
}

/// One file of a topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSource {
    /// Its path.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A plan in words, as `stolos show` gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedView {
    /// For a person.
    pub text: String,
    /// For a pull request.
    pub markdown: String,
    /// For a program.
    pub json: String,
}

/// What a plan was made from: where any of it is another at apply, the plan is stale.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// Whom certificates go back to.
    pub root: String,
    /// Each cluster.
    pub clusters: BTreeMap<String, BoundCluster>,
    /// The values of holes that its steps fill, sealed, by the holes' names.
    pub values: BTreeMap<String, String>,
    /// What it does and what it keeps; no-ops are left out.
    pub changes: Vec<BoundChange>,
}

/// What a plan was made from in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum BoundCluster {
    /// It was read.
    Read {
        /// The UID of its kube-system namespace, sealed.
        uid: String,
        /// Its inventory, sealed; none where there was none.
        inventory: Option<String>,
    },
    /// It could not be read, and is left alone.
    Unknown {
        /// The name of the code that said why.
        code: String,
        /// Why.
        message: String,
        /// More of it.
        facts: Vec<String>,
    },
}

/// What a plan does to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BoundChange {
    /// The cluster.
    pub cluster: String,
    /// The object: `Deployment istio-system/istiod`, with its group where it has one.
    pub object: String,
    /// What is done.
    pub action: Action,
    /// The UID of the live object.
    pub uid: Option<String>,
    /// What is asked for, holes open, sealed.
    pub desired: Option<String>,
    /// Whether fields are taken from their managers.
    pub conflicts: Conflicts,
    /// Why it is kept.
    pub kept: Option<String>,
    /// The live fields that were compared: the seal of each value, and who holds it.
    pub fields: BTreeMap<String, String>,
}

impl SavedPlan {
    /// Clusters that the plan leaves alone because they could not be read.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &str, &str, &[String])> {
        self.binding.clusters.iter().filter_map(|(name, cluster)| match cluster {
            BoundCluster::Unknown { code, message, facts } => {
                Some((name.as_str(), code.as_str(), message.as_str(), facts.as_slice()))
            }
            BoundCluster::Read { .. } => None,
        })
    }
}

impl Binding {
    /// What `plan` was made from.
    pub fn of(plan: &Plan, live: &Live, salt: &str) -> Self {
        binding::binding(plan, live, salt)
    }
}

#[cfg(test)]
mod tests;

//! What clusters, and istiod in them, do by themselves.
//!
//! Changes of clusters enter; writes to them leave, under the field managers
//! that real clusters show (`kube-controller-manager`,
//! `cloud-controller-manager`, `kubelet`, `pilot-discovery`). What a cluster is
//! for them, `controlled` says: one of a sandbox, or a real API server, whose
//! own controllers are left to it. Everything here
//! is level-triggered: a round looks at what is there and writes what should
//! be; rounds follow until nothing changes. So the order in which objects come
//! does not matter, except where it does in life: what an istiod reads once
//! (`istiod`). No controller waits for time. A round leaves out what nothing has
//! changed for (`rounds`), so that a change costs what depends on it, however many
//! clusters there are.
//!
//! | file | does |
//! |---|---|
//! | `addresses` | gives load balancers their addresses |
//! | `tokens`, `rights` | ServiceAccounts: their tokens, what they may do |
//! | `workloads`, `daemons` | Deployments, DaemonSets and their Pods |
//! | `pods`, `injection` | what Pods run, and the webhooks that they pass |
//! | `istiod`, `route`, `webhook` | what istiod reads and writes, and how it is reached |
//! | `debug`, `syncs` | what istiod answers at its monitoring port |
//! | `rounds`, `notes`, `overview`, `follow` | what is looked at when |
//! | `controlled`, `events`, `status`, `reading`, `world` | what all of these use |
//!
//! What is not simulated: traffic, scheduling (Pods are never bound to a node, so that a deleted one is
//! gone at once), images, scaling by metrics,
//! StatefulSets, EndpointSlices of Pods, and webhooks that are not Istio's.

mod addresses;
mod controlled;
mod daemons;
mod debug;
mod events;
mod follow;
mod injection;
mod istiod;
mod notes;
mod overview;
mod pods;
mod reading;
mod rights;
mod rounds;
mod route;
mod status;
mod syncs;
mod tokens;
mod webhook;
mod workloads;
mod world;

use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub use self::controlled::{Changed, ControlPlane, Controlled, Part};
pub use self::istiod::Leads;
pub use self::rounds::Effort;
pub use self::webhook::Webhook;
pub use self::world::Member;

use self::istiod::Istiod;
use self::rounds::Rounds;
use self::world::World;

/// The controllers of all clusters of a sandbox.
#[derive(Debug)]
pub struct Controllers {
    /// The clusters for those who ask, who are not looks.
    world: Arc<World>,
    rounds: Rounds,
}

/// How an istiod stands with a cluster that a remote secret names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The name of istiod's own cluster.
    pub primary: String,
    /// The ID under which the cluster is registered.
    pub id: String,
    /// The remote secret.
    pub secret: String,
    /// What `/debug/clusterz` would say.
    pub sync: SyncStatus,
    /// Whether istiod manages the cluster.
    pub leads: Leads,
}

/// Whether istiod reads a registered cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncStatus {
    /// It does.
    Synced,
    /// It does not, and this is why.
    Timeout(String),
}

impl Controllers {
    /// Controllers that have not looked at anything yet.
    pub fn new(members: Vec<Member>) -> Self {
        let world = Arc::new(World::new(members));
        let rounds = Rounds::new(world.observed());
        Self { world, rounds }
    }

    /// Reacts to everything that changed, and to what the reactions change.
    pub fn settle(&mut self) {
        self.rounds.settle();
    }

    /// What they have done so far.
    pub fn effort(&self) -> Effort {
        self.rounds.effort()
    }

    /// How the istiods stand with the clusters that remote secrets name.
    pub fn registrations(&self) -> Vec<Registration> {
        all_registrations(&self.world)
    }
}

/// Running controllers; they stop when this is dropped.
#[derive(Debug)]
pub struct Handle {
    world: Arc<World>,
    tasks: Vec<JoinHandle<()>>,
}

impl Handle {
    /// How the istiods stand with the clusters that remote secrets name.
    pub fn registrations(&self) -> Vec<Registration> {
        all_registrations(&self.world)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Runs the controllers of a sandbox's clusters in the background, until the handle is dropped.
///
/// Must be called within a tokio runtime.
pub fn start(members: Vec<Member>) -> Handle {
    let mut controllers = Controllers::new(members);
    let world = Arc::clone(&controllers.world);
    for member in &world.members {
        let processes: Weak<World> = Arc::downgrade(&world);
        member.cluster.run(processes);
    }
    let changed = Arc::new(Notify::new());
    let mut tasks = Vec::new();
    for member in &world.members {
        let (mut revision, changed) = (member.cluster.changes(), Arc::clone(&changed));
        tasks.push(tokio::spawn(async move {
            while revision.changed().await.is_ok() {
                changed.notify_one();
            }
        }));
    }
    tasks.push(tokio::spawn(async move {
        loop {
            controllers.settle();
            // A change since then left its notice.
            changed.notified().await;
        }
    }));
    Handle { world, tasks }
}

fn all_registrations(world: &World) -> Vec<Registration> {
    let clusters = world.members.iter().enumerate();
    clusters
        .flat_map(|(cluster, member)| registrations(world, &istiod::running(member, cluster, &[])))
        .collect()
}

/// How istiods stand with the clusters that they have registered.
fn registrations(world: &World, istiods: &[Arc<Istiod>]) -> Vec<Registration> {
    let mut syncs = world.syncs();
    syncs.take_changes();
    let mut registrations = Vec::new();
    for istiod in istiods {
        for (id, remote) in istiod.remotes() {
            registrations.push(Registration {
                primary: world.members[istiod.cluster].cluster.name().to_owned(),
                id: id.to_owned(),
                secret: remote.secret.clone(),
                sync: syncs.status(istiod, id, remote),
                leads: remote.leads,
            });
        }
    }
    registrations
}

#[cfg(test)]
mod tests;

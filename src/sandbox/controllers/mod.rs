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
//! (`istiod`). No controller waits for time.
//!
//! | file | does |
//! |---|---|
//! | `addresses` | gives load balancers their addresses |
//! | `tokens`, `rights` | ServiceAccounts: their tokens, what they may do |
//! | `workloads`, `pods`, `injection` | Deployments, their Pods, and the webhooks that Pods pass |
//! | `istiod`, `route`, `webhook` | what istiod reads and writes, and how it is reached |
//! | `debug` | what istiod answers at its monitoring port |
//! | `controlled`, `events`, `status`, `reading`, `world` | what all of these use |
//!
//! What is not simulated: traffic, scheduling (Pods are never bound to a node, so that a deleted one is
//! gone at once), images, scaling by metrics,
//! StatefulSets and DaemonSets, EndpointSlices of Pods, and webhooks that are not Istio's.

mod addresses;
mod controlled;
mod debug;
mod events;
mod injection;
mod istiod;
mod pods;
mod reading;
mod rights;
mod route;
mod status;
mod tokens;
mod webhook;
mod workloads;
mod world;

use std::sync::{Arc, Weak};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::controlled::{ControlPlane, Controlled, Part};
pub use self::istiod::Leads;
pub use self::webhook::Webhook;
pub use self::world::Member;

use self::istiod::{publish, remotes};
use self::world::World;

/// Writes that call for further writes end long before this; more would be a circle.
const MOST_ROUNDS: usize = 200;

/// The controllers of all clusters of a sandbox.
#[derive(Debug)]
pub struct Controllers {
    world: Arc<World>,
    /// How far each cluster was looked at; none before the first look.
    seen: Vec<(watch::Receiver<u64>, Option<u64>)>,
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
        let seen = members.iter().map(|member| (member.cluster.changes(), None)).collect();
        Self { world: Arc::new(World::new(members)), seen }
    }

    /// Reacts to everything that changed, and to what the reactions change.
    pub fn settle(&mut self) {
        for _ in 0..MOST_ROUNDS {
            if !self.has_changes() {
                return;
            }
            round(&self.world);
        }
    }

    /// How the istiods stand with the clusters that remote secrets name.
    pub fn registrations(&self) -> Vec<Registration> {
        registrations(&self.world)
    }

    fn has_changes(&mut self) -> bool {
        let mut changed = false;
        for (member, (changes, seen)) in self.world.members.iter().zip(&mut self.seen) {
            let now = *changes.borrow_and_update();
            changed |= seen.replace(now).is_none_or(|before| before != now && member.cluster.calls(before));
        }
        changed
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
        registrations(&self.world)
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

/// Looks at everything once, in the order in which one thing gives rise to the next.
fn round(world: &World) {
    for member in &world.members {
        match member.cluster.control_plane() {
            ControlPlane::Simulated => tokens::reconcile(member),
            ControlPlane::Real => {}
        }
    }
    addresses::reconcile(world);
    let istiods = istiod::running(world);
    for member in 0..world.members.len() {
        match world.members[member].cluster.control_plane() {
            ControlPlane::Simulated => workloads::reconcile(world, member, &istiods),
            ControlPlane::Real => pods::reconcile(world, member, &istiods),
        }
    }
    let mut istiods = istiod::running(world);
    for istiod in &mut istiods {
        remotes::register(world, istiod);
    }
    for (member, managers) in publish::managers(world, &istiods).iter().enumerate() {
        publish::reconcile(world, member, managers, &istiods);
    }
}

fn registrations(world: &World) -> Vec<Registration> {
    let mut registrations = Vec::new();
    for istiod in istiod::running(world) {
        for (id, remote) in istiod.remotes() {
            let reached = remotes::connect(world, &istiod, id).and_then(|link| remotes::synced(world, &link));
            registrations.push(Registration {
                primary: world.members[istiod.cluster].cluster.name().to_owned(),
                id: id.to_owned(),
                secret: remote.secret.clone(),
                sync: reached.map_or_else(SyncStatus::Timeout, |()| SyncStatus::Synced),
                leads: remote.leads,
            });
        }
    }
    registrations
}

#[cfg(test)]
mod tests;

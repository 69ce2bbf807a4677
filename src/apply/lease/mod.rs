//! One run at a time: a Lease in every cluster that a run writes to.
//!
//! The clusters that are to be written to enter [`Leases::take`]; leave to write leaves, for all of
//! them or for none: while another run holds one, nothing is held and nothing was written. A lease is
//! renewed until it is given back. One that is lost stops whatever is written to its cluster.
//!
//! ```text
//! holder  who takes leases, on what terms
//! record  what a Lease says                     (pure)
//! claim   taking one, if it is free or its holder is dead
//! guard   giving all back where a run panics
//! keep    renewing one, and knowing when it is lost
//! ```

mod claim;
mod guard;
mod holder;
mod keep;
mod record;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub use guard::Guard;
pub use holder::{Holder, Terms};
pub use record::lease_ref;

use self::claim::{Claim, Claimant, Look, OnRenewal, Watched};
use self::keep::Grip;
use self::record::Record;
use super::{ApplyError, Event, LeaseNews, Stop};
use crate::cluster::{Cluster, ClusterError, Fault, together};
use crate::compile::MeshFacts;
use crate::object::ObjectRef;
use crate::plan::Mode;
use crate::topology::ClusterName;

/// How many leases are taken or given back at once.
const SIDE_BY_SIDE: usize = 16;
/// How long giving one back may take: after that it is left to run out.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// The leases of one run. Dropped without being given back, they run out.
pub struct Leases {
    holder: Arc<Holder>,
    terms: Terms,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Every lease that was asked for: it may be ours, whatever became of the answer.
    wanted: BTreeMap<ClusterName, (Cluster, ObjectRef, Mode)>,
    stands: BTreeMap<ClusterName, Stand>,
}

/// How a cluster that was asked for stands.
enum Stand {
    Held(Arc<Grip>),
    /// It could not be taken, though nobody else has it: nothing is written here.
    Denied(ApplyError),
    /// Its namespace goes, and nothing is left that two runs could do there.
    Waived,
}

/// What is to be taken.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The clusters, all that the run will write to.
    pub(super) clusters: Vec<Cluster>,
    /// Their mesh.
    pub(super) mesh: MeshFacts,
    /// What the run does.
    pub(super) mode: Mode,
    /// What is made of a namespace that is not there.
    pub(super) absent: Absent,
}

/// What is made of a cluster whose mesh namespace is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is told: the namespace is still to be made.
    IsTold,
    /// Nothing is written to the cluster.
    IsDenied,
}

/// What came of taking leases.
pub(super) enum Taken {
    /// All are held, but for those whose namespace is not there yet: as long as the first is one of them,
    /// none is.
    But(Vec<(ClusterName, ClusterError)>),
    /// The run is to stop: none is held.
    Stopped,
}

/// What a claim of one of several clusters stands against.
struct Blocked {
    claimant: Claimant,
    record: Record,
}

impl Leases {
    /// For one run.
    pub fn new(holder: Holder, terms: Terms) -> Self {
        Self { holder: Arc::new(holder), terms, state: Mutex::default() }
    }

    /// Takes the leases of all the clusters that are not held yet, or gives all back and says who has one.
    ///
    /// While it waits for one it holds none, so that two runs never wait for each other.
    pub(super) async fn take(
        &self,
        wanted: &Wanted,
        events: &mpsc::UnboundedSender<Event>,
        stop: &watch::Receiver<Stop>,
    ) -> Result<Taken, ApplyError> {
        let deadline = Instant::now() + self.terms.patience;
        let mut outlived: BTreeMap<ClusterName, Record> = BTreeMap::new();
        loop {
            let lease = lease_ref(&wanted.mesh);
            let claimants = wanted.clusters.iter().filter(|cluster| !self.stands(cluster.name()));
            let claimants: Vec<Claimant> = claimants
                .map(|cluster| Claimant {
                    cluster: cluster.clone(),
                    lease: lease.clone(),
                    holder: Arc::clone(&self.holder),
                    terms: self.terms.clone(),
                    outlived: outlived.get(cluster.name()).cloned(),
                    events: events.clone(),
                    stop: stop.clone(),
                })
                .collect();
            let blocked = match self.claim_all(claimants, wanted).await {
                Ok(absent) => return Ok(Taken::But(absent)),
                Err(blocked) => blocked,
            };
            self.give_back().await;
            let Some(Blocked { claimant, record }) = blocked else { return Ok(Taken::Stopped) };
            let held = |record: &Record| held_error(&claimant.cluster, record);
            if Instant::now() >= deadline {
                return Err(held(&record));
            }
            claimant.tell(LeaseNews::Awaited {
                holder: record.who(),
                what: record.what(claimant.cluster.time()),
                limit: self.terms.patience,
            });
            match claimant.watched(record, Some(deadline), OnRenewal::GoOn).await? {
                Watched::Free => {}
                Watched::Outlived(record) => drop(outlived.insert(claimant.cluster.name().clone(), record)),
                Watched::Renewed(record) | Watched::Late(record) => return Err(held(&record)),
                Watched::Stopped => return Ok(Taken::Stopped),
            }
        }
    }

    /// Claims one after the other until one is held, and then the rest side by side: two runs that want the
    /// same clusters meet at the first, so that one of them gets past it.
    ///
    /// Gives the clusters without a namespace, or what stands against it; nothing where the run stops.
    async fn claim_all(
        &self,
        claimants: Vec<Claimant>,
        wanted: &Wanted,
    ) -> Result<Vec<(ClusterName, ClusterError)>, Option<Blocked>> {
        let mut absent = Vec::new();
        let mut rest = claimants.into_iter();
        for first in rest.by_ref() {
            absent.extend(self.claim(vec![first.clone()], wanted).await?);
            if !absent.is_empty() {
                // Nothing is held before the first is: the others are only looked at.
                let others: Vec<_> = rest
                    .map(|claimant| async move {
                        let look = claimant.look().await;
                        (claimant, look)
                    })
                    .collect();
                for (claimant, look) in together(SIDE_BY_SIDE, others).await {
                    match look {
                        Ok(Look::Held(record)) => return Err(Some(Blocked { claimant, record })),
                        Ok(Look::NoNamespace(error)) => absent.push((claimant.cluster.name().clone(), error)),
                        Ok(Look::Open) => {}
                        // Claimed later, it would lack the namespace that is not made now, which says nothing.
                        Err(error) => self.deny(claimant.cluster.name().clone(), error.into()),
                    }
                }
                return Ok(absent);
            }
            if self.covers(first.cluster.name()) {
                break;
            }
        }
        absent.extend(self.claim(rest.collect(), wanted).await?);
        Ok(absent)
    }

    /// Claims side by side.
    async fn claim(
        &self,
        claimants: Vec<Claimant>,
        wanted: &Wanted,
    ) -> Result<Vec<(ClusterName, ClusterError)>, Option<Blocked>> {
        let claims: Vec<_> = claimants
            .into_iter()
            .map(|claimant| {
                let name = claimant.cluster.name().clone();
                let asked = (claimant.cluster.clone(), claimant.lease.clone(), wanted.mode);
                self.state().wanted.insert(name, asked);
                async move {
                    let claim = claimant.claim().await;
                    (claimant, claim)
                }
            })
            .collect();
        let mut absent = Vec::new();
        let mut against = None;
        for (claimant, claim) in together(SIDE_BY_SIDE, claims).await {
            let name = claimant.cluster.name().clone();
            let stand = match claim {
                Ok(Claim::Taken(grip)) => Stand::Held(Arc::new(grip)),
                Ok(Claim::NoNamespace(error)) => match wanted.absent {
                    Absent::IsTold => {
                        absent.push((name, error));
                        continue;
                    }
                    Absent::IsDenied => Stand::Denied(error.into()),
                },
                Ok(Claim::NamespaceGoes(error)) => match wanted.mode {
                    Mode::Apply => Stand::Denied(error.into()),
                    Mode::Destroy => Stand::Waived,
                },
                Ok(Claim::Held(record)) => {
                    against = against.or(Some(Some(Blocked { claimant, record })));
                    continue;
                }
                Ok(Claim::Stopped) => {
                    against = Some(None);
                    continue;
                }
                Err(error) => Stand::Denied(error.into()),
            };
            self.state().stands.insert(name, stand);
        }
        match against {
            Some(against) => Err(against),
            None => Ok(absent),
        }
    }

    /// Returns once something may be written to a cluster, if that is so.
    pub(super) async fn ready(&self, cluster: &ClusterName) -> Result<(), ApplyError> {
        let grip = match self.state().stands.get(cluster) {
            // One that was not asked for: nothing is written there, or only its namespace.
            None | Some(Stand::Waived) => return Ok(()),
            Some(Stand::Denied(error)) => return Err(error.clone()),
            Some(Stand::Held(grip)) => Arc::clone(grip),
        };
        grip.ready().await
    }

    /// Returns why nothing may be written to a cluster any more, and never where something may.
    pub(super) async fn lost(&self, cluster: &ClusterName) -> ApplyError {
        let grip = match self.state().stands.get(cluster) {
            None | Some(Stand::Waived) => None,
            Some(Stand::Denied(error)) => return error.clone(),
            Some(Stand::Held(grip)) => Some(Arc::clone(grip)),
        };
        match grip {
            Some(grip) => grip.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the lease of a cluster is held, or nothing needs it.
    pub(super) fn covers(&self, cluster: &ClusterName) -> bool {
        match self.state().stands.get(cluster) {
            None | Some(Stand::Denied(_)) => false,
            Some(Stand::Waived) => true,
            Some(Stand::Held(grip)) => !grip.is_lost(),
        }
    }

    /// Nothing is to be written to a cluster, and why.
    pub(super) fn deny(&self, cluster: ClusterName, why: ApplyError) {
        self.state().stands.insert(cluster, Stand::Denied(why));
    }

    /// The namespace of a cluster's lease is about to be deleted.
    pub(super) fn leave(&self, cluster: &ClusterName) {
        if let Some(Stand::Held(grip)) = self.state().stands.get(cluster) {
            grip.leave();
        }
    }

    /// Gives back whatever is held, or may be. Those that could not be given back run out; says why.
    ///
    /// A destroy deletes them, where they did not go with their namespaces.
    pub async fn give_back(&self) -> Vec<(ClusterName, String)> {
        let State { wanted, stands } = std::mem::take(&mut *self.state());
        // From now on none is renewed.
        drop(stands);
        let identity = self.holder.identity();
        let gifts: Vec<_> = wanted
            .into_iter()
            .map(|(name, (cluster, lease, mode))| {
                let identity = identity.clone();
                async move {
                    let cluster = cluster.within(GIVING_BACK);
                    match give_back(&cluster, &lease, mode, &identity).await {
                        Ok(()) => None,
                        Err(error) => Some((name, error.reason())),
                    }
                }
            })
            .collect();
        together(SIDE_BY_SIDE, gifts).await.into_iter().flatten().collect()
    }

    /// How long a lease lasts that is not given back.
    pub fn lasts(&self) -> Duration {
        self.terms.lasts
    }

    fn stands(&self, cluster: &ClusterName) -> bool {
        self.state().stands.contains_key(cluster)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives one lease back, if it is ours.
async fn give_back(
    cluster: &Cluster,
    lease: &ObjectRef,
    mode: Mode,
    identity: &str,
) -> Result<(), ClusterError> {
    loop {
        let Some(live) = cluster.get(lease).await? else { return Ok(()) };
        if Record::of(&live).holder.as_deref() != Some(identity) {
            return Ok(());
        }
        let given = match mode {
            Mode::Apply => cluster.amend(&live, &record::release(cluster.time())).await.map(|_| ()),
            Mode::Destroy => cluster.delete_unchanged(&live).await.map(|_| ()),
        };
        match given {
            // A renewal was still on its way.
            Err(ClusterError { fault: Fault::Changed, .. }) => {}
            Err(ClusterError { fault: Fault::NotFound(_), .. }) => return Ok(()),
            given => return given,
        }
    }
}

fn held_error(cluster: &Cluster, record: &Record) -> ApplyError {
    let now = cluster.time();
    ApplyError::LeaseHeld {
        cluster: cluster.name().clone(),
        holder: record.who(),
        what: record.what(now),
        silent: record.silent(now),
        lasts: record.lasts,
    }
}

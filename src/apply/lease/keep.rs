//! One lease that is held: renewed in the background, and known at once when it is lost.
//!
//! Nothing is written to a cluster unless its lease was renewed a short while ago, by the clock
//! that never jumps and by the one that goes on while the machine sleeps. A renewal names the state
//! that it renews, so one that succeeds after a long while proves that nobody had it in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::record::{self, Record};
use crate::apply::ApplyError;
use crate::cluster::{Cluster, ClusterError, Fault};
use crate::object::{Object, ObjectRef};

/// How a lease stands.
#[derive(Debug, Clone, PartialEq)]
enum State {
    /// It was ours when it was last renewed.
    Firm,
    /// It is not ours any more, or nobody can say.
    Lost(String),
    /// It went with its namespace, which we deleted.
    Gone,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    wall: Timestamp,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: Timestamp::now() }
    }

    /// How long ago, by the clock that counts more. The wall's may have been put back: it counts only forward.
    fn elapsed(&self) -> Duration {
        let by_wall = Timestamp::now().duration_since(self.wall);
        self.steady.elapsed().max(Duration::try_from(by_wall).unwrap_or_default())
    }
}

/// A lease that this run holds, until this is dropped.
pub(super) struct Grip {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    cluster: Cluster,
    lease: ObjectRef,
    identity: String,
    lasts: Duration,
    /// When the last renewal that succeeded was sent.
    renewed: Mutex<Moment>,
    state: watch::Sender<State>,
    /// Somebody wants a renewal now.
    nudge: Notify,
    /// Whether we have asked for the namespace to go.
    leaving: AtomicBool,
}

impl Drop for Grip {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Grip {
    /// Holds the lease that was written when `taken` says, renewing it from now on.
    pub(super) fn new(
        cluster: Cluster,
        live: Object,
        identity: String,
        lasts: Duration,
        taken: Moment,
    ) -> Self {
        let (state, _) = watch::channel(State::Firm);
        let shared = Arc::new(Shared {
            cluster,
            lease: live.reference(),
            identity,
            lasts,
            renewed: Mutex::new(taken),
            state,
            nudge: Notify::new(),
            leaving: AtomicBool::new(false),
        });
        let keeper = tokio::spawn(keep(Arc::clone(&shared), live));
        Self { shared, keeper }
    }

    /// The namespace is about to be deleted, and the lease with it.
    pub(super) fn leave(&self) {
        self.shared.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether it is lost.
    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.shared.state.borrow(), State::Lost(_))
    }

    /// Returns once something may be written to the cluster.
    pub(super) async fn ready(&self) -> Result<(), ApplyError> {
        let mut state = self.shared.state.subscribe();
        loop {
            match &*state.borrow_and_update() {
                State::Lost(why) => return Err(self.shared.lost(why)),
                State::Gone => return Ok(()),
                State::Firm if self.shared.last().elapsed() < self.shared.limit() => return Ok(()),
                // The machine slept, or the server does not answer: a renewal decides.
                State::Firm => self.shared.nudge.notify_one(),
            }
            if state.changed().await.is_err() || self.keeper.is_finished() && !self.is_lost() {
                return Err(self.shared.lost("its renewal ended unexpectedly"));
            }
        }
    }

    /// Returns once it is lost, and never where that does not happen.
    pub(super) async fn lost(&self) -> ApplyError {
        let mut state = self.shared.state.subscribe();
        let lost = state.wait_for(|state| matches!(state, State::Lost(_))).await.map(|state| state.clone());
        match lost {
            Ok(State::Lost(why)) => self.shared.lost(&why),
            Ok(State::Firm | State::Gone) | Err(_) => std::future::pending().await,
        }
    }
}

impl Shared {
    /// How often it is renewed.
    fn interval(&self) -> Duration {
        self.lasts / 3
    }

    /// How long after a renewal was sent something may be written: less than the lease lasts, for
    /// what is on its way then.
    fn limit(&self) -> Duration {
        self.lasts * 5 / 6
    }

    fn last(&self) -> Moment {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self, why: &str) -> ApplyError {
        ApplyError::LeaseLost { cluster: self.cluster.name().clone(), why: why.to_owned() }
    }

    /// Renews it, however often that takes until it would be too late.
    async fn renew(&self, mut live: Object) -> Result<Object, State> {
        // One attempt is made even where the machine slept past it: it proves that nobody came between.
        let deadline = (self.last().steady + self.limit()).max(Instant::now() + self.interval());
        let cluster = self.cluster.within(deadline - Instant::now());
        let mut attempts = 0;
        loop {
            let sent = Moment::now();
            let now = cluster.time();
            let mut failed = match cluster.amend(&live, &record::renewal(now)).await {
                Ok(renewed) => {
                    *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                    return Ok(renewed);
                }
                Err(ClusterError { fault: Fault::NotFound(_), .. }) => return Err(self.gone()),
                // Somebody wrote it, or an earlier attempt of ours did.
                Err(changed @ ClusterError { fault: Fault::Changed, .. }) => {
                    match cluster.get(&self.lease).await {
                        Ok(Some(found)) => match Record::of(&found) {
                            record if record.holder.as_deref() == Some(&self.identity) => {
                                live = found;
                                changed
                            }
                            record => return Err(State::Lost(format!("{} took it over", record.who()))),
                        },
                        Ok(None) => return Err(self.gone()),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            attempts += failed.attempts;
            let pause = (self.interval() / 10).min(Duration::from_secs(1));
            if Instant::now() + pause >= deadline {
                failed.attempts = attempts;
                return Err(State::Lost(format!("it could not be renewed: {}", failed.of_request())));
            }
            sleep(pause).await;
        }
    }

    fn gone(&self) -> State {
        if self.leaving.load(Ordering::Relaxed) {
            State::Gone
        } else {
            State::Lost("somebody deleted it".to_owned())
        }
    }
}

async fn keep(shared: Arc<Shared>, mut live: Object) {
    loop {
        let due = shared.last().steady + shared.interval();
        tokio::select! {
            () = sleep_until(due) => {}
            () = shared.nudge.notified() => {}
        }
        match shared.renew(live).await {
            Ok(renewed) => live = renewed,
            Err(state) => {
                shared.state.send_replace(state);
                return;
            }
        }
        // Those who wait for it look at the clocks again.
        shared.state.send_replace(State::Firm);
    }
}

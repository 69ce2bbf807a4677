//! Taking one lease, if its holder has given it back or has died.
//!
//! Every write names the state that it was decided on, so of two runs that see the same Lease one
//! gets it. A holder is dead in two cases alone: its process was on this machine and has ended, or
//! we have watched the Lease, by our own clock, for as long as it lasts and nobody renewed it. What the
//! times in it say decides only whether that is worth watching. So no clock that is wrong, neither a
//! machine's nor one of several servers', makes two holders of one Lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::keep::{Grip, Moment};
use super::record::{self, Record};
use super::{Holder, Terms};
use crate::apply::{Event, LeaseNews, Stop};
use crate::cluster::{Cluster, ClusterError, Created, Fault, Seen, Selection, Watch};
use crate::object::{Object, ObjectRef};

/// How often somebody else may come first until that is told instead.
const RACES: u32 = 20;
/// How often it is looked whether a process of this machine has ended meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Whoever wants the lease of a cluster.
#[derive(Clone)]
pub(super) struct Claimant {
    pub(super) cluster: Cluster,
    pub(super) lease: ObjectRef,
    pub(super) holder: Arc<Holder>,
    pub(super) terms: Terms,
    /// What was watched for as long as it lasts without a renewal.
    pub(super) outlived: Option<Record>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) stop: watch::Receiver<Stop>,
}

/// What came of a claim.
pub(super) enum Claim {
    /// It is ours.
    Taken(Grip),
    /// Its namespace is not there yet.
    NoNamespace(ClusterError),
    /// Its namespace is being deleted, and takes nothing in any more.
    NamespaceGoes(ClusterError),
    /// Somebody has it.
    Held(Record),
    /// The run is to stop.
    Stopped,
}

/// What a lease looks like before it is claimed.
pub(super) enum Look {
    /// Nothing is known that stands against a claim.
    Open,
    /// Its namespace is not there yet.
    NoNamespace(ClusterError),
    /// Somebody who is alive has it.
    Held(Record),
}

/// How watching a lease ended.
pub(super) enum Watched {
    /// It may be claimed.
    Free,
    /// Nobody renewed this state of it for as long as it lasts.
    Outlived(Record),
    /// Its holder is alive.
    Renewed(Record),
    /// The time is over.
    Late(Record),
    /// The run is to stop.
    Stopped,
}

/// What is made of a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRenewal {
    /// It is the answer.
    End,
    /// The watch goes on.
    GoOn,
}

/// What a Lease says of its holder.
enum Verdict {
    Nobody,
    Ended,
    Outlived,
    Alive,
    Doubtful,
}

impl Claimant {
    /// Takes the lease, if it is free or its holder is dead.
    pub(super) async fn claim(&self) -> Result<Claim, ClusterError> {
        let mut outlived = self.outlived.clone();
        for _ in 0..RACES {
            let Some(live) = self.cluster.get(&self.lease).await? else {
                // A server waits for 50 ms until it refuses what is made in a namespace that is not there
                // (`missingNamespaceWait`, plugin/pkg/admission/namespace/lifecycle of apiserver 1.35), and
                // says so of one that it is asked for at once.
                if let Some(error) = self.lacks_namespace().await? {
                    return Ok(Claim::NoNamespace(error));
                }
                let lease = record::new_lease(&self.lease, &self.holder, &self.terms, self.cluster.time());
                let sent = Moment::now();
                match self.cluster.create(&lease).await {
                    Ok(Created::Made(made)) => return Ok(Claim::Taken(self.grip(made, sent))),
                    Ok(Created::Exists) => continue,
                    Err(error) => return self.without_namespace(error).await,
                }
            };
            let record = Record::of(&live);
            match self.verdict(&record, outlived.as_ref()) {
                Verdict::Nobody => {}
                Verdict::Ended => self.tell(LeaseNews::Ended { holder: record.who() }),
                Verdict::Outlived => self.tell(LeaseNews::Expired { holder: record.who() }),
                Verdict::Alive => return Ok(Claim::Held(record)),
                Verdict::Doubtful => {
                    self.tell(LeaseNews::Doubted {
                        holder: record.who(),
                        silent: record.silent(self.cluster.time()),
                        watched: record.lasts,
                    });
                    match self.watched(record, None, OnRenewal::End).await? {
                        Watched::Free => {}
                        Watched::Outlived(record) => outlived = Some(record),
                        Watched::Renewed(record) | Watched::Late(record) => return Ok(Claim::Held(record)),
                        Watched::Stopped => return Ok(Claim::Stopped),
                    }
                    continue;
                }
            }
            let patch = record.taken_by(&self.holder, &self.terms, self.cluster.time());
            let sent = Moment::now();
            match self.cluster.amend(&live, &patch).await {
                Ok(taken) => return Ok(Claim::Taken(self.grip(taken, sent))),
                // Somebody was first, or an earlier attempt of ours was.
                Err(ClusterError { fault: Fault::Changed | Fault::NotFound(_), .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let request = format!("take {}", self.lease);
        let cluster = self.cluster.name().clone();
        Err(ClusterError { cluster, request, attempts: RACES, fault: Fault::Changed })
    }

    /// Looks at the lease, and writes nothing.
    pub(super) async fn look(&self) -> Result<Look, ClusterError> {
        if let Some(live) = self.cluster.get(&self.lease).await? {
            let record = Record::of(&live);
            return Ok(match self.verdict(&record, self.outlived.as_ref()) {
                Verdict::Alive => Look::Held(record),
                Verdict::Nobody | Verdict::Ended | Verdict::Outlived | Verdict::Doubtful => Look::Open,
            });
        }
        Ok(match self.lacks_namespace().await? {
            Some(error) => Look::NoNamespace(error),
            None => Look::Open,
        })
    }

    /// That its namespace is not there, where that is so.
    async fn lacks_namespace(&self) -> Result<Option<ClusterError>, ClusterError> {
        let namespace = self.namespace();
        let live = self.cluster.get(&namespace).await?;
        Ok(live.is_none().then(|| ClusterError {
            cluster: self.cluster.name().clone(),
            request: format!("read {namespace}"),
            attempts: 1,
            fault: Fault::NotFound("it is not there".to_owned()),
        }))
    }

    /// Watches a lease that others hold until it is free, or until then.
    ///
    /// Only the clock that never jumps is asked, and a state counts from when it was first seen.
    pub(super) async fn watched(
        &self,
        mut record: Record,
        until: Option<Instant>,
        on_renewal: OnRenewal,
    ) -> Result<Watched, ClusterError> {
        let mut stop = self.stop.clone();
        let mut stoppable = true;
        let mut since = Instant::now();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watch = self.cluster.watch(self.lease.group_kind(), Selection::of(&self.lease));
        // Kept from one round to the next: a list that is slow must not begin anew at every look.
        let mut next = Box::pin(sight(watch));
        loop {
            if *stop.borrow() == Stop::Finish {
                return Ok(Watched::Stopped);
            }
            let late = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                (watch, seen) = &mut next => {
                    let found = match seen? {
                        Seen::State(objects) => objects.first().map(Record::of),
                        Seen::Changed(object) => Some(Record::of(&object)),
                        Seen::Gone(_) => None,
                    };
                    next = Box::pin(sight(watch));
                    match found {
                        Some(found) if found == record => {}
                        Some(found) if found.holder.is_some() => {
                            if on_renewal == OnRenewal::End {
                                return Ok(Watched::Renewed(found));
                            }
                            record = found;
                            since = Instant::now();
                        }
                        Some(_) | None => return Ok(Watched::Free),
                    }
                }
                () = sleep_until(since + record.lasts) => return Ok(Watched::Outlived(record)),
                () = late => return Ok(Watched::Late(record)),
                _ = look.tick() => if self.has_ended(&record) {
                    return Ok(Watched::Free);
                },
                // A run whose stopper is gone can no longer be stopped.
                changed = stop.changed(), if stoppable => stoppable = changed.is_ok(),
            }
        }
    }

    /// Tells the view; a run that nobody looks at goes on.
    pub(super) fn tell(&self, news: LeaseNews) {
        let _ = self.events.send(Event::Lease { cluster: self.cluster.name().clone(), news });
    }

    fn verdict(&self, record: &Record, outlived: Option<&Record>) -> Verdict {
        match &record.holder {
            None => Verdict::Nobody,
            // An earlier attempt came through, and its answer did not.
            Some(holder) if *holder == self.holder.identity() => Verdict::Nobody,
            Some(_) if self.has_ended(record) => Verdict::Ended,
            Some(_) if outlived == Some(record) => Verdict::Outlived,
            Some(_) => match record.silent(self.cluster.time()) {
                Some(silent) if silent < record.lasts => Verdict::Alive,
                Some(_) | None => Verdict::Doubtful,
            },
        }
    }

    fn has_ended(&self, record: &Record) -> bool {
        record.process().is_some_and(|process| (self.terms.has_ended)(process))
    }

    fn grip(&self, live: Object, taken: Moment) -> Grip {
        Grip::new(self.cluster.clone(), live, self.holder.identity(), self.terms.lasts, taken)
    }

    fn namespace(&self) -> ObjectRef {
        ObjectRef {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: self.lease.namespace.clone().unwrap_or_default(),
        }
    }

    /// Says of a Lease that could not be made whether its namespace is the reason.
    async fn without_namespace(&self, error: ClusterError) -> Result<Claim, ClusterError> {
        match &error.fault {
            Fault::NotFound(_) => Ok(Claim::NoNamespace(error)),
            Fault::Forbidden(_) => {
                let live = self.cluster.get(&self.namespace()).await?;
                let goes = live.is_some_and(|live| live.is_being_deleted());
                if goes { Ok(Claim::NamespaceGoes(error)) } else { Err(error) }
            }
            _ => Err(error),
        }
    }
}

/// The next thing that a watch sees, and the watch.
async fn sight(mut watch: Watch) -> (Watch, Result<Seen, ClusterError>) {
    let seen = watch.next().await;
    (watch, seen)
}

//! Rounds of looks: what is looked at, and what may be left out.
//!
//! A [`Look`] is one thing that a controller brings to what it should be, in one
//! cluster. A round is a sweep over the looks that are due, in the order in which
//! one thing gives rise to the next; rounds follow until none is due.
//!
//! A round leaves a look out that is not due. Nothing is missed by it:
//!
//! 1. What a look writes is a function of what it reads (`notes`): a look of which
//!    no topic has changed since it began would write the same again, and that is
//!    there already, or was refused.
//! 2. Every change becomes topics before the next look begins: changes of objects
//!    by their cluster's history, and what follows from them for several clusters
//!    by `overview`. A history that no longer reaches back makes every look due.
//! 3. Topics are taken after the look that wrote has ended and its notes are kept,
//!    so that a look whose own writes change what it read is due again.
//! 4. A look that had a write refused is due again with the next round, as
//!    whatever was in its way need not be among what it read.
//!
//! So rounds write the same, in the same order, as rounds over everything would;
//! the tests hold them against each other.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::controlled::{Changed, ControlPlane};
use super::follow::Follow;
use super::istiod::{publish, remotes};
use super::notes::{Readers, Topic, Writes};
use super::overview::Concern;
use super::world::World;
use super::{addresses, pods, tokens, workloads};
use crate::object::ObjectRef;

/// Writes that call for further writes end long before this; more would be a circle.
const MOST_ROUNDS: usize = 200;

/// What is looked at in a cluster, which is a position; in the order of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Look {
    /// The token Secrets.
    Tokens(usize),
    /// The addresses of load balancers.
    Addresses(usize),
    /// Deployments and Pods.
    Workloads(usize),
    /// Which clusters its istiods register.
    Registrations(usize),
    /// What istiods write there, its own and others.
    Publications(usize),
}

impl Look {
    /// All looks at a cluster.
    fn all(cluster: usize) -> [Self; 5] {
        [
            Self::Tokens(cluster),
            Self::Addresses(cluster),
            Self::Workloads(cluster),
            Self::Registrations(cluster),
            Self::Publications(cluster),
        ]
    }

    fn take(self, world: &World) {
        match self {
            Self::Tokens(cluster) => match world.members[cluster].cluster.control_plane() {
                ControlPlane::Simulated => tokens::reconcile(&world.members[cluster]),
                ControlPlane::Real => {}
            },
            Self::Addresses(cluster) => addresses::reconcile(world, cluster),
            Self::Workloads(cluster) => match world.members[cluster].cluster.control_plane() {
                ControlPlane::Simulated => workloads::reconcile(world, cluster),
                ControlPlane::Real => pods::reconcile(world, cluster),
            },
            Self::Registrations(cluster) => remotes::reconcile(world, cluster),
            Self::Publications(cluster) => publish::reconcile(world, cluster),
        }
    }
}

/// What was done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// How many looks were taken.
    pub looks: usize,
    /// How many objects those were given to read.
    pub objects: usize,
}

/// The looks at all clusters.
#[derive(Debug)]
pub(super) struct Rounds {
    world: World,
    follow: Follow,
    due: BTreeSet<Look>,
    /// Due as soon as anything changes.
    refused: BTreeSet<Look>,
    readers: Readers<Look>,
    /// Whether anything changed since the last round began.
    news: News,
    effort: Effort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum News {
    #[default]
    None,
    Some,
}

impl Rounds {
    /// Everything is due.
    pub(super) fn new(world: World) -> Self {
        // Before anything is read, so that what changes meanwhile is seen again.
        let follow = Follow::new(&world.members);
        world.read();
        let mut rounds = Self {
            world,
            follow,
            due: BTreeSet::new(),
            refused: BTreeSet::new(),
            readers: Readers::default(),
            news: News::None,
            effort: Effort::default(),
        };
        rounds.make_all_due();
        rounds
    }

    /// What was done so far.
    pub(super) fn effort(&self) -> Effort {
        self.effort
    }

    /// Reacts to everything that changed, and to what the reactions change.
    pub(super) fn settle(&mut self) {
        for _ in 0..MOST_ROUNDS {
            if !self.are_due() {
                return;
            }
            self.sweep();
        }
    }

    /// The same with rounds that leave nothing out.
    #[cfg(test)]
    pub(super) fn settle_leaving_nothing_out(&mut self) {
        for _ in 0..MOST_ROUNDS {
            for cluster in 0..self.world.members.len() {
                self.take_changes(cluster);
            }
            if std::mem::take(&mut self.news) == News::None && self.effort.looks > 0 {
                return;
            }
            self.make_all_due();
            self.sweep();
        }
    }

    /// Whether a round has anything to look at.
    fn are_due(&mut self) -> bool {
        for cluster in 0..self.world.members.len() {
            self.take_changes(cluster);
        }
        if std::mem::take(&mut self.news) == News::Some {
            self.due.append(&mut self.refused);
        }
        !self.due.is_empty()
    }

    /// Takes the looks that are due, and those behind them that become due on the way.
    fn sweep(&mut self) {
        let mut last = Bound::Unbounded;
        while let Some(look) = self.due.range((last, Bound::Unbounded)).next().copied() {
            self.due.remove(&look);
            last = Bound::Excluded(look);
            self.world.notebook.begin();
            look.take(&self.world);
            let notes = self.world.notebook.end();
            self.effort.looks += 1;
            self.effort.objects += notes.objects;
            self.readers.note(look, notes.topics);
            match notes.writes {
                Writes::Taken => {}
                Writes::Refused => drop(self.refused.insert(look)),
            }
            for cluster in notes.written {
                self.take_changes(cluster);
            }
        }
    }

    /// Makes due whatever the changes of a cluster since the last time call for.
    fn take_changes(&mut self, cluster: usize) {
        match self.follow.take(&self.world.members, cluster) {
            None => return,
            Some(Changed::Objects(objects)) => self.note(cluster, objects),
            Some(Changed::Anything) => {
                for concern in Concern::ALL {
                    self.world.refresh(cluster, concern);
                }
                self.make_all_due();
            }
        }
        self.news = News::Some;
    }

    fn note(&mut self, cluster: usize, objects: Vec<ObjectRef>) {
        let objects: BTreeSet<ObjectRef> = objects.into_iter().collect();
        let concerns: BTreeSet<Concern> = objects.iter().filter_map(Concern::of).collect();
        let of_objects = objects.into_iter().flat_map(|object| Topic::of_change(cluster, object));
        let of_all = concerns.into_iter().flat_map(|concern| self.world.refresh(cluster, concern));
        let topics: Vec<Topic> = of_objects.chain(of_all).collect();
        for topic in topics {
            self.due.extend(self.readers.of(&topic));
        }
    }

    fn make_all_due(&mut self) {
        self.due.extend((0..self.world.members.len()).flat_map(Look::all));
    }
}

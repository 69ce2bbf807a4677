//! Whether istiods read the clusters that they have registered, found out once for as long as nothing
//! changes that it depends on.
//!
//! An istiod is asked how it stands with all its clusters at once, and again for
//! each that is added. The answer for one cluster is kept with what was read for
//! it (`notes`), and goes as soon as one of these topics changes.

use std::collections::HashMap;
use std::sync::Arc;

use super::SyncStatus;
use super::controlled::Changed;
use super::follow::Follow;
use super::istiod::{Istiod, Remote, remotes};
use super::notes::{Readers, Topic};
use super::world::World;

/// The answers that are known.
#[derive(Debug)]
pub(super) struct Syncs {
    world: Box<World>,
    follow: Follow,
    known: HashMap<usize, SyncStatus>,
    /// The number of each question.
    numbers: HashMap<Question, usize>,
    readers: Readers<usize>,
}

/// Whether the kubeconfig under an ID in a Secret of an istiod's namespace leads to a cluster that it may read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    cluster: usize,
    namespace: String,
    secret: String,
    id: String,
}

impl Syncs {
    /// Nothing is known.
    pub(super) fn new(world: World) -> Self {
        let follow = Follow::new(&world.members);
        Self {
            world: Box::new(world),
            follow,
            known: HashMap::new(),
            numbers: HashMap::new(),
            readers: Readers::default(),
        }
    }

    /// Forgets what may have changed.
    pub(super) fn take_changes(&mut self) {
        for cluster in 0..self.world.members.len() {
            match self.follow.take(&self.world.members, cluster) {
                None => {}
                Some(Changed::Anything) => self.known.clear(),
                Some(Changed::Objects(objects)) => {
                    for topic in objects.into_iter().flat_map(|object| Topic::of_change(cluster, object)) {
                        for number in self.readers.of(&topic) {
                            self.known.remove(&number);
                        }
                    }
                }
            }
        }
    }

    /// How an istiod stands with a cluster that it has registered.
    pub(super) fn status(&mut self, istiod: &Arc<Istiod>, id: &str, remote: &Remote) -> SyncStatus {
        let question = Question {
            cluster: istiod.cluster,
            namespace: istiod.namespace.clone(),
            secret: remote.secret.clone(),
            id: id.to_owned(),
        };
        let next = self.numbers.len();
        let number = *self.numbers.entry(question).or_insert(next);
        if let Some(known) = self.known.get(&number) {
            return known.clone();
        }
        self.world.notebook.begin();
        let reached =
            remotes::connect(&self.world, istiod, id).and_then(|link| remotes::synced(&self.world, &link));
        let notes = self.world.notebook.end();
        self.readers.note(number, notes.topics);
        let status = reached.map_or_else(SyncStatus::Timeout, |()| SyncStatus::Synced);
        self.known.insert(number, status.clone());
        status
    }
}

//! What changed, for those that follow a store.

use std::sync::Arc;

use tokio::sync::watch;

use super::ClusterStore;
use crate::object::Object;
use crate::sandbox::api_error::ApiError;

/// One change of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The revision that it made.
    pub revision: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// The object after the change; for a deletion its last state.
    pub object: Arc<Object>,
    /// The object before the change.
    pub previous: Option<Arc<Object>>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It differs.
    Modified,
    /// It is gone.
    Deleted,
}

/// A reader of a store's changes, in order and without gaps.
///
/// A reader that falls so far behind that changes are forgotten is given the
/// present objects again as added, as a client that lists anew would see them.
#[derive(Debug)]
pub struct Feed {
    store: Arc<ClusterStore>,
    seen: u64,
    begins: bool,
    revision: watch::Receiver<u64>,
}

impl ClusterStore {
    /// Follows the store from now on.
    pub fn feed(self: &Arc<Self>) -> Feed {
        self.feed_after(self.revision())
    }

    /// Follows the store from a revision on.
    pub fn feed_after(self: &Arc<Self>, seen: u64) -> Feed {
        Feed { store: Arc::clone(self), seen, begins: false, revision: self.revision.subscribe() }
    }

    /// Follows the store, every present object first.
    pub fn feed_from_start(self: &Arc<Self>) -> Feed {
        Feed { store: Arc::clone(self), seen: 0, begins: true, revision: self.revision.subscribe() }
    }

    /// The revision of every write as it happens, to watch without its content.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// The changes after a revision; 410 where some of them are forgotten.
    pub fn changes_after(&self, revision: u64) -> Result<Vec<Arc<Change>>, ApiError> {
        let state = self.lock();
        if revision < state.forgotten {
            return Err(ApiError::expired(revision, state.forgotten));
        }
        let from = state.changes.partition_point(|change| change.revision <= revision);
        Ok(state.changes.range(from..).cloned().collect())
    }

    fn present(&self) -> (u64, Vec<Arc<Change>>) {
        let state = self.lock();
        let changes = state.objects.values().map(|object| {
            let revision = state.revision;
            Arc::new(Change { revision, kind: ChangeKind::Added, object: Arc::clone(object), previous: None })
        });
        (state.revision, changes.collect())
    }
}

impl Feed {
    /// The next changes, at least one; waits for them. `None` once the store is gone.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Arc<Change>>> {
        loop {
            let changes = self.take();
            if !changes.is_empty() {
                return Some(changes);
            }
            self.revision.changed().await.ok()?;
        }
    }

    /// The changes there are, perhaps none.
    pub fn take(&mut self) -> Vec<Arc<Change>> {
        self.revision.mark_unchanged();
        let changes =
            if std::mem::take(&mut self.begins) { None } else { self.store.changes_after(self.seen).ok() };
        match changes {
            Some(changes) => {
                if let Some(last) = changes.last() {
                    self.seen = last.revision;
                }
                changes
            }
            None => {
                let (revision, changes) = self.store.present();
                self.seen = revision;
                changes
            }
        }
    }

    /// The revision up to which changes were given.
    pub fn seen(&self) -> u64 {
        self.seen
    }
}

//! How far the changes of clusters were taken.

use tokio::sync::watch;

use super::controlled::Changed;
use super::world::Member;

/// A place in the history of each of some clusters.
#[derive(Debug)]
pub(super) struct Follow(Vec<(watch::Receiver<u64>, u64)>);

impl Follow {
    /// Follows clusters from now on; whatever is read of them after this is not older.
    pub(super) fn new(members: &[Member]) -> Self {
        let places = members.iter().map(|member| {
            let mut changes = member.cluster.changes();
            let position = *changes.borrow_and_update();
            (changes, position)
        });
        Self(places.collect())
    }

    /// What changed in a cluster since the last time; none where nothing did that counts.
    pub(super) fn take(&mut self, members: &[Member], cluster: usize) -> Option<Changed> {
        let (changes, seen) = &mut self.0[cluster];
        let now = *changes.borrow_and_update();
        let before = std::mem::replace(seen, now);
        if before == now {
            return None;
        }
        match members[cluster].cluster.changed(before) {
            Changed::Objects(objects) if objects.is_empty() => None,
            changed @ (Changed::Objects(_) | Changed::Anything) => Some(changed),
        }
    }
}

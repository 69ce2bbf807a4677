//! Giving leases back where a run ends as it never should: by a panic.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;

use super::Leases;

/// How long a panic is held up by it.
const PATIENCE: Duration = Duration::from_secs(6);

/// Gives leases back when it is dropped by a panic.
///
/// Whoever ends a run in order gives them back by [`Leases::give_back`], which can be waited for.
pub struct Guard {
    leases: Arc<Leases>,
    runtime: Handle,
}

impl Guard {
    /// To be held as long as the run; must be made within a runtime.
    pub fn over(leases: &Arc<Leases>) -> Self {
        Self { leases: Arc::clone(leases), runtime: Handle::current() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let (told, over) = mpsc::channel();
        let leases = Arc::clone(&self.leases);
        let runtime = self.runtime.clone();
        // On a thread of its own: what this one spawned, no other would take from it.
        std::thread::spawn(move || {
            runtime.block_on(leases.give_back());
            let _ = told.send(());
        });
        // Where the runtime has no other thread nobody gives them back, and they run out.
        let _ = over.recv_timeout(PATIENCE);
    }
}

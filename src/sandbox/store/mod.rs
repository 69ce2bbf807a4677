//! The state of one simulated cluster.
//!
//! A [`ClusterStore`] holds objects, gives each write a revision, tells
//! followers what changed, and brings every write to a journal. All of it is
//! synchronous and quick; only [`ClusterStore::durable`] and [`Feed::next`]
//! wait.
//!
//! For a controller:
//!
//! ```no_run
//! # use stolos::sandbox::{ClusterStore, WriteOptions};
//! # use std::sync::Arc;
//! # async fn run(store: Arc<ClusterStore>) {
//! let mut feed = store.feed_from_start();
//! while let Some(changes) = feed.next().await {
//!     for change in changes.iter().filter(|change| change.object.kind() == "Deployment") {
//!         let status = serde_json::json!({"status": {"readyReplicas": 1}});
//!         let _ = store.patch_status(&change.object.reference(), &status, "deployment-controller");
//!     }
//! }
//! # }
//! ```
//!
//! Three reactions of a real cluster's control plane are part of the store, in
//! the same critical section as the write that calls for them (`reactions`):
//! a CustomResourceDefinition becomes Established, a new namespace gets its
//! `default` ServiceAccount and `kube-root-ca.crt`, and what a deleted object
//! or namespace holds goes with it. Everything else is `controllers`' work.

mod checks;
mod commit;
mod delete;
mod feed;
mod journal;
mod namespaces;
mod patches;
mod reactions;
mod read;
mod request;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use tokio::sync::watch;

pub use delete::Deleted;
pub use feed::{Change, ChangeKind, Feed};
pub use journal::JournalFault;
pub use read::{Listed, Page};
pub use request::{ApplyOptions, DeleteOptions, Patch, Propagation, Run, UnknownFields, WriteOptions};
pub use write::{Outcome, Written};

use self::journal::{Header, Journal, Refuse};
use super::api_error::{ApiError, Reason};
use super::clock::{Clock, server_time};
use super::fresh;
use super::processes::Processes;
use super::resource::{ResourceInfo, built_in};
use crate::object::{Object, ObjectRef};

/// How many changes a store remembers for those that watch.
const REMEMBERED_CHANGES: usize = 2048;

/// One simulated cluster.
#[derive(Debug)]
pub struct ClusterStore {
    name: String,
    id: String,
    ca: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    journal: Arc<Journal>,
    revision: watch::Sender<u64>,
    names: AtomicU64,
    /// What listens in its Pods, as long as somebody looks after them.
    processes: Mutex<Option<Weak<dyn Processes>>>,
}

/// What the lock guards.
#[derive(Debug, Default)]
struct State {
    revision: u64,
    objects: BTreeMap<ObjectRef, Arc<Object>>,
    /// What the Established CustomResourceDefinitions serve, by the definition's name.
    custom: BTreeMap<String, Arc<ResourceInfo>>,
    changes: VecDeque<Arc<Change>>,
    /// Every change after this revision is remembered.
    forgotten: u64,
}

impl ClusterStore {
    /// Opens the journal of a cluster, or makes a fresh cluster where there is none.
    pub fn open(path: &Path, name: &str, id: &str, clock: Arc<dyn Clock>) -> Result<Self, JournalFault> {
        let recovered = Journal::read(path)?;
        let (header, objects, refuse, is_fresh) = match recovered {
            Some(recovered) => {
                if recovered.header.cluster != name {
                    return Err(JournalFault::Foreign);
                }
                (recovered.header, recovered.objects, recovered.refuse, false)
            }
            None => (
                Header { cluster: name.to_owned(), ca: fresh::authority(name), revision: 0 },
                Vec::new(),
                Refuse::Some,
                true,
            ),
        };
        let journal = match refuse {
            Refuse::None => Journal::append_to(path, &header)?,
            Refuse::Some => Journal::create(path, &header, &objects)?,
        };
        let mut state = State { revision: header.revision, forgotten: header.revision, ..State::default() };
        state.objects = objects.into_iter().map(|object| (object.reference(), Arc::new(object))).collect();
        state.read_definitions();
        let store = Self {
            name: name.to_owned(),
            id: id.to_owned(),
            ca: header.ca,
            clock,
            revision: watch::Sender::new(state.revision),
            names: AtomicU64::new(0),
            processes: Mutex::default(),
            state: Mutex::new(state),
            journal: Arc::new(journal),
        };
        if is_fresh {
            store.populate();
        } else {
            store.resume();
            // Killed before any of it was on the disk.
            if store.find("", "Namespace", None, "kube-system").is_none() {
                store.populate();
            }
        }
        Ok(store)
    }

    /// The cluster's name in the topology.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster's ID in the mesh.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The certificate of its API server's CA, PEM; made up once, its key thrown away.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The revision of the latest write.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Now, as this cluster's server writes it.
    pub fn time(&self) -> String {
        server_time(self.clock.now())
    }

    /// Tells this cluster from any other that ever had its name.
    pub fn identity(&self) -> String {
        identity(&self.ca)
    }

    /// The identity in a journal, which another process may be writing.
    pub(super) fn identity_in(path: &Path) -> Option<String> {
        Journal::read_header(path).map(|header| identity(&header.ca))
    }

    /// A name that begins as asked and that no object has had.
    pub fn generated_name(&self, prefix: &str) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::digest(format!("{}\n{}\n{number}", self.ca, self.revision()).as_bytes());
        let suffix =
            digest.iter().take(5).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        // The whole must fit into a name; servers cut the prefix as well.
        let prefix: String = prefix.chars().take(58).collect();
        prefix.chars().chain(suffix).collect()
    }

    /// From now on these listen in its Pods, until they go.
    pub(crate) fn run(&self, processes: Weak<dyn Processes>) {
        *self.processes.lock().unwrap_or_else(PoisonError::into_inner) = Some(processes);
    }

    /// What listens in its Pods; none where nobody looks after them.
    pub(crate) fn processes(&self) -> Option<Arc<dyn Processes>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.upgrade()
    }

    /// The clock that this cluster goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Brings everything to the disk at once.
    pub(super) fn flush(&self) {
        self.journal.flush();
    }

    /// Waits until a revision is on the disk.
    pub async fn durable(&self, revision: u64) -> Result<(), ApiError> {
        let mut durable = self.journal.durable();
        let reached = durable.wait_for(|d| d.revision >= revision || d.failed.is_some()).await;
        match reached.map(|durable| durable.failed.clone()) {
            Ok(None) => Ok(()),
            Ok(Some(failure)) => {
                Err(ApiError::new(Reason::InternalError, format!("the journal is lost: {failure}")))
            }
            Err(_) => Err(ApiError::new(Reason::InternalError, "the journal is closed")),
        }
    }

    /// What serves a kind here, whatever its version.
    pub fn resource_of_kind(&self, group: &str, kind: &str) -> Option<Arc<ResourceInfo>> {
        self.lock().resource_of_kind(group, kind)
    }

    /// What serves a plural here in this version.
    pub fn resource_of_path(&self, group: &str, version: &str, plural: &str) -> Option<Arc<ResourceInfo>> {
        let resource = self.lock().resources().find(|r| r.group == group && r.plural == plural)?;
        resource.versions.iter().any(|served| served == version).then_some(resource)
    }

    /// Everything that is served here, the built-in resources first.
    pub fn resources(&self) -> Vec<Arc<ResourceInfo>> {
        self.lock().resources().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells a cluster from any other: a digest of its CA's certificate.
fn identity(ca: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(ca.as_bytes())[..16])
}

impl State {
    fn resources(&self) -> impl Iterator<Item = Arc<ResourceInfo>> + '_ {
        built_in().iter().chain(self.custom.values()).cloned()
    }

    fn resource_of_kind(&self, group: &str, kind: &str) -> Option<Arc<ResourceInfo>> {
        self.resources().find(|resource| resource.group == group && resource.kind == kind)
    }
}

#[cfg(test)]
mod tests;

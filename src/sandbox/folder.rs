//! The folder that a sandbox lives in: lock, journals, kubeconfig.
//!
//! ```text
//! DIR/lock             held while a command has the sandbox open
//! DIR/<cluster>.jsonl  the journal of one cluster
//! DIR/kubeconfig       how to reach it, while `sandbox serve` holds it
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clock::Clock;
use super::error::SandboxError;
use super::store::{ClusterStore, JournalFault};

/// One cluster that a sandbox is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxCluster {
    /// Its name in the topology: the name of its file, and of its context.
    pub name: String,
    /// Its ID in the mesh.
    pub id: String,
}

/// An open sandbox: simulated clusters and the lock on their folder.
///
/// The lock goes when this does, or when the process dies.
#[derive(Debug)]
pub struct Sandbox {
    folder: PathBuf,
    clusters: Vec<Arc<ClusterStore>>,
    _lock: File,
}

impl Sandbox {
    /// Opens the sandbox of a folder; clusters that it does not have yet are made.
    ///
    /// Clusters that the folder has and the list has not are left alone.
    pub fn open(
        folder: &Path,
        clusters: &[SandboxCluster],
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, SandboxError> {
        let lock = lock(folder)?;
        let opened = clusters.iter().map(|cluster| {
            let path = folder.join(journal_name(&cluster.name));
            match ClusterStore::open(&path, &cluster.name, &cluster.id, Arc::clone(clock)) {
                Ok(store) => Ok(Arc::new(store)),
                Err(JournalFault::Io(source)) => Err(SandboxError::Folder { path, source }),
                Err(source) => Err(SandboxError::Journal { cluster: cluster.name.clone(), path, source }),
            }
        });
        Ok(Self { folder: folder.to_owned(), clusters: opened.collect::<Result<_, _>>()?, _lock: lock })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its clusters, in the order in which they were asked for.
    pub fn clusters(&self) -> &[Arc<ClusterStore>] {
        &self.clusters
    }

    /// The cluster of a name in the topology.
    pub fn cluster(&self, name: &str) -> Option<&Arc<ClusterStore>> {
        self.clusters.iter().find(|cluster| cluster.name() == name)
    }

    /// The identity that a cluster's journal has, whoever holds the folder.
    pub(super) fn identity_in(folder: &Path, cluster: &str) -> Option<String> {
        ClusterStore::identity_in(&folder.join(journal_name(cluster)))
    }

    /// The cluster of an ID in the mesh.
    pub fn cluster_of_id(&self, id: &str) -> Option<&Arc<ClusterStore>> {
        self.clusters.iter().find(|cluster| cluster.id() == id)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Before the lock goes: whoever opens the folder next reads the journals.
        self.clusters.iter().for_each(|cluster| cluster.flush());
    }
}

/// Takes the lock of a folder, which is made where it is not there.
fn lock(folder: &Path) -> Result<File, SandboxError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| SandboxError::Folder { path, source }
    };
    fs::create_dir_all(folder).map_err(fault(folder))?;
    let path = folder.join("lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(fault(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SandboxError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(SandboxError::Folder { path, source }),
    }
}

/// The file of a cluster; what no file name should hold is written as its code.
fn journal_name(cluster: &str) -> String {
    let mut name = String::new();
    for byte in cluster.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    name.push_str(".jsonl");
    name
}

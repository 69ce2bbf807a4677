//! What can go wrong with a sandbox as a whole.

use std::io;
use std::path::PathBuf;

use super::store::JournalFault;
use crate::diagnostic::{Code, Failure};

/// Why a sandbox cannot be opened or served.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Another command holds the folder.
    #[error("the sandbox in {} is in use by another command", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder is served, but not with all the clusters that are needed.
    #[error("the sandbox in {} is being served without the cluster {cluster}", folder.display())]
    NotServed {
        /// The folder.
        folder: PathBuf,
        /// The cluster that the topology has and the running sandbox has not.
        cluster: String,
    },
    /// The folder cannot be made, locked or written.
    #[error("cannot use {} for a sandbox", path.display())]
    Folder {
        /// What cannot be used.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A cluster's journal cannot be read.
    #[error("cannot read the sandbox cluster {cluster} from {}", path.display())]
    Journal {
        /// The cluster.
        cluster: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: JournalFault,
    },
    /// No port of the loopback address can be had.
    #[error("cannot listen on 127.0.0.1 for the sandbox cluster {cluster}")]
    Listen {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The folder is held.
pub static SANDBOX_IN_USE: Code = Code {
    name: "sandbox-in-use",
    summary: "another command holds the sandbox",
    page: "\
A sandbox keeps the state of its simulated clusters in one folder, and one
command at a time holds that folder.

Wait until the other command has ended (`apply` and `destroy` do so by
themselves with `--lock-timeout 10m`), or name another folder with
`--sandbox=DIR`. A folder that `stolos sandbox serve` holds is used through
that server by other commands: if this appears while it serves, its clusters
are not those of this topology.
",
};

/// The server lacks a cluster.
pub static SANDBOX_NOT_SERVED: Code = Code {
    name: "sandbox-not-served",
    summary: "the running sandbox lacks a cluster of the topology",
    page: "\
`stolos sandbox serve` serves the clusters of the topology that it was started
with. A cluster that was added to the file since is not among them.

Stop it and start it again; what its clusters hold is kept.
",
};

/// The folder or a file of it cannot be used.
pub static SANDBOX_UNUSABLE: Code = Code {
    name: "sandbox-unusable",
    summary: "the sandbox's folder cannot be used",
    page: "\
The sandbox could not make, lock, read or write its folder or a file in it, or
could not listen on the loopback address. The line below says why.

A journal whose last line is torn is repaired silently: that line was never
answered. One that is broken elsewhere is not a sandbox's doing; delete the
folder to begin with fresh clusters, or name another with `--sandbox=DIR`.
",
};

/// Every code that the sandbox raises.
pub static CODES: &[&Code] = &[&SANDBOX_IN_USE, &SANDBOX_NOT_SERVED, &SANDBOX_UNUSABLE];

impl SandboxError {
    /// The failure that a view shows.
    pub fn failure(&self) -> Failure {
        let with_sources = |failure: Failure| {
            let mut failure = failure;
            let mut source = std::error::Error::source(self);
            while let Some(error) = source {
                failure = failure.with_fact(error.to_string());
                source = error.source();
            }
            failure
        };
        match self {
            Self::InUse { .. } => Failure::new(&SANDBOX_IN_USE, self.to_string())
                .with_help("wait until it has ended, or name another folder with --sandbox=DIR"),
            Self::NotServed { .. } => Failure::new(&SANDBOX_NOT_SERVED, self.to_string())
                .with_help("stop `stolos sandbox serve` and start it again; what its clusters hold is kept"),
            Self::Folder { .. } | Self::Listen { .. } => {
                with_sources(Failure::new(&SANDBOX_UNUSABLE, self.to_string()))
                    .with_help("name another folder with --sandbox=DIR")
            }
            Self::Journal { .. } => with_sources(Failure::new(&SANDBOX_UNUSABLE, self.to_string()))
                .with_help("delete the file to begin with a fresh cluster, or name another folder with --sandbox=DIR"),
        }
    }
}

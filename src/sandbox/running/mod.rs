//! A sandbox whose clusters answer, in this process or in that of `sandbox serve`.
//!
//! A command that needs the clusters of a folder asks for [`access`]: it gets
//! its own sandbox, or the addresses of the one that `stolos sandbox serve`
//! holds, or a clear refusal. A kubeconfig that a killed server left behind
//! misleads nobody: the lock says whether it is alive, and each address must
//! answer with the identity that the cluster's journal has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::clock::Clock;
use super::error::SandboxError;
use super::folder::{Sandbox, SandboxCluster};
use super::http::{ApiServer, RequestCount, RequestLine, identity_at};
use crate::document::SourceId;
use crate::document::emit::to_yaml;
use crate::document::yaml::{self, Limits, Schema};

/// How long a server of this machine may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a cluster answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The cluster's name in the topology.
    pub cluster: String,
    /// `http://127.0.0.1:40123`.
    pub url: String,
}

/// A sandbox whose clusters answer from this process until it is dropped.
#[derive(Debug)]
pub struct RunningSandbox {
    servers: Vec<ApiServer>,
    sandbox: Sandbox,
}

/// The clusters of a folder, wherever they answer from.
#[derive(Debug)]
pub enum Access {
    /// From `stolos sandbox serve`.
    Attached(Vec<Endpoint>),
    /// From this process.
    Owned(RunningSandbox),
}

impl Access {
    /// Where the clusters answer.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        match self {
            Self::Attached(endpoints) => endpoints.clone(),
            Self::Owned(running) => running.endpoints(),
        }
    }
}

/// Opens the sandbox of a folder, or attaches to the server that holds it.
pub async fn access(
    folder: &Path,
    clusters: &[SandboxCluster],
    clock: &Arc<dyn Clock>,
) -> Result<Access, SandboxError> {
    match Sandbox::open(folder, clusters, clock) {
        Ok(sandbox) => Ok(Access::Owned(RunningSandbox::start(sandbox).await?)),
        Err(SandboxError::InUse { folder }) => Ok(Access::Attached(attach(folder, clusters).await?)),
        Err(error) => Err(error),
    }
}

async fn attach(folder: PathBuf, clusters: &[SandboxCluster]) -> Result<Vec<Endpoint>, SandboxError> {
    let Some(served) = read_kubeconfig(&folder.join("kubeconfig")) else {
        return Err(SandboxError::InUse { folder });
    };
    let mut endpoints = Vec::new();
    for cluster in clusters {
        let Some(endpoint) = served.iter().find(|endpoint| endpoint.cluster == cluster.name) else {
            // A list without this cluster is current only if its other clusters answer.
            let is_alive = match served.first() {
                Some(other) => answers(&folder, other).await,
                None => false,
            };
            return Err(match is_alive {
                true => SandboxError::NotServed { folder, cluster: cluster.name.clone() },
                false => SandboxError::InUse { folder },
            });
        };
        if !answers(&folder, endpoint).await {
            return Err(SandboxError::InUse { folder });
        }
        endpoints.push(endpoint.clone());
    }
    Ok(endpoints)
}

/// Whether an address is that of the cluster whose journal lies in the folder.
async fn answers(folder: &Path, endpoint: &Endpoint) -> bool {
    let Some(wanted) = Sandbox::identity_in(folder, &endpoint.cluster) else { return false };
    let asked = tokio::time::timeout(PATIENCE, identity_at(&endpoint.url)).await;
    asked.is_ok_and(|identity| identity == Some(wanted))
}

/// Serves the clusters of a folder until the shutdown, with a kubeconfig beside them.
///
/// `ready` is called once everything answers; what it returns is held until the end.
pub async fn serve<R>(
    folder: &Path,
    clusters: &[SandboxCluster],
    clock: &Arc<dyn Clock>,
    ready: impl FnOnce(&RunningSandbox) -> R,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SandboxError> {
    let running = RunningSandbox::start(Sandbox::open(folder, clusters, clock)?).await?;
    let kubeconfig = folder.join("kubeconfig");
    running.write_kubeconfig(&kubeconfig)?;
    let held = ready(&running);
    shutdown.await;
    // While the lock is still held, so that it is never another server's file.
    let _ = fs::remove_file(&kubeconfig);
    drop(held);
    running.stop().await;
    Ok(())
}

impl RunningSandbox {
    /// Lets every cluster of a sandbox answer on a loopback port of its own.
    pub async fn start(sandbox: Sandbox) -> Result<Self, SandboxError> {
        let mut servers = Vec::with_capacity(sandbox.clusters().len());
        for cluster in sandbox.clusters() {
            let started = ApiServer::start(Arc::clone(cluster)).await;
            let fault = |source| SandboxError::Listen { cluster: cluster.name().to_owned(), source };
            servers.push(started.map_err(fault)?);
        }
        Ok(Self { servers, sandbox })
    }

    /// The clusters themselves.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Where the clusters answer.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let clusters = self.sandbox.clusters().iter().zip(&self.servers);
        clusters
            .map(|(cluster, server)| Endpoint { cluster: cluster.name().to_owned(), url: server.url() })
            .collect()
    }

    /// A kubeconfig with one context for each cluster, of the cluster's name.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&self.endpoints())
    }

    /// Writes the kubeconfig; a reader sees the old file or the new one.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<(), SandboxError> {
        let fault = |source: io::Error| SandboxError::Folder { path: path.to_owned(), source };
        let fresh = path.with_extension("tmp");
        fs::write(&fresh, self.kubeconfig()).map_err(fault)?;
        fs::rename(&fresh, path).map_err(fault)
    }

    /// The latest requests to a cluster, the oldest first.
    pub fn requests(&self, cluster: &str) -> Vec<RequestLine> {
        self.server(cluster).map(|server| server.log().latest()).unwrap_or_default()
    }

    /// How often each verb was asked of each resource of a cluster.
    pub fn request_counts(&self, cluster: &str) -> Vec<RequestCount> {
        self.server(cluster).map(|server| server.log().counts()).unwrap_or_default()
    }

    /// Forgets all requests so far.
    pub fn forget_requests(&self) {
        self.servers.iter().for_each(|server| server.log().forget());
    }

    /// Stops answering; everything is on the disk and the folder is free after this.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
    }

    fn server(&self, cluster: &str) -> Option<&ApiServer> {
        let position = self.sandbox.clusters().iter().position(|held| held.name() == cluster)?;
        self.servers.get(position)
    }
}

fn kubeconfig(endpoints: &[Endpoint]) -> String {
    let clusters = endpoints.iter();
    let clusters: Vec<Value> = clusters
        .map(|endpoint| json!({"name": endpoint.cluster, "cluster": {"server": endpoint.url}}))
        .collect();
    let contexts = endpoints.iter().map(|endpoint| {
        json!({"name": endpoint.cluster, "context": {"cluster": endpoint.cluster, "user": "sandbox"}})
    });
    to_yaml(&json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": clusters,
        "contexts": contexts.collect::<Vec<Value>>(),
        "current-context": endpoints.first().map(|endpoint| endpoint.cluster.as_str()).unwrap_or_default(),
        "users": [{"name": "sandbox", "user": {}}],
    }))
}

/// The endpoints in a kubeconfig that a sandbox wrote.
fn read_kubeconfig(path: &Path) -> Option<Vec<Endpoint>> {
    let text = fs::read_to_string(path).ok()?;
    let node = yaml::parse_one(SourceId(0), &text, Schema::Core, Limits::TOPOLOGY).into_result().ok()??;
    let config = node.to_json();
    let clusters = config.get("clusters")?.as_array()?;
    let endpoint = |entry: &Value| {
        Some(Endpoint {
            cluster: entry.get("name")?.as_str()?.to_owned(),
            url: entry.pointer("/cluster/server")?.as_str()?.to_owned(),
        })
    };
    clusters.iter().map(endpoint).collect()
}

#[cfg(test)]
mod tests;

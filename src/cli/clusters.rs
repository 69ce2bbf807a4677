//! How a verb reaches the clusters of its topology: contexts of a kubeconfig, or a sandbox.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, ContextError, Contexts, Limits, Transport};
use crate::compile::DesiredCluster;
use crate::diagnostic::{Code, Failure, did_you_mean};
use crate::topology::ClusterName;

/// A cluster named on the command line is not in the topology.
pub(super) static CONTEXT_OF_NO_CLUSTER: Code = Code {
    name: "context-of-no-cluster",
    summary: "--context names a cluster that the topology does not have",
    page: "\
`--context CLUSTER=CONTEXT` says for one run which context of the kubeconfig reaches a cluster. CLUSTER is
the cluster's key in the topology, not its ID and not the name in the kubeconfig.
",
};

/// Where the clusters are.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    /// Use simulated clusters, kept in DIR between commands [default: .stolos/sandbox]
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ".stolos/sandbox",
        conflicts_with_all = ["kubeconfig", "context"]
    )]
    sandbox: Option<PathBuf>,
    /// The kubeconfig to take contexts from, instead of those in KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Reach CLUSTER through CONTEXT, whatever the topology says; may be given several times
    #[arg(long, value_name = "CLUSTER=CONTEXT", value_parser = override_of)]
    context: Vec<Override>,
}

/// A context for one cluster.
#[derive(Debug, Clone)]
struct Override {
    cluster: ClusterName,
    context: String,
}

fn override_of(text: &str) -> Result<Override, String> {
    match text.split_once('=') {
        Some((cluster, context)) if !cluster.is_empty() && !context.is_empty() => {
            Ok(Override { cluster: cluster.into(), context: context.to_owned() })
        }
        _ => Err("it is written CLUSTER=CONTEXT".to_owned()),
    }
}

impl fmt::Display for Reach {
    /// The flags as they would be given again, each with a blank behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sandbox {
            Some(folder) if folder == Path::new(".stolos/sandbox") => f.write_str("--sandbox ")?,
            Some(folder) => write!(f, "--sandbox={} ", folder.display())?,
            None => {}
        }
        if let Some(file) = &self.kubeconfig {
            write!(f, "--kubeconfig {} ", file.display())?;
        }
        for given in &self.context {
            write!(f, "--context {}={} ", given.cluster, given.context)?;
        }
        Ok(())
    }
}

impl Reach {
    /// The folder of the sandbox, where one is used.
    pub(super) fn sandbox(&self) -> Option<&Path> {
        self.sandbox.as_deref()
    }

    /// Opens a door to each cluster through its context; nothing is sent yet. Everything that
    /// keeps one from being opened is given.
    pub(super) async fn contexts(
        &self,
        clusters: &BTreeMap<ClusterName, DesiredCluster>,
    ) -> Result<BTreeMap<ClusterName, Cluster>, Vec<Failure>> {
        let mut failures: Vec<Failure> = Vec::new();
        for given in self.context.iter().filter(|given| !clusters.contains_key(&given.cluster)) {
            let known = clusters.keys().map(ClusterName::as_str);
            let message = format!("--context {}={}: there is no such cluster", given.cluster, given.context);
            failures.push(Failure::new(&CONTEXT_OF_NO_CLUSTER, message).with_help(did_you_mean(
                given.cluster.as_str(),
                "Declared",
                known,
            )));
        }
        let contexts = match Contexts::read(&self.files()) {
            Ok(contexts) => contexts,
            Err(error) => {
                failures.push(error.failure(None));
                return Err(failures);
            }
        };
        let mut opened = BTreeMap::new();
        for (name, facts) in clusters {
            let given = self.context.iter().rev().find(|given| given.cluster == *name);
            let context = given.map_or(facts.context.as_str(), |given| given.context.as_str());
            match contexts.open(context, Limits::default()).await {
                Ok(transport) => {
                    let server = transport.server().to_owned();
                    opened.insert(name.clone(), Cluster::new(name.clone(), server, transport));
                }
                Err(error) => failures.push(error.failure(Some(name))),
            }
        }
        if failures.is_empty() { Ok(opened) } else { Err(failures) }
    }

    /// The kubeconfig files, those of kubectl: a flag over the environment over the usual place.
    fn files(&self) -> Vec<PathBuf> {
        if let Some(file) = &self.kubeconfig {
            return vec![file.clone()];
        }
        let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
            .map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        if !listed.is_empty() {
            return listed;
        }
        let home = std::env::home_dir().unwrap_or_default();
        vec![home.join(".kube").join("config")]
    }
}

/// A door to a sandbox cluster. Inside the mesh its API has a name that does not change from run to run.
pub(super) fn sandbox_cluster(name: &ClusterName, id: &str, url: &str) -> Result<Cluster, ContextError> {
    let transport = Transport::plain(url, Limits::default())
        .map_err(|error| ContextError::Unusable { context: name.to_string(), reason: error.to_string() })?;
    Ok(Cluster::new(name.clone(), format!("https://{id}.sandbox.invalid:6443"), transport))
}

//! How a verb reaches the clusters of its topology: contexts of a kubeconfig, or a sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, ContextError, Contexts, Limits, Transport};
use crate::compile::DesiredCluster;
use crate::diagnostic::{Code, Failure, did_you_mean};
use crate::plan::codes::PLAN_FLAG;
use crate::plan::saved::SavedReach;
use crate::topology::ClusterName;
use crate::validate::Use;

/// A cluster named on the command line is not in the topology.
pub(super) static CONTEXT_OF_NO_CLUSTER: Code = Code {
    name: "context-of-no-cluster",
    summary: "--context names a cluster that the topology does not have",
    page: "\
`--context CLUSTER=CONTEXT` says for one run which context of the kubeconfig reaches a cluster. CLUSTER is
the cluster's key in the topology, not its ID and not the name in the kubeconfig.
",
};

/// A cluster has two contexts on the command line.
pub(super) static CONTEXT_GIVEN_TWICE: Code = Code {
    name: "context-given-twice",
    summary: "--context names two contexts for one cluster",
    page: "\
`--context CLUSTER=CONTEXT` may be given for several clusters, and for each of them once. Which of two was
meant is not guessed: it must not be possible to change a cluster by mistake.
",
};

/// Where the clusters are.
#[derive(Debug, Clone, clap::Args)]
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

    /// What the topology is loaded for.
    pub(super) fn used_for(&self) -> Use {
        if self.sandbox.is_some() { Use::Sandbox } else { Use::RealClusters }
    }

    /// What a saved plan keeps of it.
    pub(super) fn saved(&self, clusters: &BTreeMap<ClusterName, DesiredCluster>) -> SavedReach {
        let text = |path: &PathBuf| path.display().to_string();
        let mut reach = SavedReach {
            sandbox: self.sandbox.as_ref().map(text),
            kubeconfig: self.kubeconfig.as_ref().map(text),
            ..SavedReach::default()
        };
        if self.sandbox.is_none() {
            let context = |(name, facts): (&ClusterName, &DesiredCluster)| {
                (name.to_string(), self.context_of(name, facts).to_owned())
            };
            reach.contexts = clusters.iter().map(context).collect();
            let given: BTreeSet<String> =
                self.context.iter().map(|given| given.cluster.to_string()).collect();
            reach.overrides = given.into_iter().collect();
        }
        reach
    }

    /// The way to the clusters of a saved plan, where these flags do not contradict it. Only the
    /// kubeconfig may be another: which clusters it reaches is checked against the plan.
    pub(super) fn to_saved(&self, saved: &SavedReach) -> Result<Self, Failure> {
        let contradicts = |flag: String, saved: &str| {
            Failure::new(&PLAN_FLAG, format!("{flag}: the plan was made for {saved}"))
                .with_help(format!("leave {flag} out, or plan again with it"))
        };
        match (&self.sandbox, &saved.sandbox) {
            (Some(given), Some(saved)) if given == Path::new(saved) => {}
            (Some(given), Some(saved)) => {
                return Err(contradicts(
                    format!("--sandbox={}", given.display()),
                    &format!("--sandbox={saved}"),
                ));
            }
            (Some(given), None) => {
                return Err(contradicts(
                    format!("--sandbox={}", given.display()),
                    "clusters of a kubeconfig",
                ));
            }
            (None, Some(saved)) => {
                let given = match (&self.kubeconfig, self.context.first()) {
                    (Some(file), _) => Some(format!("--kubeconfig {}", file.display())),
                    (None, Some(given)) => Some(format!("--context {}={}", given.cluster, given.context)),
                    (None, None) => None,
                };
                if let Some(given) = given {
                    return Err(contradicts(given, &format!("--sandbox={saved}")));
                }
            }
            (None, None) => {}
        }
        for given in &self.context {
            match saved.contexts.get(given.cluster.as_str()) {
                Some(context) if *context == given.context => {}
                Some(context) => {
                    let flag = format!("--context {}={}", given.cluster, given.context);
                    return Err(contradicts(flag, &format!("context {context}")));
                }
                None => return Err(no_such_cluster(given, saved.contexts.keys().map(String::as_str))),
            }
        }
        let overrides = saved.overrides.iter().filter_map(|cluster| {
            let context = saved.contexts.get(cluster)?.clone();
            Some(Override { cluster: cluster.as_str().into(), context })
        });
        Ok(Self {
            sandbox: saved.sandbox.as_ref().map(PathBuf::from),
            kubeconfig: self.kubeconfig.clone().or_else(|| saved.kubeconfig.as_ref().map(PathBuf::from)),
            context: overrides.collect(),
        })
    }

    /// The context that reaches a cluster.
    fn context_of<'r>(&'r self, name: &ClusterName, facts: &'r DesiredCluster) -> &'r str {
        let given = self.context.iter().rev().find(|given| given.cluster == *name);
        given.map_or(facts.context.as_str(), |given| given.context.as_str())
    }

    /// Opens a door to each cluster through its context; nothing is sent yet. Everything that
    /// keeps one from being opened is given.
    pub(super) async fn contexts(
        &self,
        clusters: &BTreeMap<ClusterName, DesiredCluster>,
    ) -> Result<BTreeMap<ClusterName, Cluster>, Vec<Failure>> {
        let mut failures: Vec<Failure> = Vec::new();
        for given in self.context.iter().filter(|given| !clusters.contains_key(&given.cluster)) {
            failures.push(no_such_cluster(given, clusters.keys().map(ClusterName::as_str)));
        }
        for (position, given) in self.context.iter().enumerate() {
            if let Some(first) = self.context[..position].iter().find(|first| first.cluster == given.cluster)
            {
                let message = format!("--context is given twice for {}", given.cluster);
                failures.push(
                    Failure::new(&CONTEXT_GIVEN_TWICE, message)
                        .with_fact(format!("as {} and as {}", first.context, given.context))
                        .with_help("leave one out: a cluster is reached through one context"),
                );
            }
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
            match contexts.open(self.context_of(name, facts), Limits::default()).await {
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

fn no_such_cluster<'k>(given: &Override, known: impl IntoIterator<Item = &'k str>) -> Failure {
    let message = format!("--context {}={}: there is no such cluster", given.cluster, given.context);
    let help = did_you_mean(given.cluster.as_str(), "Declared", known);
    Failure::new(&CONTEXT_OF_NO_CLUSTER, message).with_help(help)
}

/// A door to a sandbox cluster. Inside the mesh its API has a name that does not change from run to run.
pub(super) fn sandbox_cluster(name: &ClusterName, id: &str, url: &str) -> Result<Cluster, ContextError> {
    let transport = Transport::plain(url, Limits::default())
        .map_err(|error| ContextError::Unusable { context: name.to_string(), reason: error.to_string() })?;
    Ok(Cluster::new(name.clone(), format!("https://{id}.sandbox.invalid:6443"), transport))
}

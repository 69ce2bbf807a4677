//! `stolos rbac`: the rights that a command takes, as ClusterRoles.

use std::path::PathBuf;

use clap::ValueEnum;

use super::desired::desired_offline;
use super::load::{Loaded, TopologyPath, load};
use super::{Exit, Stop, Terminal};
use crate::diagnostic::{Code, Failure, did_you_mean};
use crate::rbac::{self, PassOn, Task};
use crate::topology::ClusterName;
use crate::validate::Use;
use crate::view;

/// A cluster named on the command line is not in the topology.
pub(super) static RIGHTS_OF_NO_CLUSTER: Code = Code {
    name: "rights-of-no-cluster",
    summary: "--cluster names a cluster that the topology does not have",
    page: "\
`stolos rbac` prints the rights of every cluster of a topology, or with `--cluster` those of one. It is
named by its key in the topology, not by its ID and not by the name in a kubeconfig.
",
};

/// Print the rights that a command takes, as ClusterRoles
///
/// One YAML document for each cluster, for kubectl apply: exactly the rights that the requests of the
/// command take, by name wherever Kubernetes can. plan takes read rights only; what differs is then shown
/// as an estimate, for an exact difference takes a dry run and so the right to write. The roles are bound
/// to nobody: the comment above each one says how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The command
    #[arg(value_enum, value_name = "COMMAND")]
    task: Command,
    #[command(flatten)]
    topology: TopologyPath,
    /// Print the rights in this cluster alone
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The topology that was applied last: adds the rights to remove what PATH no longer asks for
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// How Istio's own roles may be written, which hold rights themselves
    #[arg(long, value_enum, default_value_t = Passing::Escalate)]
    pass_on: Passing,
}

/// The commands that ask clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Command {
    /// Reading
    Plan,
    /// Reading and writing
    Apply,
    /// Reading and deleting
    Destroy,
}

/// How rights are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Passing {
    /// By the verbs escalate and bind on these roles, by name
    Escalate,
    /// By holding every right that they hold
    Hold,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let loaded = load(args.topology.one()?, Use::Offline)?;
    loaded.warn(terminal);
    let now = desired_offline(&loaded, terminal)?;
    let before = match &args.from {
        Some(path) => Some(desired_offline(&load(path, Use::Offline)?, terminal)?),
        None => None,
    };
    let task = match args.task {
        Command::Plan => Task::Plan,
        Command::Apply => Task::Apply,
        Command::Destroy => Task::Destroy,
    };
    let pass_on = match args.pass_on {
        Passing::Escalate => PassOn::Escalate,
        Passing::Hold => PassOn::Hold,
    };
    let mut rights = rbac::rights(task, &now, before.as_ref(), pass_on).map_err(Stop::Failures)?;
    if let Some(name) = &args.cluster {
        let only = ClusterName::from(name.as_str());
        let Some(found) = rights.remove(&only) else { return Err(no_cluster(name, &loaded).into()) };
        rights = [(only, found)].into();
    }
    let about = view::rbac::About { task, mesh: &now.mesh.id, namespace: &now.mesh.namespace };
    let roles: Vec<String> =
        rights.iter().map(|(name, rights)| view::rbac::roles(about, name, rights)).collect();
    terminal.data(&roles.join("---\n"))?;
    if rights.len() > 1 {
        let verb = view::rbac::verb(task);
        terminal.talk(&format!(
            "Each cluster takes its own: stolos rbac {verb} --cluster NAME {} | kubectl --context CONTEXT apply -f -\n",
            loaded.about
        ));
    }
    Ok(Exit::Done)
}

fn no_cluster(name: &str, loaded: &Loaded) -> Failure {
    let known = loaded.topology.clusters.keys().map(|name| name.as_str());
    let message = format!("--cluster {name}: there is no such cluster");
    Failure::new(&RIGHTS_OF_NO_CLUSTER, message).with_help(did_you_mean(name, "Declared", known))
}

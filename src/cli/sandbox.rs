//! `stolos sandbox`: simulated clusters that outlive a command.

use std::path::PathBuf;
use std::sync::Arc;

use super::charts::charts;
use super::desired::desired;
use super::interrupts::Interrupts;
use super::load::{TopologyPath, load};
use super::mesh::{sandbox_clusters, start_controllers};
use super::{Exit, Stop, Terminal};
use crate::sandbox::{Clock, SystemClock, serve};
use crate::validate::Use;

/// Simulated clusters: API servers in this process, with their state in a folder
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(ServeArgs),
}

/// Serve the clusters of a topology on loopback until interrupted
///
/// Writes DIR/kubeconfig, with a context for each cluster, for kubectl and the like. Other commands with
/// --sandbox use these clusters while they are served; what they hold stays in DIR.
#[derive(Debug, clap::Args)]
struct ServeArgs {
    #[command(flatten)]
    topology: TopologyPath,
    /// The folder that holds their state
    #[arg(long, value_name = "DIR", default_value = ".stolos/sandbox")]
    sandbox: PathBuf,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    match &args.command {
        Command::Serve(args) => super::on_runtime(served(args, terminal)),
    }
}

async fn served(args: &ServeArgs, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let loaded = load(args.topology.one()?, Use::Sandbox)?;
    loaded.warn(terminal);
    let desired = desired(&loaded, &charts(&loaded, terminal).await?)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut interrupts = Interrupts::new();
    let mut told = Ok(());
    let ready = |running: &crate::sandbox::RunningSandbox| {
        let mut text = String::new();
        for endpoint in running.endpoints() {
            text.push_str(&format!("{} {}\n", endpoint.cluster, endpoint.url));
        }
        told = terminal.data(&text);
        let kubeconfig = args.sandbox.join("kubeconfig");
        terminal.talk(&format!(
            "Serving until interrupted. Look into them with:\n\
             kubectl --kubeconfig {} --context CLUSTER get namespaces\n",
            kubeconfig.display()
        ));
        start_controllers(running, &loaded.topology)
    };
    serve(&args.sandbox, &sandbox_clusters(&desired), &clock, ready, interrupts.next())
        .await
        .map_err(|error| error.failure())?;
    told.map(|()| Exit::Done)
}

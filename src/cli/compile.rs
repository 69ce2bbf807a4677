//! `stolos compile`: ordered manifests per cluster, without any cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::desired::desired_offline;
use super::folder::{self, FolderError};
use super::load::{TopologyPath, load};
use super::{Exit, Stop, Terminal, codes};
use crate::chart::Capabilities;
use crate::compile::{self, CompiledFile, Desired, KubeVersions};
use crate::diagnostic::{Failure, listed};
use crate::topology::files;
use crate::validate::Use;
use crate::view;

/// Write the manifests that a topology compiles to
///
/// The folder gets order.txt, and for every cluster a file for each unit. Values that exist only once
/// a mesh runs stand there as markers: ${cluster1/eastwest-gateway.address}. With --values it gets the
/// values of the Helm releases instead, a file for each cluster and chart: for Argo CD, Flux or Helm.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topology: TopologyPath,
    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Write the values of the Helm releases instead of manifests
    #[arg(long)]
    values: bool,
    /// Write nothing, and exit with 1 where the folder differs from what would be written
    #[arg(long)]
    check: bool,
    /// The Kubernetes that charts are told of, in every cluster: 1.33, v1.33.1 [default: 1.33.0]
    ///
    /// Only a chart that asks for it comes out otherwise: of Istio's own, cni. plan and apply ask each cluster for
    /// its own. As in helm template, what stands behind the numbers (-gke.100) is left out.
    #[arg(long, value_name = "VERSION", value_parser = kube_version)]
    kube_version: Option<Capabilities>,
}

fn kube_version(text: &str) -> Result<Capabilities, String> {
    Capabilities::of_kubernetes(text).ok_or_else(|| "it is written 1.33 or v1.33.1".to_owned())
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let loaded = load(args.topology.one()?, Use::Offline)?;
    loaded.warn(terminal);
    let versions = args.kube_version.clone().map_or_else(KubeVersions::default, KubeVersions::everywhere);
    let desired = desired_offline(&loaded, terminal)?.on(&versions);
    let files = match args.values {
        true => values(&desired, terminal),
        false => compile::files(&desired).map_err(|error| error.failure())?,
    };
    if args.check {
        let differences = folder::differences(&args.out, &files).map_err(unreadable)?;
        if differences.is_empty() {
            terminal.talk(&view::compile::agrees(&args.out, files.len()));
            return Ok(Exit::Done);
        }
        terminal.data(&view::compile::differences(&differences))?;
        return Err(differs(&loaded.about, args, differences.len()).into());
    }
    let written = folder::write(&args.out, &files).map_err(unwritable)?;
    terminal.talk(&view::compile::written(&args.out, &written));
    Ok(Exit::Done)
}

/// The values of releases, with a warning where they are not complete.
fn values(desired: &Desired, terminal: &mut Terminal) -> Vec<CompiledFile> {
    let releases = desired.units.iter().filter_map(|unit| unit.content.release.as_ref());
    let open: BTreeSet<String> =
        releases.flat_map(|release| release.open_holes()).map(|hole| hole.marker()).collect();
    if !open.is_empty() {
        let markers = listed(open.iter().map(String::as_str));
        terminal.talk(&format!(
            "warning: {markers} {} known only once the mesh runs: declare addresses (controlPlane.address, \
             eastWestGateway.addresses) to have it in the files\n",
            if open.len() == 1 { "is" } else { "are" }
        ));
    }
    compile::values_files(desired)
}

fn differs(about: &str, args: &Args, count: usize) -> Failure {
    let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
    let message = format!("{} is not what {} compiles to: {files}", args.out.display(), about);
    Failure::new(&codes::COMPILED_DIFFERS, message).with_help(format!(
        "stolos compile {}{about} -o {}",
        if args.values { "--values " } else { "" },
        args.out.display()
    ))
}

fn unreadable(error: FolderError) -> Failure {
    files::unreadable(&error.path.display().to_string(), &error.source.to_string())
}

fn unwritable(error: FolderError) -> Failure {
    Failure::new(&codes::OUTPUT_UNWRITABLE, format!("{error} cannot be written: {}", error.source))
}

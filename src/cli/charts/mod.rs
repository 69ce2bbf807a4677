//! The charts that a topology names: those in the binary, Istio's own of a folder or an archive, or Istio's own of
//! a repository or a registry, pinned by `stolos.lock`.

pub(super) mod cache;
mod local;
pub(super) mod pinned;

use super::desired::{named_at, path_of_named};
use super::load::Loaded;
use super::{Stop, Terminal};
use crate::chart::{ChartError, ChartSet, Files, NodeAgent};
use crate::diagnostic::Failure;
use crate::topology::{ChartName, Charts, Cni, Topology, VersionRule};

/// A chart and where it was found.
type Found = (String, Files);

/// Reads the charts of a topology. Says so where they have to be loaded down.
pub(super) async fn charts(loaded: &Loaded, terminal: &mut Terminal) -> Result<ChartSet, Stop> {
    match loaded.topology.istio.charts.as_ref().map(|charts| &charts.value) {
        // Only the sandbox lets a topology go without a choice. Where others install, nothing is rendered.
        Some(Charts::Embedded | Charts::External) | None => Ok(ChartSet::embedded()),
        Some(Charts::Path(named)) => {
            let here = |failure: Failure| failure.with_fact(named_at(&loaded.sources, named));
            let found = local::found_at(&path_of_named(&loaded.sources, named)).map_err(here)?;
            Ok(set(&loaded.topology, found, &named.value).map_err(|error| here(error.failure()))?)
        }
        Some(Charts::Source(source)) => pinned::charts(loaded, source, terminal).await,
    }
}

/// Whether Istio's node agent is one of the charts that a mesh takes.
fn agent(topology: &Topology) -> NodeAgent {
    match topology.istio.cni.as_ref().map(|cni| cni.value) {
        Some(Cni::Enabled) => NodeAgent::Wanted,
        Some(Cni::External) | None => NodeAgent::Unwanted,
    }
}

/// The charts that a mesh takes, in the order of installation.
fn wanted(topology: &Topology) -> Vec<ChartName> {
    let is_wanted = |chart: &ChartName| *chart != ChartName::Cni || agent(topology) == NodeAgent::Wanted;
    ChartName::ALL.into_iter().filter(is_wanted).collect()
}

/// The set of those that were found in a place.
fn set(topology: &Topology, found: Vec<Found>, place: &str) -> Result<ChartSet, ChartError> {
    let version = topology.version();
    let unasked: &[&str] =
        if VersionRule::GatewaySchemaRefusesAll.holds(version) { &["gateway"] } else { &[] };
    ChartSet::find(found, &version.to_string(), place, unasked, agent(topology))
}

//! The charts of one Istio, found by name among whatever a folder or an archive holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::embedded;
use super::error::ChartError;
use super::part::not_a_chart;
use super::{Chart, Files};

/// The charts that a mesh takes. Cheap to clone.
#[derive(Clone)]
pub struct ChartSet {
    charts: Arc<[Arc<Chart>; 3]>,
    cni: Option<Arc<Chart>>,
    label: Arc<str>,
}

/// The charts by name, in the order in which [`ChartSet`] holds them.
const NAMES: [&str; 3] = ["base", "istiod", "gateway"];

/// The chart of the node agent, which not every mesh has.
const CNI: &str = "cni";

/// Whether a mesh takes the chart of the node agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeAgent {
    /// It has to be there.
    Wanted,
    /// It is not looked for.
    Unwanted,
}

/// What Istio's source says instead of a version: its release builder puts the version there
/// (`manifests/charts/*/Chart.yaml`, 1.24 to 1.31).
const UNRELEASED: &str = "1.0.0";

impl ChartSet {
    /// Those in the binary.
    pub fn embedded() -> Self {
        Self::new([embedded::base(), embedded::istiod(), embedded::gateway()], None, "embedded charts")
    }

    /// Takes the charts of an Istio version out of what was found in `place`, each with the path of its folder.
    ///
    /// Of several charts with one name the one of this version is taken. A chart of another version is refused,
    /// and one from Istio's source, which has none, is taken as it is. Other charts are left alone: Istio's
    /// folder has more than a mesh needs. The schemas of the charts in `unasked` are not asked.
    pub fn find(
        found: Vec<(String, Files)>,
        version: &str,
        place: &str,
        unasked: &[&str],
        agent: NodeAgent,
    ) -> Result<Self, ChartError> {
        let cni: &[&'static str] = match agent {
            NodeAgent::Wanted => &[CNI],
            NodeAgent::Unwanted => &[],
        };
        let wanted = || NAMES.iter().chain(cni).copied();
        let mut by_name: BTreeMap<&str, Vec<(String, Chart)>> = BTreeMap::new();
        for (path, files) in found {
            let Some(name) = wanted().find(|name| is_called(&files, name)) else { continue };
            by_name.entry(name).or_default().push((path, Chart::load(files)?));
        }
        let mut take = |name: &'static str| -> Result<Arc<Chart>, ChartError> {
            let refused = |what: String| ChartError::of_chart(name, not_a_chart(what));
            let mut candidates = by_name.remove(name).unwrap_or_default();
            if candidates.is_empty() {
                return Err(refused(format!("there is no chart of this name in {place}")));
            }
            let is_right = |chart: &Chart| chart.version() == version || chart.version() == UNRELEASED;
            let versions: Vec<String> =
                candidates.iter().map(|(path, chart)| format!("{} at {path}", chart.version())).collect();
            candidates.retain(|(_, chart)| is_right(chart));
            match candidates.len() {
                0 => Err(refused(format!(
                    "{place} has it in version {}, and `istio.version` is {version}",
                    versions.join(" and ")
                ))),
                1 => {
                    let (_, chart) = candidates.remove(0);
                    Ok(Arc::new(if unasked.contains(&name) { chart.without_schema() } else { chart }))
                }
                _ => {
                    let paths: Vec<String> = candidates.into_iter().map(|(path, _)| path).collect();
                    Err(refused(format!("{place} has it more than once: {}", paths.join(", "))))
                }
            }
        };
        let charts = [take(NAMES[0])?, take(NAMES[1])?, take(NAMES[2])?];
        let cni = match agent {
            NodeAgent::Wanted => Some(take(CNI)?),
            NodeAgent::Unwanted => None,
        };
        Ok(Self::new(charts, cni, format!("charts of {place}")))
    }

    fn new(charts: [Arc<Chart>; 3], cni: Option<Arc<Chart>>, label: impl Into<Arc<str>>) -> Self {
        Self { charts: Arc::new(charts), cni, label: label.into() }
    }

    /// CRDs and the reader account.
    pub fn base(&self) -> &Chart {
        &self.charts[0]
    }

    /// The control plane, or a remote's share of it.
    pub fn istiod(&self) -> &Chart {
        &self.charts[1]
    }

    /// The gateway.
    pub fn gateway(&self) -> &Chart {
        &self.charts[2]
    }

    /// The node agent; an error where it was not looked for.
    pub fn cni(&self) -> Result<&Chart, ChartError> {
        let lacking =
            || ChartError::of_chart(CNI, not_a_chart(format!("{} have no chart of this name", self.label)));
        self.cni.as_deref().ok_or_else(lacking)
    }

    /// What they are called beside the mesh: `embedded charts`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// SHA-256 over their files: equal sets render equally. Computed at each call.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.charts.iter().chain(&self.cni).for_each(|chart| hash.update(chart.digest()));
        HEXLOWER.encode(&hash.finalize())
    }
}

impl fmt::Debug for ChartSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChartSet({})", self.label)
    }
}

/// Equal are those that render equally.
impl PartialEq for ChartSet {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

/// Whether the files are a chart of this name, as far as a glance tells: it is read once that is known.
fn is_called(files: &Files, name: &str) -> bool {
    let Some(text) = files.get("Chart.yaml").and_then(|content| std::str::from_utf8(content).ok()) else {
        return false;
    };
    let said = text.lines().find_map(|line| line.strip_prefix("name:"));
    said.is_some_and(|said| {
        said.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']) == name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(name: &str, version: &str) -> Files {
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        [("Chart.yaml".to_owned(), metadata.into_bytes())].into()
    }

    fn found(charts: &[(&str, &str, &str)]) -> Vec<(String, Files)> {
        charts.iter().map(|(path, name, version)| ((*path).to_owned(), chart(name, version))).collect()
    }

    fn of(charts: &[(&str, &str, &str)]) -> Result<ChartSet, String> {
        ChartSet::find(found(charts), "1.30.3", "vendor", &[], NodeAgent::Unwanted)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn charts_are_found_by_name_and_version_among_others() {
        let set = of(&[
            ("a/base", "base", "1.30.3"),
            ("b/base", "base", "1.29.1"),
            ("istiod", "istiod", "1.30.3"),
            ("gateway", "gateway", "1.0.0"),
            ("cni", "cni", "1.30.3"),
        ])
        .expect("all three");
        assert_eq!(
            [set.base(), set.istiod(), set.gateway()].map(|chart| (chart.name(), chart.version())),
            [("base", "1.30.3"), ("istiod", "1.30.3"), ("gateway", "1.0.0")]
        );
        assert_eq!(set.label(), "charts of vendor");
    }

    #[test]
    fn what_is_missing_of_another_version_or_there_twice_is_named() {
        let rest = [("istiod", "istiod", "1.30.3"), ("gateway", "gateway", "1.30.3")];
        assert_eq!(of(&rest).unwrap_err(), "base: there is no chart of this name in vendor");
        let with = |more: &[(&'static str, &'static str, &'static str)]| {
            of(&[&rest[..], more].concat()).expect_err("it is refused")
        };
        assert_eq!(
            with(&[("base", "base", "1.29.1")]),
            "base: vendor has it in version 1.29.1 at base, and `istio.version` is 1.30.3"
        );
        assert_eq!(
            with(&[("x", "base", "1.30.3"), ("y", "base", "1.30.3")]),
            "base: vendor has it more than once: x, y"
        );
    }

    #[test]
    fn sets_are_equal_where_their_files_are() {
        let set = |version: &str| {
            let charts =
                [("base", "base", version), ("istiod", "istiod", "1.0.0"), ("g", "gateway", "1.0.0")];
            of(&charts).expect("all three")
        };
        assert_eq!(set("1.0.0"), set("1.0.0"));
        assert_ne!(set("1.0.0"), set("1.30.3"));
    }
}

//! Clusters whose Services have different domains.

use serde_json::Value;

use super::*;
use crate::topology::ChartName;

static CODE: Code = Code {
    name: "cluster-domain-differs",
    summary: "the clusters of a mesh have different cluster domains",
    page: include_str!("../pages/cluster-domain-differs.md"),
};

/// What a cluster has that says nothing of it.
const DEFAULT: &str = "cluster.local";

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let mut domains = topology.clusters.values().map(|cluster| (cluster, domain(cluster)));
    let Some((first, (expected, expected_at))) = domains.next() else { return };
    let differing = domains.find(|(_, (domain, _))| *domain != expected);
    let Some((cluster, (domain, at))) = differing else { return };
    found.push(
        Diagnostic::error(&CODE, at, format!("{} has `{domain}`", cluster.name.value))
            .with_label(expected_at, format!("{} has `{expected}`", first.name.value))
            .with_help("write one `global.proxy.clusterDomain` for all of them, in `istio.values.istiod`."),
    );
}

/// A cluster's domain, and where it is written, which is the cluster where it is not.
fn domain(cluster: &Cluster) -> (&str, Span) {
    let values = cluster.values.by_chart.get(&ChartName::Istiod);
    match values.and_then(|values| value_at(values, &["global", "proxy", "clusterDomain"])) {
        Some((Value::String(domain), span)) => (domain, span),
        Some(_) | None => (DEFAULT, cluster.name.span),
    }
}

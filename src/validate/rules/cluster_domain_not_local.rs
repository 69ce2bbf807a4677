//! A cluster domain that the cross-network gateway does not let through.

use serde_json::Value;

use super::*;
use crate::topology::ChartName;

static CODE: Code = Code {
    name: "cluster-domain-not-local",
    summary: "the cross-network gateway serves hosts that end in .local only",
    page: include_str!("../pages/cluster-domain-not-local.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if !topology.spans_networks() {
        return;
    }
    for values in user_values(topology, ChartName::Istiod) {
        let Some((value, span)) = value_at(values, &["global", "proxy", "clusterDomain"]) else { continue };
        match value {
            Value::String(domain) if domain != "local" && !domain.ends_with(".local") => found.push(
                Diagnostic::error(&CODE, span, "Services of this domain do not match `*.local`")
                    .with_help("use a cluster domain that ends in `.local`, as `cluster.local` does."),
            ),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {}
        }
    }
}

//! The rights without which no istiod reads another cluster are turned off.

use serde_json::Value;

use super::*;
use crate::topology::ChartName;

static CODE: Code = Code {
    name: "reader-rights-dropped",
    summary: "istiods of other clusters could not read this cluster",
    page: include_str!("../pages/reader-rights-dropped.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if topology.clusters.len() < 2 {
        return;
    }
    for values in user_values(topology, ChartName::Istiod) {
        if let Some((Value::Bool(false), span)) = value_at(values, &["global", "enableReaderRBAC"]) {
            found.push(
                Diagnostic::error(&CODE, span, "drops the role of istio-reader-service-account")
                    .with_help("remove it: the token in this cluster's remote secret would have no rights."),
            );
        }
    }
}

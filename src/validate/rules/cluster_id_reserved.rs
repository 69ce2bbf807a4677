//! A cluster's ID is a word that istiod gives a meaning of its own.

use super::*;

static CODE: Code = Code {
    name: "cluster-id-reserved",
    summary: "the ID of a cluster is a word that istiod uses itself",
    page: include_str!("../pages/cluster-id-reserved.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for cluster in topology.clusters.values() {
        let why = match cluster.id() {
            // The data key of istiod's own kubeconfig Secret, from which a phantom cluster springs.
            "config" => "istiod calls the key of its own kubeconfig this",
            ISTIO_DEFAULT_ID if cluster.id.is_some() && topology.clusters.len() > 1 => {
                "what every istiod calls its cluster that was told no ID"
            }
            _ => continue,
        };
        let span = cluster.id.as_ref().map_or(cluster.name.span, |id| id.span);
        found.push(Diagnostic::error(&CODE, span, why).with_help("choose another `id`, such as `cluster1`."));
    }
}

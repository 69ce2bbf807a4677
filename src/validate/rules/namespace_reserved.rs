//! A namespace that belongs to Kubernetes.

use super::*;

static CODE: Code = Code {
    name: "namespace-reserved",
    summary: "this namespace belongs to Kubernetes",
    page: include_str!("../pages/namespace-reserved.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for namespace in topology.namespaces.values() {
        if is_of_kubernetes(namespace.name.as_str()) {
            found.push(
                Diagnostic::error(&CODE, namespace.name.span, "not a place for applications of a mesh")
                    .with_help("remove it; istiod treats Services of kube-system as local to their cluster."),
            );
        }
    }
    if let Some(span) = topology.mesh.namespace_span
        && is_of_kubernetes(topology.mesh.namespace.as_str())
    {
        found.push(
            Diagnostic::error(&CODE, span, "not a place for a control plane")
                .with_help("write `namespace: istio-system`, or leave the key out."),
        );
    }
}

/// Names with this prefix are Kubernetes' own, by its documentation.
fn is_of_kubernetes(name: &str) -> bool {
    name.starts_with("kube-")
}

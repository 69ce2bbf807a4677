//! The mesh's own namespace is declared as one of the applications'.

use super::*;

static CODE: Code = Code {
    name: "namespace-of-mesh",
    summary: "the namespace of the mesh is declared for applications",
    page: include_str!("../pages/namespace-of-mesh.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(namespace) = topology.namespaces.get(&topology.mesh.namespace) else { return };
    let finding = Diagnostic::error(&CODE, namespace.name.span, "istiod lives here");
    let finding = match topology.mesh.namespace_span {
        Some(span) => finding.with_label(span, "chosen for the mesh here"),
        None => finding,
    };
    found.push(finding.with_help("remove it: Stolos makes the mesh's namespace and labels it itself."));
}

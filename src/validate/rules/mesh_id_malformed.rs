//! The mesh's ID cannot name what is named after it.

use super::*;

static CODE: Code = Code {
    name: "mesh-id-malformed",
    summary: "the ID of the mesh is no DNS name",
    page: include_str!("../pages/mesh-id-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let id = &topology.mesh.id;
    if let Some(fault) = grammar::dns_subdomain_fault(&id.value) {
        found.push(Diagnostic::error(&CODE, id.span, fault).with_help(instead(
            grammar::as_dns_subdomain(&id.value),
            "lower-case letters, digits, `-` and `.`, at most 63",
        )));
    }
}

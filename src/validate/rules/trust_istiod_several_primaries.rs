//! Several primaries would each sign for themselves.

use super::*;
use crate::topology::Root;

static CODE: Code = Code {
    name: "trust-istiod-several-primaries",
    summary: "several primaries cannot each be their own root of trust",
    page: include_str!("../pages/trust-istiod-several-primaries.md"),
};

/// How many primaries are pointed at.
const SHOWN: usize = 3;

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(root) = &topology.root else { return };
    match &root.value {
        Root::Istiod => {}
        Root::Generate { .. } | Root::Files { .. } => return,
    }
    let count = topology.primaries().count();
    if count < 2 {
        return;
    }
    let mut finding =
        Diagnostic::error(&CODE, root.span, format!("{count} istiods would sign with {count} roots"));
    for primary in topology.primaries().take(SHOWN) {
        finding = finding.with_label(primary.role.span, format!("{} is a primary", primary.name.value));
    }
    found.push(finding.with_help("write `root: generate`, or name the files of a root that you have."));
}

//! The root's certificate and its key are to come from one file.

use super::*;
use crate::topology::Root;

static CODE: Code = Code {
    name: "trust-root-one-file",
    summary: "the certificate and the key of the root are the same file",
    page: include_str!("../pages/trust-root-one-file.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    match topology.root.as_ref().map(|root| &root.value) {
        Some(Root::Files { certificate, key }) if certificate == key => found.push(
            Diagnostic::error(&CODE, key.span, "the same file")
                .with_label(certificate.span, "as this")
                .with_help("keep them apart, so that the certificate can be given away: `ca/root.pem`, `ca/root.key`."),
        ),
        Some(Root::Files { .. } | Root::Generate { .. } | Root::Istiod) | None => {}
    }
}

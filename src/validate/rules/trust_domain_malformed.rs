//! The trust domain is no DNS name.

use super::*;

static CODE: Code = Code {
    name: "trust-domain-malformed",
    summary: "the trust domain is no DNS name",
    page: include_str!("../pages/trust-domain-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(span) = topology.mesh.trust_domain_span else { return };
    let domain = &topology.mesh.trust_domain;
    // Many copy it out of an identity: `spiffe://prod/ns/…`.
    let bare = domain.strip_prefix("spiffe://").unwrap_or(domain);
    let bare = bare.split('/').next().unwrap_or(bare);
    if let Some(fault) = domain.split('.').find_map(grammar::dns_label_fault) {
        found.push(Diagnostic::error(&CODE, span, fault).with_help(instead(
            grammar::as_dns_subdomain(bare),
            "DNS labels joined by dots, as in `cluster.local`",
        )));
    }
}

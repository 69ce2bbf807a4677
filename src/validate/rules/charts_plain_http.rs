//! A repository of charts without TLS.

use super::*;
use crate::topology::{ChartOrigin, Charts};

static CODE: Code = Code {
    name: "charts-plain-http",
    summary: "charts are loaded down without TLS",
    page: include_str!("../pages/charts-plain-http.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let source = match topology.istio.charts.as_ref().map(|charts| &charts.value) {
        Some(Charts::Source(source)) => source,
        Some(Charts::Embedded | Charts::Path(_) | Charts::External) | None => return,
    };
    match &source.origin.value {
        ChartOrigin::Repository(url) if !url.is_encrypted() && !url.is_loopback() => {
            let finding =
                Diagnostic::warning(&CODE, source.origin.span, "whoever is on the way can change them");
            let encrypted = url.to_string().replacen("http://", "https://", 1);
            found.push(
                finding.with_help(format!(
                    "write `{encrypted}`, and with `ca` the authority if it is your own."
                )),
            );
        }
        // Plain HTTP is spoken with a registry on this machine alone.
        ChartOrigin::Repository(_) | ChartOrigin::Registry(_) => {}
    }
}

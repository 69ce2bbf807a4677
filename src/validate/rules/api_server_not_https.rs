//! An API server without TLS.

use super::*;
use crate::validate::api_url::{ApiUrl, UrlFault};

static CODE: Code = Code {
    name: "api-server-not-https",
    summary: "the URL of an API server must begin with https://",
    page: include_str!("../pages/api-server-not-https.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for server in topology.clusters.values().filter_map(|cluster| cluster.api_server.as_ref()) {
        if ApiUrl::parse(&server.url.value) == Err(UrlFault::NotHttps) {
            let text = &server.url.value;
            let (why, rest) = match text.split_once("://") {
                Some((_, rest)) => ("istiod would send its token in the clear, or fail", rest),
                None => ("has no scheme", text.as_str()),
            };
            let finding = Diagnostic::error(&CODE, server.url.span, why);
            found.push(finding.with_help(format!("write `https://{rest}`.")));
        }
    }
}

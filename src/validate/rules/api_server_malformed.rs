//! The URL of an API server that is none.

use super::*;
use crate::validate::api_url::{ApiUrl, UrlFault};

static CODE: Code = Code {
    name: "api-server-malformed",
    summary: "the API server is not given as a URL",
    page: include_str!("../pages/api-server-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for server in topology.clusters.values().filter_map(|cluster| cluster.api_server.as_ref()) {
        let why = match ApiUrl::parse(&server.url.value) {
            Ok(_) | Err(UrlFault::NotHttps) => None,
            Err(UrlFault::NoUrl) => Some("no URL"),
            Err(UrlFault::NoHost) => Some("names no host"),
            Err(UrlFault::BadHost) => Some("its host is neither a DNS name nor an address"),
            Err(UrlFault::BadPort) => Some("its port is no port"),
            Err(UrlFault::UserInfo) => Some("holds a user name or a password"),
            Err(UrlFault::Query) => Some("has a query"),
        };
        if let Some(why) = why {
            found.push(
                Diagnostic::error(&CODE, server.url.span, why)
                    .with_help("write it as a kubeconfig does: `https://api.cluster1.example.com:6443`."),
            );
        }
        if let Some(name) =
            server.server_name.as_ref().filter(|name| grammar::HostName::parse(&name.value).is_none())
        {
            found.push(
                Diagnostic::error(&CODE, name.span, "neither a DNS name nor an address")
                    .with_help("write the name in the API server's certificate, without scheme and port."),
            );
        }
    }
}

//! Two clusters have one API server.

use super::*;
use crate::validate::api_url::ApiUrl;

static CODE: Code = Code {
    name: "api-server-duplicate",
    summary: "two clusters have the same API server",
    page: include_str!("../pages/api-server-duplicate.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let servers = topology.clusters.values().filter_map(|cluster| {
        let server = cluster.api_server.as_ref()?;
        let url = ApiUrl::parse(&server.url.value).ok()?;
        // A proxy may tell clusters behind one address apart by the name in the handshake.
        let server_name = server.server_name.as_ref().map(|name| name.value.to_ascii_lowercase());
        Some(((url, server_name), server.url.span))
    });
    for repeat in repeats(servers) {
        found.push(
            repeat
                .error(&CODE, "another cluster has this API server already")
                .with_help("one API server is one cluster: write the URL of each."),
        );
    }
}

//! An API server that other clusters are to reach at themselves.

use super::*;
use crate::validate::api_url::ApiUrl;

static CODE: Code = Code {
    name: "api-server-loopback",
    summary: "other clusters cannot reach an API server on loopback",
    page: include_str!("../pages/api-server-loopback.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let on_loopback = |cluster: &&Cluster| {
        cluster
            .api_server
            .as_ref()
            .is_some_and(|server| ApiUrl::parse(&server.url.value).is_ok_and(|url| url.host.is_loopback()))
    };
    // One machine holds them all: the clusters of somebody who tries it out.
    if topology.clusters.len() < 2 || topology.clusters.values().all(|cluster| on_loopback(&cluster)) {
        return;
    }
    for cluster in topology.clusters.values().filter(on_loopback) {
        let Some(server) = &cluster.api_server else { continue };
        found.push(
            Diagnostic::error(&CODE, server.url.span, "to another cluster's istiod this is istiod's own pod")
                .with_help("write the URL at which the primaries reach this cluster; a kubeconfig of kind or minikube has another one."),
        );
    }
}

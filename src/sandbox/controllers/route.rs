//! Where a connection to istiod ends: from a Service through addresses, gateways and their configuration.
//!
//! A Service with a selector leads to pods of its own cluster. One without
//! leads, through its EndpointSlices or Endpoints, to addresses; those are
//! looked up among the external addresses of all Services of the sandbox. An
//! address that none of them owns may be a load balancer of the user's own in
//! front of gateways: the sandbox cannot know, and believes that it leads to an
//! istiod that serves the caller.

use std::sync::Arc;

use serde_json::Value;

use super::istiod::Istiod;
use super::reading::{is_ready, items, labels, list, selects, text};
use super::world::World;
use crate::object::Object;

/// Where a connection begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'c> {
    /// The position of the caller's cluster.
    pub(super) from: usize,
    /// The Service's namespace.
    pub(super) namespace: &'c str,
    /// The Service's name.
    pub(super) service: &'c str,
    /// The Service's port.
    pub(super) port: i64,
}

impl World {
    /// The istiod at the end of a call, or what the caller sees instead.
    pub(super) fn istiod_behind(&self, call: Call<'_>) -> Result<Arc<Istiod>, String> {
        let Call { from, namespace, service: name, port } = call;
        let store = &self.members[from].cluster;
        let Some(service) = store.find("", "Service", Some(namespace), name) else {
            return Err(format!("service \"{name}\" not found"));
        };
        let ports = items(&service, &["spec", "ports"]);
        let Some(entry) = ports.iter().find(|entry| entry.get("port").and_then(Value::as_i64) == Some(port))
        else {
            return Err(format!("no service port {port} found for service \"{name}\""));
        };
        if service.text(&["spec", "type"]) == Some("ExternalName") {
            // The API server resolves the name and ignores the target port (kube-proxy's resolver).
            let host = service.text(&["spec", "externalName"]).unwrap_or_default();
            return Err(format!("dial tcp: lookup {host}: no such host"));
        }
        let no_endpoints = || format!("no endpoints available for service \"{name}\"");
        if service.get(&["spec", "selector"]).and_then(Value::as_object).is_some_and(|map| !map.is_empty()) {
            return self.selected_istiod(from, &service).ok_or_else(no_endpoints);
        }
        let endpoints = self.endpoints(from, namespace, name, text(entry, "name").unwrap_or_default());
        let Some((address, port)) = endpoints.into_iter().next() else { return Err(no_endpoints()) };
        self.istiod_at(from, namespace, &address, port)
    }

    /// The istiod that is reached from a cluster under an address and a port.
    pub(super) fn istiod_at(
        &self,
        from: usize,
        namespace: &str,
        address: &str,
        port: i64,
    ) -> Result<Arc<Istiod>, String> {
        let mut owned = false;
        for (member, owner) in self.owners(address) {
            owned = true;
            let ports = items(&owner, &["spec", "ports"]);
            if !ports.iter().any(|entry| entry.get("port").and_then(Value::as_i64) == Some(port)) {
                continue;
            }
            let behind = self
                .selected_istiod(member, &owner)
                .or_else(|| self.exposed_istiod(member, &owner, namespace, port));
            if let Some(istiod) = behind {
                return Ok(istiod);
            }
        }
        if owned {
            return Err(format!("dial tcp {}: connect: connection refused", socket(address, port)));
        }
        let id = self.members[from].cluster.id();
        self.registrant(id, from).ok_or_else(|| format!("dial tcp {}: i/o timeout", socket(address, port)))
    }

    /// The istiod among the ready pods that a Service selects.
    fn selected_istiod(&self, member: usize, service: &Object) -> Option<Arc<Istiod>> {
        let pods = self.selected_pods(member, service);
        let istiods = self.istiods(member);
        istiods.iter().find(|istiod| pods.iter().any(|pod| istiod.is_served_by(pod))).cloned()
    }

    fn selected_pods(&self, member: usize, service: &Object) -> Vec<Arc<Object>> {
        let pods = self.members[member].cluster.list("", "Pod", service.namespace());
        let selector = service.get(&["spec", "selector"]);
        pods.into_iter().filter(|pod| is_ready(pod) && selects(selector, labels(pod))).collect()
    }

    /// The istiod that a gateway behind a Service passes connections on to.
    fn exposed_istiod(
        &self,
        member: usize,
        service: &Object,
        namespace: &str,
        port: i64,
    ) -> Option<Arc<Istiod>> {
        let pods = self.selected_pods(member, service);
        let store = &self.members[member].cluster;
        let gateways = store.list("networking.istio.io", "Gateway", None);
        let open: Vec<String> = gateways
            .iter()
            .filter(|gateway| pods.iter().any(|pod| selects(gateway.get(&["spec", "selector"]), labels(pod))))
            .filter(|gateway| {
                items(gateway, &["spec", "servers"]).iter().any(|server| passes_through(server, port))
            })
            .map(|gateway| format!("{}/{}", gateway.namespace().unwrap_or_default(), gateway.name()))
            .collect();
        let routes = store.list("networking.istio.io", "VirtualService", None);
        let hosts = routes
            .iter()
            .filter(|route| is_bound(route, &open))
            .flat_map(|route| items(route, &["spec", "tls"]))
            .filter(|rule| list(rule.get("match")).iter().any(|one| leads(one, namespace, port)))
            .flat_map(|rule| list(rule.get("route")))
            .filter_map(|target| text(target.get("destination")?, "host"));
        for host in hosts {
            let mut labels = host.split('.');
            let (Some(name), Some(place)) = (labels.next(), labels.next()) else { continue };
            if let Some(inner) = store.find("", "Service", Some(place), name)
                && let Some(istiod) = self.selected_istiod(member, &inner)
            {
                return Some(istiod);
            }
        }
        None
    }

    /// The addresses behind a Service without a selector, with the port that has this name.
    fn endpoints(
        &self,
        member: usize,
        namespace: &str,
        service: &str,
        port_name: &str,
    ) -> Vec<(String, i64)> {
        let store = &self.members[member].cluster;
        let port_of = |ports: &[Value]| {
            let named = ports.iter().find(|port| text(port, "name").unwrap_or_default() == port_name);
            named.and_then(|port| port.get("port")?.as_i64())
        };
        let mut found = Vec::new();
        for slice in store.list("discovery.k8s.io", "EndpointSlice", Some(namespace)) {
            if slice.label("kubernetes.io/service-name") != Some(service) {
                continue;
            }
            let Some(port) = port_of(items(&slice, &["ports"])) else { continue };
            let ready = items(&slice, &["endpoints"]).iter().filter(|endpoint| {
                endpoint.get("conditions").and_then(|c| c.get("ready")).and_then(Value::as_bool)
                    != Some(false)
            });
            let addresses = ready.flat_map(|endpoint| list(endpoint.get("addresses")));
            found.extend(addresses.filter_map(|address| Some((address.as_str()?.to_owned(), port))));
        }
        if let Some(endpoints) = store.find("", "Endpoints", Some(namespace), service) {
            for subset in items(&endpoints, &["subsets"]) {
                let Some(port) = port_of(list(subset.get("ports"))) else { continue };
                let addresses = list(subset.get("addresses")).iter();
                found.extend(addresses.filter_map(|address| Some((text(address, "ip")?.to_owned(), port))));
            }
        }
        found
    }
}

fn socket(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// Whether a Gateway's server passes TLS connections on as they are.
fn passes_through(server: &Value, port: i64) -> bool {
    server.get("port").and_then(|entry| entry.get("number")).and_then(Value::as_i64) == Some(port)
        && server.get("tls").and_then(|tls| text(tls, "mode")) == Some("PASSTHROUGH")
}

fn is_bound(route: &Object, gateways: &[String]) -> bool {
    items(route, &["spec", "gateways"]).iter().filter_map(Value::as_str).any(|name| {
        let full = match name.contains('/') {
            true => name.to_owned(),
            false => format!("{}/{name}", route.namespace().unwrap_or_default()),
        };
        gateways.contains(&full)
    })
}

/// Whether a match of a TLS route takes a connection that asks for istiod by its Service's name.
fn leads(one: &Value, namespace: &str, port: i64) -> bool {
    let takes_port = one.get("port").is_none_or(|taken| taken.as_i64() == Some(port));
    let asked = format!(".{namespace}.svc");
    takes_port
        && list(one.get("sniHosts"))
            .iter()
            .filter_map(Value::as_str)
            .any(|host| host == "*" || host.ends_with(&asked) || host.contains(&format!("{asked}.")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_leads_to_istiod_by_port_and_by_the_name_that_is_asked_for() {
        let leads_to = |one: Value| leads(&one, "istio-system", 15017);
        assert!(leads_to(json!({"port": 15017, "sniHosts": ["*"]})));
        assert!(leads_to(json!({"sniHosts": ["istiod-canary.istio-system.svc"]})));
        assert!(leads_to(json!({"sniHosts": ["istiod.istio-system.svc.cluster.local"]})));
        assert!(!leads_to(json!({"port": 15012, "sniHosts": ["*"]})));
        assert!(!leads_to(json!({"port": 15017, "sniHosts": ["istiod.other.svc"]})));
        assert!(!leads_to(json!({"port": 15017})));
    }
}

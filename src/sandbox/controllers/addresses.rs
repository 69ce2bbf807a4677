//! The cloud's load balancers: an address for each Service of type LoadBalancer.
//!
//! Addresses are unlike over all clusters of a sandbox and stand in the
//! Services' statuses alone, so that they outlive a restart and are free again
//! once the Service is gone.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::controlled::Part;
use super::reading::{is_leaving, items, text};
use super::world::{Member, World};
use crate::object::Object;

const MANAGER: &str = "cloud-controller-manager";

/// Where addresses come from, in this order: two blocks kept for documentation, then a private one.
const POOLS: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 128, 0, 0), 9),
];

/// The first free address; none where all are taken.
pub(super) fn next_address(is_taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    POOLS.iter().flat_map(|pool| pool.hosts()).find(|address| !is_taken(*address))
}

/// The addresses under which a Service is reached from outside.
pub(super) fn addresses_of(service: &Object) -> impl Iterator<Item = &str> {
    let ingress = items(service, &["status", "loadBalancer", "ingress"]);
    let external = items(service, &["spec", "externalIPs"]);
    ingress.iter().filter_map(|point| text(point, "ip")).chain(external.iter().filter_map(Value::as_str))
}

/// Gives addresses to the Services of a cluster that want one and takes them from those that no longer do.
pub(super) fn reconcile(world: &World, cluster: usize) {
    let member = &world.members[cluster];
    let mut given: BTreeSet<Ipv4Addr> = BTreeSet::new();
    for service in member.cluster.list("", "Service", None) {
        let has_one = !items(&service, &["status", "loadBalancer", "ingress"]).is_empty();
        match (wants_address(&service), has_one) {
            (true, false) => {}
            (false, true) => {
                write(member, &service, &json!({"status": {"loadBalancer": {"ingress": null}}}));
                continue;
            }
            (true, true) | (false, false) => continue,
        }
        let declared = service.text(&["spec", "loadBalancerIP"]).and_then(|address| address.parse().ok());
        let free = || {
            let overview = world.overview();
            next_address(|address| given.contains(&address) || overview.is_taken(address))
        };
        let Some(address) = declared.or_else(free) else {
            world.notebook.lack();
            continue;
        };
        given.insert(address);
        let point = json!({"ip": address.to_string(), "ipMode": "VIP"});
        write(member, &service, &json!({"status": {"loadBalancer": {"ingress": [point]}}}));
    }
}

/// A class of its own is another implementation's business.
fn wants_address(service: &Object) -> bool {
    service.text(&["spec", "type"]) == Some("LoadBalancer")
        && service.get(&["spec", "loadBalancerClass"]).is_none()
        && !is_leaving(service)
}

fn write(member: &Member, service: &Object, patch: &Value) {
    // The Service may be gone by now; its deletion is the next change to be seen.
    let _ = member.cluster.merge(&service.reference(), Part::Status, patch, MANAGER);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_come_in_order_and_go_on_in_the_next_pool() {
        let mut taken = BTreeSet::new();
        let mut given = Vec::new();
        for _ in 0..510 {
            let address = next_address(|address| taken.contains(&address)).unwrap();
            taken.insert(address);
            given.push(address.to_string());
        }
        assert_eq!(given[0], "203.0.113.1");
        assert_eq!(given[253], "203.0.113.254");
        assert_eq!(given[254], "198.51.100.1");
        assert_eq!(given[508], "10.128.0.1");
        assert_eq!(given[509], "10.128.0.2");
    }

    proptest! {
        #[test]
        fn no_address_is_given_twice_while_it_is_taken(releases in proptest::collection::vec(any::<prop::sample::Index>(), 0..200)) {
            let mut taken = BTreeSet::new();
            for release in releases {
                let address = next_address(|address| taken.contains(&address)).unwrap();
                prop_assert!(taken.insert(address));
                prop_assert!(POOLS.iter().any(|pool| pool.contains(&address)));
                let held: Vec<Ipv4Addr> = taken.iter().copied().collect();
                if held.len() > 3 {
                    let freed = held[release.index(held.len())];
                    taken.remove(&freed);
                    let again = next_address(|address| taken.contains(&address)).unwrap();
                    prop_assert!(again <= freed || !POOLS[0].contains(&again));
                }
            }
        }
    }
}

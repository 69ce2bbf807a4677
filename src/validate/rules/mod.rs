//! The rules, one a file, and the one table of them.
//!
//! What several rules ask of a topology stands at the end of this file, so
//! that each question has one answer.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::Value;

use super::overlap::{Block, overlaps};
use super::{Rule, grammar};
use crate::diagnostic::{Code, Diagnostic, did_you_mean, listed};
use crate::document::{Span, Spanned};
use crate::topology::{
    ChartName, Cluster, ClusterName, Entrance, Expose, Gateway, GatewayChoice, Host, NetworkName, Root,
    Topology, UserValues,
};

mod api_server_duplicate;
mod api_server_loopback;
mod api_server_malformed;
mod api_server_not_https;
mod charts_not_chosen;
mod charts_plain_http;
mod cidr_host_bits;
mod cluster_domain_differs;
mod cluster_id_duplicate;
mod cluster_id_malformed;
mod cluster_id_reserved;
mod cluster_listed_twice;
mod cluster_name_malformed;
mod cluster_unknown;
mod cni_not_embedded;
mod context_duplicate;
mod control_plane_address_hostname;
mod control_plane_address_ipv6;
mod control_plane_address_unusable;
mod control_plane_address_unused;
mod control_plane_port_remapped;
mod control_plane_unreachable;
mod dns_capture_off;
mod expose_on_remote;
mod expose_without_gateway;
mod external_address_undeclared;
mod flat_network_undeclared;
mod gateway_address_missing;
mod gateway_address_unusable;
mod gateway_port_duplicate;
mod gateway_port_unknown;
mod gateway_without_replicas;
mod istio_version_newer;
mod istio_version_not_embedded;
mod marker_reserved;
mod mesh_id_malformed;
mod namespace_name_malformed;
mod namespace_nowhere;
mod namespace_of_mesh;
mod namespace_reserved;
mod network_gateway_addresses;
mod network_gateway_unused;
mod network_name_malformed;
mod network_unknown;
mod network_unused;
mod network_without_gateway;
mod no_primary;
mod platform_without_cni;
mod pod_cidr_overlap;
mod pods_services_overlap;
mod primary_unknown;
mod profile_not_embedded;
mod reader_rights_dropped;
mod remote_cluster_timeout_zero;
mod remote_of_remote;
mod rollout_wave_empty;
mod root_keeper_remote;
mod service_cidr_overlap;
mod source_ranges_ignored;
mod trust_domain_malformed;
mod trust_istiod_several_primaries;
mod trust_not_chosen;
mod trust_root_one_file;
mod value_owned_by_topology;

pub use control_plane_address_hostname::CODE as CONTROL_PLANE_ADDRESS_HOSTNAME;

/// Every rule, in the order in which a reader of the file would ask.
pub const RULES: [Rule; 64] = [
    mesh_id_malformed::RULE,
    trust_domain_malformed::RULE,
    cluster_name_malformed::RULE,
    cluster_id_malformed::RULE,
    cluster_id_reserved::RULE,
    cluster_id_duplicate::RULE,
    network_name_malformed::RULE,
    namespace_name_malformed::RULE,
    namespace_reserved::RULE,
    namespace_of_mesh::RULE,
    namespace_nowhere::RULE,
    no_primary::RULE,
    network_unknown::RULE,
    network_unused::RULE,
    primary_unknown::RULE,
    remote_of_remote::RULE,
    cluster_unknown::RULE,
    cluster_listed_twice::RULE,
    rollout_wave_empty::RULE,
    context_duplicate::RULE,
    api_server_malformed::RULE,
    api_server_not_https::RULE,
    api_server_loopback::RULE,
    api_server_duplicate::RULE,
    cidr_host_bits::RULE,
    pod_cidr_overlap::RULE,
    service_cidr_overlap::RULE,
    pods_services_overlap::RULE,
    flat_network_undeclared::RULE,
    network_without_gateway::RULE,
    network_gateway_addresses::RULE,
    network_gateway_unused::RULE,
    gateway_port_unknown::RULE,
    gateway_port_duplicate::RULE,
    gateway_address_missing::RULE,
    gateway_address_unusable::RULE,
    gateway_without_replicas::RULE,
    source_ranges_ignored::RULE,
    expose_on_remote::RULE,
    expose_without_gateway::RULE,
    control_plane_unreachable::RULE,
    external_address_undeclared::RULE,
    control_plane_address_hostname::RULE,
    control_plane_address_unusable::RULE,
    control_plane_address_ipv6::RULE,
    control_plane_address_unused::RULE,
    control_plane_port_remapped::RULE,
    trust_not_chosen::RULE,
    trust_istiod_several_primaries::RULE,
    trust_root_one_file::RULE,
    root_keeper_remote::RULE,
    charts_not_chosen::RULE,
    charts_plain_http::RULE,
    istio_version_not_embedded::RULE,
    istio_version_newer::RULE,
    profile_not_embedded::RULE,
    cni_not_embedded::RULE,
    platform_without_cni::RULE,
    value_owned_by_topology::RULE,
    marker_reserved::RULE,
    remote_cluster_timeout_zero::RULE,
    cluster_domain_differs::RULE,
    reader_rights_dropped::RULE,
    dns_capture_off::RULE,
];

/// The ports of an east-west gateway: health, traffic, and the control plane's two.
const GATEWAY_PORTS: [u16; 4] = [15021, 15443, 15012, 15017];

/// The ports at which a remote asks its control plane: discovery and webhooks.
const CONTROL_PLANE_PORTS: [u16; 2] = [15012, 15017];

/// What a cluster is called whose istiod was told no ID.
const ISTIO_DEFAULT_ID: &str = "Kubernetes";

/// What a DNS label is made of, for help.
const DNS_LABEL: &str =
    "lower-case letters, digits and `-`, at most 63, with a letter or a digit at both ends";

/// How many findings of one rule look for the name that was meant and list those that there are.
///
/// Both take time for every name, so that in a file of thousands of wrong names each would cost thousands.
const SUGGESTIONS: usize = 50;

/// The help of an unknown name: what there is, and which of it was meant.
///
/// `what` begins the list, `nth` is how many findings the rule has already.
fn suggestion<'a>(what: &str, nth: usize, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    if nth < SUGGESTIONS {
        did_you_mean(name, what, known)
    } else {
        "declare it, or correct the name.".to_owned()
    }
}

/// The help of a malformed name: what to write, and what such a name is made of.
fn instead(suggested: Option<String>, made_of: &str) -> String {
    match suggested {
        Some(name) => format!("write `{name}`: {made_of}."),
        None => format!("write {made_of}."),
    }
}

/// A key that stands a second time.
struct Repeat {
    first: Span,
    again: Span,
}

impl Repeat {
    /// The finding at the second declaration, which points at the first too; or at the one line of
    /// `defaults` that gives it to all.
    fn error(&self, code: &'static Code, text: &str) -> Diagnostic {
        if self.first == self.again {
            return Diagnostic::error(code, self.again, "`defaults` gives it to several clusters");
        }
        Diagnostic::error(code, self.again, text).with_label(self.first, "the first one")
    }
}

/// Every key that stands again, by place, with the place where it stood first.
fn repeats<K: Ord>(entries: impl Iterator<Item = (K, Span)>) -> Vec<Repeat> {
    let mut places: BTreeMap<K, Vec<Span>> = BTreeMap::new();
    for (key, span) in entries {
        places.entry(key).or_default().push(span);
    }
    let mut repeats = Vec::new();
    for mut spans in places.into_values() {
        spans.sort_unstable();
        repeats.extend(spans[1..].iter().map(|again| Repeat { first: spans[0], again: *again }));
    }
    repeats
}

/// Two blocks, the one that is declared first before the other.
fn in_order_of_place<G: Copy>(one: Block<G>, other: Block<G>) -> (Block<G>, Block<G>) {
    if one.span <= other.span { (one, other) } else { (other, one) }
}

/// An error for each block of addresses that another cluster of the same network declares too.
///
/// `what` is what has the addresses, `of` where a cluster declares them.
fn shared_addresses(
    topology: &Topology,
    code: &'static Code,
    what: &str,
    of: fn(&Cluster) -> &[Spanned<IpNet>],
) -> impl Iterator<Item = Diagnostic> {
    by_network(topology).into_values().flat_map(move |clusters| {
        let blocks: Vec<_> = clusters
            .iter()
            .flat_map(|cluster| {
                of(cluster).iter().map(|net| Block {
                    net: net.value,
                    owner: &cluster.name.value,
                    span: net.span,
                })
            })
            .collect();
        overlaps(&blocks).into_iter().map(move |(one, other)| {
            let (first, second) = in_order_of_place(one, other);
            if first.span == second.span {
                let text = format!("{} has these, and so has {}", first.owner, second.owner);
                return Diagnostic::error(code, second.span, text);
            }
            Diagnostic::error(code, second.span, format!("{what} of {}", second.owner))
                .with_label(first.span, format!("{what} of {}", first.owner))
        })
    })
}

/// The clusters of every network that is named by one, declared or not.
fn by_network(topology: &Topology) -> BTreeMap<&NetworkName, Vec<&Cluster>> {
    let mut networks: BTreeMap<&NetworkName, Vec<&Cluster>> = BTreeMap::new();
    for cluster in topology.clusters.values() {
        networks.entry(&cluster.network.value).or_default().push(cluster);
    }
    networks
}

/// Where the settings of a gateway are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Network,
    Cluster,
}

/// Every settings of a gateway that the file holds.
fn declared_gateways(topology: &Topology) -> impl Iterator<Item = (&Gateway, Level)> {
    let of_networks = topology
        .networks
        .values()
        .filter_map(|network| network.east_west_gateway.as_ref())
        .map(|gateway| (&gateway.value, Level::Network));
    let of_clusters =
        topology.clusters.values().filter_map(|cluster| match &cluster.east_west_gateway.as_ref()?.value {
            GatewayChoice::On(gateway) => Some((gateway, Level::Cluster)),
            GatewayChoice::Off => None,
        });
    of_networks.chain(of_clusters)
}

/// Where a cluster turns its gateway off, if it does.
fn turned_off(cluster: &Cluster) -> Option<Span> {
    let choice = cluster.east_west_gateway.as_ref()?;
    match choice.value {
        GatewayChoice::Off => Some(choice.span),
        GatewayChoice::On(_) => None,
    }
}

/// The primary that gives a remote its address, where the name leads to one.
fn first_primary<'a>(topology: &'a Topology, remote: &Cluster) -> Option<&'a Cluster> {
    let name = remote.primaries().first()?;
    topology.clusters.get(&name.value).filter(|cluster| cluster.is_primary())
}

/// Every declared address at which a remote is to reach its control plane.
fn control_plane_addresses(topology: &Topology) -> impl Iterator<Item = Spanned<Host>> {
    let overview = topology.overview();
    let mut addresses: Vec<Spanned<Host>> = Vec::new();
    for remote in topology.clusters.values().filter(|cluster| !cluster.is_primary()) {
        if !matches!(overview.entrance(remote), Entrance::Declared(_)) {
            continue;
        }
        if let Some(own) = &remote.control_plane.address {
            addresses.push(own.clone());
        } else if let Some(primary) = first_primary(topology, remote) {
            match &primary.control_plane.address {
                Some(address) => addresses.push(address.clone()),
                None => addresses.extend(
                    topology
                        .gateway_of(primary)
                        .and_then(|gateway| gateway.settings.addresses.into_iter().next()),
                ),
            }
        }
    }
    addresses.into_iter()
}

/// Whether a host leads back to whoever asks.
fn is_loopback(host: &Host) -> bool {
    grammar::HostName::parse(&host.to_string()).is_some_and(|host| host.is_loopback())
}

/// The primary that is to keep a generated root, where the file names it.
fn root_keeper(topology: &Topology) -> Option<&Spanned<ClusterName>> {
    match &topology.root.as_ref()?.value {
        Root::Generate { keeper } => keeper.as_ref(),
        Root::Files { .. } | Root::Istiod => None,
    }
}

/// The clusters that the waves of `rollout` name.
fn rollout_names(topology: &Topology) -> impl Iterator<Item = &Spanned<ClusterName>> {
    topology.rollout.iter().flat_map(|waves| &waves.value).flat_map(|wave| &wave.value)
}

/// Every set of values that a user wrote for a chart.
fn user_values(topology: &Topology, chart: ChartName) -> impl Iterator<Item = &UserValues> {
    let of_clusters = topology.clusters.values().map(|cluster| &cluster.values);
    std::iter::once(&topology.istio.values)
        .chain(of_clusters)
        .filter_map(move |values| values.by_chart.get(&chart).map(|values| &**values))
}

/// A user's value and its place, if the path leads to one.
fn value_at<'a>(values: &'a UserValues, path: &[&str]) -> Option<(&'a Value, Span)> {
    let (first, rest) = path.split_first()?;
    let value = rest.iter().try_fold(values.map.get(*first)?, |value, step| value.get(step))?;
    let place: Vec<String> = path.iter().map(|&step| step.to_owned()).collect();
    Some((value, *values.places.get(&place)?))
}

//! `clusters` and `defaults`.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use super::gateway;
use super::reader::{Fields, Reader};
use super::trust::cluster_name;
use super::values::{self, Layer, Shared};
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Kind, Node, Span, Spanned};
use crate::topology::codes::{KEY_MISSING, PRIMARIES_MISSING, PRIMARIES_ON_PRIMARY, TYPE_MISMATCH};
use crate::topology::{
    ApiServer, Cluster, ClusterName, ControlPlane, Expose, GatewayChoice, NetworkName, Role, UnitName, keys,
};

/// The keys that `defaults` and a cluster have in common.
#[derive(Default)]
pub(super) struct Settings<'n> {
    context: Option<Spanned<String>>,
    id: Option<Spanned<String>>,
    api_server: Option<ApiParts>,
    pods: Option<Vec<Spanned<IpNet>>>,
    services: Option<Vec<Spanned<IpNet>>>,
    control_plane: ControlPlane,
    east_west_gateway: Option<Spanned<GatewayChoice>>,
    timeouts: BTreeMap<UnitName, Duration>,
    values: Layer<'n>,
}

/// `apiServer`, whose parts may come from `defaults`.
#[derive(Clone)]
struct ApiParts {
    place: Span,
    url: Option<Spanned<String>>,
    ca: Option<Spanned<String>>,
    server_name: Option<Spanned<String>>,
}

/// `defaults`.
pub(super) fn defaults<'n>(entry: &'n Entry, reader: &mut Reader) -> Settings<'n> {
    match reader.fields(&entry.value, &keys::DEFAULTS, entry.key.span) {
        Some(fields) => settings(&fields, reader),
        None => Settings::default(),
    }
}

/// `clusters`, each over the defaults.
pub(super) fn clusters(
    entries: &[&Entry],
    defaults: &Settings<'_>,
    istio_values: &Layer<'_>,
    reader: &mut Reader,
) -> BTreeMap<ClusterName, Cluster> {
    let shared = Shared::of(&[istio_values, &defaults.values]);
    let mut clusters = BTreeMap::new();
    for entry in entries {
        if let Some(cluster) = cluster(entry, defaults, &shared, reader) {
            clusters.insert(cluster.name.value.clone(), cluster);
        }
    }
    clusters
}

fn cluster(entry: &Entry, defaults: &Settings<'_>, shared: &Shared, reader: &mut Reader) -> Option<Cluster> {
    let name = Spanned::new(ClusterName::from(entry.key.value.as_str()), entry.key.span);
    let fields = reader.fields(&entry.value, &keys::CLUSTER, entry.key.span)?;
    let network = fields.get("network").and_then(|node| reader.text(node, "a network's name"));
    let role = role(&fields, entry, reader);
    let own = settings(&fields, reader);
    let api_server = api_server(defaults.api_server.as_ref(), own.api_server, reader);
    let mut timeouts = defaults.timeouts.clone();
    timeouts.extend(own.timeouts);
    let or =
        |own: Option<Spanned<String>>, default: &Option<Spanned<String>>| own.or_else(|| default.clone());
    let lists =
        |own: Option<Vec<_>>, default: &Option<Vec<_>>| own.or_else(|| default.clone()).unwrap_or_default();
    Some(Cluster {
        name,
        network: network?.map(|name| NetworkName::from(name.as_str())),
        role: role?,
        context: or(own.context, &defaults.context),
        id: or(own.id, &defaults.id),
        api_server,
        pods: lists(own.pods, &defaults.pods),
        services: lists(own.services, &defaults.services),
        control_plane: ControlPlane {
            expose: own.control_plane.expose.or(defaults.control_plane.expose),
            address: own.control_plane.address.or_else(|| defaults.control_plane.address.clone()),
        },
        east_west_gateway: gateway::over(defaults.east_west_gateway.as_ref(), own.east_west_gateway),
        timeouts,
        values: shared.with(&own.values),
    })
}

fn settings<'n>(fields: &Fields<'n>, reader: &mut Reader) -> Settings<'n> {
    Settings {
        context: fields.get("context").and_then(|node| reader.text(node, "a context's name")),
        id: fields.get("id").and_then(|node| reader.text(node, "a cluster's ID")),
        api_server: fields.get("apiServer").and_then(|node| api_parts(node, reader)),
        pods: fields.get("pods").and_then(|node| reader.cidrs(node)),
        services: fields.get("services").and_then(|node| reader.cidrs(node)),
        control_plane: fields
            .entry("controlPlane")
            .map(|entry| control_plane(&entry.value, reader))
            .unwrap_or_default(),
        east_west_gateway: fields.get("eastWestGateway").and_then(|node| gateway::choice(node, reader)),
        timeouts: fields.get("timeouts").map(|node| timeouts(node, reader)).unwrap_or_default(),
        values: fields.entry("values").map(|entry| values::layer(entry, reader)).unwrap_or_default(),
    }
}

fn timeouts(node: &Node, reader: &mut Reader) -> BTreeMap<UnitName, Duration> {
    let Some(fields) = reader.fields(node, &keys::TIMEOUTS, node.span) else { return BTreeMap::new() };
    let given =
        |unit: UnitName, reader: &mut Reader| Some((unit, reader.duration(fields.get(unit.as_str())?)?));
    UnitName::ALL.into_iter().filter_map(|unit| given(unit, reader)).collect()
}

/// What `role` says, before `primaries` is looked at.
#[derive(Clone, Copy)]
enum RoleWord {
    Primary,
    Remote,
}

fn role(fields: &Fields<'_>, cluster: &Entry, reader: &mut Reader) -> Option<Spanned<Role>> {
    let words = [("primary", RoleWord::Primary), ("remote", RoleWord::Remote)];
    let word = reader.word(fields, "role", &words);
    let entry = fields.entry("primaries");
    let primaries: Option<Vec<_>> = entry.and_then(|entry| {
        let items = reader.list(&entry.value, "a list of clusters' names, such as [cluster1]")?;
        Some(items.iter().filter_map(|item| cluster_name(item, reader)).collect())
    });
    let word = word?;
    let role = match (word.value, entry) {
        (RoleWord::Primary, None) => Role::Primary,
        (RoleWord::Primary, Some(entry)) => {
            let finding =
                Diagnostic::error(&PRIMARIES_ON_PRIMARY, entry.key.span, "only a remote has primaries")
                    .with_label(word.span, "this cluster hosts its own control plane");
            reader.lose(finding.with_help("leave `primaries` out, or make the cluster a `remote`."));
            return None;
        }
        (RoleWord::Remote, Some(entry)) => {
            let primaries = primaries?;
            if primaries.is_empty() {
                if matches!(&entry.value.kind, Kind::List(items) if items.is_empty()) {
                    let finding =
                        Diagnostic::error(&PRIMARIES_MISSING, entry.value.span, "nobody serves this remote");
                    reader.absent(
                        finding.with_help("name the primaries that serve it: `primaries: [cluster1]`."),
                    );
                }
                return None;
            }
            Role::Remote { primaries }
        }
        (RoleWord::Remote, None) => {
            let finding = Diagnostic::error(&PRIMARIES_MISSING, word.span, "nobody serves this remote")
                .with_label(cluster.key.span, "this cluster has no `primaries`");
            reader.absent(finding.with_help("name the primaries that serve it: `primaries: [cluster1]`."));
            return None;
        }
    };
    Some(Spanned::new(role, word.span))
}

fn control_plane(node: &Node, reader: &mut Reader) -> ControlPlane {
    let Some(fields) = reader.fields(node, &keys::CONTROL_PLANE_PARTS, node.span) else {
        return ControlPlane::default();
    };
    let words = [
        ("eastWestGateway", Expose::EastWestGateway),
        ("loadBalancer", Expose::LoadBalancer),
        ("none", Expose::None),
    ];
    ControlPlane {
        expose: reader.word(&fields, "expose", &words),
        address: fields.get("address").and_then(|node| reader.host(node)),
    }
}

fn api_parts(node: &Node, reader: &mut Reader) -> Option<ApiParts> {
    let none = ApiParts { place: node.span, url: None, ca: None, server_name: None };
    match &node.kind {
        Kind::Text(_) => Some(ApiParts { url: reader.text(node, "the URL of its API server"), ..none }),
        Kind::Map(_) => {
            let fields = reader.fields(node, &keys::API_SERVER_PARTS, node.span)?;
            Some(ApiParts {
                url: fields.get("url").and_then(|node| reader.text(node, "the URL of its API server")),
                ca: fields.get("ca").and_then(|node| reader.text(node, "the path of a PEM file")),
                server_name: fields
                    .get("serverName")
                    .and_then(|node| reader.text(node, "the name in the server's certificate")),
                ..none
            })
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) => {
            let finding = Diagnostic::error(&TYPE_MISMATCH, node.span, node.kind.name());
            reader.lose(finding.with_help("write a URL, or `{url: …, ca: …, serverName: …}`."));
            None
        }
    }
}

/// A cluster's `apiServer` over the one of `defaults`, part by part; a URL alone is `{url: URL}`.
fn api_server(
    default: Option<&ApiParts>,
    own: Option<ApiParts>,
    reader: &mut Reader,
) -> Option<Spanned<ApiServer>> {
    let own = match (own, default) {
        (Some(own), Some(default)) => ApiParts {
            place: own.place,
            url: own.url.or_else(|| default.url.clone()),
            ca: own.ca.or_else(|| default.ca.clone()),
            server_name: own.server_name.or_else(|| default.server_name.clone()),
        },
        (Some(own), None) => own,
        // Defaults without a URL are for clusters that give one.
        (None, Some(default)) if default.url.is_some() => default.clone(),
        (None, Some(_) | None) => return None,
    };
    let Some(url) = own.url else {
        let finding = Diagnostic::error(&KEY_MISSING, own.place, "`url` is missing here");
        reader.absent(
            finding.with_help("add `url`, the URL of the API server as the other clusters reach it."),
        );
        return None;
    };
    Some(Spanned::new(ApiServer { url, ca: own.ca, server_name: own.server_name }, own.place))
}

//! `eastWestGateway`.

use std::collections::BTreeMap;

use super::reader::Reader;
use crate::diagnostic::Diagnostic;
use crate::document::{Kind, Node, Spanned};
use crate::topology::codes::{NUMBER_OUT_OF_RANGE, PORT_OUT_OF_RANGE, TYPE_MISMATCH};
use crate::topology::{Gateway, GatewayChoice, ServiceType, keys};

/// A gateway, or `false`.
pub(super) fn choice(node: &Node, reader: &mut Reader) -> Option<Spanned<GatewayChoice>> {
    let choice = match &node.kind {
        Kind::Bool(false) => GatewayChoice::Off,
        Kind::Bool(true) => {
            let finding =
                Diagnostic::error(&TYPE_MISMATCH, node.span, "a boolean that says nothing of the gateway");
            reader.lose(finding.with_help("write `{}` for a gateway with the default settings."));
            return None;
        }
        Kind::Map(_) | Kind::Null => GatewayChoice::On(gateway(node, reader)?),
        Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            reader.mismatch(node, "the gateway's settings as a map, or `false` for no gateway");
            return None;
        }
    };
    Some(Spanned::new(choice, node.span))
}

pub(super) fn gateway(node: &Node, reader: &mut Reader) -> Option<Gateway> {
    let fields = reader.fields(node, &keys::GATEWAY, node.span)?;
    let addresses = fields.get("addresses").and_then(|node| {
        let items = reader.list(node, "a list of addresses, such as [203.0.113.7]")?;
        Some(items.iter().filter_map(|item| reader.host(item)).collect())
    });
    let ports = fields.get("ports").map(|node| ports(node, reader));
    let service = fields.entry("service").map(|entry| service(&entry.value, reader)).unwrap_or_default();
    let replicas =
        fields.get("replicas").and_then(|node| reader.whole(node, (0, u32::MAX), &NUMBER_OUT_OF_RANGE));
    Some(Gateway {
        addresses: addresses.unwrap_or_default(),
        ports: ports.unwrap_or_default(),
        replicas,
        ..service
    })
}

/// The settings of a gateway that stand under `service`.
fn service(node: &Node, reader: &mut Reader) -> Gateway {
    let Some(fields) = reader.fields(node, &keys::GATEWAY_SERVICE, node.span) else {
        return Gateway::default();
    };
    let words = [
        ("LoadBalancer", ServiceType::LoadBalancer),
        ("NodePort", ServiceType::NodePort),
        ("ClusterIP", ServiceType::ClusterIp),
    ];
    let service_type = reader.word(&fields, "type", &words);
    let annotations = fields.get("annotations").map(|node| annotations(node, reader));
    let source_ranges = fields.get("sourceRanges").and_then(|node| reader.cidrs(node));
    Gateway {
        service_type,
        annotations: annotations.unwrap_or_default(),
        source_ranges: source_ranges.unwrap_or_default(),
        ..Gateway::default()
    }
}

fn annotations(node: &Node, reader: &mut Reader) -> BTreeMap<String, String> {
    let entries = reader.map(node, || "a map of texts".to_owned()).unwrap_or_default();
    let mut annotations = BTreeMap::new();
    for entry in reader.named(entries) {
        match &entry.value.kind {
            Kind::Text(text) => {
                annotations.insert(entry.key.value.clone(), text.clone());
            }
            Kind::Bool(_) | Kind::Number(_) => {
                let finding = Diagnostic::error(&TYPE_MISMATCH, entry.value.span, entry.value.kind.name());
                reader.lose(
                    finding.with_help("Kubernetes takes texts alone as annotations: put it in quotes."),
                );
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => reader.mismatch(&entry.value, "a text"),
        }
    }
    annotations
}

fn ports(node: &Node, reader: &mut Reader) -> BTreeMap<u16, Spanned<u16>> {
    let expected = || "a map from ports to ports, such as {15443: 32443}".to_owned();
    let entries = reader.map(node, expected).unwrap_or_default();
    let mut ports = BTreeMap::new();
    for entry in reader.named(entries) {
        let port = entry.key.value.parse::<u16>().ok().filter(|port| *port > 0);
        if port.is_none() {
            let finding = Diagnostic::error(&PORT_OUT_OF_RANGE, entry.key.span, "no port");
            reader.lose(finding.with_help("write one of the gateway's ports, such as 15443."));
        }
        let at = reader.whole(&entry.value, (1, u32::from(u16::MAX)), &PORT_OUT_OF_RANGE);
        let at = at.and_then(|at| Some(Spanned::new(u16::try_from(at.value).ok()?, at.span)));
        if let (Some(port), Some(at)) = (port, at) {
            ports.insert(port, at);
        }
    }
    ports
}

/// Lays a cluster's choice over the one of `defaults`, key by key.
pub(super) fn over(
    default: Option<&Spanned<GatewayChoice>>,
    own: Option<Spanned<GatewayChoice>>,
) -> Option<Spanned<GatewayChoice>> {
    let Some(own) = own else { return default.cloned() };
    let (GatewayChoice::On(upper), Some(GatewayChoice::On(lower))) =
        (&own.value, default.map(|default| &default.value))
    else {
        return Some(own);
    };
    let mut merged = lower.clone();
    if !upper.addresses.is_empty() {
        merged.addresses.clone_from(&upper.addresses);
    }
    merged.ports.extend(upper.ports.iter().map(|(port, at)| (*port, *at)));
    merged.service_type = upper.service_type.or(lower.service_type);
    merged.annotations.extend(upper.annotations.clone());
    if !upper.source_ranges.is_empty() {
        merged.source_ranges.clone_from(&upper.source_ranges);
    }
    merged.replicas = upper.replicas.or(lower.replicas);
    Some(Spanned::new(GatewayChoice::On(merged), own.span))
}

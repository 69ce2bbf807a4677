//! A text of the user's that reads like the place of a value that is filled in later.
//!
//! Compiled manifests mark such places as `${cluster1/eastwest-gateway.address}`, and apply puts
//! values there, secrets among them. What the user writes must never be taken for one.

use serde_json::Value;

use super::*;
use crate::document::Span;
use crate::topology::{Gateway, GatewayChoice, UserValues};

static CODE: Code = Code {
    name: "marker-reserved",
    summary: "a text reads like the place of a value that apply fills in",
    page: include_str!("../pages/marker-reserved.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for values in topology.istio.values.by_chart.values() {
        check_values(topology, values, found);
    }
    for cluster in topology.clusters.values() {
        for values in cluster.values.by_chart.values() {
            check_values(topology, values, found);
        }
        let Some(choice) = &cluster.east_west_gateway else { continue };
        match &choice.value {
            GatewayChoice::On(gateway) => check_gateway(topology, gateway, choice.span, found),
            GatewayChoice::Off => {}
        }
    }
    for network in topology.networks.values() {
        if let Some(gateway) = &network.east_west_gateway {
            check_gateway(topology, &gateway.value, gateway.span, found);
        }
    }
}

fn check_gateway(topology: &Topology, gateway: &Gateway, span: Span, found: &mut Vec<Diagnostic>) {
    for (key, value) in &gateway.annotations {
        for text in [key, value] {
            report(topology, text, span, found);
        }
    }
}

fn check_values(topology: &Topology, values: &UserValues, found: &mut Vec<Diagnostic>) {
    let mut path = Vec::new();
    for (key, value) in &values.map {
        walk(topology, key, value, values, &mut path, None, found);
    }
}

/// Looks at an entry's key and at every text in its value; `around` is the place of what holds it.
fn walk(
    topology: &Topology,
    key: &str,
    value: &Value,
    values: &UserValues,
    path: &mut Vec<String>,
    around: Option<Span>,
    found: &mut Vec<Diagnostic>,
) {
    path.push(key.to_owned());
    let place = values.places.get(path.as_slice()).copied().or(around);
    if let Some(span) = place {
        report(topology, key, span, found);
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(topology, key, value, values, path, place, found);
                }
            }
            Value::Array(_) | Value::String(_) => {
                each_text(value, &mut |text| report(topology, text, span, found))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    path.pop();
}

/// Every text and key of a value without places of its own.
fn each_text(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, look)),
        Value::Object(map) => {
            for (key, value) in map {
                look(key);
                each_text(value, look);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn report(topology: &Topology, text: &str, span: Span, found: &mut Vec<Diagnostic>) {
    if let Some(cluster) = marked_cluster(topology, text) {
        found.push(
            Diagnostic::error(&CODE, span, format!("`${{{cluster}…}}` is filled in at apply"))
                .with_help("write the text without `${`, or the value itself."),
        );
    }
}

/// The cluster that a marker in a text names: `${cluster1/…}` or `${cluster1.…}`.
fn marked_cluster<'t>(topology: &'t Topology, text: &str) -> Option<&'t str> {
    text.match_indices("${").find_map(|(at, _)| {
        let inner = &text[at + 2..];
        let end = inner.find(['/', '.'])?;
        topology.clusters.get_key_value(&inner[..end]).map(|(name, _)| name.as_str())
    })
}

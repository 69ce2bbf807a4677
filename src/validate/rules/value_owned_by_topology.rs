//! A chart value that the topology decides.

use serde_json::{Map, Value};

use super::*;
use crate::document::Span;
use crate::topology::{EffectiveGateway, Instead, OWNED_KEYS, OwnedKey, UserValues};

static CODE: Code = Code {
    name: "value-owned-by-topology",
    summary: "the topology decides this chart value",
    page: include_str!("../pages/value-owned-by-topology.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for (chart, values) in &topology.istio.values.by_chart {
        for key in OWNED_KEYS.iter().filter(|key| key.chart == *chart && key.holds_with(None)) {
            check_key(key, values, found);
        }
    }
    let overview = topology.overview();
    for cluster in topology.clusters.values() {
        let gateway: Option<EffectiveGateway> = overview.gateway_of(cluster);
        for (chart, values) in &cluster.values.by_chart {
            let owned =
                OWNED_KEYS.iter().filter(|key| key.chart == *chart && key.holds_with(gateway.as_ref()));
            for key in owned {
                check_key(key, values, found);
            }
        }
    }
}

fn check_key(key: &OwnedKey, values: &UserValues, found: &mut Vec<Diagnostic>) {
    let Some(span) = written_at(key, values) else { return };
    let help = match key.instead {
        Instead::Key(decided_by) => format!("remove it, and write `{decided_by}`."),
        Instead::FollowsFrom(what) => format!("remove it: it follows from {what}."),
    };
    let chart = key.chart.as_str();
    found.push(
        Diagnostic::error(&CODE, span, format!("`{}` of chart {chart} is not yours to set", key.path))
            .with_help(help),
    );
}

/// Where the user's values decide an owned key: at the key itself, or above it by something that is no map.
fn written_at(key: &OwnedKey, values: &UserValues) -> Option<Span> {
    let path = key.keys();
    let mut map: &Map<String, Value> = &values.map;
    for depth in 1..=path.len() {
        match map.get(&path[depth - 1])? {
            // A map above an owned key merges with what the topology computes.
            Value::Object(inner) if depth < path.len() => map = inner,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => return values.places.get(&path[..depth]).copied(),
        }
    }
    None
}

//! `values`: a user's own chart values in three layers, merged per cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::reader::Reader;
use crate::document::{Entry, Kind, Node, Span, duplicate_keys};
use crate::topology::{ChartName, ReleaseValues, UserValues, keys};

/// What one place of the file says: `istio.values`, `defaults.values` or `clusters.X.values`.
#[derive(Default)]
pub(super) struct Layer<'n> {
    by_chart: BTreeMap<ChartName, &'n Node>,
}

pub(super) fn layer<'n>(entry: &'n Entry, reader: &mut Reader) -> Layer<'n> {
    let mut layer = Layer::default();
    let Some(fields) = reader.fields(&entry.value, &keys::VALUES, entry.key.span) else { return layer };
    for chart in ChartName::ALL {
        let Some(node) = fields.get(chart.as_str()) else { continue };
        match node.kind {
            Kind::Map(ref entries) if entries.is_empty() => {}
            Kind::Map(_) => {
                duplicate_keys(node).into_iter().for_each(|finding| reader.report(finding));
                layer.by_chart.insert(chart, node);
            }
            Kind::Null => {}
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                reader.mismatch(node, "the chart's values as a map");
            }
        }
    }
    layer
}

/// The layers that all clusters share, merged once.
pub(super) struct Shared {
    by_chart: BTreeMap<ChartName, (Node, Arc<UserValues>)>,
}

impl Shared {
    /// Merges layers, the lowest first.
    pub(super) fn of(layers: &[&Layer<'_>]) -> Self {
        let mut merged: BTreeMap<ChartName, Node> = BTreeMap::new();
        for layer in layers {
            for (chart, node) in &layer.by_chart {
                let upper = match merged.remove(chart) {
                    Some(lower) => over(&lower, node),
                    None => (*node).clone(),
                };
                merged.insert(*chart, upper);
            }
        }
        let shared = |(chart, node): (ChartName, Node)| {
            let values = Arc::new(user_values(&node));
            (chart, (node, values))
        };
        Self { by_chart: merged.into_iter().map(shared).collect() }
    }

    /// These layers alone.
    pub(super) fn release_values(&self) -> ReleaseValues {
        let by_chart = self.by_chart.iter().map(|(chart, (_, values))| (*chart, Arc::clone(values)));
        ReleaseValues { by_chart: by_chart.collect() }
    }

    /// A cluster's own layer over these; what it does not touch stays shared.
    pub(super) fn with(&self, own: &Layer<'_>) -> ReleaseValues {
        let mut values = self.release_values();
        for (chart, node) in &own.by_chart {
            let merged = match self.by_chart.get(chart) {
                Some((lower, _)) => user_values(&over(lower, node)),
                None => user_values(node),
            };
            values.by_chart.insert(*chart, Arc::new(merged));
        }
        values
    }
}

/// Lays one value over another: maps merge, anything else replaces, and a null stays so that it
/// deletes the chart's default too.
fn over(lower: &Node, upper: &Node) -> Node {
    let (Kind::Map(below), Kind::Map(above)) = (&lower.kind, &upper.kind) else { return upper.clone() };
    let mut entries = below.clone();
    let mut places: HashMap<String, usize> =
        entries.iter().enumerate().map(|(place, entry)| (entry.key.value.clone(), place)).collect();
    for entry in above {
        match places.get(&entry.key.value) {
            Some(place) => {
                let value = over(&entries[*place].value, &entry.value);
                entries[*place] = Entry { key: entry.key.clone(), value };
            }
            None => {
                places.insert(entry.key.value.clone(), entries.len());
                entries.push(entry.clone());
            }
        }
    }
    Node { span: upper.span, kind: Kind::Map(entries) }
}

fn user_values(node: &Node) -> UserValues {
    let map = match node.to_json() {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            serde_json::Map::new()
        }
    };
    let mut places = BTreeMap::new();
    collect_places(node, &mut Vec::new(), &mut places);
    UserValues { map, places }
}

fn collect_places(node: &Node, path: &mut Vec<String>, places: &mut BTreeMap<Vec<String>, Span>) {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {}
        Kind::Map(entries) => {
            for entry in entries {
                path.push(entry.key.value.clone());
                places.insert(path.clone(), entry.value.span);
                collect_places(&entry.value, path, places);
                path.pop();
            }
        }
    }
}

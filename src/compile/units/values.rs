//! Chart values: what the user wrote, under what the topology computes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Context;
use crate::compile::Release;
use crate::compile::versions::untold;
use crate::topology::{ChartName, Cluster, OWNED_KEYS};

/// Values that the topology computes, by path of keys.
#[derive(Default)]
pub(super) struct Computed(Map<String, Value>);

impl Computed {
    /// Sets the value at a path: `global.multiCluster.clusterName`.
    pub(super) fn set(&mut self, path: &str, value: impl Into<Value>) {
        let mut map = &mut self.0;
        let mut keys = path.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                map.insert(key.to_owned(), value.into());
                return;
            }
            let entry = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
            map = entry.as_object_mut().expect("no computed path leads through another one's value");
        }
    }
}

impl Context<'_> {
    /// A release in the mesh namespace: computed values over the user's.
    pub(super) fn release(
        &self,
        cluster: &Cluster,
        chart: ChartName,
        name: &str,
        mut computed: Computed,
    ) -> Release {
        let istio = &self.topology.istio;
        // That of a remote's control plane is computed already.
        if let Some(profile) = istio.profile.as_ref().filter(|_| !computed.0.contains_key("profile")) {
            computed.set("profile", profile.value.as_str());
        }
        if let Some(platform) = &istio.platform {
            computed.set("global.platform", platform.value.as_str());
        }
        debug_assert_eq!(
            unowned(chart, &computed.0, &mut Vec::new()),
            None,
            "`validate` refuses what is computed"
        );
        let mut values =
            cluster.values.by_chart.get(&chart).map(|user| Map::clone(&user.map)).unwrap_or_default();
        overlay(&mut values, computed.0);
        Release {
            chart,
            charts: self.charts.clone(),
            name: name.to_owned(),
            namespace: self.mesh_namespace().to_owned(),
            values: Arc::new(values),
            capabilities: untold(),
            renders: self.renders.clone(),
        }
    }
}

/// A computed key that the table of owned keys does not have, so that a user could write it unnoticed.
fn unowned(chart: ChartName, computed: &Map<String, Value>, path: &mut Vec<String>) -> Option<String> {
    for (key, value) in computed {
        path.push(key.clone());
        if !OWNED_KEYS.iter().any(|owned| owned.covers(chart, path)) {
            let found = match value {
                Value::Object(inner) => unowned(chart, inner, path),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    Some(path.join("."))
                }
            };
            if found.is_some() {
                return found;
            }
        }
        path.pop();
    }
    None
}

/// Lays `over` on `under`: maps merge, everything else is replaced.
fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

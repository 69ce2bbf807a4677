//! The resources that a cluster serves: the built-in table and its CustomResourceDefinitions.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::object::kinds::{self, Origin, Shape, Subresource};
use crate::object::{Object, Scope};

/// One resource, wherever it comes from.
#[derive(Debug, Clone)]
pub struct ResourceInfo {
    /// Empty for the core group.
    pub group: String,
    /// The versions that are served, the preferred one first.
    pub versions: Vec<String>,
    /// The version in which objects are kept.
    pub storage: String,
    /// `Deployment`.
    pub kind: String,
    /// `DeploymentList`.
    pub list_kind: String,
    /// `deployments`.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// `deploy`.
    pub short_names: Vec<String>,
    /// `all`, `istio-io`.
    pub categories: Vec<String>,
    /// Whether its objects lie in namespaces.
    pub scope: Scope,
    /// What else can be written.
    pub subresources: Vec<Subresource>,
    /// How its fields merge.
    pub shape: &'static Shape,
    /// Whether a CustomResourceDefinition brought it.
    pub provider: Provider,
}

/// Who serves a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The server itself.
    BuiltIn,
    /// A CustomResourceDefinition.
    Custom,
}

static BUILT_IN: LazyLock<Vec<Arc<ResourceInfo>>> = LazyLock::new(|| {
    let rows = kinds::TABLE.iter().filter(|row| row.origin == Origin::BuiltIn);
    rows.map(|row| Arc::new(ResourceInfo::of_row(row))).collect()
});

/// What every cluster serves.
pub(crate) fn built_in() -> &'static [Arc<ResourceInfo>] {
    &BUILT_IN
}

impl ResourceInfo {
    fn of_row(row: &'static kinds::KindInfo) -> Self {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Self {
            group: row.group.to_owned(),
            versions: texts(row.versions),
            storage: row.version().to_owned(),
            kind: row.kind.to_owned(),
            list_kind: format!("{}List", row.kind),
            plural: row.plural.to_owned(),
            singular: row.singular.to_owned(),
            short_names: texts(row.short_names),
            categories: match row.kind {
                "Pod" | "Service" | "Deployment" | "ReplicaSet" | "DaemonSet" | "HorizontalPodAutoscaler" => {
                    vec!["all".to_owned()]
                }
                _ => Vec::new(),
            },
            scope: row.scope,
            subresources: row.subresources.to_vec(),
            shape: row.shape,
            provider: Provider::BuiltIn,
        }
    }

    /// What an Established CustomResourceDefinition serves.
    pub fn of_definition(definition: &Object) -> Option<Self> {
        let names = definition.get(&["spec", "names"])?;
        let text = |key: &str| names.get(key).and_then(Value::as_str);
        let texts = |key: &str| -> Vec<String> {
            let list = names.get(key).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let versions = definition.get(&["spec", "versions"])?.as_array()?;
        let name_of = |version: &Value| version.get("name").and_then(Value::as_str).map(str::to_owned);
        let is = |version: &Value, key: &str| version.get(key).and_then(Value::as_bool) == Some(true);
        let mut served: Vec<String> =
            versions.iter().filter(|v| is(v, "served")).filter_map(name_of).collect();
        served.sort_by_key(|version| version_rank(version));
        let has_status = versions.iter().any(|v| v.pointer("/subresources/status").is_some());
        let kind = text("kind")?.to_owned();
        Some(Self {
            group: definition.text(&["spec", "group"])?.to_owned(),
            storage: versions.iter().find(|v| is(v, "storage")).and_then(name_of)?,
            versions: served,
            list_kind: text("listKind").map_or_else(|| format!("{kind}List"), str::to_owned),
            plural: text("plural")?.to_owned(),
            singular: text("singular").map_or_else(|| kind.to_lowercase(), str::to_owned),
            short_names: texts("shortNames"),
            categories: texts("categories"),
            scope: match definition.text(&["spec", "scope"])? {
                "Cluster" => Scope::Cluster,
                _ => Scope::Namespaced,
            },
            subresources: if has_status { vec![Subresource::Status] } else { Vec::new() },
            shape: kinds::custom_shape(),
            provider: Provider::Custom,
            kind,
        })
    }

    /// `deployments.apps`, `secrets`.
    pub fn group_resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// Whether it has this subresource.
    pub fn has(&self, subresource: Subresource) -> bool {
        self.subresources.contains(&subresource)
    }
}

/// Kubernetes' order of versions: GA before beta before alpha, the higher first, other names last.
pub(crate) fn version_rank(version: &str) -> (u8, std::cmp::Reverse<(u32, u32)>, String) {
    let other = || (3, std::cmp::Reverse((0, 0)), version.to_owned());
    let Some(rest) = version.strip_prefix('v') else { return other() };
    let (stage, major, minor) = if let Some((major, minor)) = rest.split_once("beta") {
        (1, major, minor)
    } else if let Some((major, minor)) = rest.split_once("alpha") {
        (2, major, minor)
    } else {
        (0, rest, "0")
    };
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => (stage, std::cmp::Reverse((major, minor)), String::new()),
        _ => other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_as_kubernetes_ranks_them() {
        let mut versions = ["foo1", "v1alpha3", "v2", "v1beta1", "v1", "v1beta2", "v10"];
        versions.sort_by_key(|version| version_rank(version));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha3", "foo1"]);
    }
}

//! Application namespaces: that they exist, and whether pods in them are injected.

use serde_json::json;

use super::{Context, objects};
use crate::compile::{Content, Done};
use crate::topology::{Cluster, Injection};

impl Context<'_> {
    /// The namespaces that stand in a cluster.
    pub(super) fn app_namespaces(&self, cluster: &Cluster) -> (Content, Done) {
        let here = self.topology.namespaces.values().filter(|namespace| namespace.is_in(&cluster.name.value));
        let namespaces = here.map(|namespace| {
            let mut metadata = json!({ "name": namespace.name.value.as_str() });
            match namespace.injection {
                Injection::Enabled => metadata["labels"] = json!({ "istio-injection": "enabled" }),
                Injection::Disabled => metadata["labels"] = json!({ "istio-injection": "disabled" }),
                Injection::Manual => {}
            }
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })
        });
        (objects(namespaces), Done::Exists)
    }
}

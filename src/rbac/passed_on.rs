//! Rights that are passed on: roles and bindings that a topology asks for.
//!
//! Kubernetes lets only those write a role who hold every right in it, or the verb `escalate` on it; and
//! only those bind one who hold the same, or the verb `bind` on it
//! (`kubernetes/pkg/registry/rbac/escalation_check.go`, 1.35). Both verbs can be granted by name.

use serde_json::Value;

use super::right::{Right, Rights, Rule};
use crate::object::Object;

/// The group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io";

/// How the rights that Istio's roles hold may be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PassOn {
    /// By `escalate` and `bind` on these roles by name.
    #[default]
    Escalate,
    /// By holding the rights themselves.
    Hold,
}

/// What it takes to write the roles and bindings among a cluster's objects.
pub(super) fn passed_on(objects: &[Object], how: PassOn) -> Rights {
    let mut rights = Rights::default();
    for object in objects.iter().filter(|object| object.api_version().starts_with(GROUP)) {
        match object.kind() {
            "ClusterRole" | "Role" => match how {
                // An aggregated role holds whatever its selectors find.
                PassOn::Hold if object.get(&["aggregationRule"]).is_none() => {
                    let rules = object.get(&["rules"]).and_then(Value::as_array);
                    rights.extend(rules.into_iter().flatten().flat_map(|rule| Rule::read(rule).rights()));
                }
                PassOn::Hold | PassOn::Escalate => {
                    rights.add(on_role(object.kind(), object.name(), "escalate"));
                }
            },
            "ClusterRoleBinding" | "RoleBinding" => {
                let text = |key: &str| object.text(&["roleRef", key]).unwrap_or_default();
                let (kind, name) = (text("kind"), text("name"));
                // What a role of ours holds is held already; what another holds is not known.
                let is_ours = objects.iter().any(|role| role.kind() == kind && role.name() == name);
                match how {
                    PassOn::Hold if is_ours => {}
                    PassOn::Hold | PassOn::Escalate => rights.add(on_role(kind, name, "bind")),
                }
            }
            _ => {}
        }
    }
    rights
}

fn on_role(kind: &str, name: &str, verb: &str) -> Right {
    let resource = if kind == "Role" { "roles" } else { "clusterroles" };
    Right::new(GROUP, resource, Some(name), verb)
}

//! What a ServiceAccount may do: Roles and ClusterRoles that are bound to it.

use std::sync::Arc;

use serde_json::Value;

use super::reading::{items, list, text};
use super::tokens::Account;
use super::world::Member;
use crate::object::Object;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Something that an account wants to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deed<'d> {
    /// `patch`.
    pub(super) verb: &'d str,
    /// Empty for the core group.
    pub(super) group: &'d str,
    /// The plural.
    pub(super) resource: &'d str,
    /// None for what lies in no namespace, and for all namespaces at once.
    pub(super) namespace: Option<&'d str>,
}

impl<'d> Deed<'d> {
    /// Something done in the whole cluster.
    pub(super) fn cluster_wide(verb: &'d str, group: &'d str, resource: &'d str) -> Self {
        Self { verb, group, resource, namespace: None }
    }
}

/// Whether an account may do something.
pub(super) fn may(member: &Member, account: &Account, deed: Deed<'_>) -> bool {
    let bindings = member.cluster.list(GROUP, "ClusterRoleBinding", None);
    let mut roles: Vec<Arc<Object>> =
        bindings.iter().filter(|binding| binds(binding, account)).filter_map(|b| role(member, b)).collect();
    if let Some(namespace) = deed.namespace {
        let bindings = member.cluster.list(GROUP, "RoleBinding", Some(namespace));
        roles.extend(
            bindings.iter().filter(|binding| binds(binding, account)).filter_map(|b| role(member, b)),
        );
    }
    roles.iter().flat_map(|role| items(role, &["rules"])).any(|rule| allows(rule, deed))
}

fn binds(binding: &Object, account: &Account) -> bool {
    items(binding, &["subjects"]).iter().any(|subject| match text(subject, "kind") {
        Some("ServiceAccount") => {
            text(subject, "name") == Some(&account.name)
                && text(subject, "namespace") == Some(&account.namespace)
        }
        Some("Group") => match text(subject, "name") {
            Some("system:authenticated" | "system:serviceaccounts") => true,
            Some(name) => name.strip_prefix("system:serviceaccounts:") == Some(&account.namespace),
            None => false,
        },
        Some("User") => {
            let user = format!("system:serviceaccount:{}:{}", account.namespace, account.name);
            text(subject, "name") == Some(user.as_str())
        }
        Some(_) | None => false,
    })
}

fn role(member: &Member, binding: &Object) -> Option<Arc<Object>> {
    let name = binding.text(&["roleRef", "name"])?;
    match binding.text(&["roleRef", "kind"])? {
        "ClusterRole" => member.cluster.find(GROUP, "ClusterRole", None, name),
        "Role" => member.cluster.find(GROUP, "Role", binding.namespace(), name),
        _ => None,
    }
}

fn allows(rule: &Value, deed: Deed<'_>) -> bool {
    let names = |key: &str, wanted: &str| {
        list(rule.get(key)).iter().filter_map(Value::as_str).any(|one| one == "*" || one == wanted)
    };
    names("verbs", deed.verb)
        && names("apiGroups", deed.group)
        && names("resources", deed.resource)
        // A rule for single objects is no right to list, watch or create.
        && list(rule.get("resourceNames")).is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account() -> Account {
        Account { namespace: "istio-system".to_owned(), name: "istiod".to_owned() }
    }

    fn bound(subject: Value) -> bool {
        let binding = json!({
            "apiVersion": "v1", "kind": "ClusterRoleBinding", "metadata": {"name": "x"}, "subjects": [subject],
        });
        binds(&Object::from_value(binding).unwrap(), &account())
    }

    #[test]
    fn an_account_is_bound_by_name_by_user_and_by_its_groups() {
        assert!(bound(json!({"kind": "ServiceAccount", "name": "istiod", "namespace": "istio-system"})));
        assert!(!bound(json!({"kind": "ServiceAccount", "name": "istiod", "namespace": "default"})));
        assert!(bound(json!({"kind": "User", "name": "system:serviceaccount:istio-system:istiod"})));
        assert!(bound(json!({"kind": "Group", "name": "system:serviceaccounts:istio-system"})));
        assert!(!bound(json!({"kind": "Group", "name": "system:serviceaccounts:default"})));
        assert!(bound(json!({"kind": "Group", "name": "system:authenticated"})));
    }

    #[test]
    fn a_rule_allows_what_it_names_and_a_star_everything() {
        let deed = Deed::cluster_wide("list", "apps", "deployments");
        let rule = |verb: &str, group: &str, resource: &str| json!({"verbs": [verb], "apiGroups": [group], "resources": [resource]});
        assert!(allows(&rule("list", "apps", "deployments"), deed));
        assert!(allows(&rule("*", "*", "*"), deed));
        assert!(!allows(&rule("get", "apps", "deployments"), deed));
        assert!(!allows(&rule("list", "", "deployments"), deed));
        assert!(!allows(&rule("list", "apps", "deployments/status"), deed));
        let mut one = rule("list", "apps", "deployments");
        one["resourceNames"] = json!(["istiod"]);
        assert!(!allows(&one, deed));
    }
}

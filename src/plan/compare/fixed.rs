//! Fields that Kubernetes never changes: to differ there is to be another object.

use super::fields::Difference;
use crate::object::Object;

/// The immutable fields of the kinds that charts and Stolos itself write: paths as they begin.
///
/// From the validation of each kind (`pkg/apis/*/validation`, Kubernetes 1.34). Kinds whose objects
/// hold others (namespaces, definitions) are not here: they are never replaced.
const FIXED: &[(&str, &str)] = &[
    ("DaemonSet", "spec.selector"),
    ("Deployment", "spec.selector"),
    ("ReplicaSet", "spec.selector"),
    ("EndpointSlice", "addressType"),
    ("ClusterRoleBinding", "roleRef"),
    ("RoleBinding", "roleRef"),
    ("Secret", "type"),
    ("Service", "spec.clusterIP"),
];

/// Whether a live object may have to be deleted to become this one: it asks for a field that never changes.
pub fn may_be_replaced(desired: &Object) -> bool {
    let asks_for = |path: &str| desired.get(&path.split('.').collect::<Vec<_>>()).is_some();
    FIXED.iter().any(|(of, path)| *of == desired.kind() && asks_for(path))
}

/// The first field that differs and cannot be changed.
pub(super) fn fixed_field(desired: &Object, live: &Object, differences: &[Difference]) -> Option<String> {
    let kind = desired.kind();
    let is_frozen = matches!(kind, "Secret" | "ConfigMap")
        && live.get(&["immutable"]).and_then(serde_json::Value::as_bool) == Some(true);
    differences.iter().find_map(|difference| {
        let path = difference.path.to_string();
        // A field that was never set may still be given a value.
        let is_fixed = difference.before.is_some()
            && FIXED.iter().any(|(of, start)| *of == kind && (path == *start || starts_within(&path, start)));
        let is_data =
            is_frozen && ["data", "binaryData", "immutable"].iter().any(|start| path.starts_with(start));
        (is_fixed || is_data).then_some(path)
    })
}

fn starts_within(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.starts_with(['.', '[']))
}

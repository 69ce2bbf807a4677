//! Which objects of a unit are sent side by side.

use crate::plan::Change;

/// Waves, in order: objects of one wave do not need one another, but may need those before them.
const WAVES: &[&[&str]] = &[
    &["Namespace"],
    &["CustomResourceDefinition"],
    &["ServiceAccount"],
    &["Secret", "ConfigMap"],
    &["ClusterRole", "Role"],
    &["ClusterRoleBinding", "RoleBinding"],
    &["Service", "Endpoints", "EndpointSlice"],
    &["Deployment", "DaemonSet", "StatefulSet", "Job", "PodDisruptionBudget", "HorizontalPodAutoscaler"],
];

/// The wave of a kind. Kinds without a row, custom resources among them, come before webhooks,
/// which may refuse whatever comes after them.
fn wave(kind: &str) -> usize {
    match kind {
        "MutatingWebhookConfiguration"
        | "ValidatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding" => WAVES.len() + 1,
        _ => WAVES.iter().position(|kinds| kinds.contains(&kind)).unwrap_or(WAVES.len()),
    }
}

/// Cuts the changes of a step where the wave changes. The plan's order decides which comes
/// first, so that a destroy runs the other way round.
pub(super) fn waves<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Vec<Vec<&'c Change>> {
    let mut waves: Vec<Vec<&Change>> = Vec::new();
    let mut last = None;
    for change in changes {
        let this = wave(&change.object.kind);
        match waves.last_mut() {
            Some(open) if last == Some(this) => open.push(change),
            _ => waves.push(vec![change]),
        }
        last = Some(this);
    }
    waves
}

//! Which objects of a unit are sent side by side.

use super::mint::ROOT_SECRET;
use crate::object::ObjectRef;
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

/// The wave of an object. Kinds without a row, custom resources among them, come before webhooks,
/// which may refuse whatever comes after them.
///
/// The root's key has one of its own: a run that ends between it and a certificate that it signed must
/// leave the key, which cannot be made again.
fn wave(object: &ObjectRef) -> usize {
    match object.kind.as_str() {
        "Secret" if object.name == ROOT_SECRET => WAVES.len() + 2,
        "MutatingWebhookConfiguration"
        | "ValidatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding" => WAVES.len() + 1,
        kind => WAVES.iter().position(|kinds| kinds.contains(&kind)).unwrap_or(WAVES.len()),
    }
}

/// Cuts the changes of a step where the wave changes. The plan's order decides which comes
/// first, so that a destroy runs the other way round.
pub(super) fn waves<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Vec<Vec<&'c Change>> {
    let mut waves: Vec<Vec<&Change>> = Vec::new();
    let mut last = None;
    for change in changes {
        let this = wave(&change.object);
        match waves.last_mut() {
            Some(open) if last == Some(this) => open.push(change),
            _ => waves.push(vec![change]),
        }
        last = Some(this);
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Cause, Conflicts, Origin};

    fn secret(name: &str) -> Change {
        Change {
            object: ObjectRef {
                group: String::new(),
                kind: "Secret".to_owned(),
                namespace: Some("istio-system".to_owned()),
                name: name.to_owned(),
            },
            action: Action::Create,
            cause: Cause::Topology,
            fields: Vec::new(),
            note: None,
            uid: None,
            origin: Origin::Created,
            desired: None,
            digest: None,
            conflicts: Conflicts::Refuse,
            renamed: Vec::new(),
            migrated: Vec::new(),
        }
    }

    fn names(order: &[&str]) -> Vec<Vec<String>> {
        let changes: Vec<Change> = order.iter().map(|name| secret(name)).collect();
        let name = |change: &&Change| change.object.name.clone();
        waves(&changes).iter().map(|wave| wave.iter().map(name).collect()).collect()
    }

    #[test]
    fn the_root_is_never_written_beside_what_it_signed() {
        assert_eq!(names(&["stolos-root", "cacerts"]), [["stolos-root"], ["cacerts"]]);
        assert_eq!(names(&["cacerts", "stolos-root"]), [["cacerts"], ["stolos-root"]]);
        assert_eq!(names(&["a", "b"]), [["a", "b"]]);
    }
}

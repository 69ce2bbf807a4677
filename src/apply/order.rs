//! Which objects of a unit are sent side by side.

use std::collections::BTreeMap;

use super::mint::ROOT_SECRET;
use crate::object::ObjectRef;
use crate::plan::{Action, Change};

/// Waves, in order: objects of one wave do not need one another, but may need those before them. Bindings need
/// their roles, and Pods what their workload names. By the time a Pod runs, its rights are there: both were sent at
/// once, and it has to be made, bound to a node and started first.
const WAVES: &[&[&str]] = &[
    &["Namespace"],
    &[
        "CustomResourceDefinition",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "ClusterRole",
        "Role",
        "Service",
        "Endpoints",
        "EndpointSlice",
    ],
    &[
        "ClusterRoleBinding",
        "RoleBinding",
        "Deployment",
        "DaemonSet",
        "StatefulSet",
        "Job",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    ],
];

/// The wave of an object. Kinds without a row, custom resources among them, come before webhooks,
/// which may refuse whatever comes after them.
///
/// The root's key has one of its own: a run that ends between it and a certificate that it signed must
/// leave the key, which cannot be made again.
fn wave(object: &ObjectRef) -> usize {
    match object.kind.as_str() {
        "Secret" if object.name == ROOT_SECRET => 0,
        "MutatingWebhookConfiguration"
        | "ValidatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding" => WAVES.len() + 2,
        kind => 1 + WAVES.iter().position(|kinds| kinds.contains(&kind)).unwrap_or(WAVES.len()),
    }
}

/// Puts the changes of a step together in waves; what only takes away runs the other way round. Within a wave the
/// plan's order stays.
pub(super) fn waves<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Vec<Vec<&'c Change>> {
    let changes: Vec<&Change> = changes.into_iter().collect();
    let takes_away =
        |change: &&Change| matches!(change.action, Action::Delete | Action::Release | Action::HandOver);
    let is_backwards = changes.iter().all(takes_away);
    let mut waves: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        waves.entry(wave(&change.object)).or_default().push(change);
    }
    let waves = waves.into_values();
    if is_backwards { waves.rev().collect() } else { waves.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Cause, Conflicts, Origin};

    fn change(kind: &str, name: &str) -> Change {
        Change {
            object: ObjectRef {
                group: String::new(),
                kind: kind.to_owned(),
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

    fn deleted(change: &Change) -> Change {
        Change { action: Action::Delete, ..change.clone() }
    }

    fn names(changes: &[Change]) -> Vec<Vec<&str>> {
        waves(changes)
            .iter()
            .map(|wave| wave.iter().map(|change| change.object.name.as_str()).collect())
            .collect()
    }

    #[test]
    fn the_root_is_never_written_beside_what_it_signed() {
        let [root, signed, other] = ["stolos-root", "cacerts", "other"].map(|name| change("Secret", name));
        assert_eq!(names(&[root.clone(), signed.clone()]), [["stolos-root"], ["cacerts"]]);
        assert_eq!(names(&[deleted(&signed), deleted(&root)]), [["cacerts"], ["stolos-root"]]);
        assert_eq!(names(&[signed, other]), [["cacerts", "other"]]);
    }

    #[test]
    fn what_needs_nothing_goes_together_and_a_destroy_the_other_way_round() {
        let kinds = [
            ("ServiceAccount", "account"),
            ("ClusterRole", "role"),
            ("ClusterRoleBinding", "binding"),
            ("Role", "local role"),
            ("RoleBinding", "local binding"),
            ("Service", "service"),
            ("Deployment", "pods"),
            ("Gateway", "gateway"),
            ("MutatingWebhookConfiguration", "webhook"),
        ];
        let mut changes: Vec<Change> = kinds.iter().map(|(kind, name)| change(kind, name)).collect();
        assert_eq!(
            names(&changes),
            [
                vec!["account", "role", "local role", "service"],
                vec!["binding", "local binding", "pods"],
                vec!["gateway"],
                vec!["webhook"],
            ]
        );
        // Of a few alone, the plan's order of kinds says nothing of the waves.
        assert_eq!(names(&[changes[2].clone(), changes[3].clone()]), [["local role"], ["binding"]]);
        changes = changes.iter().rev().map(deleted).collect();
        assert_eq!(
            names(&changes),
            [
                vec!["webhook"],
                vec!["gateway"],
                vec!["pods", "local binding", "binding"],
                vec!["service", "local role", "role", "account"],
            ]
        );
    }
}

//! What istiod writes: its CA into webhooks, its root into every namespace.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::remotes::connect;
use super::{Istiod, MANAGER, Patches};
use crate::object::Object;
use crate::sandbox::controllers::injection::INJECTOR;
use crate::sandbox::controllers::reading::{is_leaving, text};
use crate::sandbox::controllers::rights::{Deed, may};
use crate::sandbox::controllers::route::Call;
use crate::sandbox::controllers::tokens::Account;
use crate::sandbox::controllers::world::World;

const ADMISSION: &str = "admissionregistration.k8s.io";
const MUTATING: (&str, &str) = ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
const VALIDATING: (&str, &str) = ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations");

/// The ConfigMap with the root, and its key.
const ROOT: (&str, &str) = ("istio-ca-root-cert", "root-cert.pem");

/// Namespaces that get no root (`pkg/kube/inject`, IgnoredNamespaces without kube-system).
const WITHOUT_ROOT: &[&str] = &["kube-public", "kube-node-lease", "local-path-storage"];

/// An istiod that manages a cluster, and whom it acts as there.
struct Manager {
    istiod: Arc<Istiod>,
    account: Account,
}

/// Who manages a cluster: its own istiods first, then those that lead it, in the order of clusters.
///
/// Where several of them want to write, the first does: real ones would elect one for the root, and
/// with different roots would overwrite each other's `caBundle` without end.
fn managers(world: &World, member: usize) -> Vec<Manager> {
    let own = world.istiods(member);
    let own =
        own.iter().map(|istiod| Manager { istiod: Arc::clone(istiod), account: istiod.account.clone() });
    let mut managers: Vec<Manager> = own.collect();
    for (istiod, id) in world.leaders(member) {
        if let Ok(link) = connect(world, &istiod, &id)
            && link.member == member
        {
            managers.push(Manager { istiod, account: link.account });
        }
    }
    managers
}

/// Lets the istiods write what they have to write in a cluster.
pub(in crate::sandbox::controllers) fn reconcile(world: &World, member: usize) {
    let managers = managers(world, member);
    inject(world, member, &managers);
    validate(world, member);
    publish_root(world, member, &managers);
}

fn inject(world: &World, member: usize, managers: &[Manager]) {
    let target = &world.members[member];
    for configuration in target.cluster.list(ADMISSION, MUTATING.0, None) {
        let writer = managers.iter().find(|manager| {
            manager.istiod.patches == Patches::Webhooks
                && configuration.label("istio.io/rev") == Some(&manager.istiod.revision)
                && ["list", "watch", "update"].into_iter().all(|verb| {
                    may(target, &manager.account, Deed::cluster_wide(verb, ADMISSION, MUTATING.1))
                })
        });
        let Some(writer) = writer else { continue };
        let bundle = writer.istiod.authority();
        change(world, member, &configuration, |webhook| {
            if text(webhook, "name").is_some_and(|name| name.ends_with(INJECTOR)) {
                set_bundle(webhook, &bundle);
            }
        });
    }
}

/// Only the own cluster's istiod, once the API server reaches it through its Service.
fn validate(world: &World, member: usize) {
    for istiod in world.istiods(member).iter() {
        if !istiod.may(world, Deed::cluster_wide("update", ADMISSION, VALIDATING.1)) {
            continue;
        }
        for configuration in world.members[member].cluster.list(ADMISSION, VALIDATING.0, None) {
            if configuration.label("istio.io/rev") != Some(&istiod.revision) {
                continue;
            }
            let bundle = istiod.authority();
            let is_reached = |webhook: &Value| {
                let service = webhook.get("clientConfig").and_then(|config| config.get("service"));
                let Some(service) = service else { return false };
                let call = Call {
                    from: member,
                    namespace: text(service, "namespace").unwrap_or_default(),
                    service: text(service, "name").unwrap_or_default(),
                    port: service.get("port").and_then(Value::as_i64).unwrap_or(443),
                };
                world.istiod_behind(call).is_ok()
            };
            change(world, member, &configuration, |webhook| {
                let reached = is_reached(webhook);
                set_bundle(webhook, &bundle);
                if let Value::Object(map) = webhook
                    && reached
                {
                    map.insert("failurePolicy".to_owned(), "Fail".into());
                }
            });
        }
    }
}

fn set_bundle(webhook: &mut Value, bundle: &str) {
    if let Some(Value::Object(config)) = webhook.get_mut("clientConfig") {
        config.insert("caBundle".to_owned(), bundle.into());
    }
}

/// Changes the webhooks of a configuration and writes it back, as a PUT, if it differs.
fn change(world: &World, member: usize, configuration: &Arc<Object>, mut edit: impl FnMut(&mut Value)) {
    let mut changed = Object::clone(configuration);
    if let Some(Value::Array(webhooks)) = changed.as_map_mut().get_mut("webhooks") {
        webhooks.iter_mut().for_each(&mut edit);
    }
    if changed != **configuration {
        let _ = world.members[member].cluster.update(changed, MANAGER);
    }
}

fn publish_root(world: &World, member: usize, managers: &[Manager]) {
    let target = &world.members[member];
    let elected = managers.iter().find(|manager| {
        ["list", "watch", "create", "update"]
            .into_iter()
            .all(|verb| may(target, &manager.account, Deed::cluster_wide(verb, "", "configmaps")))
    });
    let Some(elected) = elected else { return };
    let (name, key) = ROOT;
    let root = &elected.istiod.memory.root;
    for namespace in target.cluster.list("", "Namespace", None) {
        if is_leaving(&namespace) || WITHOUT_ROOT.contains(&namespace.name()) {
            continue;
        }
        match target.cluster.find("", "ConfigMap", Some(namespace.name()), name) {
            Some(live) if live.text(&["data", key]) == Some(root) => {}
            Some(live) => {
                let mut changed = Object::clone(&live);
                let data = changed.as_map_mut().entry("data").or_insert_with(|| json!({}));
                data[key] = root.as_str().into();
                let _ = target.cluster.update(changed, MANAGER);
            }
            None => {
                let new = Object::from_value(json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": name, "namespace": namespace.name(), "labels": {"istio.io/config": "true"}},
                    "data": {key: root},
                }));
                let new = new.expect("a ConfigMap is written whole above");
                let _ = target.cluster.create(new, MANAGER);
            }
        }
    }
}

/// The root that a namespace's Pods are given.
pub(in crate::sandbox::controllers) fn root_of(
    world: &World,
    member: usize,
    namespace: &str,
) -> Option<String> {
    let live = world.members[member].cluster.find("", "ConfigMap", Some(namespace), ROOT.0)?;
    Some(STANDARD.encode(live.text(&["data", ROOT.1])?))
}

//! Remote secrets: which clusters an istiod registers, and how it stands with each.
//!
//! As `pkg/kube/multicluster/secretcontroller.go` does it: a Secret is looked
//! at when it changes and not before; the own ID is ignored, and so is an ID
//! that another Secret brought, for good; equal bytes change nothing; changed
//! bytes register anew. The annotation of the cluster's mesh namespace is read
//! once, with the first read that succeeds (`checkShouldLead`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::memory::{Leads, Memory, Remote};
use super::startup::{WATCHED, forbidden, watches};
use super::{Istiod, Reach};
use crate::object::Object;
use crate::sandbox::controllers::reading::is_leaving;
use crate::sandbox::controllers::rights::{Deed, may};
use crate::sandbox::controllers::tokens::{Account, account_of_token};
use crate::sandbox::controllers::world::{Authority, World};

/// The only thing by which istiod finds remote secrets.
const LABEL: &str = "istio/multiCluster";
/// Names the clusters whose istiods manage a cluster.
const ANNOTATION: &str = "topology.istio.io/controlPlaneClusters";

/// A registered cluster that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox::controllers) struct Link {
    /// Its position.
    pub(in crate::sandbox::controllers) member: usize,
    /// Whom istiod acts as there.
    pub(in crate::sandbox::controllers) account: Account,
}

/// Lets the istiods of a cluster look at the Secrets that changed.
pub(in crate::sandbox::controllers) fn reconcile(world: &World, cluster: usize) {
    for istiod in world.istiods(cluster).iter() {
        register(world, &mut Istiod::clone(istiod));
    }
}

fn register(world: &World, istiod: &mut Istiod) {
    let before = istiod.memory.clone();
    let secrets = secrets(world, istiod);
    for (name, secret) in &secrets {
        let version = secret.text(&["metadata", "resourceVersion"]).unwrap_or_default();
        if istiod.memory.seen.get(name).map(String::as_str) != Some(version) {
            take(world, istiod, name, secret);
            istiod.memory.seen.insert(name.clone(), version.to_owned());
        }
    }
    let Memory { remotes, seen, .. } = &mut istiod.memory;
    seen.retain(|name, _| secrets.contains_key(name));
    remotes.retain(|id, remote| {
        secrets.get(&remote.secret).is_some_and(|secret| secret.get(&["data", id]).is_some())
    });
    let undecided: Vec<String> = istiod
        .remotes()
        .filter(|(_, remote)| remote.leads == Leads::Unknown)
        .map(|(id, _)| id.to_owned())
        .collect();
    for id in undecided {
        let leads = leads(world, istiod, &id);
        if let Some(remote) = istiod.memory.remotes.get_mut(&id) {
            remote.leads = leads;
        }
    }
    if istiod.memory != before {
        istiod.memory.write(&world.members[istiod.cluster], &istiod.pod);
    }
}

fn secrets(world: &World, istiod: &Istiod) -> BTreeMap<String, std::sync::Arc<Object>> {
    let secrets = world.members[istiod.cluster].cluster.list("", "Secret", Some(&istiod.namespace));
    let labelled =
        secrets.into_iter().filter(|secret| secret.label(LABEL) == Some("true") && !is_leaving(secret));
    labelled.map(|secret| (secret.name().to_owned(), secret)).collect()
}

fn take(world: &World, istiod: &mut Istiod, name: &str, secret: &Object) {
    let data = secret.get(&["data"]).and_then(Value::as_object);
    for (id, value) in data.into_iter().flatten() {
        let known = istiod.memory.remotes.get(id);
        if *id == istiod.id || known.is_some_and(|remote| remote.secret != name) {
            continue;
        }
        let Some(bytes) = value.as_str().and_then(|text| STANDARD.decode(text).ok()) else { continue };
        let (kubeconfig, reading) = world.kubeconfigs.read(&bytes);
        if known.is_some_and(|remote| remote.kubeconfig == kubeconfig) || reading.is_err() {
            continue;
        }
        let remote = Remote { secret: name.to_owned(), kubeconfig, leads: Leads::Unknown };
        istiod.memory.remotes.insert(id.clone(), remote);
    }
}

/// Connects to a registered cluster with what its Secret holds now; says what comes back instead.
pub(in crate::sandbox::controllers) fn connect(
    world: &World,
    istiod: &Istiod,
    id: &str,
) -> Result<Link, String> {
    let remote = istiod.memory.remotes.get(id).ok_or("not registered")?;
    let store = &world.members[istiod.cluster].cluster;
    let secret = store.find("", "Secret", Some(&istiod.namespace), &remote.secret);
    let secret = secret.ok_or("its remote secret is gone")?;
    let bytes = secret.text(&["data", id]).and_then(|text| STANDARD.decode(text).ok());
    let (_, reading) = world.kubeconfigs.read(&bytes.unwrap_or_default());
    let access = reading.as_ref().as_ref().map_err(ToString::to_string)?;
    let server = &access.server;
    let Some(destination) = world.destination(server) else {
        return Err(format!("Get \"{server}\": dial tcp: i/o timeout"));
    };
    let member = &world.members[destination.member];
    let trusts = match (destination.authority, &access.authority) {
        (Authority::Declared, _) => true,
        (Authority::Own, Some(authority)) => authority.trim() == member.cluster.ca().trim(),
        (Authority::Own, None) => false,
    };
    if !trusts {
        return Err(format!(
            "Get \"{server}\": tls: failed to verify certificate: x509: certificate signed by unknown authority"
        ));
    }
    let account = access.token.as_ref().and_then(|token| account_of_token(member, token.expose()));
    let account = account.ok_or("Unauthorized: the token is not one of a ServiceAccount of that cluster")?;
    Ok(Link { member: destination.member, account })
}

/// Whether every informer gets what it asks for.
pub(in crate::sandbox::controllers) fn synced(world: &World, link: &Link) -> Result<(), String> {
    let member = &world.members[link.member];
    let lacking = WATCHED.iter().find(|(group, resource)| !watches(member, &link.account, group, resource));
    lacking.map_or(Ok(()), |(group, resource)| Err(forbidden(&link.account, "list", group, resource)))
}

/// Whether the tokens of that cluster's proxies can be judged.
pub(in crate::sandbox::controllers) fn reviews_tokens(world: &World, link: &Link) -> bool {
    let deed = Deed::cluster_wide("create", "authentication.k8s.io", "tokenreviews");
    may(&world.members[link.member], &link.account, deed)
}

fn leads(world: &World, istiod: &Istiod, id: &str) -> Leads {
    match istiod.reach {
        Reach::Local => return Leads::No,
        Reach::External => {}
    }
    let Ok(link) = connect(world, istiod, id) else { return Leads::Unknown };
    let member = &world.members[link.member];
    if !may(member, &link.account, Deed::cluster_wide("get", "", "namespaces")) {
        return Leads::Unknown;
    }
    let namespace = member.cluster.find("", "Namespace", None, &istiod.namespace);
    let named = namespace.as_ref().and_then(|namespace| namespace.annotation(ANNOTATION));
    let is_named = named.is_some_and(|names| names.split(',').any(|name| name == "*" || name == istiod.id));
    if is_named { Leads::Yes } else { Leads::No }
}

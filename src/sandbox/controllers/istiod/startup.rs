//! How an istiod starts: the checks that a real one makes before it turns ready.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Memory, account_name, revision_of, revisioned, variable};
use crate::object::{Object, Sensitive};
use crate::sandbox::controllers::pods::Trouble;
use crate::sandbox::controllers::reading::{container, items, list, text};
use crate::sandbox::controllers::rights::{Deed, may};
use crate::sandbox::controllers::tokens::Account;
use crate::sandbox::controllers::world::Member;
use crate::trust::{LiveCa, Root, coherent};

/// Where istiod reads its signing bundle.
const MOUNT: &str = "/etc/cacerts";

/// The Secret in which a self-signed root is kept.
const SELF_SIGNED: &str = "istio-ca-secret";

/// What istiod watches in every cluster before it is ready or a cluster is synced.
pub(super) const WATCHED: &[(&str, &str)] = &[
    ("", "namespaces"),
    ("", "services"),
    ("", "pods"),
    ("", "nodes"),
    ("", "secrets"),
    ("discovery.k8s.io", "endpointslices"),
];

/// Starts an istiod if it has not; says why it cannot.
pub(in crate::sandbox::controllers) fn start(member: &Member, pod: &Object) -> Result<(), Trouble> {
    if Memory::of_pod(pod).is_some() {
        return Ok(());
    }
    let namespace = pod.namespace().unwrap_or_default();
    let account = Account { namespace: namespace.to_owned(), name: account_name(pod).to_owned() };
    if let Some(provider) = variable(pod, "PILOT_CERT_PROVIDER").filter(|provider| *provider != "istiod") {
        return Err(Trouble::crash(format!("PILOT_CERT_PROVIDER={provider} is not simulated")));
    }
    // A real istiod that does not find it starts with injection off, for good, and nothing tells. Pods
    // start in no time here, so that one would often come before its own ConfigMap.
    let injector = revisioned("istio-sidecar-injector", revision_of(pod));
    if member.cluster.find("", "ConfigMap", Some(namespace), &injector).is_none() {
        let what = format!("configmap \"{injector}\" not found: istiod would run with injection off");
        return Err(Trouble::starting(what));
    }
    for (group, resource) in WATCHED {
        if !watches(member, &account, group, resource) {
            return Err(Trouble::starting(forbidden(&account, "list", group, resource)));
        }
    }
    let root = match signing_bundle(member, pod) {
        Some(data) => read_bundle(&data, member)?,
        None => self_signed(member, &account)?,
    };
    Memory { root, ..Memory::default() }.write(member, pod);
    Ok(())
}

/// Whether an account may follow all objects of a kind.
pub(super) fn watches(member: &Member, account: &Account, group: &str, resource: &str) -> bool {
    ["list", "watch"].into_iter().all(|verb| may(member, account, Deed::cluster_wide(verb, group, resource)))
}

/// The words of an API server that says no.
pub(in crate::sandbox::controllers) fn forbidden(
    account: &Account,
    verb: &str,
    group: &str,
    resource: &str,
) -> String {
    let Account { namespace, name } = account;
    format!(
        "{resource} is forbidden: User \"system:serviceaccount:{namespace}:{name}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" at the cluster scope"
    )
}

/// The decoded data of the Secret that is mounted for signing, if there is one with anything in it.
fn signing_bundle(member: &Member, pod: &Object) -> Option<BTreeMap<String, Vec<u8>>> {
    let mounts = list(container(pod, "discovery")?.get("volumeMounts"));
    let mount = mounts.iter().find(|mount| text(mount, "mountPath") == Some(MOUNT))?;
    let volumes = items(pod, &["spec", "volumes"]);
    let volume = volumes.iter().find(|volume| text(volume, "name") == text(mount, "name"))?;
    let secret = text(volume.get("secret")?, "secretName")?;
    let secret = member.cluster.find("", "Secret", pod.namespace(), secret)?;
    let data = decoded(&secret);
    // istiod looks at its own file names only (checkCABundleCompleteness).
    let known = ["ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem", "tls.crt"];
    known.iter().any(|key| data.contains_key(*key)).then_some(data)
}

fn decoded(secret: &Object) -> BTreeMap<String, Vec<u8>> {
    let data = secret.get(&["data"]).and_then(Value::as_object);
    let entries = data.into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), STANDARD.decode(value.as_str()?).ok()?))).collect()
}

fn read_bundle(data: &BTreeMap<String, Vec<u8>>, member: &Member) -> Result<String, Trouble> {
    let live = LiveCa::from_data(data);
    if !live.missing.is_empty() {
        // istiod 1.27 and later exit; earlier ones sign with a root of their own, which is worse.
        return Err(Trouble::crash(format!(
            "incomplete signing CA bundle: it lacks {}",
            live.missing.join(", ")
        )));
    }
    let refused = |refusal: &dyn std::fmt::Display| {
        Trouble::crash(format!("failed to create an istiod CA: the bundle {refusal}"))
    };
    coherent(&live, member.cluster.now()).map_err(|refusal| refused(&refusal))?;
    live.root_certificate.ok_or_else(|| refused(&"has no root"))
}

fn self_signed(member: &Member, account: &Account) -> Result<String, Trouble> {
    let namespace = account.namespace.as_str();
    if let Some(secret) = member.cluster.find("", "Secret", Some(namespace), SELF_SIGNED) {
        let root = decoded(&secret).remove("ca-cert.pem").and_then(|bytes| String::from_utf8(bytes).ok());
        return root.ok_or_else(|| Trouble::crash(format!("secret {SELF_SIGNED} holds no ca-cert.pem")));
    }
    let deed = Deed { verb: "create", group: "", resource: "secrets", namespace: Some(namespace) };
    if !may(member, account, deed) {
        return Err(Trouble::crash(forbidden(account, "create", "", "secrets")));
    }
    let root = Root::generate("cluster.local", member.cluster.now())
        .map_err(|error| Trouble::crash(error.to_string()))?;
    keep_root(member, namespace, root.certificate().pem(), root.key());
    Ok(root.certificate().pem().to_owned())
}

fn keep_root(member: &Member, namespace: &str, certificate: &str, key: &Sensitive) {
    let secret = Object::from_value(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "istio.io/ca-root",
        "metadata": {"name": SELF_SIGNED, "namespace": namespace},
        "data": {
            "ca-cert.pem": STANDARD.encode(certificate), "ca-key.pem": STANDARD.encode(key.expose()),
            "cert-chain.pem": "", "key.pem": "", "root-cert.pem": "",
        },
    }));
    let secret = secret.expect("a secret is written whole above");
    let _ = member.cluster.create(secret, super::MANAGER);
}

//! The controller manager's tokens: Secrets of type `kubernetes.io/service-account-token`.
//!
//! A Secret whose ServiceAccount is there is filled; one whose ServiceAccount
//! is missing, or is another one of the same name, is deleted
//! (`pkg/controller/serviceaccount/tokens_controller.go`, syncSecret).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::controlled::Part;
use super::reading::{is_leaving, text};
use super::world::Member;
use crate::object::Object;

const MANAGER: &str = "kube-controller-manager";
const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// A ServiceAccount, by its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
}

/// Fills the token Secrets of a cluster and deletes those without a ServiceAccount.
pub(super) fn reconcile(member: &Member) {
    for secret in member.cluster.list("", "Secret", None) {
        if secret.text(&["type"]) != Some(TYPE) || is_leaving(&secret) {
            continue;
        }
        match live_account(member, &secret) {
            Some(account) => fill(member, &secret, &account),
            None => {
                let _ = member.cluster.delete(&secret);
            }
        }
    }
}

/// The ServiceAccount whose token this is, if it is alive.
pub(super) fn account_of_token(member: &Member, token: &str) -> Option<Account> {
    let encoded = STANDARD.encode(token);
    let secrets = member.cluster.list("", "Secret", None);
    let secret = secrets.iter().find(|secret| {
        secret.text(&["type"]) == Some(TYPE) && secret.text(&["data", "token"]) == Some(encoded.as_str())
    })?;
    let account = live_account(member, secret)?;
    Some(Account { namespace: account.namespace()?.to_owned(), name: account.name().to_owned() })
}

fn live_account(member: &Member, secret: &Object) -> Option<std::sync::Arc<Object>> {
    let name = secret.annotation(ACCOUNT_NAME)?;
    let account = member.cluster.find("", "ServiceAccount", secret.namespace(), name)?;
    let is_the_same = secret.annotation(ACCOUNT_UID).is_none_or(|uid| account.uid() == Some(uid));
    (is_the_same && !is_leaving(&account)).then_some(account)
}

fn fill(member: &Member, secret: &Object, account: &Object) {
    let data = secret.get(&["data"]).cloned().unwrap_or_default();
    let authority = STANDARD.encode(member.cluster.ca());
    let namespace = secret.namespace().unwrap_or_default();
    let is_whole = text(&data, "token").is_some_and(|token| !token.is_empty())
        && text(&data, "ca.crt") == Some(authority.as_str())
        && text(&data, "namespace") == Some(STANDARD.encode(namespace).as_str())
        && secret.annotation(ACCOUNT_UID).is_some();
    if is_whole {
        return;
    }
    let token = match text(&data, "token").filter(|token| !token.is_empty()) {
        Some(token) => token.to_owned(),
        None => STANDARD.encode(token(member, secret, account)),
    };
    let patch = json!({
        "metadata": {"annotations": {ACCOUNT_UID: account.uid()}},
        "data": {"token": token, "ca.crt": authority, "namespace": STANDARD.encode(namespace)},
    });
    let _ = member.cluster.merge(&secret.reference(), Part::Object, &patch, MANAGER);
}

/// A text in the form of a JWT. Its signature is a digest over the Secret's UID, which no other one has.
fn token(member: &Member, secret: &Object, account: &Object) -> String {
    let namespace = secret.namespace().unwrap_or_default();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "ES256", "kid": "sandbox"}));
    let claims = part(&json!({
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": namespace,
        "kubernetes.io/serviceaccount/secret.name": secret.name(),
        "kubernetes.io/serviceaccount/service-account.name": account.name(),
        "kubernetes.io/serviceaccount/service-account.uid": account.uid(),
        "sub": format!("system:serviceaccount:{namespace}:{}", account.name()),
    }));
    let seed = format!("{}\n{}\n{claims}", member.cluster.ca(), secret.uid().unwrap_or_default());
    let signature: Vec<u8> = [Sha256::digest(&seed), Sha256::digest(format!("{seed}\n2"))].concat();
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

//! Kubeconfigs of remote secrets: what istiod accepts of them.
//!
//! `pkg/kube/util.go` of Istio 1.30.3 denies what would run programs or read files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::document::Sources;
use crate::document::yaml::{Limits, Schema, parse_one};
use crate::object::Sensitive;
use crate::sandbox::controllers::reading::{list, text};

/// How a kubeconfig's current context reaches its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox::controllers) struct Access {
    /// `server`.
    pub(in crate::sandbox::controllers) server: String,
    /// `certificate-authority-data`, decoded.
    pub(super) authority: Option<String>,
    /// `token`.
    pub(super) token: Option<Sensitive>,
}

/// Why istiod does not take a kubeconfig. Never holds any of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox::controllers) enum BadKubeconfig {
    /// No YAML of a kubeconfig.
    Unreadable,
    /// `current-context` leads nowhere.
    NoContext,
    /// The context's cluster or user is missing, or has no server.
    Incomplete,
    /// Something that is denied.
    Denied(&'static str),
}

impl fmt::Display for BadKubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("the kubeconfig cannot be read"),
            Self::NoContext => f.write_str("the kubeconfig's current-context names no context"),
            Self::Incomplete => f.write_str("the kubeconfig's context lacks its cluster, server or user"),
            Self::Denied(what) => write!(f, "{what} is not allowed in a kubeconfig"),
        }
    }
}

/// What a user may not hold, and its name in the error.
const DENIED: &[(&str, &str)] = &[
    ("exec", "exec"),
    ("tokenFile", "tokenFile"),
    ("client-key", "clientKey"),
    ("client-certificate", "clientCertificate"),
];

/// The kubeconfigs that were read, by fingerprint: each is read once.
#[derive(Debug, Default)]
pub(in crate::sandbox::controllers) struct Kubeconfigs(Mutex<BTreeMap<String, Reading>>);

pub(in crate::sandbox::controllers) type Reading = Arc<Result<Access, BadKubeconfig>>;

impl Kubeconfigs {
    /// Reads a kubeconfig.
    pub(in crate::sandbox::controllers) fn read(&self, bytes: &[u8]) -> (String, Reading) {
        let fingerprint = HEXLOWER.encode(&Sha256::digest(bytes));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = known.entry(fingerprint.clone()).or_insert_with(|| Arc::new(parse(bytes)));
        (fingerprint, Arc::clone(reading))
    }
}

fn parse(bytes: &[u8]) -> Result<Access, BadKubeconfig> {
    let words = std::str::from_utf8(bytes).map_err(|_| BadKubeconfig::Unreadable)?;
    let source = Sources::default().add("a kubeconfig", "");
    let node = parse_one(source, words, Schema::Go, Limits::TOPOLOGY).into_result();
    let config = match node {
        Ok(Some(node)) => node.to_json(),
        Ok(None) | Err(_) => return Err(BadKubeconfig::Unreadable),
    };
    if text(&config, "kind").is_some_and(|kind| kind != "Config") {
        return Err(BadKubeconfig::Unreadable);
    }
    // Every user counts, not only the current one.
    for user in list(config.get("users")).iter().filter_map(|user| user.get("user")) {
        check(user)?;
    }
    let clusters = list(config.get("clusters"));
    for cluster in clusters.iter().filter_map(|cluster| cluster.get("cluster")) {
        // A file, which is not there in istiod's container.
        if cluster.get("certificate-authority").is_some() {
            return Err(BadKubeconfig::Unreadable);
        }
    }
    let current = text(&config, "current-context").unwrap_or_default();
    let context = named(&config, "contexts", current, "context").ok_or(BadKubeconfig::NoContext)?;
    let part = |list: &'static str, key: &'static str| named(&config, list, text(context, key)?, key);
    let (Some(cluster), Some(user)) = (part("clusters", "cluster"), part("users", "user")) else {
        return Err(BadKubeconfig::Incomplete);
    };
    let authority = text(cluster, "certificate-authority-data").map(|data| STANDARD.decode(data));
    let authority = match authority {
        None => None,
        Some(decoded) => {
            let bytes = decoded.map_err(|_| BadKubeconfig::Unreadable)?;
            Some(String::from_utf8(bytes).map_err(|_| BadKubeconfig::Unreadable)?)
        }
    };
    Ok(Access {
        server: text(cluster, "server").ok_or(BadKubeconfig::Incomplete)?.to_owned(),
        authority,
        token: text(user, "token").map(Sensitive::new),
    })
}

fn check(user: &Value) -> Result<(), BadKubeconfig> {
    for (key, name) in DENIED {
        if user.get(key).is_some_and(|value| !value.is_null()) {
            return Err(BadKubeconfig::Denied(name));
        }
    }
    match user.get("auth-provider") {
        Some(provider) if text(provider, "name") != Some("oidc") => {
            Err(BadKubeconfig::Denied("auth-provider"))
        }
        Some(_) | None => Ok(()),
    }
}

fn named<'c>(config: &'c Value, list_name: &str, name: &str, key: &str) -> Option<&'c Value> {
    list(config.get(list_name)).iter().find(|entry| text(entry, "name") == Some(name))?.get(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn with_user(user: &Value) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "cluster2",
            "clusters": [{"name": "cluster2", "cluster": {"server": "https://cluster2.sandbox.invalid:6443"}}],
            "contexts": [{"name": "cluster2", "context": {"cluster": "cluster2", "user": "cluster2"}}],
            "users": [{"name": "cluster2", "user": user}],
        })
        .to_string()
    }

    fn fault(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_current_context_leads_to_server_and_token() {
        let access = parse(with_user(&json!({"token": "abc"})).as_bytes()).unwrap();
        let wanted = Access {
            server: "https://cluster2.sandbox.invalid:6443".to_owned(),
            authority: None,
            token: Some(Sensitive::new("abc")),
        };
        assert_eq!(access, wanted);
    }

    #[test]
    fn what_runs_programs_or_reads_files_is_denied() {
        for (user, message) in [
            (json!({"exec": {"command": "aws"}}), "exec is not allowed in a kubeconfig"),
            (json!({"tokenFile": "/x"}), "tokenFile is not allowed in a kubeconfig"),
            (json!({"client-key": "/x"}), "clientKey is not allowed in a kubeconfig"),
            (json!({"auth-provider": {"name": "gcp"}}), "auth-provider is not allowed in a kubeconfig"),
        ] {
            assert_eq!(fault(&with_user(&user)), message);
        }
        assert!(parse(with_user(&json!({"auth-provider": {"name": "oidc"}})).as_bytes()).is_ok());
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        assert_eq!(fault("["), "the kubeconfig cannot be read");
        assert_eq!(fault(""), "the kubeconfig cannot be read");
        assert_eq!(fault("kind: Config"), "the kubeconfig's current-context names no context");
        let no_user = with_user(&json!({})).replace("\"users\"", "\"others\"");
        assert_eq!(fault(&no_user), "the kubeconfig's context lacks its cluster, server or user");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&bytes);
        }
    }
}

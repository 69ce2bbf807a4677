//! What a cluster's `cacerts` holds, and why it may not do.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::object::{Object, Sensitive};

use super::certificate::Fingerprint;

/// The keys of a bundle in Istio's format.
const ISTIO_KEYS: BundleKeys = BundleKeys {
    certificate: "ca-cert.pem",
    key: "ca-key.pem",
    root: "root-cert.pem",
    chain: &["cert-chain.pem"],
};

/// The keys of a bundle as cert-manager and `kubectl create secret tls` write it.
const TLS_KEYS: BundleKeys =
    BundleKeys { certificate: "tls.crt", key: "tls.key", root: "ca.crt", chain: &["tls.crt", "ca.crt"] };

struct BundleKeys {
    certificate: &'static str,
    key: &'static str,
    root: &'static str,
    chain: &'static [&'static str],
}

/// The decoded signing bundle of a control plane, as istiod would read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveCa {
    /// The issuing certificate.
    pub ca_certificate: Option<String>,
    /// Its key.
    pub ca_key: Option<Sensitive>,
    /// The roots.
    pub root_certificate: Option<String>,
    /// The issuing certificate and those above it.
    pub certificate_chain: Option<String>,
    /// The keys of the Secret that istiod wants and does not find.
    pub missing: Vec<&'static str>,
}

impl LiveCa {
    /// Reads the decoded data of a Secret in the format that istiod would choose.
    ///
    /// `tls.crt` decides: where it is, the TLS keys count, otherwise Istio's four
    /// (`pilot/pkg/bootstrap/istio_ca.go`, detectSigningCABundleAndCRL).
    pub fn from_data(data: &BTreeMap<String, Vec<u8>>) -> Self {
        let keys = if data.contains_key(TLS_KEYS.certificate) { TLS_KEYS } else { ISTIO_KEYS };
        let text = |key: &str| Some(String::from_utf8_lossy(data.get(key)?).into_owned());
        let chain: Option<Vec<String>> = keys.chain.iter().map(|key| text(key)).collect();
        let mut wanted = vec![keys.certificate, keys.key, keys.root];
        wanted.extend(keys.chain.iter().filter(|key| **key != keys.certificate && **key != keys.root));
        Self {
            ca_certificate: text(keys.certificate),
            ca_key: text(keys.key).map(Sensitive::new),
            root_certificate: text(keys.root),
            certificate_chain: chain.map(|parts| parts.join("\n")),
            missing: wanted.into_iter().filter(|key| !data.contains_key(*key)).collect(),
        }
    }

    /// Reads a live Secret; what is no base64 counts as missing.
    pub fn from_secret(secret: &Object) -> Self {
        let entries = secret.get(&["data"]).and_then(Value::as_object).into_iter().flatten();
        let data: BTreeMap<String, Vec<u8>> = entries
            .filter_map(|(key, value)| Some((key.clone(), STANDARD.decode(value.as_str()?).ok()?)))
            .collect();
        Self::from_data(&data)
    }
}

/// Why a live bundle does not do. Its words fit a plan's line after the Secret's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Keys of the Secret are not there.
    Lacks(Vec<&'static str>),
    /// A certificate cannot be read.
    CertificateUnreadable(&'static str),
    /// The key is not one that istiod reads.
    KeyUnreadable,
    /// The key belongs to another certificate.
    KeyMismatch,
    /// The certificate may not sign.
    NotAnAuthority,
    /// The chain ends at another root.
    OtherRoot(Fingerprint),
    /// No chain leads to the root that it carries.
    NoChain,
    /// It carries the root among others.
    MoreRoots(Fingerprint),
    /// It is not valid yet.
    NotYetValid(Timestamp),
    /// It is over.
    Expired {
        /// How many whole days.
        days: i64,
    },
    /// It is nearly over.
    Expires {
        /// In how many whole days.
        days: i64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacks(keys) => write!(f, "lacks {}", keys.join(" and ")),
            Self::CertificateUnreadable(what) => write!(f, "holds no readable {what}"),
            Self::KeyUnreadable => f.write_str("holds no key that can be read"),
            Self::KeyMismatch => f.write_str("holds a key of another certificate"),
            Self::NotAnAuthority => f.write_str("holds a certificate that may not sign"),
            Self::OtherRoot(root) => write!(f, "chains to another root {}", root.short()),
            Self::NoChain => f.write_str("does not chain to the root that it carries"),
            Self::MoreRoots(other) => write!(f, "carries another root {} too", other.short()),
            Self::NotYetValid(from) => write!(f, "is not valid before {from}"),
            Self::Expired { days: 0 } => f.write_str("expired today"),
            Self::Expired { days } => write!(f, "expired {} ago", counted_days(*days)),
            Self::Expires { days: 0 } => f.write_str("expires today"),
            Self::Expires { days } => write!(f, "expires in {}", counted_days(*days)),
        }
    }
}

fn counted_days(days: i64) -> String {
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}

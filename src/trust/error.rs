//! Why a root cannot be used.

use jiff::Timestamp;

use crate::diagnostic::{Code, Failure};

use super::certificate::Fingerprint;
use super::codes;

/// Why a root of trust cannot be used or cannot sign. No variant holds key text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The certificate's text is not exactly one X.509 certificate in PEM.
    #[error("the root's certificate cannot be read: {0}")]
    Certificate(String),
    /// The certificate may not sign other authorities.
    #[error("the root's certificate may not sign intermediates: {0}")]
    NotAnAuthority(&'static str),
    /// Outside of its time.
    #[error("the root's certificate is not valid now: it {0}")]
    NotValid(Validity),
    /// Istio's published sample, whose key everybody has.
    #[error("the certificate is Istio's published sample ({0}), whose private key everybody has")]
    Sample(Fingerprint),
    /// No PEM private key at all.
    #[error("the root's key cannot be read: {0}")]
    Key(String),
    /// A PEM private key in another format than PKCS#8.
    #[error("the root's key is a `{label}`, not PKCS#8")]
    KeyFormat {
        /// The PEM label: `EC PRIVATE KEY`.
        label: String,
    },
    /// A key behind a passphrase.
    #[error("the root's key is encrypted")]
    KeyEncrypted,
    /// The key belongs to another certificate.
    #[error("the root's key does not belong to its certificate")]
    KeyMismatch,
    /// Cryptography failed where it should not.
    #[error("a certificate could not be issued: {0}")]
    Issue(String),
}

/// How a certificate stands outside of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It will be valid.
    From(Timestamp),
    /// It has been valid, or will not be for long enough to sign anything.
    Until(Timestamp),
}

impl std::fmt::Display for Validity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::From(time) => write!(f, "begins on {time}"),
            Self::Until(time) => write!(f, "ends on {time}"),
        }
    }
}

impl TrustError {
    /// The code that `stolos explain` knows it by.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Certificate(_) => &codes::CERTIFICATE,
            Self::NotAnAuthority(_) => &codes::NOT_AN_AUTHORITY,
            Self::NotValid(_) => &codes::NOT_VALID,
            Self::Sample(_) => &codes::SAMPLE,
            Self::Key(_) => &codes::KEY,
            Self::KeyFormat { .. } | Self::KeyEncrypted => &codes::KEY_FORMAT,
            Self::KeyMismatch => &codes::KEY_MISMATCH,
            Self::Issue(_) => &codes::ISSUE,
        }
    }

    /// The error as a failure for a view.
    pub fn failure(&self) -> Failure {
        let failure = Failure::new(self.code(), self.to_string());
        match self {
            Self::KeyFormat { .. } | Self::KeyEncrypted => {
                failure.with_help("openssl pkcs8 -topk8 -nocrypt -in root.key -out root.pkcs8.key")
            }
            Self::KeyMismatch => {
                failure.with_help("name the certificate and the key of one root under `trust.root`")
            }
            Self::Sample(_) => failure
                .with_help("use a root of your own, or `trust: {root: generate}` to have one generated"),
            Self::NotValid(_) => {
                failure.with_help("use a root that is valid, and check this machine's clock")
            }
            Self::Certificate(_) | Self::NotAnAuthority(_) | Self::Key(_) | Self::Issue(_) => failure,
        }
    }
}

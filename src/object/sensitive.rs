//! A text that must never reach a screen, a log, a file or an error.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A private key, a token, a kubeconfig.
///
/// It has no `Display`, and its `Debug` says only that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(String);

impl Sensitive {
    /// Closes a text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for an object on its way to a cluster, and for cryptography.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// The fingerprint that stands for a secret in a diff: `sha256:5f3a91c0`.
pub fn fingerprint(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(bytes)[..4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensitive_text_does_not_show_itself() {
        assert_eq!(format!("{:?}", Sensitive::new("hunter2")), "(sensitive)");
    }
}

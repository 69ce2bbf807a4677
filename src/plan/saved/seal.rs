//! Values that a file may hold without giving them away.

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::plan::inventory::canonical;

/// How many bytes of a digest are kept.
const KEPT: usize = 12;

/// Seals the values of one cluster for one plan.
///
/// Equal values have equal seals, and nothing else can be told from one: it is salted with the plan's salt, so that
/// two plans cannot be compared, and with the UID of the cluster, which no plan holds, so that a short secret
/// cannot be found by trying.
pub(super) struct Sealer(Sha256);

impl Sealer {
    /// For a cluster whose kube-system namespace has this UID.
    pub(super) fn new(salt: &str, cluster_uid: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [salt, cluster_uid] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(hash)
    }

    /// Seals a value.
    pub(super) fn seal(&self, value: &Value) -> String {
        let mut hash = self.0.clone();
        canonical(&mut hash, value);
        HEXLOWER.encode(&hash.finalize()[..KEPT])
    }

    /// Seals a text.
    pub(super) fn seal_text(&self, text: &str) -> String {
        self.seal(&Value::from(text))
    }
}

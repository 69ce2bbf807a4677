//! A root with its key: loaded or generated.

use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::object::Sensitive;

use super::certificate::RootCertificate;
use super::error::TrustError;
use super::pem;

/// What a generated root lives.
const ROOT_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3652);

/// How far the clocks of clusters may be behind ours: certificates begin this much earlier.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A root of trust that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    certificate: RootCertificate,
    key: Sensitive,
}

impl Root {
    /// Reads a root from its PEM certificate and its PEM key in PKCS#8.
    pub fn load(certificate: &str, key: &Sensitive, now: Timestamp) -> Result<Self, TrustError> {
        let certificate = RootCertificate::load(certificate, now)?;
        let pair = key_pair(key)?;
        if rcgen::PublicKeyData::der_bytes(&pair)
            != &*certificate.parsed().public_key().subject_public_key.data
        {
            return Err(TrustError::KeyMismatch);
        }
        Ok(Self { certificate, key: Sensitive::new(pair.serialize_pem()) })
    }

    /// Makes a new root for a mesh: ECDSA P-256, valid for ten years.
    pub fn generate(mesh_id: &str, now: Timestamp) -> Result<Self, TrustError> {
        let pair = KeyPair::generate().map_err(|error| TrustError::Issue(error.to_string()))?;
        let mut params = authority_params(now.saturating_sub_skew(), now.saturating_add_life(ROOT_LIFE));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, mesh_id);
        params.distinguished_name.push(DnType::CommonName, format!("{mesh_id} root"));
        let issued = params.self_signed(&pair).map_err(|error| TrustError::Issue(error.to_string()))?;
        let certificate = RootCertificate::from_der(issued.der(), now)?;
        Ok(Self { certificate, key: Sensitive::new(pair.serialize_pem()) })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &RootCertificate {
        &self.certificate
    }

    /// Its key as PEM, PKCS#8: for the Secret that keeps a generated root.
    pub fn key(&self) -> &Sensitive {
        &self.key
    }

    pub(super) fn key_pair(&self) -> Result<KeyPair, TrustError> {
        key_pair(&self.key)
    }
}

/// What root and intermediate have in common.
pub(super) fn authority_params(not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    // rcgen gives no other way to make the type of its dates; those before 1970 are nobody's.
    let date_time = |time: Timestamp| {
        let seconds = u64::try_from(time.as_second()).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
    };
    params.not_before = date_time(not_before);
    params.not_after = date_time(not_after);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Times around `now` that never leave what a timestamp can hold.
pub(super) trait AroundNow {
    /// Earlier by the clocks' skew.
    fn saturating_sub_skew(self) -> Self;
    /// Later by a life.
    fn saturating_add_life(self, life: SignedDuration) -> Self;
}

impl AroundNow for Timestamp {
    fn saturating_sub_skew(self) -> Self {
        self.checked_sub(CLOCK_SKEW).unwrap_or(Self::MIN)
    }

    fn saturating_add_life(self, life: SignedDuration) -> Self {
        self.checked_add(life).unwrap_or(Self::MAX)
    }
}

/// Reads a PEM key that rcgen can sign with; no error holds any of it.
fn key_pair(key: &Sensitive) -> Result<KeyPair, TrustError> {
    let text = key.expose();
    let unreadable = |what: &str| TrustError::Key(what.to_owned());
    let labels: Vec<&str> = pem::labels(text).filter(|label| label.ends_with("PRIVATE KEY")).collect();
    let label = match labels.as_slice() {
        [] => return Err(unreadable("there is no PEM private key in it")),
        [label] => *label,
        [_, _, ..] => return Err(unreadable("there are several private keys in it, and one is wanted")),
    };
    if label == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(TrustError::KeyEncrypted);
    }
    if label != "PRIVATE KEY" {
        return Err(TrustError::KeyFormat { label: label.to_owned() });
    }
    let blocks = pem::blocks(text).map_err(|_| unreadable("its PEM block is broken"))?;
    let block = blocks.into_iter().find(|block| block.label == "PRIVATE KEY");
    let block = block.ok_or_else(|| unreadable("its PEM block is broken"))?;
    let kinds = "it is not one of P-256, P-384 or RSA of 2048 to 4096 bits";
    let pair = KeyPair::try_from(block.contents).map_err(|_| unreadable(kinds))?;
    if pair.algorithm() == &rcgen::PKCS_ED25519 {
        return Err(unreadable(kinds));
    }
    Ok(pair)
}

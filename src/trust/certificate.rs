//! The root's certificate: read, checked, named by its fingerprint.

use std::fmt;

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::TrustError;
use super::error::Validity;
use super::pem;

/// SHA-256 of `samples/certs/root-cert.pem` in Istio 1.1 to 1.30.
const SAMPLE_ROOT: &str =
    "63:72:7a:17:85:ca:b4:7a:ce:c5:c2:4c:c0:66:9c:20:82:4e:8a:e1:ac:28:07:9a:4d:2f:8c:83:05:92:e7:b0";
/// SHA-256 of `samples/certs/ca-cert.pem`, the intermediate below it.
const SAMPLE_INTERMEDIATE: &str =
    "f8:67:17:4e:4a:31:f1:79:2f:8c:03:54:a2:3f:8f:04:9b:d4:01:97:29:cd:2e:e5:79:d6:70:33:06:5b:2d:c2";

/// The least that a root must still live to sign anything.
const LEAST_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The SHA-256 of a certificate, which names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Its beginning, for a line of a plan: `5f:3a:91…`.
    pub fn short(&self) -> String {
        let [first, second, third, ..] = self.0;
        format!("{first:02x}:{second:02x}:{third:02x}…")
    }
}

impl fmt::Display for Fingerprint {
    /// All of it: `5f:3a:91:…`, 32 pairs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What tells one `root-cert.pem` from another, as istiod does: byte by byte
/// (`pilot/pkg/bootstrap/istio_ca.go`, handleEvent, 1.30.3).
pub fn root_digest(pem: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(pem)[..16])
}

/// Whether two bundles of roots have a certificate in common; what cannot be read has none.
pub fn shares_root(one: &str, other: &str) -> bool {
    let others = pem::certificates(other).unwrap_or_default();
    pem::certificates(one).unwrap_or_default().iter().any(|der| others.contains(der))
}

/// A root without its key: enough to judge what claims to go back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCertificate {
    pem: String,
    der: Vec<u8>,
    fingerprint: Fingerprint,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl RootCertificate {
    /// Reads a PEM text with exactly one certificate that may sign intermediates at `now`.
    pub fn load(text: &str, now: Timestamp) -> Result<Self, TrustError> {
        let ders = pem::certificates(text)
            .map_err(|_| TrustError::Certificate("a PEM block is broken".to_owned()))?;
        let [der] = ders.as_slice() else {
            return Err(TrustError::Certificate(match ders.len() {
                0 => "there is no certificate in it".to_owned(),
                count => format!("there are {count} certificates in it, and one is wanted"),
            }));
        };
        Self::from_der(der, now)
    }

    pub(super) fn from_der(der: &[u8], now: Timestamp) -> Result<Self, TrustError> {
        let parsed = parse(der)
            .ok_or_else(|| TrustError::Certificate("a block is not an X.509 certificate".to_owned()))?;
        let fingerprint = Fingerprint::of(der);
        if [SAMPLE_ROOT, SAMPLE_INTERMEDIATE].contains(&fingerprint.to_string().as_str()) {
            return Err(TrustError::Sample(fingerprint));
        }
        signs_intermediates(&parsed)?;
        verifiable(&parsed)?;
        let (not_before, not_after) = validity(&parsed);
        if now < not_before {
            return Err(TrustError::NotValid(Validity::From(not_before)));
        }
        if not_after.duration_since(now) < LEAST_LIFE {
            return Err(TrustError::NotValid(Validity::Until(not_after)));
        }
        Ok(Self { pem: pem::certificate(der), der: der.to_vec(), fingerprint, not_before, not_after })
    }

    /// The certificate as PEM, written anew: the same bytes for the same certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its SHA-256.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// When it begins to be valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When it ends.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn parsed(&self) -> X509Certificate<'_> {
        parse(&self.der).expect("a root certificate was parsed when it was made")
    }
}

/// A certificate with nothing behind it.
pub(super) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    }
}

/// From when to when a certificate is valid; a time that cannot be told is long past.
pub(super) fn validity(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    let time = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()))
}

/// Whether a certificate may sign others.
pub(super) fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let may_sign = match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    certificate.is_ca() && may_sign
}

fn signs_intermediates(certificate: &X509Certificate<'_>) -> Result<(), TrustError> {
    let path_length = match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.path_len_constraint,
        Ok(None) => None,
        Err(_) => return Err(TrustError::NotAnAuthority("its basic constraints cannot be read")),
    };
    if !certificate.is_ca() {
        return Err(TrustError::NotAnAuthority("its basic constraints do not say CA:TRUE"));
    }
    if !is_authority(certificate) {
        return Err(TrustError::NotAnAuthority("its key usage lacks keyCertSign"));
    }
    if path_length == Some(0) {
        return Err(TrustError::NotAnAuthority("its path length of 0 forbids them"));
    }
    Ok(())
}

/// Whether signatures by the certificate's key can be verified here, by istiod and by Envoy.
fn verifiable(certificate: &X509Certificate<'_>) -> Result<(), TrustError> {
    let unsupported = |what: String| {
        Err(TrustError::Certificate(format!(
            "its key is {what}; P-256, P-384 and RSA of 2048 to 4096 bits are known"
        )))
    };
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => match key.key_size() {
            2048..=4096 => Ok(()),
            size => unsupported(format!("RSA of {size} bits")),
        },
        Ok(PublicKey::EC(point)) => match point.key_size() {
            256 | 384 => Ok(()),
            size => unsupported(format!("an elliptic curve's of {size} bits")),
        },
        Ok(_) | Err(_) => unsupported("of another kind".to_owned()),
    }
}

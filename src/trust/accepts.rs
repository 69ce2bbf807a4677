//! Whether what is live may stay.

use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PublicKeyData as _};
use x509_parser::certificate::X509Certificate;

use crate::object::Sensitive;

use super::certificate::{Fingerprint, RootCertificate, is_authority, parse, validity};
use super::live::{LiveCa, Refusal};
use super::{der, pem};

/// A certificate with less than this left is replaced, or with less than a tenth of its life.
const NEAR: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How many certificates may stand between a workload's issuer and the root.
const DEEPEST_CHAIN: usize = 8;

/// A live bundle that may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// When the first certificate of its chain ends.
    pub not_after: Timestamp,
}

/// Whether istiod can go on with a live bundle: complete, a key that fits, a chain to `root` and to no
/// other, and time left.
pub fn accepts(root: &RootCertificate, live: &LiveCa, now: Timestamp) -> Result<Accepted, Refusal> {
    let bundle = Bundle::read(live)?;
    bundle.may_sign()?;
    carries_only(root, &bundle.roots)?;
    let path = bundle.chains_to(root.der(), now)?;
    // The root is not among them: nothing below it could live longer.
    for (not_before, not_after) in &path.below {
        let left = not_after.duration_since(now);
        // A tenth, so that a short-lived certificate is not replaced on every run.
        if left < NEAR.min(not_after.duration_since(*not_before) / 10) {
            return Err(Refusal::Expires { days: left.as_hours() / 24 });
        }
    }
    Ok(Accepted { not_after: path.end() })
}

/// Whether istiod would start with a bundle, whatever root it carries: what `Verify` of
/// `security/pkg/pki/util/keycertbundle.go` checks.
pub fn coherent(live: &LiveCa, now: Timestamp) -> Result<Accepted, Refusal> {
    let bundle = Bundle::read(live)?;
    bundle.may_sign()?;
    let mut last = Refusal::NoChain;
    for root in &bundle.roots {
        match bundle.chains_to(root, now) {
            Ok(path) => return Ok(Accepted { not_after: path.end() }),
            Err(refusal) => last = refusal,
        }
    }
    Err(last)
}

/// A bundle's certificates, as DER.
struct Bundle<'l> {
    certificate: Vec<u8>,
    key: &'l Sensitive,
    roots: Vec<Vec<u8>>,
    chain: Vec<Vec<u8>>,
}

impl<'l> Bundle<'l> {
    fn read(live: &'l LiveCa) -> Result<Self, Refusal> {
        let (Some(certificate), Some(key), Some(roots), Some(chain), []) = (
            &live.ca_certificate,
            &live.ca_key,
            &live.root_certificate,
            &live.certificate_chain,
            live.missing.as_slice(),
        ) else {
            return Err(Refusal::Lacks(live.missing.clone()));
        };
        let all =
            |text: &str, what| pem::certificates(text).map_err(|_| Refusal::CertificateUnreadable(what));
        Ok(Self {
            certificate: first_certificate(certificate)?,
            key,
            roots: all(roots, "root certificate")?,
            chain: all(chain, "certificate chain")?,
        })
    }

    fn issuing(&self) -> Result<X509Certificate<'_>, Refusal> {
        parse(&self.certificate).ok_or(Refusal::CertificateUnreadable("signing certificate"))
    }

    fn may_sign(&self) -> Result<(), Refusal> {
        let issuing = self.issuing()?;
        fits(self.key, &issuing)?;
        if is_authority(&issuing) { Ok(()) } else { Err(Refusal::NotAnAuthority) }
    }

    /// The way to a root, on which all certificates are valid now.
    fn chains_to(&self, root: &[u8], now: Timestamp) -> Result<Path, Refusal> {
        let anchor = parse(root).ok_or(Refusal::CertificateUnreadable("root certificate"))?;
        let issuing = self.issuing()?;
        let path = path_to(&anchor, &issuing, &self.chain)?;
        let below = path.iter().chain([&issuing]).map(|certificate| in_time(certificate, now));
        Ok(Path { below: below.collect::<Result<_, _>>()?, root: in_time(&anchor, now)?.1 })
    }
}

/// A way from an issuing certificate to its root.
struct Path {
    /// From when to when the certificates below the root are valid.
    below: Vec<(Timestamp, Timestamp)>,
    /// When the root ends.
    root: Timestamp,
}

impl Path {
    /// When the first of them ends.
    fn end(&self) -> Timestamp {
        self.below.iter().map(|(_, not_after)| *not_after).fold(self.root, Timestamp::min)
    }
}

fn first_certificate(text: &str) -> Result<Vec<u8>, Refusal> {
    let unreadable = Refusal::CertificateUnreadable("signing certificate");
    let ders = pem::certificates(text).map_err(|_| unreadable.clone())?;
    ders.into_iter().next().ok_or(unreadable)
}

/// The key in any of the formats that istiod reads: PKCS#8, SEC1, PKCS#1.
fn fits(key: &Sensitive, certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    let blocks = pem::blocks(key.expose()).map_err(|_| Refusal::KeyUnreadable)?;
    let block = blocks.into_iter().find(|block| block.label.ends_with("PRIVATE KEY"));
    let block = block.ok_or(Refusal::KeyUnreadable)?;
    let public = certificate.public_key();
    let pkcs8 = match block.label.as_str() {
        "PRIVATE KEY" => block.contents,
        // The private key is of the algorithm that the certificate names, or does not belong to it.
        "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
            let key_bits = der::bit_string(&public.subject_public_key.data);
            let algorithm = algorithm_of(public.raw, &key_bits).ok_or(Refusal::KeyUnreadable)?;
            der::pkcs8(algorithm, &block.contents)
        }
        _ => return Err(Refusal::KeyUnreadable),
    };
    let pair = KeyPair::try_from(pkcs8).map_err(|_| Refusal::KeyUnreadable)?;
    if pair.der_bytes() == &*public.subject_public_key.data { Ok(()) } else { Err(Refusal::KeyMismatch) }
}

/// The AlgorithmIdentifier before the key in a SubjectPublicKeyInfo.
fn algorithm_of<'d>(info: &'d [u8], key_bits: &[u8]) -> Option<&'d [u8]> {
    let algorithm = info.strip_suffix(key_bits)?;
    algorithm.get(der::header_length(info)?..)
}

fn carries_only(root: &RootCertificate, roots: &[Vec<u8>]) -> Result<(), Refusal> {
    let other = roots.iter().find(|der| der.as_slice() != root.der());
    let has_ours = roots.iter().any(|der| der.as_slice() == root.der());
    match (other, has_ours) {
        (None, true) => Ok(()),
        (Some(other), true) => Err(Refusal::MoreRoots(Fingerprint::of(other))),
        (Some(other), false) => Err(Refusal::OtherRoot(Fingerprint::of(other))),
        (None, false) => Err(Refusal::CertificateUnreadable("root certificate")),
    }
}

/// The certificates between the issuing one and the root, nearest first.
fn path_to<'c>(
    anchor: &X509Certificate<'_>,
    issuing: &X509Certificate<'_>,
    chain: &'c [Vec<u8>],
) -> Result<Vec<X509Certificate<'c>>, Refusal> {
    let pool: Vec<X509Certificate<'c>> =
        chain.iter().filter_map(|der| parse(der)).filter(is_authority).collect();
    let mut path: Vec<X509Certificate<'c>> = Vec::new();
    while path.len() < DEEPEST_CHAIN {
        let last = path.last().map_or(issuing, |certificate| certificate);
        if signed(last, anchor) {
            return Ok(path);
        }
        let above = pool.iter().find(|above| {
            let is_new = path.iter().all(|seen| seen.as_raw() != above.as_raw());
            is_new && above.as_raw() != last.as_raw() && signed(last, above)
        });
        match above {
            Some(above) => path.push(above.clone()),
            None => break,
        }
    }
    Err(Refusal::NoChain)
}

fn signed(certificate: &X509Certificate<'_>, by: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == by.subject().as_raw()
        && certificate.verify_signature(Some(by.public_key())).is_ok()
}

/// From when to when a certificate is valid, if it is now.
fn in_time(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), Refusal> {
    let (not_before, not_after) = validity(certificate);
    let left = not_after.duration_since(now);
    if now < not_before {
        return Err(Refusal::NotYetValid(not_before));
    }
    if left <= SignedDuration::ZERO {
        return Err(Refusal::Expired { days: left.abs().as_hours() / 24 });
    }
    Ok((not_before, not_after))
}

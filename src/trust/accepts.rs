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
    let (Some(certificate), Some(key), Some(roots), Some(chain), []) = (
        &live.ca_certificate,
        &live.ca_key,
        &live.root_certificate,
        &live.certificate_chain,
        live.missing.as_slice(),
    ) else {
        return Err(Refusal::Lacks(live.missing.clone()));
    };
    let certificate = first_certificate(certificate)?;
    let issuing = parse(&certificate).ok_or(Refusal::CertificateUnreadable("signing certificate"))?;
    fits(key, &issuing)?;
    if !is_authority(&issuing) {
        return Err(Refusal::NotAnAuthority);
    }
    carries_only(root, roots)?;
    let chain = pem::certificates(chain).map_err(|_| Refusal::CertificateUnreadable("certificate chain"))?;
    let path = path_to(root, &issuing, &chain)?;

    let mut not_after = root.not_after();
    for certificate in path.iter().chain([&issuing]) {
        not_after = not_after.min(in_time(certificate, now)?);
    }
    Ok(Accepted { not_after })
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

fn carries_only(root: &RootCertificate, roots: &str) -> Result<(), Refusal> {
    let roots = pem::certificates(roots).map_err(|_| Refusal::CertificateUnreadable("root certificate"))?;
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
    root: &RootCertificate,
    issuing: &X509Certificate<'_>,
    chain: &'c [Vec<u8>],
) -> Result<Vec<X509Certificate<'c>>, Refusal> {
    let anchor = root.parsed();
    let pool: Vec<X509Certificate<'c>> =
        chain.iter().filter_map(|der| parse(der)).filter(is_authority).collect();
    let mut path: Vec<X509Certificate<'c>> = Vec::new();
    while path.len() < DEEPEST_CHAIN {
        let last = path.last().map_or(issuing, |certificate| certificate);
        if signed(last, &anchor) {
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

/// When a certificate ends, if it has begun and that is not near.
fn in_time(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<Timestamp, Refusal> {
    let (not_before, not_after) = validity(certificate);
    let left = not_after.duration_since(now);
    let days = left.abs().as_hours() / 24;
    if now < not_before {
        return Err(Refusal::NotYetValid(not_before));
    }
    if left <= SignedDuration::ZERO {
        return Err(Refusal::Expired { days });
    }
    // A tenth, so that a short-lived certificate is not replaced on every run.
    let near = NEAR.min(not_after.duration_since(not_before) / 10);
    if left < near { Err(Refusal::Expires { days }) } else { Ok(not_after) }
}

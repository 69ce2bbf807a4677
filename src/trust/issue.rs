//! Intermediates: one for each control plane, signed by the root.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, SigningKey as _,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use crate::object::Sensitive;

use super::certificate::parse;
use super::der;
use super::error::{TrustError, Validity};
use super::pem;
use super::root::{AroundNow as _, Root, authority_params};

/// What an intermediate lives, if its root lives that long.
const INTERMEDIATE_LIFE: SignedDuration = SignedDuration::from_hours(24 * 730);

/// What the `cacerts` of one control plane holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intermediate {
    /// `ca-cert.pem`.
    pub ca_certificate: String,
    /// `ca-key.pem`, PKCS#8.
    pub ca_key: Sensitive,
    /// `root-cert.pem`: the root's certificate and nothing else.
    pub root_certificate: String,
    /// `cert-chain.pem`: the intermediate, then the root, as Istio's own documents have it.
    pub certificate_chain: String,
    /// When the intermediate ends.
    pub not_after: Timestamp,
}

impl Root {
    /// Signs a new intermediate for a cluster's control plane.
    ///
    /// ECDSA P-256, valid for two years or as long as the root. Its key is new each time, so that no
    /// two primaries share one.
    pub fn issue(
        &self,
        cluster_id: &str,
        trust_domain: &str,
        now: Timestamp,
    ) -> Result<Intermediate, TrustError> {
        let root = self.certificate();
        if now < root.not_before() {
            return Err(TrustError::NotValid(Validity::From(root.not_before())));
        }
        if root.not_after() <= now {
            return Err(TrustError::NotValid(Validity::Until(root.not_after())));
        }
        let failed = |error: rcgen::Error| TrustError::Issue(error.to_string());
        let not_before = now.saturating_sub_skew().max(root.not_before());
        let not_after = now.saturating_add_life(INTERMEDIATE_LIFE).min(root.not_after());
        let mut params = authority_params(not_before, not_after);
        // Below it stand workloads' certificates only.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, trust_domain);
        params.distinguished_name.push(DnType::CommonName, "Intermediate CA");
        params.distinguished_name.push(DnType::LocalityName, cluster_id);

        let parsed_root = root.parsed();
        let mut issuer_params = CertificateParams::default();
        if let Some(identifier) = subject_key_identifier(&parsed_root) {
            issuer_params.key_identifier_method = KeyIdMethod::PreSpecified(identifier);
            params.use_authority_key_identifier_extension = true;
        }
        let pair = KeyPair::generate().map_err(failed)?;
        let signer = self.key_pair()?;
        let draft = params.signed_by(&pair, &Issuer::from_params(&issuer_params, &signer)).map_err(failed)?;
        let issued = with_issuer(draft.der(), parsed_root.subject().as_raw(), &signer)?;

        let ca_certificate = pem::certificate(&issued);
        Ok(Intermediate {
            certificate_chain: format!("{ca_certificate}{}", root.pem()),
            ca_certificate,
            ca_key: Sensitive::new(pair.serialize_pem()),
            root_certificate: root.pem().to_owned(),
            not_after,
        })
    }
}

fn subject_key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    })
}

/// Puts the root's subject, byte for byte, in the issuer's place and signs again.
///
/// rcgen rebuilds names from their parts and keeps one of each: of `DC=example, DC=com` it would drop
/// one, and a chain whose names differ is no chain.
fn with_issuer(draft: &[u8], issuer: &[u8], signer: &KeyPair) -> Result<Vec<u8>, TrustError> {
    let bug = || TrustError::Issue("a certificate of our own cannot be read".to_owned());
    let certificate = parse(draft).ok_or_else(bug)?;
    let body: &[u8] = certificate.tbs_certificate.as_ref();
    let drafted = certificate.issuer().as_raw();
    // The parser's slices lie in the draft, so their distance is where the issuer stands.
    let start = (drafted.as_ptr() as usize).checked_sub(body.as_ptr() as usize).ok_or_else(bug)?;
    let before = body.get(der::header_length(body).ok_or_else(bug)?..start).ok_or_else(bug)?;
    let after = body.get(start + drafted.len()..).ok_or_else(bug)?;

    let body = der::sequence(&[before, issuer, after]);
    let signature = signer.sign(&body).map_err(|error| TrustError::Issue(error.to_string()))?;
    let algorithm = algorithm_of(draft, certificate.tbs_certificate.as_ref()).ok_or_else(bug)?;
    Ok(der::sequence(&[&body, algorithm, &der::bit_string(&signature)]))
}

/// The signature's AlgorithmIdentifier, which stands between the body and the signature.
fn algorithm_of<'d>(draft: &'d [u8], body: &[u8]) -> Option<&'d [u8]> {
    let start = der::header_length(draft)? + body.len();
    let rest = draft.get(start..)?;
    // Its length is always short: an object identifier and at most a NULL.
    rest.get(..der::header_length(rest)? + usize::from(*rest.get(1)?))
}

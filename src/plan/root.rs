//! The mesh's root of trust: found, given, or to be made; and which live intermediates still do.
//!
//! A second root splits a mesh, so one is made only where every primary was read and none holds
//! a root or a certificate of one.

use std::collections::BTreeMap;

use super::disruption::INTERMEDIATE_SECRET;
use super::done::decoded;
use super::{Inputs, Live, Reading, RootOutlook, codes};
use crate::compile::{Desired, DesiredUnit, Hole, Minted, RootFacts, Values};
use crate::diagnostic::Failure;
use crate::graph::UnitKind;
use crate::object::{Object, ObjectRef, Sensitive};
use crate::topology::ClusterName;
use crate::trust::{LiveCa, Root, RootCertificate, TrustError, accepts, root_digest};

/// The Secret that keeps a generated root.
const ROOT_SECRET: &str = "stolos-root";

/// The keys of an intermediate in Istio's format, and what stands in each.
const PIECES: [(&str, Minted); 4] = [
    ("ca-cert.pem", Minted::CaCertificate),
    ("ca-key.pem", Minted::CaKey),
    ("cert-chain.pem", Minted::CertificateChain),
    ("root-cert.pem", Minted::RootCertificate),
];

/// Whether an object is the Secret that keeps a generated root.
pub(crate) fn is_root(object: &ObjectRef) -> bool {
    object.kind == "Secret" && object.name == ROOT_SECRET
}

/// The Secrets on which the root of trust depends.
pub(super) fn trust_secrets(namespace: &str) -> [ObjectRef; 2] {
    [ROOT_SECRET, INTERMEDIATE_SECRET].map(|name| secret_ref(namespace, name))
}

fn secret_ref(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: String::new(),
        kind: "Secret".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// The root as far as a plan knows it.
#[derive(Debug, Clone)]
pub(super) enum RootState {
    /// Each istiod signs for itself.
    None,
    /// It is made by this plan, and kept there.
    New(ClusterName),
    /// It is there.
    Known(Box<KnownRoot>),
}

/// A root that is there.
#[derive(Debug, Clone)]
pub(super) struct KnownRoot {
    certificate: RootCertificate,
    /// The cluster whose Secret holds it, and that Secret.
    kept: Option<(ClusterName, Object)>,
}

impl RootState {
    /// For the plan.
    pub(super) fn outlook(&self) -> RootOutlook {
        match self {
            Self::None => RootOutlook::None,
            Self::New(keeper) => RootOutlook::New { keeper: keeper.clone() },
            Self::Known(root) => RootOutlook::Known {
                fingerprint: root.certificate.fingerprint().short(),
                keeper: root.kept.as_ref().map(|(keeper, _)| keeper.clone()),
            },
        }
    }

    /// The units, the root's Secret with the primary that has it already: it stays there, whichever
    /// primary the topology would choose today.
    pub(super) fn placed<'d>(&self, desired: &'d Desired) -> Vec<std::borrow::Cow<'d, DesiredUnit>> {
        use std::borrow::Cow;
        let mut units: Vec<Cow<'d, DesiredUnit>> = desired.units.iter().map(Cow::Borrowed).collect();
        let (Self::Known(root), RootFacts::Generated { keeper }) = (self, &desired.mesh.root) else {
            return units;
        };
        let Some((holder, _)) = root.kept.as_ref().filter(|(holder, _)| holder != keeper) else {
            return units;
        };
        let trust_of = |units: &[Cow<'d, DesiredUnit>], cluster: &ClusterName| {
            units.iter().position(|unit| unit.unit.cluster == *cluster && unit.unit.kind == UnitKind::Trust)
        };
        let (Some(from), Some(to)) = (trust_of(&units, keeper), trust_of(&units, holder)) else {
            return units;
        };
        let position = units[from].content.objects.iter().position(|object| object.name() == ROOT_SECRET);
        if let Some(position) = position {
            let secret = units[from].to_mut().content.objects.remove(position);
            units[to].to_mut().content.objects.insert(0, secret);
        }
        units
    }

    /// What is live of a cluster's intermediate and still does; else why it does not.
    pub(super) fn intermediate(
        &self,
        cluster: &ClusterName,
        namespace: &str,
        live: &Live,
        inputs: &Inputs,
    ) -> Result<Values, Option<String>> {
        let reference = secret_ref(namespace, INTERMEDIATE_SECRET);
        let secret = live.cluster(cluster).and_then(|live| live.objects.get(&reference)).ok_or(None)?;
        let Self::Known(root) = self else { return Err(None) };
        let ca = LiveCa::from_secret(secret);
        accepts(&root.certificate, &ca, inputs.now).map_err(|refusal| Some(refusal.to_string()))?;
        let mut values = Values::default();
        for (key, piece) in PIECES {
            // A bundle under other keys (cert-manager's) is taken over in Istio's.
            let text = decoded(secret, key).or_else(|| match piece {
                Minted::CaCertificate => ca.ca_certificate.clone(),
                Minted::CaKey => ca.ca_key.as_ref().map(|key| key.expose().to_owned()),
                Minted::CertificateChain => ca.certificate_chain.clone(),
                Minted::RootCertificate => ca.root_certificate.clone(),
                Minted::RootKey | Minted::RootDigest => None,
            });
            if let Some(text) = text {
                if piece == Minted::RootCertificate {
                    let digest = Hole::Minted { cluster: cluster.clone(), piece: Minted::RootDigest };
                    values.insert(digest, root_digest(&text));
                }
                values.insert(Hole::Minted { cluster: cluster.clone(), piece }, text);
            }
        }
        Ok(values)
    }

    /// The digest of the root that an intermediate will carry which is issued for a cluster, if that root is known.
    pub(super) fn digest(&self, cluster: &ClusterName) -> Values {
        let mut values = Values::default();
        if let Self::Known(root) = self {
            let digest = Hole::Minted { cluster: cluster.clone(), piece: Minted::RootDigest };
            values.insert(digest, root_digest(root.certificate.pem()));
        }
        values
    }

    /// The generated root where it is live, under the name of the cluster that the topology has keep it.
    pub(super) fn kept_values(&self, desired: &Desired) -> Values {
        let mut values = Values::default();
        let (Self::Known(root), RootFacts::Generated { keeper }) = (self, &desired.mesh.root) else {
            return values;
        };
        let Some((_, secret)) = &root.kept else { return values };
        for (key, piece) in [("root-cert.pem", Minted::RootCertificate), ("root-key.pem", Minted::RootKey)] {
            if let Some(text) = decoded(secret, key) {
                values.insert(Hole::Minted { cluster: keeper.clone(), piece }, text);
            }
        }
        values
    }
}

/// Finds the root, or says why a plan cannot be made without it.
pub(super) fn find(desired: &Desired, live: &Live, inputs: &Inputs) -> Result<RootState, Vec<Failure>> {
    match &desired.mesh.root {
        RootFacts::Istiod => Ok(RootState::None),
        RootFacts::Files { .. } => {
            let text = inputs.root_certificate.as_deref().unwrap_or_default();
            let certificate =
                RootCertificate::load(text, inputs.now).map_err(|error| vec![error.failure()])?;
            Ok(RootState::Known(Box::new(KnownRoot { certificate, kept: None })))
        }
        RootFacts::Generated { keeper } => match kept(desired, live, keeper) {
            Some((holder, secret)) => {
                let Some(key) = decoded(&secret, "root-key.pem") else {
                    let message = format!("{} of {holder} holds no key", secret.reference());
                    return Err(vec![Failure::new(&codes::ROOT_LOST, message)]);
                };
                let text = decoded(&secret, "root-cert.pem").unwrap_or_default();
                // With its key: what is live is taken for what is asked for, so that nothing else would
                // find a key that somebody broke.
                let root = Root::load(&text, &Sensitive::new(key), inputs.now).map_err(|error| {
                    let mut failure = error.failure();
                    failure.facts.push(format!("it stands in {} of {holder}", secret.reference()));
                    if matches!(error, TrustError::Key(_) | TrustError::KeyMismatch) {
                        failure.help = Some(restore());
                    }
                    vec![failure]
                })?;
                let certificate = root.certificate().clone();
                Ok(RootState::Known(Box::new(KnownRoot { certificate, kept: Some((holder, secret)) })))
            }
            None => without_kept(desired, live, inputs, keeper),
        },
    }
}

/// Where the generated root is: the keeper's, else the first cluster's that has it.
fn kept(desired: &Desired, live: &Live, keeper: &ClusterName) -> Option<(ClusterName, Object)> {
    let reference = secret_ref(&desired.mesh.namespace, ROOT_SECRET);
    let others = desired.clusters.keys().filter(|name| *name != keeper);
    std::iter::once(keeper).chain(others).find_map(|name| {
        let secret = live.cluster(name)?.objects.get(&reference)?;
        Some((name.clone(), secret.clone()))
    })
}

/// No cluster that was read has the root.
fn without_kept(
    desired: &Desired,
    live: &Live,
    inputs: &Inputs,
    keeper: &ClusterName,
) -> Result<RootState, Vec<Failure>> {
    let reference = secret_ref(&desired.mesh.namespace, INTERMEDIATE_SECRET);
    let primaries = || {
        let units = desired.units.iter().filter(|unit| unit.unit.kind == UnitKind::Trust);
        units.map(|unit| &unit.unit.cluster)
    };
    let issued: BTreeMap<&ClusterName, LiveCa> = primaries()
        .filter_map(|name| Some((name, LiveCa::from_secret(live.cluster(name)?.objects.get(&reference)?))))
        .collect();
    let unread: Vec<&ClusterName> = primaries().filter(|name| live.cluster(name).is_none()).collect();
    if unread.is_empty() {
        return match issued.is_empty() {
            true => Ok(RootState::New(keeper.clone())),
            false => Err(vec![lost(desired, issued.keys().copied())]),
        };
    }
    // Whoever keeps the root may be among those that could not be read. As long as nothing has to be
    // issued, the certificate that every other primary carries will do.
    let needs_none = primaries().all(|name| unread.contains(&name) || issued.contains_key(name));
    let certificate = issued.values().next().and_then(|ca| {
        let certificate = RootCertificate::load(ca.root_certificate.as_deref()?, inputs.now).ok()?;
        let do_all = issued.values().all(|ca| accepts(&certificate, ca, inputs.now).is_ok());
        do_all.then_some(certificate)
    });
    match certificate {
        Some(certificate) if needs_none => {
            Ok(RootState::Known(Box::new(KnownRoot { certificate, kept: None })))
        }
        _ if issued.is_empty() && unread.len() == primaries().count() => {
            // Nothing of the mesh's trust is in sight, and no step that needs it will run.
            Ok(RootState::None)
        }
        _ => Err(unread.into_iter().map(|name| unreachable(live, name)).collect()),
    }
}

fn lost<'n>(desired: &Desired, issued: impl Iterator<Item = &'n ClusterName>) -> Failure {
    let message = format!(
        "no cluster has Secret {}/{ROOT_SECRET}, and certificates of a root exist",
        desired.mesh.namespace
    );
    let failure = Failure::new(&codes::ROOT_LOST, message);
    issued
        .fold(failure, |failure, name| {
            failure.with_fact(format!("{name} has Secret {}/{INTERMEDIATE_SECRET}", desired.mesh.namespace))
        })
        .with_help(restore())
}

fn restore() -> String {
    format!("restore Secret {ROOT_SECRET}, or see: stolos explain root-lost")
}

fn unreachable(live: &Live, name: &ClusterName) -> Failure {
    let mut failure = match live.clusters.get(name) {
        Some(Reading::Unreachable(failure)) => failure.clone(),
        Some(Reading::Read(_)) | None => not_read(name),
    };
    failure.facts.push(format!(
        "a certificate is to be issued, and {name} may keep the root: a second one would split the mesh"
    ));
    failure
}

/// A cluster that live state does not mention at all.
pub(super) fn not_read(name: &ClusterName) -> Failure {
    Failure::new(&codes::CLUSTER_NOT_READ, format!("{name}: it was not read"))
        .with_help("this is a bug in Stolos: please report it")
}

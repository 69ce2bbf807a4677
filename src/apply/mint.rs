//! What `trust` issues: the one place where keys are made and handled.

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::ApplyError;
use crate::cluster::Cluster;
use crate::compile::{Hole, Minted, Values};
use crate::graph::{Unit, UnitKind};
use crate::object::{Object, ObjectRef, Sensitive};
use crate::plan::{Plan, RootOutlook};
use crate::topology::ClusterName;
use crate::trust::{Root, TrustError, root_digest};

/// The Secret that keeps a generated root.
pub(super) const ROOT_SECRET: &str = "stolos-root";

/// Issues certificates for one run; the root is found or made once.
pub(super) struct Mint {
    /// A root given in files, or the generated one once it is known.
    root: Mutex<Option<Root>>,
}

/// Where a generated root is.
enum Source<'p> {
    /// In the Secret of its keeper.
    Kept { keeper: &'p ClusterName, fingerprint: &'p str },
    /// Nowhere: this unit makes it.
    New,
}

impl Mint {
    pub(super) fn new(given: Option<Root>) -> Self {
        Self { root: Mutex::new(given) }
    }

    /// The values of the open minted holes of a trust unit.
    pub(super) async fn issue(
        &self,
        plan: &Plan,
        unit: &Unit,
        open: &[Hole],
        cluster_of: impl Fn(&ClusterName) -> Option<Cluster>,
    ) -> Result<Values, ApplyError> {
        let mut values = Values::default();
        let minted = |wanted: Minted| {
            open.iter().any(|hole| matches!(hole, Hole::Minted { piece, .. } if *piece == wanted))
        };
        if unit.kind != UnitKind::Trust || !open.iter().any(|hole| matches!(hole, Hole::Minted { .. })) {
            return Ok(values);
        }
        let fault = |source: TrustError| ApplyError::Trust { unit: unit.clone(), source: Box::new(source) };
        let root = self.root(plan, unit, open, &cluster_of).await?;
        let mut give = |piece: Minted, value: &str| {
            values.insert(Hole::Minted { cluster: unit.cluster.clone(), piece }, value);
        };
        give(Minted::RootCertificate, root.certificate().pem());
        give(Minted::RootKey, root.key().expose());
        if minted(Minted::CaKey) || minted(Minted::CaCertificate) || minted(Minted::CertificateChain) {
            let id =
                plan.clusters.get(&unit.cluster).map_or(unit.cluster.as_str(), |cluster| &cluster.facts.id);
            let now = agreed(cluster_of(&unit.cluster).as_ref()).max(root.certificate().not_before());
            let issued = root.issue(id, &plan.mesh.trust_domain, now.min(Timestamp::now())).map_err(fault)?;
            give(Minted::CaCertificate, &issued.ca_certificate);
            give(Minted::CaKey, issued.ca_key.expose());
            give(Minted::CertificateChain, &issued.certificate_chain);
            give(Minted::RootCertificate, &issued.root_certificate);
        }
        give(Minted::RootDigest, &root_digest(root.certificate().pem()));
        Ok(values)
    }

    /// The root, found or made once. Held while it is looked for, so that no two steps make one.
    async fn root(
        &self,
        plan: &Plan,
        unit: &Unit,
        open: &[Hole],
        cluster_of: &impl Fn(&ClusterName) -> Option<Cluster>,
    ) -> Result<Root, ApplyError> {
        let mut known = self.root.lock().await;
        if let Some(root) = &*known {
            return Ok(root.clone());
        }
        let missing = || ApplyError::ValueMissing { unit: unit.clone(), holes: open.to_vec() };
        let fault = |source: TrustError| ApplyError::Trust { unit: unit.clone(), source: Box::new(source) };
        let source = match &plan.root {
            RootOutlook::Known { fingerprint, keeper: Some(keeper) } => Source::Kept { keeper, fingerprint },
            RootOutlook::New { keeper } if *keeper == unit.cluster => Source::New,
            RootOutlook::New { .. } | RootOutlook::Known { keeper: None, .. } | RootOutlook::None => {
                return Err(missing());
            }
        };
        let secret = ObjectRef {
            group: String::new(),
            kind: "Secret".to_owned(),
            namespace: Some(plan.mesh.namespace.clone()),
            name: ROOT_SECRET.to_owned(),
        };
        let diverged = |why: &str| ApplyError::Diverged {
            unit: unit.clone(),
            object: Box::new(secret.clone()),
            why: why.to_owned(),
        };
        let root = match source {
            Source::Kept { keeper, fingerprint } => {
                let cluster = cluster_of(keeper).ok_or_else(missing)?;
                let live = cluster.get(&secret).await?.ok_or_else(|| diverged("it is gone"))?;
                let root = read(&live).map_err(fault)?;
                if root.certificate().fingerprint().short() != *fingerprint {
                    return Err(diverged("it holds another root"));
                }
                root
            }
            Source::New => {
                let cluster = cluster_of(&unit.cluster).ok_or_else(missing)?;
                // An apply would write over a root that somebody made since the plan was made.
                if cluster.get(&secret).await?.is_some() {
                    return Err(diverged("it exists by now"));
                }
                Root::generate(&plan.mesh.id, agreed(Some(&cluster))).map_err(fault)?
            }
        };
        *known = Some(root.clone());
        Ok(root)
    }
}

/// Now, or as late as it is for a cluster whose clock is behind ours: a certificate that is not valid
/// there yet is one that its istiod does not start with.
fn agreed(cluster: Option<&Cluster>) -> Timestamp {
    let ours = Timestamp::now();
    cluster.map_or(ours, |cluster| cluster.time().min(ours))
}

/// The root in its Secret.
fn read(secret: &Object) -> Result<Root, TrustError> {
    use base64::Engine;
    let text = |key: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(secret.text(&["data", key])?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let certificate = text("root-cert.pem").unwrap_or_default();
    let key = Sensitive::new(text("root-key.pem").unwrap_or_default());
    Root::load(&certificate, &key, Timestamp::now())
}

//! Values that do not exist yet when manifests are compiled.
//!
//! In a text a hole is its marker, `${cluster1/eastwest-gateway.address}`; that
//! is also how a compiled file shows it.

use std::collections::BTreeMap;
use std::fmt;

use crate::graph::{Unit, UnitKind};
use crate::object::Sensitive;
use crate::topology::ClusterName;

/// A value that somebody will know later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hole {
    /// What a unit gives once it is done.
    Observed {
        /// The unit that gives it.
        unit: Unit,
        /// Which of its outputs.
        output: Output,
    },
    /// What is issued at apply for a `trust` unit.
    Minted {
        /// The cluster that it is issued for.
        cluster: ClusterName,
        /// Which piece.
        piece: Minted,
    },
    /// A cluster's API address, from the context that reaches it.
    Context {
        /// The cluster.
        cluster: ClusterName,
    },
}

/// What a done unit gives to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// The address of a Service of type LoadBalancer.
    Address,
    /// The token of a reader credential.
    Token,
    /// The authority that goes with the token: PEM, base64-encoded once more, as a kubeconfig holds it.
    Ca,
}

/// A piece of what `trust` issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Minted {
    /// The root's certificate.
    RootCertificate,
    /// The root's key, where a generated root is kept.
    RootKey,
    /// The intermediate's certificate.
    CaCertificate,
    /// The intermediate's key.
    CaKey,
    /// The intermediate's certificate and those above it.
    CertificateChain,
    /// A digest of the root's certificate as istiod reads it: what tells one root from another.
    RootDigest,
}

impl Hole {
    /// The unit that must be done before the value is known, if any.
    pub fn producer(&self) -> Option<Unit> {
        match self {
            Self::Observed { unit, .. } => Some(unit.clone()),
            Self::Minted { cluster, .. } => Some(Unit::new(cluster, UnitKind::Trust)),
            Self::Context { .. } => None,
        }
    }

    /// Whether the value is a secret: never printed, stored or logged.
    pub fn is_secret(&self) -> bool {
        match self {
            Self::Observed { output, .. } => *output == Output::Token,
            Self::Minted { piece, .. } => matches!(piece, Minted::RootKey | Minted::CaKey),
            Self::Context { .. } => false,
        }
    }

    /// Its place in a text: `${cluster1/eastwest-gateway.address}`.
    pub fn marker(&self) -> String {
        format!("${{{self}}}")
    }
}

impl fmt::Display for Hole {
    /// The marker without its braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observed { unit, output } => write!(f, "{unit}.{output}"),
            Self::Minted { cluster, piece } => write!(f, "{cluster}/trust.{piece}"),
            Self::Context { cluster } => write!(f, "{cluster}.server"),
        }
    }
}

/// A text that names no hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names no hole")]
pub struct NoHole;

impl std::str::FromStr for Hole {
    type Err = NoHole;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, NoHole> {
        let (owner, value) = text.rsplit_once('.').ok_or(NoHole)?;
        let Some((cluster, _)) = owner.split_once('/') else {
            let plain = !owner.is_empty() && owner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            return if plain && value == "server" {
                Ok(Self::Context { cluster: owner.into() })
            } else {
                Err(NoHole)
            };
        };
        if let Some(output) = Output::ALL.into_iter().find(|output| output.to_string() == value) {
            return Ok(Self::Observed { unit: owner.parse().map_err(|_| NoHole)?, output });
        }
        let piece = Minted::ALL.into_iter().find(|piece| piece.to_string() == value).ok_or(NoHole)?;
        let unit: Unit = owner.parse().map_err(|_| NoHole)?;
        if unit.kind == UnitKind::Trust {
            Ok(Self::Minted { cluster: cluster.into(), piece })
        } else {
            Err(NoHole)
        }
    }
}

impl Output {
    const ALL: [Self; 3] = [Self::Address, Self::Token, Self::Ca];
}

impl Minted {
    /// All pieces.
    pub const ALL: [Self; 6] = [
        Self::RootCertificate,
        Self::RootKey,
        Self::CaCertificate,
        Self::CaKey,
        Self::CertificateChain,
        Self::RootDigest,
    ];
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::Token => "token",
            Self::Ca => "ca",
        })
    }
}

impl fmt::Display for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootCertificate => "root-cert",
            Self::RootKey => "root-key",
            Self::CaCertificate => "ca-cert",
            Self::CaKey => "ca-key",
            Self::CertificateChain => "cert-chain",
            Self::RootDigest => "root-digest",
        })
    }
}

/// What a hole turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// May be shown.
    Public(String),
    /// May not.
    Secret(Sensitive),
}

impl Value {
    /// The text itself, to be put into an object and nowhere else.
    pub fn expose(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Secret(text) => text.expose(),
        }
    }
}

/// The holes whose values are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<Hole, Value>);

impl Values {
    /// Says what a hole is.
    pub fn insert(&mut self, hole: Hole, value: impl Into<String>) {
        let value = value.into();
        let value =
            if hole.is_secret() { Value::Secret(Sensitive::new(value)) } else { Value::Public(value) };
        self.0.insert(hole, value);
    }

    /// What a hole is, if that is known.
    pub fn get(&self, hole: &Hole) -> Option<&Value> {
        self.0.get(hole)
    }

    /// Those that may be shown: all that a text outside a Secret may hold.
    #[must_use]
    pub fn public(&self) -> Self {
        let public = self.0.iter().filter(|(_, value)| matches!(value, Value::Public(_)));
        Self(public.map(|(hole, value)| (hole.clone(), value.clone())).collect())
    }

    /// Takes over what `other` knows.
    pub fn extend(&mut self, other: Values) {
        self.0.extend(other.0);
    }

    /// All that are known.
    pub fn iter(&self) -> impl Iterator<Item = (&Hole, &Value)> {
        self.0.iter()
    }
}

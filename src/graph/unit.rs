//! Units: the nodes of the graph.

use std::fmt;

use crate::topology::{ClusterName, UnitName};

/// Objects of one cluster that are applied together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Where its objects live.
    pub cluster: ClusterName,
    /// What it is.
    pub kind: UnitKind,
}

/// What a unit is. The order is that of the file numbers, which are fixed, so
/// that adding a cluster renames nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// The mesh namespace with its network label; on remotes who controls it.
    Namespace,
    /// `cacerts`, and the generated root where it is kept.
    Trust,
    /// CRDs and the reader account.
    Base,
    /// The node agent that redirects the traffic of pods.
    Cni,
    /// istiod, or the remote profile.
    ControlPlane,
    /// The dedicated gateway between clusters.
    EastWestGateway,
    /// What lets remotes reach istiod.
    ExposeControlPlane,
    /// What lets other networks reach services.
    ExposeServices,
    /// The token by which primaries read this cluster.
    ReaderCredential,
    /// Access of this primary to another cluster, named here.
    RemoteSecret(ClusterName),
    /// Application namespaces with their injection labels.
    AppNamespaces,
}

impl UnitKind {
    /// The number that a compiled file's name begins with.
    pub fn number(&self) -> u8 {
        match self {
            Self::Namespace => 10,
            Self::Trust => 20,
            Self::Base => 30,
            Self::Cni => 35,
            Self::ControlPlane => 40,
            Self::EastWestGateway => 50,
            Self::ExposeControlPlane => 60,
            Self::ExposeServices => 65,
            Self::ReaderCredential => 70,
            Self::RemoteSecret(_) => 75,
            Self::AppNamespaces => 90,
        }
    }

    /// What units of this kind are called.
    pub fn name(&self) -> UnitName {
        match self {
            Self::Namespace => UnitName::Namespace,
            Self::Trust => UnitName::Trust,
            Self::Base => UnitName::Base,
            Self::Cni => UnitName::Cni,
            Self::ControlPlane => UnitName::ControlPlane,
            Self::EastWestGateway => UnitName::EastWestGateway,
            Self::ExposeControlPlane => UnitName::ExposeControlPlane,
            Self::ExposeServices => UnitName::ExposeServices,
            Self::ReaderCredential => UnitName::ReaderCredential,
            Self::RemoteSecret(_) => UnitName::RemoteSecret,
            Self::AppNamespaces => UnitName::AppNamespaces,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(cluster) = text.strip_prefix("remote-secret-") {
            return Some(Self::RemoteSecret(cluster.into()));
        }
        let kind = match UnitName::ALL.into_iter().find(|name| name.as_str() == text)? {
            UnitName::Namespace => Self::Namespace,
            UnitName::Trust => Self::Trust,
            UnitName::Base => Self::Base,
            UnitName::Cni => Self::Cni,
            UnitName::ControlPlane => Self::ControlPlane,
            UnitName::EastWestGateway => Self::EastWestGateway,
            UnitName::ExposeControlPlane => Self::ExposeControlPlane,
            UnitName::ExposeServices => Self::ExposeServices,
            UnitName::ReaderCredential => Self::ReaderCredential,
            // It is always of some cluster.
            UnitName::RemoteSecret => return None,
            UnitName::AppNamespaces => Self::AppNamespaces,
        };
        Some(kind)
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoteSecret(cluster) => f.pad(&format!("{}-{cluster}", self.name())),
            Self::Namespace
            | Self::Trust
            | Self::Base
            | Self::Cni
            | Self::ControlPlane
            | Self::EastWestGateway
            | Self::ExposeControlPlane
            | Self::ExposeServices
            | Self::ReaderCredential
            | Self::AppNamespaces => self.name().fmt(f),
        }
    }
}

impl Unit {
    /// A unit of a cluster.
    pub fn new(cluster: &ClusterName, kind: UnitKind) -> Self {
        Self { cluster: cluster.clone(), kind }
    }

    /// The name of its compiled file, without folder: `75-remote-secret-cluster2.yaml`.
    pub fn file_name(&self) -> String {
        format!("{:02}-{}.yaml", self.kind.number(), self.kind)
    }
}

impl fmt::Display for Unit {
    /// `cluster1/remote-secret-cluster2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.cluster, self.kind))
    }
}

/// A text that names no unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not CLUSTER/UNIT")]
pub struct UnknownUnit(pub String);

impl std::str::FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, UnknownUnit> {
        let unknown = || UnknownUnit(text.to_owned());
        let (cluster, kind) = text.split_once('/').ok_or_else(unknown)?;
        let kind = UnitKind::parse(kind).ok_or_else(unknown)?;
        Ok(Self { cluster: cluster.into(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_reads_back_from_its_name() {
        let cluster = ClusterName::from("cluster1");
        for kind in [UnitKind::Namespace, UnitKind::RemoteSecret("west".into()), UnitKind::AppNamespaces] {
            let unit = Unit::new(&cluster, kind);
            assert_eq!(unit.to_string().parse(), Ok(unit));
        }
        assert_eq!(
            "cluster1/remote-secret".parse::<Unit>(),
            Err(UnknownUnit("cluster1/remote-secret".to_owned()))
        );
        assert_eq!("cluster1/nothing".parse::<Unit>(), Err(UnknownUnit("cluster1/nothing".to_owned())));
    }
}

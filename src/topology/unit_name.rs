//! The names of units, which the file, the graph and compiled files share.

use std::fmt;

/// What a unit is called, whichever cluster it is in: `eastwest-gateway`.
///
/// The order is that of the file numbers of compiled units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitName {
    /// The mesh namespace.
    Namespace,
    /// `cacerts`.
    Trust,
    /// CRDs and the reader account.
    Base,
    /// The node agent that redirects the traffic of pods.
    Cni,
    /// istiod, or the remote profile.
    ControlPlane,
    /// The gateway between clusters.
    EastWestGateway,
    /// What lets remotes reach istiod.
    ExposeControlPlane,
    /// What lets other networks reach services.
    ExposeServices,
    /// The token by which primaries read this cluster.
    ReaderCredential,
    /// Access of a primary to another cluster; units of this name have that cluster's behind it.
    RemoteSecret,
    /// Application namespaces.
    AppNamespaces,
}

impl UnitName {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Namespace,
        Self::Trust,
        Self::Base,
        Self::Cni,
        Self::ControlPlane,
        Self::EastWestGateway,
        Self::ExposeControlPlane,
        Self::ExposeServices,
        Self::ReaderCredential,
        Self::RemoteSecret,
        Self::AppNamespaces,
    ];

    /// The name: `eastwest-gateway`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Trust => "trust",
            Self::Base => "base",
            Self::Cni => "cni",
            Self::ControlPlane => "control-plane",
            Self::EastWestGateway => "eastwest-gateway",
            Self::ExposeControlPlane => "expose-control-plane",
            Self::ExposeServices => "expose-services",
            Self::ReaderCredential => "reader-credential",
            Self::RemoteSecret => "remote-secret",
            Self::AppNamespaces => "app-namespaces",
        }
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

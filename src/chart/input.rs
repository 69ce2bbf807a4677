//! What a rendering is told beside its values: release and capabilities.

/// `.Release` of the templates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReleaseInfo {
    /// `.Release.Name`.
    pub name: String,
    /// `.Release.Namespace`.
    pub namespace: String,
    /// `.Release.Revision`.
    pub revision: u32,
    /// `.Release.IsInstall` and `.Release.IsUpgrade`.
    pub operation: Operation,
}

/// Whether a release is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// What `helm template` has without flags.
    Install,
    /// What it has with `--is-upgrade`.
    Upgrade,
}

impl ReleaseInfo {
    /// The first revision of a release, as `helm template` has it.
    pub fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { name: name.into(), namespace: namespace.into(), revision: 1, operation: Operation::Install }
    }
}

/// `.Capabilities` of the templates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// `.Capabilities.KubeVersion.Version`: `v1.33.0`.
    pub kube_version: KubeVersion,
    /// `.Capabilities.APIVersions`: `apps/v1`, and with more `apps/v1/Deployment`.
    pub api_versions: Vec<String>,
}

/// A version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KubeVersion {
    /// `v1.33.0`.
    pub version: String,
    /// `1`.
    pub major: String,
    /// `33`.
    pub minor: String,
}

impl Capabilities {
    /// What `helm template --kube-version` has: the version and the API versions that Helm knows.
    ///
    /// None where `version` is no version: `1.33`, `1.33.0` and `v1.33.0` are. A suffix
    /// (`-gke.100`, `+k3s1`) is cut off, as Kubernetes' own parser cuts it.
    pub fn of_kubernetes(version: &str) -> Option<Self> {
        let numbers = version.strip_prefix('v').unwrap_or(version).split(['-', '+']).next()?;
        let parts: Vec<u32> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (major, minor) = (*parts.first()?, *parts.get(1)?);
        Some(Self {
            kube_version: KubeVersion {
                version: format!("v{numbers}"),
                major: major.to_string(),
                minor: minor.to_string(),
            },
            api_versions: super::capabilities::KNOWN_API_VERSIONS.iter().map(|v| (*v).to_owned()).collect(),
        })
    }
}

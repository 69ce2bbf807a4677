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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// None where `version` is no version: `1.33`, `1.33.0` and `v1.33.0` are. What stands behind the numbers
    /// (`-gke.100`, `+k3s1`) is left out, as Kubernetes' own parser leaves it out (`ParseGeneric`,
    /// apimachinery/pkg/util/version, 0.35).
    pub fn of_kubernetes(version: &str) -> Option<Self> {
        let text = version.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let mut end = 0;
        let bytes = text.as_bytes();
        while is_digit(bytes.get(end)) || (bytes.get(end) == Some(&b'.') && is_digit(bytes.get(end + 1))) {
            end += 1;
        }
        let parts: Vec<&str> = text[..end].split('.').collect();
        let [major, minor, ..] = parts.as_slice() else { return None };
        if major.len() > 1 && major.starts_with('0') {
            return None;
        }
        let numbers: Vec<String> =
            parts.iter().map(|part| Some(part.parse::<u64>().ok()?.to_string())).collect::<Option<_>>()?;
        let minor = minor.parse::<u64>().ok()?.to_string();
        Some(Self::of_server(KubeVersion {
            version: format!("v{}", numbers.join(".")),
            major: (*major).to_owned(),
            minor,
        }))
    }

    /// What `helm install` has of a server's version, word for word: `v1.33.0-gke.100`. The API versions are those
    /// that Helm knows without a cluster.
    pub fn of_server(kube_version: KubeVersion) -> Self {
        let known = super::capabilities::KNOWN_API_VERSIONS;
        Self { kube_version, api_versions: known.iter().map(|known| (*known).to_owned()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `helm template --kube-version` prints of `.Capabilities.KubeVersion`, and what it refuses.
    #[test]
    fn versions_of_kubernetes_are_read_as_helm_reads_them() {
        let read = |text: &str| {
            let version = Capabilities::of_kubernetes(text)?.kube_version;
            Some(format!("{} {} {}", version.version, version.major, version.minor))
        };
        for (text, says) in [
            ("1.33", "v1.33 1 33"),
            ("v1.33.0", "v1.33.0 1 33"),
            ("1.33.4-gke.100", "v1.33.4 1 33"),
            ("1.33.4+k3s1", "v1.33.4 1 33"),
            ("1.33rc", "v1.33 1 33"),
            ("1.033.1", "v1.33.1 1 33"),
            ("1.33.1.2", "v1.33.1.2 1 33"),
            ("1.33.", "v1.33 1 33"),
        ] {
            assert_eq!(read(text).as_deref(), Some(says), "{text}");
        }
        for text in ["", "1", "v", "latest", "01.33", "1.99999999999999999999", "-1.33"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

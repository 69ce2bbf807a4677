//! Istio versions, as texts that are never floats.

use std::fmt;

/// The minors that the embedded charts are for, each with its newest known patch.
///
/// Tags of the Istio repository, read in 2026-11.
pub const KNOWN_VERSIONS: [IstioVersion; 2] =
    [IstioVersion { minor: 29, patch: 6 }, IstioVersion { minor: 30, patch: 3 }];

/// A release of Istio 1.
///
/// `1.30` is read as the newest known patch of that minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IstioVersion {
    /// 30 of `1.30.3`.
    pub minor: u32,
    /// 3 of `1.30.3`.
    pub patch: u32,
}

/// Why a text is no version that Stolos knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionFault {
    /// It is not `1.MINOR` or `1.MINOR.PATCH`.
    Malformed,
    /// It is a version, of a minor that the embedded charts are not for.
    UnknownMinor,
}

impl IstioVersion {
    /// The newest known version: the default of `istio.version`.
    pub const NEWEST: Self = KNOWN_VERSIONS[KNOWN_VERSIONS.len() - 1];

    /// Reads `1.30.3` or `1.30`.
    pub fn parse(text: &str) -> Result<Self, VersionFault> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit());
            let padded = digits.len() > 1 && digits.starts_with('0');
            if plain && !padded { digits.parse::<u32>().ok() } else { None }
        };
        let mut parts = text.split('.');
        let (Some("1"), Some(minor), patch, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(VersionFault::Malformed);
        };
        let minor = number(minor).ok_or(VersionFault::Malformed)?;
        let patch = patch.map(|patch| number(patch).ok_or(VersionFault::Malformed)).transpose()?;
        let Some(known) = KNOWN_VERSIONS.iter().find(|known| known.minor == minor) else {
            return Err(VersionFault::UnknownMinor);
        };
        Ok(Self { minor, patch: patch.unwrap_or(known.patch) })
    }
}

impl fmt::Display for IstioVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_alone_is_its_newest_known_patch() {
        assert_eq!(IstioVersion::parse("1.30").map(|v| v.to_string()), Ok("1.30.3".to_owned()));
        assert_eq!(IstioVersion::parse("1.29.1").map(|v| v.to_string()), Ok("1.29.1".to_owned()));
    }

    #[test]
    fn what_is_no_version_is_told_from_an_unknown_minor() {
        for text in ["", "1", "2.0.1", "1.30.3.1", "1.x", "v1.30.3", "1.030", "1.30.", "1.30-rc.0"] {
            assert_eq!(IstioVersion::parse(text), Err(VersionFault::Malformed), "{text}");
        }
        assert_eq!(IstioVersion::parse("1.28.3"), Err(VersionFault::UnknownMinor));
    }
}

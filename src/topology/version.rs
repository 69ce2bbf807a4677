//! Istio versions, as texts that are never floats.

use std::fmt;

/// The minors whose charts are known, each with its newest known patch.
///
/// Tags of the Istio repository, read in 2026-11.
pub const KNOWN_VERSIONS: [IstioVersion; 8] = [
    IstioVersion { minor: 24, patch: 6 },
    IstioVersion { minor: 25, patch: 5 },
    IstioVersion { minor: 26, patch: 8 },
    IstioVersion { minor: 27, patch: 9 },
    IstioVersion { minor: 28, patch: 10 },
    IstioVersion { minor: 29, patch: 6 },
    IstioVersion { minor: 30, patch: 3 },
    IstioVersion { minor: 31, patch: 0 },
];

/// The minors that the embedded charts are for.
pub const EMBEDDED_MINORS: [u32; 2] = [29, 30];

/// A release of Istio 1.
///
/// `1.30` is read as the newest known patch of that minor. A minor that is newer than all that are known is a
/// version too, with its patch.
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
    /// It is older than the oldest minor that is known.
    TooOld,
    /// It is a minor without a patch, and newer than those whose newest patch is known.
    WithoutPatch,
}

impl IstioVersion {
    /// The newest version that the embedded charts are for: the default of `istio.version`.
    pub const NEWEST: Self = KNOWN_VERSIONS[KNOWN_VERSIONS.len() - 2];

    /// Whether the embedded charts are for it.
    pub fn is_embedded(self) -> bool {
        EMBEDDED_MINORS.contains(&self.minor)
    }

    /// Whether it is of a minor that came after all that are known.
    pub fn is_newer_than_known(self) -> bool {
        KNOWN_VERSIONS.iter().all(|known| known.minor < self.minor)
    }

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
        if minor < KNOWN_VERSIONS[0].minor {
            return Err(VersionFault::TooOld);
        }
        let known = KNOWN_VERSIONS.iter().find(|known| known.minor == minor).map(|known| known.patch);
        let patch = patch.or(known).ok_or(VersionFault::WithoutPatch)?;
        Ok(Self { minor, patch })
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
        assert_eq!(IstioVersion::parse("1.23.6"), Err(VersionFault::TooOld));
        assert_eq!(IstioVersion::parse("1.32"), Err(VersionFault::WithoutPatch));
        let newer = IstioVersion::parse("1.32.1").expect("a version");
        assert!(newer.is_newer_than_known() && !newer.is_embedded());
    }

    #[test]
    fn the_default_is_the_newest_that_is_embedded() {
        let newest = KNOWN_VERSIONS.iter().rfind(|known| known.is_embedded());
        assert_eq!(newest, Some(&IstioVersion::NEWEST));
    }
}

//! `stolos.lock`: which bytes the charts of a topology have to be.
//!
//! The text of the file enters and pins leave, and the reverse: the same pins give the same text. Reading and
//! writing the file is `cli`'s.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::topology::ChartName;

/// What a lock file begins with.
const HEADING: &str = "\
# Written by `stolos vendor`: the charts of the topologies in this folder, each by its SHA-256.
# Commit it. Whoever gets other bytes than these is told, and nothing is rendered from them.
version = 1
";

/// The pins of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    pins: BTreeMap<Pinned, Pin>,
}

/// What is pinned: a chart of a source. Topologies of one folder may have several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pinned {
    /// The URL that it comes from: `oci://registry.example.com/charts`.
    pub source: String,
    /// Its version: `1.30.3`.
    pub version: String,
    /// Which chart.
    pub chart: ChartName,
}

/// What it is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The digest of its archive.
    pub sha256: ArchiveDigest,
    /// The archive where it was vendored, relative to the lock file and with `/`; none where it was not.
    pub file: Option<String>,
}

/// The SHA-256 of an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveDigest(String);

/// Why a text is no lock file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLock {
    /// It is not the TOML that `vendor` writes.
    #[error("{0}")]
    Malformed(String),
    /// A later version wrote it.
    #[error("it is of format {0}, and this is known up to 1: a later version of stolos wrote it")]
    Version(u64),
    /// A digest that is none.
    #[error("the sha256 of {0} is not 64 hexadecimal digits in lower case")]
    Digest(String),
    /// A chart that nobody asks for.
    #[error("`{0}` is none of the charts that a mesh takes")]
    Chart(String),
    /// Two entries for the same.
    #[error("{0} is pinned twice")]
    Twice(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Looked at before.
    #[serde(rename = "version")]
    _version: IgnoredAny,
    #[serde(default)]
    chart: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    version: String,
    source: String,
    sha256: String,
    file: Option<String>,
}

impl Lock {
    /// Reads a lock file.
    pub fn parse(text: &str) -> Result<Self, NoLock> {
        let malformed = |error: toml::de::Error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            NoLock::Malformed(format!("{place}{}", error.message()))
        };
        // What a later format has besides is no fault of its own.
        #[derive(Deserialize)]
        struct Format {
            version: u64,
        }
        match toml::from_str(text).map_err(malformed)? {
            Format { version: 1 } => {}
            Format { version } => return Err(NoLock::Version(version)),
        }
        let File { _version, chart } = toml::from_str(text).map_err(malformed)?;
        let mut lock = Self::default();
        for Entry { name, version, source, sha256, file } in chart {
            let chart = ChartName::ALL.into_iter().find(|chart| chart.as_str() == name);
            let pinned = Pinned { source, version, chart: chart.ok_or(NoLock::Chart(name))? };
            let sha256 = ArchiveDigest::parse(&sha256).ok_or_else(|| NoLock::Digest(pinned.to_string()))?;
            let shown = pinned.to_string();
            if lock.pins.insert(pinned, Pin { sha256, file }).is_some() {
                return Err(NoLock::Twice(shown));
            }
        }
        Ok(lock)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = HEADING.to_owned();
        // A basic string of TOML: the escapes of JSON are among its own, and it wants one more.
        let quoted = |text: &str| serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f");
        for (Pinned { source, version, chart }, Pin { sha256, file }) in &self.pins {
            let file = file.as_ref().map(|file| format!("file = {}\n", quoted(file))).unwrap_or_default();
            let _ = write!(
                text,
                "\n[[chart]]\nname = \"{}\"\nversion = {}\nsource = {}\nsha256 = \"{sha256}\"\n{file}",
                chart.as_str(),
                quoted(version),
                quoted(source),
            );
        }
        text
    }

    /// What a chart is pinned to.
    pub fn pin(&self, pinned: &Pinned) -> Option<&Pin> {
        self.pins.get(pinned)
    }

    /// Pins a chart, or what it is pinned to anew.
    pub fn insert(&mut self, pinned: Pinned, pin: Pin) {
        self.pins.insert(pinned, pin);
    }

    /// The versions of a chart that are pinned of a source.
    pub fn versions(&self, source: &str, chart: ChartName) -> impl Iterator<Item = &str> {
        let of_chart = move |pinned: &&Pinned| pinned.source == source && pinned.chart == chart;
        self.pins.keys().filter(of_chart).map(|pinned| pinned.version.as_str())
    }
}

impl ArchiveDigest {
    /// The digest of an archive.
    pub fn of(bytes: &[u8]) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(bytes)))
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for ArchiveDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Pinned {
    /// `base 1.30.3 of oci://registry.example.com/charts`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.chart.as_str(), self.version, self.source)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pinned(chart: ChartName) -> Pinned {
        Pinned { source: "oci://registry.example.com/charts".into(), version: "1.30.3".into(), chart }
    }

    fn pin(bytes: &[u8], file: Option<&str>) -> Pin {
        Pin { sha256: ArchiveDigest::of(bytes), file: file.map(str::to_owned) }
    }

    #[test]
    fn a_lock_reads_as_a_person_expects() {
        let mut lock = Lock::default();
        lock.insert(pinned(ChartName::Istiod), pin(b"abc", None));
        lock.insert(pinned(ChartName::Base), pin(b"", Some("charts/base-1.30.3.tgz")));
        assert_eq!(
            lock.to_text(),
            format!(
                "{HEADING}
[[chart]]
name = \"base\"
version = \"1.30.3\"
source = \"oci://registry.example.com/charts\"
sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"
file = \"charts/base-1.30.3.tgz\"

[[chart]]
name = \"istiod\"
version = \"1.30.3\"
source = \"oci://registry.example.com/charts\"
sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"
"
            )
        );
        assert_eq!(Lock::parse(&lock.to_text()), Ok(lock));
    }

    #[test]
    fn what_is_no_lock_is_told_where_it_is_none() {
        let mut lock = Lock::default();
        lock.insert(pinned(ChartName::Base), pin(b"", None));
        let text = lock.to_text();
        let said = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Lock::parse(&text.replacen(from, to, 1)).expect_err(to).to_string()
        };
        assert_eq!(
            said("version = 1\n", "version = 2\nnew = true\n"),
            "it is of format 2, and this is known up to 1: a later version of stolos wrote it"
        );
        let pinned = "base 1.30.3 of oci://registry.example.com/charts";
        assert_eq!(
            said("e3b0", "E3B0"),
            format!("the sha256 of {pinned} is not 64 hexadecimal digits in lower case")
        );
        assert_eq!(said("\"base\"", "\"ztunnel\""), "`ztunnel` is none of the charts that a mesh takes");
        let entry = text.strip_prefix(HEADING).expect("a heading");
        assert_eq!(said(entry, &format!("{entry}{entry}")), format!("{pinned} is pinned twice"));
        assert_eq!(said("[[chart]]", "<<<<<<< HEAD"), "line 5: key with no value, expected `=`");
        assert!(said("sha256", "digest").contains("unknown field `digest`"));
        assert!(Lock::parse("").expect_err("nothing").to_string().contains("missing field `version`"));
    }

    proptest! {
        #[test]
        fn a_lock_reads_back_as_it_was_written(
            entries in proptest::collection::vec(("\\PC*", "\\PC*", 0..3_usize, any::<[u8; 4]>(), proptest::option::of("\\PC*")), 0..6)
        ) {
            let mut lock = Lock::default();
            for (source, version, chart, bytes, file) in entries {
                lock.insert(
                    Pinned { source, version, chart: ChartName::ALL[chart] },
                    Pin { sha256: ArchiveDigest::of(&bytes), file },
                );
            }
            prop_assert_eq!(Lock::parse(&lock.to_text()), Ok(lock));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = Lock::parse(&text);
        }
    }
}

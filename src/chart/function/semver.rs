//! Versions and constraints on them, as Masterminds/semver 3.5 compares.

use std::cmp::Ordering;

use crate::chart::error::Fault;
use crate::chart::value::Value;

use super::arg::text;
use super::{Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[plain("semverCompare", 2, 2, |_, args| {
    let (constraint, version) = (text(&args[0])?, text(&args[1])?);
    satisfies(constraint, version).map(Value::Bool)
})];

/// Whether a version fits a constraint such as `>=1.24 <2 || ~1.30.0-0`.
pub(in crate::chart) fn satisfies(constraint: &str, version: &str) -> Result<bool, Fault> {
    let version = Version::parse(version)
        .ok_or_else(|| Fault::Template(format!("invalid semantic version {version:?}")))?;
    let improper = || Fault::Template(format!("improper constraint: {constraint:?}"));
    let mut fits = false;
    for group in constraint.split("||") {
        let bounds = bounds_of(group).ok_or_else(improper)?;
        let with_prereleases = bounds.iter().any(|bound| !bound.version.pre.is_empty());
        let allowed = version.pre.is_empty() || with_prereleases;
        fits |= allowed && bounds.iter().all(|bound| bound.admits(&version));
    }
    Ok(fits)
}

/// Whether a text is a version at all.
pub(in crate::chart) fn is_version(text: &str) -> bool {
    Version::parse(text).is_some()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
}

impl Version {
    /// A version with one to three numbers and perhaps a `v`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (numbers, pre) = text.split_once('-').map_or((text, ""), |(numbers, pre)| (numbers, pre));
        let has_pre = text.contains('-');
        let well_formed = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let leading_zero = |part: &str| {
            part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if has_pre && !pre.split('.').all(|part| well_formed(part) && !leading_zero(part)) {
            return None;
        }
        if build.is_some_and(|build| !build.split('.').all(well_formed)) {
            return None;
        }
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<u64>().ok() } else { None }
        };
        let mut parts = numbers.split('.');
        let major = number(parts.next()?)?;
        let minor = parts.next().map_or(Some(0), number)?;
        let patch = parts.next().map_or(Some(0), number)?;
        if parts.next().is_some() {
            return None;
        }
        Some(Self { major, minor, patch, pre: pre.to_owned() })
    }

    fn compare(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_prereleases(&self.pre, &other.pre))
    }
}

/// A release is after all its prereleases; numbers are before words.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut ours, mut theirs) = (a.split('.'), b.split('.'));
    loop {
        let order = match (ours.next(), theirs.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// Which of a bound's numbers were left out or written as `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    All,
    Minor,
    Patch,
}

#[derive(Debug)]
struct Bound {
    operator: Operator,
    version: Version,
    open: Open,
}

/// The bounds of one group, which all must hold: with spaces or commas between, or `1.2 - 1.4`.
fn bounds_of(group: &str) -> Option<Vec<Bound>> {
    let words: Vec<&str> = group
        .split_inclusive(',')
        .flat_map(|part| match part.strip_suffix(',') {
            Some(part) => part.split_ascii_whitespace().chain(Some(",")),
            None => part.split_ascii_whitespace().chain(None),
        })
        .collect();
    // A comma stands between two bounds and nowhere else.
    if words.first().is_none_or(|word| *word == ",") || words.last() == Some(&",") {
        return None;
    }
    let mut bounds = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words[at] == "," && words[at - 1] != "," {
            at += 1;
            continue;
        }
        if words.get(at + 1) == Some(&"-") {
            bounds.push(Bound::parse(Operator::GreaterEqual, words[at])?);
            bounds.push(Bound::parse(Operator::LessEqual, words.get(at + 2)?)?);
            at += 3;
            continue;
        }
        let (operator, rest) = split_operator(words[at]);
        if rest.is_empty() {
            bounds.push(Bound::parse(operator?, words.get(at + 1)?)?);
            at += 2;
        } else {
            bounds.push(Bound::parse(operator.unwrap_or(Operator::Equal), rest)?);
            at += 1;
        }
    }
    Some(bounds)
}

fn split_operator(word: &str) -> (Option<Operator>, &str) {
    const OPERATORS: &[(&str, Operator)] = &[
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterEqual),
        ("=>", Operator::GreaterEqual),
        ("<=", Operator::LessEqual),
        ("=<", Operator::LessEqual),
        ("~>", Operator::Tilde),
        ("=", Operator::Equal),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("~", Operator::Tilde),
        ("^", Operator::Caret),
    ];
    for (sign, operator) in OPERATORS {
        if let Some(rest) = word.strip_prefix(sign) {
            return (Some(*operator), rest);
        }
    }
    (None, word)
}

impl Bound {
    fn parse(operator: Operator, text: &str) -> Option<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let end = plain.find(['-', '+']).unwrap_or(plain.len());
        let (numbers, suffix) = plain.split_at(end);
        let pre = suffix.split('+').next().unwrap_or_default();
        let parts: Vec<&str> = numbers.split('.').collect();
        let is_open = |at: usize| parts.get(at).is_none_or(|part| matches!(*part, "x" | "X" | "*"));
        let well_formed = |part: &&str| {
            matches!(*part, "x" | "X" | "*")
                || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        if parts.len() > 3 || !parts.iter().all(well_formed) {
            return None;
        }
        let (open, version) = if is_open(0) {
            (Open::All, format!("0.0.0{pre}"))
        } else if is_open(1) {
            (Open::Minor, format!("{}.0.0{pre}", parts[0]))
        } else if is_open(2) {
            (Open::Patch, format!("{}.{}.0{pre}", parts[0], parts[1]))
        } else {
            (Open::Nothing, format!("{numbers}{pre}"))
        };
        Some(Self { operator, version: Version::parse(&version)?, open })
    }

    fn admits(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        let same_major = version.major == self.version.major;
        let same_minor = version.minor == self.version.minor;
        match self.operator {
            // `*`, `x` and `=*` admit everything: a tilde on 0.0.0 without numbers of its own.
            Operator::Equal if self.open == Open::All => order != Ordering::Less,
            Operator::Equal if self.open == Open::Nothing => order == Ordering::Equal,
            Operator::Equal | Operator::Tilde => self.tilde(version),
            Operator::NotEqual => match self.open {
                Open::Nothing => order != Ordering::Equal,
                Open::All => !same_major || !same_minor || version.patch != 0,
                Open::Minor => !same_major,
                Open::Patch => {
                    !same_major
                        || !same_minor
                        || compare_prereleases(&version.pre, &self.version.pre) != Ordering::Equal
                }
            },
            Operator::Greater => match self.open {
                Open::Nothing | Open::All => order == Ordering::Greater,
                Open::Minor => version.major > self.version.major,
                Open::Patch => {
                    version.major > self.version.major || (same_major && version.minor > self.version.minor)
                }
            },
            Operator::Less => order == Ordering::Less,
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::LessEqual => match self.open {
                Open::Nothing => order != Ordering::Greater,
                Open::All | Open::Patch => {
                    version.major < self.version.major || (same_major && version.minor <= self.version.minor)
                }
                Open::Minor => version.major <= self.version.major,
            },
            Operator::Caret => self.caret(version),
        }
    }

    fn tilde(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        let zero = (self.version.major, self.version.minor, self.version.patch) == (0, 0, 0);
        if zero && matches!(self.open, Open::Nothing | Open::All) {
            return true;
        }
        version.major == self.version.major
            && (version.minor == self.version.minor || self.open == Open::Minor)
    }

    fn caret(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        let same_major = version.major == self.version.major;
        if self.version.major > 0 || self.open == Open::Minor {
            return same_major;
        }
        let same_minor = version.minor == self.version.minor;
        if self.version.minor > 0 || self.open == Open::Patch {
            return same_major && same_minor;
        }
        same_major && same_minor && version.patch == self.version.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_admit_what_masterminds_semver_admits() {
        let cases = [
            (">=1.24.0", "v1.33.0", true),
            (">=1.24.0", "1.33.0-gke.1", false),
            (">=1.24.0-0", "1.33.0-gke.1", true),
            (">=1.24-0 <1.30-0", "v1.30.1", false),
            ("<1.30", "1.29.9", true),
            ("<1.30, >1.2", "1.29", true),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("~1", "1.9.0", true),
            ("^1.2", "1.9.0", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("1.2.x", "1.2.7", true),
            ("1.2", "1.2.7", true),
            ("=1.2.3", "1.2.3+build", true),
            ("!=1.2.x", "1.2.7", false),
            (">1.2", "1.2.7", false),
            (">1", "2.0.0", true),
            ("<=1.2", "1.2.7", true),
            ("1.2 - 1.4.5", "1.4.5", true),
            ("1.2 - 1.4.5", "1.4.6", false),
            ("<1 || >=3", "3.1.0", true),
            ("*", "0.1.0", true),
            (">= 1.2.3", "1.2.3", true),
        ];
        for (constraint, version, fits) in cases {
            assert_eq!(satisfies(constraint, version), Ok(fits), "{constraint} {version}");
        }
        let refused = |constraint: &str, version: &str| {
            satisfies(constraint, version).expect_err("one of both is broken").to_string()
        };
        assert_eq!(refused("1.2.3.4", "1.0.0"), "improper constraint: \"1.2.3.4\"");
        assert_eq!(refused("", "1.0.0"), "improper constraint: \"\"");
        assert_eq!(refused("1 ||", "1.0.0"), "improper constraint: \"1 ||\"");
        assert_eq!(refused(">1", "one"), "invalid semantic version \"one\"");
    }
}

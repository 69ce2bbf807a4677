//! What differs between the Istio versions that are known, as one table.
//!
//! A stage asks [`VersionRule::holds`] and never compares versions itself, so that this table is all that a new
//! version can make wrong. `stolos explain versions` prints it.

use super::IstioVersion;

/// One thing that is so in some versions of Istio and not in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionRule {
    /// The chart `gateway` carries a schema that refuses every value.
    GatewaySchemaRefusesAll,
    /// A remote's ConfigMap says what its own services are called.
    RemoteNamesItsServices,
    /// An IPv6 address of a control plane reaches remotes.
    RemoteTakesIpv6,
    /// A remote's way to its primary is an EndpointSlice.
    RemoteWritesSlice,
    /// Chart `base` brings kind TrafficExtension.
    HasTrafficExtension,
}

/// A row of the table.
#[derive(Debug)]
pub struct RuleRow {
    /// The rule.
    pub rule: VersionRule,
    /// The versions in which it holds.
    pub spans: &'static [VersionSpan],
    /// What is so there.
    pub fact: &'static str,
    /// What Stolos does about it.
    pub effect: &'static str,
    /// Where it was read.
    pub source: &'static str,
}

/// Versions from one to another, both of them included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionSpan {
    /// The first.
    pub first: IstioVersion,
    /// The last; none where it goes on.
    pub last: Option<IstioVersion>,
}

const fn at(minor: u32, patch: u32) -> IstioVersion {
    IstioVersion { minor, patch }
}

const fn to(first: IstioVersion, last: IstioVersion) -> VersionSpan {
    VersionSpan { first, last: Some(last) }
}

const fn since(first: IstioVersion) -> VersionSpan {
    VersionSpan { first, last: None }
}

/// A patch that no minor comes to.
const LAST: u32 = u32::MAX;

/// When the rows were last held against the charts and the source of each minor.
pub const READ: &str = "2026-11";

/// The table, by the first version in which a rule holds.
pub static VERSION_RULES: &[RuleRow] = &[
    RuleRow {
        rule: VersionRule::GatewaySchemaRefusesAll,
        spans: &[
            to(at(24, 0), at(24, LAST)),
            to(at(25, 0), at(25, 3)),
            to(at(26, 0), at(26, 3)),
            to(at(27, 0), at(27, 0)),
        ],
        fact: "the schema of the chart gateway refuses every value, its own defaults among them",
        effect: "that schema is not asked, as with helm's --skip-schema-validation",
        source: "manifests/charts/gateway/values.schema.json",
    },
    RuleRow {
        rule: VersionRule::RemoteWritesSlice,
        spans: &[since(at(28, 0))],
        fact: "a remote's Service istiod leads to its primary by an EndpointSlice; before, by Endpoints",
        effect: "that one is looked at where others install the remote (charts: external)",
        source: "manifests/charts/istio-control/istio-discovery/templates/remote-istiod-endpoint*.yaml",
    },
    RuleRow {
        rule: VersionRule::RemoteNamesItsServices,
        spans: &[since(at(29, 0))],
        fact: "identities of a remote's services come from its own ConfigMap istio, or are in cluster.local",
        effect: "with another trust domain remotes get that ConfigMap (pilot.configMap)",
        source: "pilot/pkg/serviceregistry/kube/controller",
    },
    RuleRow {
        rule: VersionRule::RemoteTakesIpv6,
        spans: &[since(at(30, 0))],
        fact: "a remote writes an EndpointSlice for an IPv6 address; before, a Service that leads nowhere",
        effect: "an IPv6 address of a control plane is refused before that (control-plane-address-ipv6)",
        source: "manifests/charts/istio-control/istio-discovery/templates/remote-istiod-endpointslices.yaml",
    },
    RuleRow {
        rule: VersionRule::HasTrafficExtension,
        spans: &[since(at(30, 0))],
        fact: "there is a kind TrafficExtension",
        effect: "its definition is waited for where others install the base (charts: external)",
        source: "manifests/charts/base/files/crd-all.gen.yaml",
    },
];

impl VersionRule {
    /// Whether it is so in a version.
    pub fn holds(self, version: IstioVersion) -> bool {
        VERSION_RULES
            .iter()
            .filter(|row| row.rule == self)
            .flat_map(|row| row.spans)
            .any(|span| span.holds(version))
    }
}

impl VersionSpan {
    fn holds(self, version: IstioVersion) -> bool {
        self.first <= version && self.last.is_none_or(|last| version <= last)
    }

    /// In words: `1.24`, `1.25.0 to 1.25.3`, `from 1.30`.
    pub fn words(self) -> String {
        let Self { first, last } = self;
        match last {
            None => format!("from 1.{}", first.minor),
            Some(last) if last.patch == LAST => format!("1.{}", first.minor),
            Some(last) if last == first => first.to_string(),
            Some(last) => format!("{first} to {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(rule: VersionRule, version: &str) -> bool {
        rule.holds(IstioVersion::parse(version).expect("a version"))
    }

    #[test]
    fn a_rule_holds_in_its_spans_and_nowhere_else() {
        let schema = VersionRule::GatewaySchemaRefusesAll;
        for version in ["1.24.0", "1.24.6", "1.25.3", "1.26.0", "1.27.0"] {
            assert!(holds(schema, version), "{version}");
        }
        for version in ["1.25.4", "1.26.4", "1.27.1", "1.28.0", "1.30.3", "1.40.0"] {
            assert!(!holds(schema, version), "{version}");
        }
        assert!(
            holds(VersionRule::RemoteTakesIpv6, "1.31.0") && !holds(VersionRule::RemoteTakesIpv6, "1.29.6")
        );
    }

    #[test]
    fn every_rule_has_one_row_and_spans_are_told_in_words() {
        let words: Vec<Vec<String>> =
            VERSION_RULES.iter().map(|row| row.spans.iter().map(|span| span.words()).collect()).collect();
        assert_eq!(words[0], ["1.24", "1.25.0 to 1.25.3", "1.26.0 to 1.26.3", "1.27.0"]);
        assert_eq!(words[1], ["from 1.28"]);
        for row in VERSION_RULES {
            assert_eq!(VERSION_RULES.iter().filter(|other| other.rule == row.rule).count(), 1);
        }
    }
}

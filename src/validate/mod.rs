//! Whether the declarations of a topology agree with one another.
//!
//! A decoded [`Topology`] enters, every finding leaves, sorted by place. Each
//! rule stands in a file of its own under `rules/` and in the one table
//! [`RULES`]; its page for people stands in `pages/`. A rule reads the
//! topology alone: no rule sees a file, a clock or a cluster. A mistake is
//! told once: a rule keeps silent where another one's finding explains its own.

mod api_url;
mod grammar;
mod overlap;
mod rules;

pub use rules::{CONTROL_PLANE_ADDRESS_HOSTNAME, RULES};

use crate::diagnostic::{Code, Diagnostic};
use crate::topology::Topology;

/// What the topology is validated for, which decides how much a missing choice weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Simulated clusters: what is not chosen has a default.
    Sandbox,
    /// No cluster at all (`validate`, `compile`): the default, with a warning.
    Offline,
    /// Clusters that serve somebody: the choice must be written down.
    RealClusters,
}

/// One rule: what it is called and how it looks at a topology.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, its summary and its page.
    pub code: &'static Code,
    check: Check,
}

/// How a rule looks.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// The same way wherever the topology goes.
    Always(fn(&Topology, &mut Vec<Diagnostic>)),
    /// By what the topology is for.
    ByUse(fn(&Topology, Use, &mut Vec<Diagnostic>)),
}

impl Rule {
    const fn new(code: &'static Code, check: fn(&Topology, &mut Vec<Diagnostic>)) -> Self {
        Self { code, check: Check::Always(check) }
    }

    const fn by_use(code: &'static Code, check: fn(&Topology, Use, &mut Vec<Diagnostic>)) -> Self {
        Self { code, check: Check::ByUse(check) }
    }

    /// What this rule alone finds, in the order in which it looks.
    fn findings(&self, topology: &Topology, for_use: Use) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        match self.check {
            Check::Always(check) => check(topology, &mut found),
            Check::ByUse(check) => check(topology, for_use, &mut found),
        }
        found
    }
}

/// All that is wrong with a topology, and all that is doubtful, by place.
///
/// A setting that several clusters take from `defaults` or from their network
/// is told of once, since it is written once.
pub fn validate(topology: &Topology, for_use: Use) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = RULES.iter().flat_map(|rule| rule.findings(topology, for_use)).collect();
    found.sort_by_key(|finding| (finding.primary.span, finding.severity, finding.code.name));
    found.dedup_by_key(|finding| (finding.primary.span, finding.code.name));
    found
}

#[cfg(test)]
mod tests;

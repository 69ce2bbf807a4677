//! Every code of every stage, and those of the command line itself.

use crate::diagnostic::Code;
use crate::{
    apply, chart, cluster, compile, document, fetch, graph, plan, sandbox, topology, trust, validate,
};

/// All codes that Stolos can show, in the order of the pipeline.
pub fn codes() -> impl Iterator<Item = &'static Code> {
    let of_rules = validate::RULES.iter().map(|rule| rule.code);
    let behind = [
        graph::CODES,
        compile::CODES,
        chart::CODES,
        fetch::CODES,
        trust::CODES,
        plan::CODES,
        cluster::CODES,
        apply::CODES,
        sandbox::CODES,
    ];
    CODES
        .iter()
        .copied()
        .chain(document::CODES.iter().chain(topology::CODES).copied())
        .chain(of_rules)
        .chain(behind.into_iter().flatten().copied())
}

/// The codes of the command line: what it writes, and what it is asked.
static CODES: &[&Code] = &[
    &FILE_KIND_UNKNOWN,
    &FILE_EXISTS,
    &OUTPUT_UNWRITABLE,
    &COMPILED_DIFFERS,
    &CODE_UNKNOWN,
    &UNIT_UNKNOWN,
    &RUNTIME_UNAVAILABLE,
    &CHARTS_NOT_PINNED,
    &CHART_LOCK_MALFORMED,
    &CHART_DIGEST_MISMATCH,
    &NOTHING_TO_VENDOR,
    &super::clusters::CONTEXT_OF_NO_CLUSTER,
    &super::clusters::CONTEXT_GIVEN_TWICE,
    &super::run::APPROVAL_MISSING,
    &super::rbac::RIGHTS_OF_NO_CLUSTER,
];

/// A topology's file name says no language.
pub(super) static FILE_KIND_UNKNOWN: Code = Code {
    name: "file-kind-unknown",
    summary: "the name of a topology ends in .yaml, .yml or .toml",
    page: "\
The ending of its name says whether a topology is written in YAML or in TOML. Both have the same keys:

    stolos validate mesh.yaml
    stolos validate mesh.toml
",
};

/// A file would be overwritten.
pub(super) static FILE_EXISTS: Code = Code {
    name: "file-exists",
    summary: "a file is there already and is not overwritten",
    page: "\
`stolos init` writes a new file and never over one that is there; `stolos plan --out` writes over nothing
but an earlier plan. Name another path, or remove the file first.
",
};

/// Something could not be written.
pub(super) static OUTPUT_UNWRITABLE: Code = Code {
    name: "output-unwritable",
    summary: "a file or the output cannot be written",
    page: "\
The folder may be missing, not yours to write to, or full. The message has the system's own words.
What was written before stays; nothing was applied to any cluster.
",
};

/// No page has such a name.
pub(super) static CODE_UNKNOWN: Code = Code {
    name: "code-unknown",
    summary: "there is no such code",
    page: "\
A code stands in brackets behind `error` or `warning`: `error[network-unknown]`. `stolos explain`
without one lists all of them.
",
};

/// No threads.
pub(super) static RUNTIME_UNAVAILABLE: Code = Code {
    name: "runtime-unavailable",
    summary: "the system gives no threads to work with",
    page: "\
Clusters are read and written side by side, which takes a few threads and an event queue of the system. It
gave none: a limit on processes or open files is reached (`ulimit -u`, `ulimit -n`). Raise it, or end
something else, and run the same command again.
",
};

/// A folder of compiled manifests is not what its topology compiles to.
pub(super) static COMPILED_DIFFERS: Code = Code {
    name: "compiled-differs",
    summary: "a folder is not what its topology compiles to",
    page: "\
`stolos compile PATH -o DIR --check` compares DIR with what the topology compiles to and writes nothing.
Somebody changed the topology without compiling it again, or changed a compiled file by hand. The
differences are on stdout: lines with `-` are what the folder holds, lines with `+` what it should.

In a pipeline this keeps a repository of compiled manifests honest. Compile again to mend it:

    stolos compile mesh.yaml -o manifests
",
};

/// A unit that a topology does not have.
pub(super) static UNIT_UNKNOWN: Code = Code {
    name: "unit-unknown",
    summary: "the topology has no such unit",
    page: "\
A unit is a node of the dependency graph, the objects of one cluster that are applied together. It is
named by its cluster and its kind, as plans and `stolos graph` name it:

    stolos explain cluster1/eastwest-gateway mesh.yaml

Which units a cluster has follows from its role and from the networks: a remote has no `trust`, and a
mesh on one network needs no gateway but to expose a control plane.
",
};

/// Charts of a source that no lock pins.
pub(super) static CHARTS_NOT_PINNED: Code = Code {
    name: "charts-not-pinned",
    summary: "the charts of a repository or a registry are not pinned",
    page: "\
`istio.charts` names a repository or a registry, and `stolos.lock`, beside the topology, does not say
which bytes the charts of this version have to be: the file is not there, or `istio.version` or the URL
changed since it was written. A tag can be moved and a server be taken over; nothing is rendered from
what nobody pinned.

    stolos vendor mesh.yaml

loads `base`, `istiod` and `gateway` down to the folder `charts` beside the topology, and pins them.
Commit both. With `--lock-only` the archives are not kept in the repository; whoever needs them loads
them down, and into a cache (STOLOS_CACHE_DIR, else the system's), and whatever is not what the lock pins
is refused.

Entries of other versions and of other sources stay in the lock: other topologies of the folder may need
them.
",
};

/// A lock that is none.
pub(super) static CHART_LOCK_MALFORMED: Code = Code {
    name: "chart-lock-malformed",
    summary: "stolos.lock cannot be read",
    page: "\
`stolos.lock` is written by `stolos vendor` and not by hand. What is there is not what it writes: most
often two branches were merged and the marks of a conflict are left. Take either side of the conflict
whole, or remove the file, and run `stolos vendor` again; compare what it writes with what was there
before.
",
};

/// Other bytes than those that are pinned.
pub(super) static CHART_DIGEST_MISMATCH: Code = Code {
    name: "chart-digest-mismatch",
    summary: "a chart is not the one that is pinned",
    page: "\
`stolos.lock` pins every chart by the SHA-256 of its archive. The archive that is there, beside the
topology or at its source, is another one. Nothing was rendered from it and nothing was written.

A version of a chart does not change once it is published. Somebody changed the file by hand, a merge
took one half of a change, or the source hands out something else than it did. Find out which before
anything else: charts decide what runs with the rights of the control plane.

If the change was meant, remove the chart's entry from `stolos.lock`, run `stolos vendor` and let
somebody review the result.
",
};

/// Charts that are here already.
pub(super) static NOTHING_TO_VENDOR: Code = Code {
    name: "nothing-to-vendor",
    summary: "the charts of this topology are not published anywhere else",
    page: "\
`stolos vendor` loads down what `istio.charts` names by a URL. The charts of this topology are those in
the binary, or lie in a folder of this machine already: there is nothing to load down and nothing to pin.

    istio: { charts: { repo: https://charts.example.com/istio } }
    istio: { charts: { oci: oci://registry.example.com/istio/charts } }
",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_name_stands_for_one_thing() {
        let mut known: BTreeMap<&str, &Code> = BTreeMap::new();
        for code in codes() {
            let first = known.entry(code.name).or_insert(code);
            assert_eq!(*first, code, "{} has two meanings", code.name);
        }
    }

    #[test]
    fn every_name_is_kebab_case() {
        for code in codes() {
            let parts_are_words = code.name.split('-').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            });
            assert!(parts_are_words, "{}", code.name);
        }
    }

    #[test]
    fn every_code_has_a_summary_of_one_line_and_a_page() {
        for code in codes() {
            assert!(!code.summary.is_empty() && !code.summary.contains('\n'), "{}", code.name);
            assert!(!code.summary.ends_with('.'), "{}", code.name);
            assert!(code.page.lines().count() >= 2 && code.page.ends_with('\n'), "{}", code.name);
        }
    }
}

//! Codes that more than one stage raises.
//!
//! A code stands beside what raises it. These two are raised by `plan`, which
//! knows no live cluster, and by `cluster`, which knows no plan.

use super::Code;

/// A cluster cannot be read.
pub static CLUSTER_UNREACHABLE: Code = Code {
    name: "cluster-unreachable",
    summary: "a cluster cannot be reached or does not answer",
    page: "\
The API server of a cluster refused the connection, broke it, or did not answer in time. A read is
given up after 10 seconds, a write after 40, a connection that does not come about after 5.
Connections that break and answers such as `503` are tried again a few times first.

A cluster that cannot be read is *unknown*: its objects count neither as there nor as missing.
`stolos plan` shows the rest and exits with 3; `stolos apply` does what does not depend on it. Where a
certificate is to be issued and no cluster that could be read holds the root of the mesh, the unknown
one may: the plan stops, for a second root would split the mesh in two.

Check that `kubectl --context CONTEXT get --raw /readyz` answers, then run the same command again.
",
};

/// A field that somebody else sets.
pub static FIELD_CONFLICT: Code = Code {
    name: "field-conflict",
    summary: "another manager owns a field and holds another value",
    page: "\
Stolos writes with server-side apply. The API server keeps, for each field, who set it. Here a field
has another value than the topology asks for, and whoever set it did so by an apply of its own: a
GitOps engine, a Helm that applies, another operator. It would set the field back at its next run. A
field that somebody changed by hand (`kubectl edit`) is no conflict but drift: it is shown and taken
back.

Decide who owns the field. Where it is the other, leave the value to it: remove it from the topology's
values. Where it is Stolos, take the object out of the other tool, and run the command again with
`--force-conflicts`, which takes the fields over and says so.
",
};

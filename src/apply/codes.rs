//! Why a step fails, beside what its cluster says.

use crate::diagnostic::Code;

pub(super) static WAIT_TIMEOUT: Code = Code {
    name: "wait-timeout",
    summary: "a step waited for something that did not come",
    page: "\
Every step waits until what it made is ready for the steps behind it: a Deployment is available, a load
balancer has an address, a token is filled, istiod serves a remote. Here that did not come about within
the time that the step has, from its start to its end: what `timeouts` in the topology says of its unit,
and where it says nothing `--timeout` (5m unless set). The file wins because it is about this unit, the
flag about all:

    clusters:
      cluster1: { timeouts: { eastwest-gateway: 15m } }

Where others install (`charts: external`) it names each thing that is not as the topology asks, with the
chart's value that makes it so: what they install has to be mended there, with the values that `stolos compile
--values` writes.

The finding says what was waited for and what was seen instead: conditions of the objects, what keeps the
pods of a Deployment (no node, no image, how a container last ended), and the last events about all of them. Steps that depend on it were held back, all others were finished. Nothing is undone:
mend the cause and run the same command again; it goes on from where it is.
",
};

pub(super) static DEPLOYMENT_FAILED: Code = Code {
    name: "deployment-failed",
    summary: "a Deployment made no progress for as long as it may",
    page: "\
Kubernetes counts a Deployment as failed once it has made no progress for its `progressDeadlineSeconds`
(10 minutes unless set): its condition Progressing turns False with reason ProgressDeadlineExceeded. That
happened while the step waited, so it does not wait for the rest of its time. A Deployment that was counted
as failed before the step began is waited for, since the step may have mended it.

The finding says what keeps its pods, and the events that Kubernetes recorded. Kubernetes goes on trying:
mend the cause and run the same command again. Where pods need longer on purpose, give the step a time of
its own, which is then waited for whatever Kubernetes thinks of it:

    clusters:
      cluster1: { timeouts: { control-plane: 30m } }
",
};

pub(super) static PLAN_DIVERGED: Code = Code {
    name: "plan-diverged",
    summary: "what would be applied is not what the plan showed",
    page: "\
A plan shows objects with markers where a value is known only later, such as the address of a gateway.
Once the value is known, the objects are rendered again. They may differ from what was shown by those
values and by nothing else. Here they do: the value made a chart take another branch, or the live state
changed so that the plan no longer fits.

The step was not applied. Run the same command again: the value is known now, and the new plan shows
what comes of it.
",
};

pub(super) static VALUE_MISSING: Code = Code {
    name: "value-missing",
    summary: "a value that a step needs did not come about",
    page: "\
The step needs a value that another unit gives once it is done: an address, a token, a certificate. That
unit is done and the value is not there, because the live object was changed meanwhile.

Run the same command again: the plan then shows what the other unit lacks.
",
};

pub(super) static STEP_PANICKED: Code = Code {
    name: "step-panicked",
    summary: "a step ended in a way that it never should",
    page: "\
This is a bug in Stolos. The other steps went on; what was done is recorded in the inventories. Run the
same command again, and please report the topology and the output.
",
};

pub(super) static LEASE_HELD: Code = Code {
    name: "lease-held",
    summary: "another run is changing a cluster",
    page: "\
`stolos apply` and `stolos destroy` hold a Lease in the mesh namespace of every cluster that they write to,
called like the inventory: `stolos-<mesh id>`. Another run holds it here, so this one changed nothing, in this
cluster or any other. The finding says who that is, what it runs and since when.

Run the same command again once the other is done. `--lock-timeout 10m` waits for it, and plans anew where it
changed something.

A run that was killed leaves its lease behind. On the same machine that is seen at once. Elsewhere it runs out
30 seconds after its last renewal: where a lease looks run out it is watched for that long before it is taken, so
that no wrong clock lets two runs at one cluster. To see it, or to end a lease of which you know that nobody is
behind it:

    kubectl --context CONTEXT --namespace istio-system get lease stolos-mesh1
    kubectl --context CONTEXT --namespace istio-system delete lease stolos-mesh1
",
};

pub(super) static LEASE_LOST: Code = Code {
    name: "lease-lost",
    summary: "the lease of a cluster was lost while it was being changed",
    page: "\
A run renews its Lease in each cluster every 10 seconds. Here that did not succeed for most of the 30 seconds that
it lasts, or somebody deleted it or took it over. From then on another run may be at work in the cluster, so
nothing more was written there; the steps in other clusters went on.

What was done is recorded in the inventory, or will be found by the next plan. See that no other run is at work,
and run the same command again.
",
};

/// The codes that this stage raises.
pub static CODES: &[&Code] = &[
    &DEPLOYMENT_FAILED,
    &LEASE_HELD,
    &LEASE_LOST,
    &PLAN_DIVERGED,
    &STEP_PANICKED,
    &VALUE_MISSING,
    &WAIT_TIMEOUT,
];

//! Why a plan cannot be made: codes and their pages.

use crate::diagnostic::Code;
pub(crate) use crate::diagnostic::shared::FIELD_CONFLICT;
pub(crate) use crate::validate::CONTROL_PLANE_ADDRESS_HOSTNAME;

pub(crate) use super::saved::codes::*;

/// An inventory whose data is not what Stolos writes.
pub(crate) static INVENTORY_UNREADABLE: Code = Code {
    name: "inventory-unreadable",
    summary: "the inventory of a cluster cannot be read",
    page: "\
ConfigMap `stolos-<mesh id>` in the mesh namespace lists every object that Stolos made or adopted in
a cluster. What it lists bounds what is ever deleted. An inventory that cannot be read is therefore an
error and never an empty one: an empty one would forget every object.

Somebody changed it by hand, or a later Stolos wrote it. Put back what stood there. Where that is lost,
delete the ConfigMap: the next plan shows every object as one to adopt, nothing is deleted, and objects
that the topology no longer asks for have to be removed by hand.
",
};

/// A context that reaches another cluster than last time.
pub(crate) static CONTEXT_MOVED: Code = Code {
    name: "context-moved",
    summary: "a context reaches another cluster than last time",
    page: "\
The inventory records the UID of the kube-system namespace of its cluster. Here the UID that the
context reaches differs: the kubeconfig's context was pointed elsewhere, or the cluster was made anew
and its objects restored from a backup.

Nothing is planned, since every difference would be one between two clusters. Point the context
(`clusters.X.context`, `--context CLUSTER=CONTEXT`) at the cluster that it was. Where the cluster really
is a new one, delete ConfigMap `stolos-<mesh id>` in its mesh namespace.
",
};

/// Two clusters of a topology that are one.
pub(crate) static CLUSTER_REACHED_TWICE: Code = Code {
    name: "cluster-reached-twice",
    summary: "two clusters of the topology are one and the same",
    page: "\
Two contexts lead to API servers whose kube-system namespace has the same UID: it is one cluster under two
names. What one entry of the topology asks for the other would take for foreign and set right again, at
every apply. Nothing is planned.

Each entry under `clusters` is reached through the context that `clusters.X.context` names, or else one of
its own name, or for one run `--context CLUSTER=CONTEXT`. Give each its own.
",
};

/// A member of the mesh that the topology no longer names.
pub(crate) static CLUSTER_VANISHED: Code = Code {
    name: "cluster-vanished",
    summary: "a cluster of the mesh is no longer in the topology",
    page: "\
An inventory names a cluster that the topology does not. Removing an entry from a file may be a slip, a
merge gone wrong, or one file of a folder that was not given, so it never deletes anything: neither what
runs in that cluster nor what others hold for it.

Put the cluster back. To take the mesh down, run `stolos destroy` with the topology that still names
every cluster.

One cluster alone cannot be taken out of a mesh that goes on, yet. What can be had is the mesh taken down in
all clusters and applied anew in those that stay: connections break, and a generated root is another one
afterwards, so keep it in files (`trust.root.certificate`) if workloads outside must go on to know it.
",
};

/// An object that another tool or mesh holds.
pub(crate) static OBJECT_OF_ANOTHER_APPLY_SET: Code = Code {
    name: "object-of-another-apply-set",
    summary: "an object belongs to another apply set",
    page: "\
Label `applyset.kubernetes.io/part-of` says which tool's set an object belongs to. A member belongs to
one set alone: two tools that both prune by it would delete each other's work.

Another mesh of Stolos in the same cluster, or `kubectl apply --prune --applyset`, put it there. One
mesh per cluster: remove the object from the other set first, then plan again.
",
};

/// An object of others that would have to be deleted to be adopted.
pub(crate) static ADOPTION_NEEDS_DELETE: Code = Code {
    name: "adoption-needs-delete",
    summary: "an existing object differs in a field that cannot be changed",
    page: "\
An object of the name that the topology needs exists already, was not made by Stolos, and differs in a
field that Kubernetes never changes: a Deployment's selector, a Secret's type, a binding's role. To bring
it in line it would have to be deleted, and what others made is never deleted.

Delete or rename it yourself, then plan again.
",
};

/// A root that cannot be found while certificates of it exist.
pub(crate) static ROOT_LOST: Code = Code {
    name: "root-lost",
    summary: "the mesh's generated root is gone, though certificates were issued",
    page: "\
With `trust.root: generate` the key of the root lives in Secret `stolos-root` of one primary. No cluster
has it, yet at least one primary holds a `cacerts`. A second root would split the mesh: workloads that
trust one refuse those that trust the other. So none is ever made by accident.

Restore Secret `stolos-root` from a backup. Or, if the mesh may be cut while it is issued anew, delete
Secret `cacerts` in every primary and apply again: a new root is made and every istiod restarted.
",
};

/// A cluster of which nothing is known, not even why.
pub(crate) static CLUSTER_NOT_READ: Code = Code {
    name: "cluster-not-read",
    summary: "a cluster was not read",
    page: "\
A plan was asked for without the live state of one of its clusters. It counts as unknown: neither as
there nor as missing. No command of Stolos leaves a cluster out: this is a bug in Stolos.
",
};

/// The codes that this stage raises.
pub static CODES: &[&Code] = &[
    &INVENTORY_UNREADABLE,
    &CONTEXT_MOVED,
    &CLUSTER_REACHED_TWICE,
    &CLUSTER_VANISHED,
    &OBJECT_OF_ANOTHER_APPLY_SET,
    &FIELD_CONFLICT,
    &ADOPTION_NEEDS_DELETE,
    &ROOT_LOST,
    &CLUSTER_NOT_READ,
    &CONTROL_PLANE_ADDRESS_HOSTNAME,
    &PLAN_STALE,
    &PLAN_USED,
    &PLAN_TRUNCATED,
    &PLAN_UNREADABLE,
    &PLAN_EDITED,
    &PLAN_OF_ANOTHER_VERSION,
    &PLAN_FORMAT_NEWER,
    &PLAN_FORMAT_OTHER,
    &PLAN_FLAG,
    &PLAN_NOT_A_TOPOLOGY,
    &PLAN_MISSING,
];

//! Why a saved plan is not applied: codes and their pages.

use crate::diagnostic::Code;

/// What a plan was made from is no longer so.
pub(crate) static PLAN_STALE: Code = Code {
    name: "plan-stale",
    summary: "what a plan was made from has changed since",
    page: "\
A plan says what an apply would do to the clusters as they were when it was made. Something of that is
different now: the topology, a file that it names, an object that the plan would change, who holds one of its
fields, or what another apply has recorded since. To go on could do what nobody has looked at, so nothing was
changed. The finding names each cluster, object and field.

Only what the plan compared counts. A status that a controller wrote, the `caBundle` that istiod patches, a
new resourceVersion and fields of others make no plan stale.

Plan again, look at it, and apply that:

    stolos plan mesh.yaml --out mesh.plan
    stolos apply mesh.plan
",
};

/// A saved plan is applied for the second time.
pub(crate) static PLAN_USED: Code = Code {
    name: "plan-used",
    summary: "a saved plan was applied before, and is applied once",
    page: "\
When the apply of a saved plan starts, the plan's ID is written into the inventories of the clusters, and from
then on the plan is used up, whether the apply came to its end or not. What one that was cut off left to do is
no longer what the plan says.

Plan again: the new plan shows what is left.

    stolos plan mesh.yaml --out mesh.plan
    stolos apply mesh.plan

An inventory remembers the last twenty plans, and goes with its mesh when that is taken down. Nothing is left
behind in a cluster then, so nothing tells it from one that never held the mesh: a plan that was made for empty
clusters fits them again, and applying its file once more makes the mesh anew. Delete the file of a plan that
was applied, or let the pipeline that keeps it forget it, before you destroy the mesh.
",
};

/// A saved plan ends in the middle.
pub(crate) static PLAN_TRUNCATED: Code = Code {
    name: "plan-truncated",
    summary: "the file of a saved plan ends in the middle",
    page: "\
The file begins as a plan that `stolos plan --out` saved, and ends before the plan does. It was copied or
uploaded while it was incomplete, or a disk was full. Stolos itself never leaves such a file: it writes beside
and then renames.

Copy it again, or plan again.
",
};

/// A saved plan that is no JSON, or lacks what a plan has.
pub(crate) static PLAN_UNREADABLE: Code = Code {
    name: "plan-unreadable",
    summary: "the file of a saved plan cannot be read",
    page: "\
The file begins as a plan that `stolos plan --out` saved, and goes on as something else. The message says
where. Plan again; a saved plan is not meant to be edited.
",
};

/// A saved plan whose checksum is not that of its content.
pub(crate) static PLAN_EDITED: Code = Code {
    name: "plan-edited",
    summary: "a saved plan is not what was saved",
    page: "\
A saved plan carries the checksum of its content, and here the two do not agree: somebody edited the file, or
it was damaged on its way. What a reviewer saw may not be what it would do, so it is not applied.

Change the topology instead of the plan, and plan again.
",
};

/// A saved plan of another version of Stolos.
pub(crate) static PLAN_OF_ANOTHER_VERSION: Code = Code {
    name: "plan-of-another-version",
    summary: "another version of Stolos saved this plan",
    page: "\
Another version may compile the same topology to other objects, and would then do something else than the plan
says. So a plan is applied by the version that made it.

Plan again with this version, or apply it with the one that made it: pin one version for all jobs of a
pipeline.
",
};

/// A saved plan in a format that only a later Stolos knows.
pub(crate) static PLAN_FORMAT_NEWER: Code = Code {
    name: "plan-format-newer",
    summary: "a later Stolos saved this plan, in a format that this one does not know",
    page: "\
The schema of a saved plan is `stolos.planfile/v1`. This one says a later number. Apply it with the version of
Stolos that saved it, or plan again with this one.
",
};

/// A document of Stolos that is no saved plan.
pub(crate) static PLAN_FORMAT_OTHER: Code = Code {
    name: "plan-format-other",
    summary: "the file is written by Stolos and is no saved plan",
    page: "\
`stolos plan --format json` writes a plan for programs to read (`stolos.plan/v1`). It does not hold what an
apply needs. A plan that can be applied is saved with `--out`; both can be had at once:

    stolos plan mesh.yaml --out mesh.plan --format json
    stolos apply mesh.plan
",
};

/// A flag that says something else than the saved plan.
pub(crate) static PLAN_FLAG: Code = Code {
    name: "plan-flag",
    summary: "a flag contradicts the saved plan",
    page: "\
A saved plan holds how the clusters are reached and whether fields of other tools are taken, since it is about
those clusters and shows those fields. `stolos apply FILE` refuses flags that say something else. Leave the
flag out, or plan again with it:

    stolos plan mesh.yaml --force-conflicts --out mesh.plan
    stolos apply mesh.plan

`--kubeconfig` may be another one, for a plan made on another machine: each cluster must be the one that the
plan was made for.
",
};

/// A saved plan where a topology is asked for.
pub(crate) static PLAN_NOT_A_TOPOLOGY: Code = Code {
    name: "plan-not-a-topology",
    summary: "the file is a saved plan, where a topology is asked for",
    page: "\
A file that `stolos plan --out` saved is shown by `stolos show FILE` and applied by `stolos apply FILE`. All
other commands take the topology that it was made from.

A plan that takes a mesh down is saved by `stolos plan --destroy` and applied by `stolos apply` as well.
",
};

/// A topology where a saved plan is asked for.
pub(crate) static PLAN_MISSING: Code = Code {
    name: "plan-missing",
    summary: "the file is no saved plan",
    page: "\
`stolos show FILE` shows a plan that `stolos plan --out FILE` saved. To see what a topology asks for, plan it:

    stolos plan mesh.yaml
",
};

//! The pages of what can go wrong with a cluster.

use crate::diagnostic::Code;
pub(super) use crate::diagnostic::shared::{CLUSTER_UNREACHABLE, FIELD_CONFLICT};

pub(super) static KUBECONFIG_UNREADABLE: Code = Code {
    name: "kubeconfig-unreadable",
    summary: "a kubeconfig cannot be read",
    page: "\
Contexts come from the file of `--kubeconfig`; without it from the files that the environment
variable `KUBECONFIG` lists, merged; without that from `~/.kube/config`. The file is missing, may not
be read, or is no kubeconfig. Its contents are never printed.

`kubectl config view --kubeconfig FILE` says what is wrong with a file. To try a topology without any
cluster, add `--sandbox`.
",
};

pub(super) static CONTEXT_MISSING: Code = Code {
    name: "context-missing",
    summary: "no kubeconfig has the context of a cluster",
    page: "\
Every cluster of a topology is reached through a context of a kubeconfig: the one that
`clusters.X.context` names, or else one that is called as the cluster is. Stolos never falls back on
the current context: it must not be possible to change a cluster by mistake.

Name the context in the topology, or for one run with `--context CLUSTER=CONTEXT`.
`kubectl config get-contexts -o name` lists those that there are.
",
};

pub(super) static CONTEXT_UNUSABLE: Code = Code {
    name: "context-unusable",
    summary: "a context cannot be used",
    page: "\
The context is there, but what it names is not usable: its cluster is missing or has no server, a
certificate or key file cannot be read, its proxy is no URL, or its user has an `auth-provider`, which
Kubernetes has removed for credential plugins (`exec`).

`kubectl --context CONTEXT version` fails the same way and often says more.
",
};

pub(super) static CREDENTIALS_REFUSED: Code = Code {
    name: "credentials-refused",
    summary: "a cluster does not accept the credentials",
    page: "\
The API server answered `401 Unauthorized`. The token or certificate has expired, belongs to another
cluster, or was withdrawn. Where a credential plugin or a token file gives it, it was had anew once, and
refused again. The message names the context, its user and how the credentials were had, and never what
they are.

`kubectl --context CONTEXT auth whoami` shows the same. Log in again and run the same command again.
",
};

pub(super) static CREDENTIALS_MISSING: Code = Code {
    name: "credentials-missing",
    summary: "the credentials of a context cannot be had",
    page: "\
The context's user has a credential plugin (`exec`) that is not installed, failed, did not answer within
60 seconds, or answered with something else than an `ExecCredential`; or a token file that cannot be read.
What a plugin prints may be a credential and is never shown. On a terminal a plugin may ask (unless
`interactiveMode: Never`), and has ten minutes.

Run the plugin's login, or see what it says: `kubectl --context CONTEXT auth whoami`. Then run the same
command again. A cluster whose credentials cannot be had is unknown: the plan shows the others.
",
};

pub(super) static FORBIDDEN: Code = Code {
    name: "forbidden",
    summary: "the credentials lack a right",
    page: "\
The API server answered `403 Forbidden` and says which right is missing; where it does not, or quotes a Secret,
the rights that the request takes are named. `stolos rbac` prints exactly the rights that a command takes, as
ClusterRoles, for an administrator to grant:

    stolos rbac apply --cluster cluster1 mesh.yaml | kubectl --context cluster1 apply -f -

Where the topology dropped something since the last apply, name the earlier one too
(`--from earlier.yaml`): to remove takes rights as well. A cluster of which a read is forbidden is unknown,
as one is that does not answer. A dry run that is forbidden only makes the plan an estimate.

An admission webhook that denies a request answers `403` too; then its message stands there.
",
};

pub(super) static KIND_UNKNOWN: Code = Code {
    name: "kind-unknown",
    summary: "a kind is not known",
    page: "\
Either the cluster has no such kind, because its CustomResourceDefinition is missing or is not
established yet, or Stolos has no entry for it in its table of kinds and cannot tell its address.
",
};

pub(super) static OBJECT_MISSING: Code = Code {
    name: "object-missing",
    summary: "an object or its namespace is not there",
    page: "\
The API server answered `404 Not Found`: somebody deleted the object, or the namespace that it would
be created in, between plan and apply. Run the same command again: it plans anew.
",
};

pub(super) static OBJECT_CHANGED: Code = Code {
    name: "object-changed",
    summary: "an object is not the one that the plan saw",
    page: "\
Every delete names the UID of the object that the plan saw. Meanwhile somebody deleted the object and
made another of the same name, so it was left alone. Run the same command again: it plans anew.
",
};

pub(super) static OBJECT_REFUSED: Code = Code {
    name: "object-refused",
    summary: "a cluster refuses an object",
    page: "\
The API server or an admission webhook found the object wrong and said which field. What the topology
itself says is checked before; this comes from user values (`istio.values`, `clusters.X.values`), from
a policy of the cluster, or from a Kubernetes version that does not know a field yet.
",
};

pub(super) static CLUSTER_ERROR: Code = Code {
    name: "cluster-error",
    summary: "a cluster answered with an error of its own",
    page: "\
The API server answered with an error that is not about the request (a `5xx` that stayed after
several attempts), or with something that is no answer of a Kubernetes API, as a proxy or a wrong
address does.
",
};

/// The codes that this stage raises.
pub static CODES: &[&Code] = &[
    &CLUSTER_ERROR,
    &CLUSTER_UNREACHABLE,
    &CONTEXT_MISSING,
    &CONTEXT_UNUSABLE,
    &CREDENTIALS_MISSING,
    &CREDENTIALS_REFUSED,
    &FIELD_CONFLICT,
    &FORBIDDEN,
    &KIND_UNKNOWN,
    &KUBECONFIG_UNREADABLE,
    &OBJECT_CHANGED,
    &OBJECT_MISSING,
    &OBJECT_REFUSED,
];

//! What can go wrong between here and a server with charts.

use crate::diagnostic::Code;

/// Every code of this module, for `stolos explain`.
pub static CODES: &[&Code] = &[
    &CHART_SOURCE_UNREACHABLE,
    &CHART_SOURCE_DENIED,
    &CHART_SOURCE_BROKEN,
    &CHART_NOT_PUBLISHED,
    &CHART_CREDENTIALS,
];

/// No answer, or none that helps.
pub(super) static CHART_SOURCE_UNREACHABLE: Code = Code {
    name: "chart-source-unreachable",
    summary: "the server with the charts does not answer",
    page: "\
`istio.charts` names a repository or a registry, and its server could not be reached, broke the
connection, took too long, or answered that something is wrong with it. Connections that break and
answers such as `503` are tried again twice before that. Nothing was written.

Behind a proxy, set HTTPS_PROXY (and NO_PROXY for what is reached without): they are honoured as curl
honours them. Where the certificate is of an authority of your own, either the system trusts it
(SSL_CERT_FILE, SSL_CERT_DIR), or the topology names it:

    istio: { charts: { repo: https://charts.example.com, ca: ca.pem } }

Whoever cannot reach the server at all, such as a pipeline without the internet, takes charts that lie
beside the topology: run `stolos vendor` where it can be reached, and commit what it writes.
",
};

/// 401 and 403.
pub(super) static CHART_SOURCE_DENIED: Code = Code {
    name: "chart-source-denied",
    summary: "the server with the charts does not let us in",
    page: "\
The repository or registry answered 401 or 403: it wants to know who asks, or whoever asks has no right
to read the charts. Many registries say the same of what does not exist: check the URL too.

Stolos has no logins of its own. For registries it takes those of Helm (`helm registry login`) and then
those of Docker (`docker login`), with their credential helpers; for repositories the user and the
password that `helm repo add` noted. Where these files are says the environment as it does for Helm and
Docker: HELM_REGISTRY_CONFIG, HELM_REPOSITORY_CONFIG, DOCKER_CONFIG. Client certificates of repositories
are not taken.
",
};

/// Nonsense, or a lie.
pub(super) static CHART_SOURCE_BROKEN: Code = Code {
    name: "chart-source-broken",
    summary: "the server with the charts hands out something else",
    page: "\
What the server sent cannot be used: an index that is no YAML, a manifest that is not of a chart, an
archive whose digest is not the one that the server itself announced, an answer that is longer than any
chart, a redirection that leads away from TLS. The fact below the message says which.

Most often the URL is of something else: a web page, an image. For a repository it is the folder in which
`index.yaml` lies; for a registry, the folder that the charts lie in, without the name of a chart.
Otherwise somebody on the way, a proxy or a cache, changed the bytes. Nothing was written.
",
};

/// Not there.
pub(super) static CHART_NOT_PUBLISHED: Code = Code {
    name: "chart-not-published",
    summary: "the source has no such chart, or not in this version",
    page: "\
Stolos takes the charts `base`, `istiod` and `gateway` of exactly `istio.version`. The repository or
registry has one of them not at all, or not in this version. Istio publishes its charts with every
release; a mirror may be late, or have them under another folder.

Take a version that is there, or another source.
",
};

/// Files of Helm and Docker.
pub(super) static CHART_CREDENTIALS: Code = Code {
    name: "chart-credentials",
    summary: "the credentials for a server with charts cannot be had",
    page: "\
Helm and Docker keep what `helm registry login`, `helm repo add` and `docker login` were told in files,
or in a credential helper that the file names (`docker-credential-…`). The file cannot be read, or the
helper is not installed or failed. The fact below the message names the file and what is wrong; what a
helper printed is never shown, since it may hold a secret.

Log in again, or remove the entry of this server if it can be read by anybody.
",
};

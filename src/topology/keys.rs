//! Every key of a topology file, once: what the decoder knows and what the JSON schema says.
//!
//! The decoder asks a [`Record`] which keys it may find and must find; the
//! schema is made of the same records. So neither can know a key that the
//! other does not.

use super::UnitName;

/// A map with a fixed set of keys.
pub(super) struct Record {
    /// Its name in the schema, and in sentences: `cluster`.
    pub(super) name: &'static str,
    /// What it describes.
    pub(super) about: &'static str,
    /// Its keys in the order in which a person writes them.
    pub(super) keys: &'static [Key],
    /// Keys that stand elsewhere, and the help that says where.
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
}

/// A key of a record.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) shape: Shape,
    pub(super) need: Need,
}

/// Whether a key has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
    /// Required of the whole topology, which may be several files.
    RequiredOnce,
}

/// What a value looks like.
pub(super) enum Shape {
    /// The number 1.
    One,
    /// A text of any words.
    Text,
    /// A text like `1.30.3`, which may be written as a number.
    Version,
    /// One of these texts.
    Words(&'static [&'static str]),
    /// `false`.
    False,
    /// A whole number in a range.
    Whole { least: u64, most: u64 },
    /// A span of time: `90s`, `5m`, `1h30m`.
    Duration,
    /// A list.
    List(&'static Shape),
    /// A map of these keys; nothing at all is an empty one.
    Of(&'static Record),
    /// A map whose keys are names.
    Named(&'static Shape),
    /// A map from ports to ports.
    Ports,
    /// Any map.
    Free,
    /// One of these.
    Either(&'static [Shape]),
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, about, shape, need: Need::Required }
}

const fn once(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, about, shape, need: Need::RequiredOnce }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, about, shape, need: Need::Optional }
}

/// The whole file.
pub(super) static TOPOLOGY: Record = Record {
    name: "topology",
    about: "A mesh of Istio over several Kubernetes clusters.",
    keys: &[
        required("version", Shape::One, "The version of this file's keys: 1, in every file of a topology."),
        once("mesh", Shape::Of(&MESH), "The mesh that all clusters join."),
        optional(
            "istio",
            Shape::Of(&ISTIO),
            "Which Istio, from which charts, with which values of your own.",
        ),
        optional("trust", Shape::Of(&TRUST), "Whom every certificate of the mesh goes back to."),
        optional(
            "networks",
            Shape::Named(&Shape::Of(&NETWORK)),
            "Networks by name. Inside of one, workloads of different clusters reach each other directly; between two, through east-west gateways.",
        ),
        optional(
            "defaults",
            Shape::Of(&DEFAULTS),
            "Keys that every cluster has unless it says otherwise: maps are merged, lists replaced.",
        ),
        once("clusters", Shape::Named(&Shape::Of(&CLUSTER)), "Clusters by name."),
        optional("namespaces", Shape::Named(&Shape::Of(&NAMESPACE)), "Application namespaces by name."),
        optional(
            "rollout",
            Shape::List(&Shape::List(&Shape::Text)),
            "The waves of a change that restarts something or cuts traffic, each a list of clusters: `[[canary], [east, west]]`. Clusters that no wave names come last, one at a time, primaries first; so do all without this key.",
        ),
    ],
    elsewhere: &[],
};

/// `mesh`.
pub(super) static MESH: Record = Record {
    name: "mesh",
    about: "The mesh that all clusters join.",
    keys: &[
        required("id", Shape::Text, "The mesh ID, equal in every cluster: `mesh1`."),
        optional(
            "trustDomain",
            Shape::Text,
            "The trust domain of every identity in the mesh. By default `cluster.local`.",
        ),
        optional(
            "namespace",
            Shape::Text,
            "Where the control plane and the gateways live, equal in every cluster. By default `istio-system`.",
        ),
        optional(
            "mtls",
            Shape::Words(&["permissive", "strict"]),
            "What workloads accept: `strict` is mutual TLS alone. By default `permissive`, as in Istio.",
        ),
        optional(
            "dns",
            Shape::Words(&["capture", "off"]),
            "Whether proxies answer name look-ups, so that a Service of another cluster resolves. By default `capture` with several clusters.",
        ),
    ],
    elsewhere: &[],
};

/// `istio`.
pub(super) static ISTIO: Record = Record {
    name: "istio",
    about: "Which Istio, from which charts, with which values of your own.",
    keys: &[
        optional(
            "version",
            Shape::Version,
            "The version of Istio: `1.30.3`, or `1.30` for its newest known patch. By default the newest known.",
        ),
        optional(
            "charts",
            Shape::Either(&[
                Shape::Words(&["embedded", "external"]),
                Shape::Of(&CHARTS_PATH),
                Shape::Of(&CHARTS_REPO),
                Shape::Of(&CHARTS_OCI),
            ]),
            "Where the charts come from: `embedded` are the small ones inside of stolos, the others Istio's own: of a folder (`path`), a Helm repository (`repo`) or an OCI registry (`oci`); `external` leaves the releases to Argo CD, Flux or Helm, with the values that `stolos compile --values` writes.",
        ),
        optional(
            "profile",
            Shape::Words(&["demo", "preview", "stable"]),
            "A profile of Istio's own charts. The one of a remote follows from its role.",
        ),
        optional(
            "platform",
            Shape::Words(&["gke", "k3d", "k3s", "microk8s", "minikube", "openshift"]),
            "The distribution of Kubernetes, for Istio's own charts. EKS and AKS take no values of their own: leave it out there.",
        ),
        optional(
            "cni",
            Shape::Words(&["enabled", "external"]),
            "Who redirects the traffic of pods: `enabled` installs Istio's node agent in every cluster, `external` says \
             that somebody else did. By default an init container of each pod does, with rights of its own.",
        ),
        optional("values", Shape::Of(&VALUES), "Your own chart values for every cluster."),
    ],
    elsewhere: &[],
};

/// `istio.charts: {path}`.
pub(super) static CHARTS_PATH: Record = Record {
    name: "chartsPath",
    about: "Istio's own charts `base`, `istiod`, `gateway`, and `cni` where it is enabled. The path is relative to this file.",
    keys: &[required(
        "path",
        Shape::Text,
        "A folder with the charts, each a folder or a .tgz file, or one .tgz file with them.",
    )],
    elsewhere: &[],
};

/// `istio.charts: {repo}`.
pub(super) static CHARTS_REPO: Record = Record {
    name: "chartsRepo",
    about: "Istio's own charts of a Helm repository. `stolos vendor` loads them down and pins them.",
    keys: &[
        required(
            "repo",
            Shape::Text,
            "The URL of the repository, the folder of its `index.yaml`: `https://…`.",
        ),
        CHARTS_CA,
    ],
    elsewhere: &[],
};

/// `istio.charts: {oci}`.
pub(super) static CHARTS_OCI: Record = Record {
    name: "chartsOci",
    about: "Istio's own charts of an OCI registry. `stolos vendor` loads them down and pins them.",
    keys: &[
        required(
            "oci",
            Shape::Text,
            "The folder in the registry that the charts are in: `oci://HOST/FOLDER`.",
        ),
        CHARTS_CA,
    ],
    elsewhere: &[],
};

const CHARTS_CA: Key = optional(
    "ca",
    Shape::Text,
    "PEM certificates to trust there beside those of the system. The path is relative to this file.",
);

/// `values`.
pub(super) static VALUES: Record = Record {
    name: "values",
    about: "Your own values by chart, over the chart's defaults: maps are merged, lists replaced, null deletes.",
    keys: &[
        optional("base", Shape::Free, "Values of the chart `base`: custom resources and the reader account."),
        optional(
            "istiod",
            Shape::Free,
            "Values of the chart `istiod`: the control plane, or a remote's share of it.",
        ),
        optional(
            "cni",
            Shape::Free,
            "Values of the chart `cni`: the node agent that redirects the traffic of pods.",
        ),
        optional("gateway", Shape::Free, "Values of the chart `gateway`: the east-west gateway."),
    ],
    elsewhere: &[],
};

/// `trust`.
pub(super) static TRUST: Record = Record {
    name: "trust",
    about: "Whom every certificate of the mesh goes back to.",
    keys: &[required(
        "root",
        Shape::Either(&[
            Shape::Words(&["generate", "istiod"]),
            Shape::Of(&ROOT_GENERATED),
            Shape::Of(&ROOT_FILES),
        ]),
        "The root: `generate` makes one at the first apply, `{certificate, key}` reads PEM files, `istiod` lets the one control plane sign for itself.",
    )],
    elsewhere: &[],
};

/// `trust.root: {generate: …}`.
pub(super) static ROOT_GENERATED: Record = Record {
    name: "generatedRoot",
    about: "A root that is made at the first apply.",
    keys: &[required(
        "generate",
        Shape::Of(&KEEPER),
        "A root that is made at the first apply and kept in a primary.",
    )],
    elsewhere: &[],
};

/// `trust.root.generate`.
pub(super) static KEEPER: Record = Record {
    name: "rootKeeper",
    about: "Where a generated root is kept.",
    keys: &[optional("in", Shape::Text, "The primary that keeps the root. By default the first by name.")],
    elsewhere: &[],
};

/// `trust.root: {certificate, key}`.
pub(super) static ROOT_FILES: Record = Record {
    name: "rootFiles",
    about: "A root that you hold. Paths are relative to this file.",
    keys: &[
        required("certificate", Shape::Text, "The root certificate, a PEM file."),
        required("key", Shape::Text, "Its private key, a PEM file (PKCS#8). It never leaves this machine."),
    ],
    elsewhere: &[],
};

/// `networks.N`.
pub(super) static NETWORK: Record = Record {
    name: "network",
    about: "A network: workloads on it reach each other without a gateway.",
    keys: &[optional(
        "eastWestGateway",
        Shape::Of(&GATEWAY),
        "Settings of the east-west gateways of its clusters, but `addresses`, which are each cluster's own.",
    )],
    elsewhere: &[],
};

static URL_OR_PARTS: [Shape; 2] = [Shape::Text, Shape::Of(&API_SERVER_PARTS)];
static OFF_OR_GATEWAY: [Shape; 2] = [Shape::False, Shape::Of(&GATEWAY)];

const CONTEXT: Key =
    optional("context", Shape::Text, "Its context in your kubeconfig. By default the cluster's name.");
const ID: Key = optional(
    "id",
    Shape::Text,
    "Its ID in the mesh, where that is not its name: the ID that an existing mesh knows it by.",
);
const API_SERVER: Key = optional(
    "apiServer",
    Shape::Either(&URL_OR_PARTS),
    "Its API server's URL as the other clusters reach it. By default that of its context.",
);
const PODS: Key = optional("pods", Shape::List(&Shape::Text), "The addresses of its pods: `[10.1.0.0/16]`.");
const SERVICES: Key =
    optional("services", Shape::List(&Shape::Text), "The addresses of its Services: `[10.96.0.0/12]`.");
const CONTROL_PLANE: Key =
    optional("controlPlane", Shape::Of(&CONTROL_PLANE_PARTS), "How remotes reach the control plane.");
const EAST_WEST_GATEWAY: Key = optional(
    "eastWestGateway",
    Shape::Either(&OFF_OR_GATEWAY),
    "Its east-west gateway; `false` for none. By default one where the mesh needs it.",
);
const OWN_TIMEOUTS: Key = optional(
    "timeouts",
    Shape::Of(&TIMEOUTS),
    "How long a step of this cluster may take, by its unit, instead of what `--timeout` gives each.",
);
const OWN_VALUES: Key = optional("values", Shape::Of(&VALUES), "Your own chart values for this cluster.");

/// `clusters.X`.
pub(super) static CLUSTER: Record = Record {
    name: "cluster",
    about: "A cluster of the mesh.",
    keys: &[
        required("network", Shape::Text, "The network that its workloads are on, one of `networks`."),
        required(
            "role",
            Shape::Words(&["primary", "remote"]),
            "`primary` hosts a control plane of its own; `remote` uses those of `primaries`.",
        ),
        optional(
            "primaries",
            Shape::List(&Shape::Text),
            "Who serves this remote: primaries by name, the first gives the address that it connects to.",
        ),
        CONTEXT,
        ID,
        API_SERVER,
        PODS,
        SERVICES,
        CONTROL_PLANE,
        EAST_WEST_GATEWAY,
        OWN_TIMEOUTS,
        OWN_VALUES,
    ],
    elsewhere: &[],
};

/// `defaults`.
pub(super) static DEFAULTS: Record = Record {
    name: "defaults",
    about: "Keys that every cluster has unless it says otherwise: maps are merged, lists replaced.",
    keys: &[
        CONTEXT,
        ID,
        API_SERVER,
        PODS,
        SERVICES,
        CONTROL_PLANE,
        EAST_WEST_GATEWAY,
        OWN_TIMEOUTS,
        OWN_VALUES,
    ],
    elsewhere: &[
        ("network", "each cluster names its network itself."),
        ("role", "each cluster says itself whether it is a primary or a remote."),
        ("primaries", "each remote names its primaries itself."),
    ],
};

const fn of_unit(unit: UnitName, about: &'static str) -> Key {
    optional(unit.as_str(), Shape::Duration, about)
}

/// `timeouts`.
pub(super) static TIMEOUTS: Record = Record {
    name: "timeouts",
    about: "How long a step may take, by its unit: `{eastwest-gateway: 15m}`.",
    keys: &[
        of_unit(UnitName::Namespace, "The mesh namespace."),
        of_unit(UnitName::Trust, "The certificates of the control plane."),
        of_unit(UnitName::Base, "Until its custom resources are served."),
        of_unit(UnitName::Cni, "Until the node agent runs on every node."),
        of_unit(UnitName::ControlPlane, "Until istiod is available and its webhook is trusted."),
        of_unit(UnitName::EastWestGateway, "Until the gateway is available and has an address."),
        of_unit(UnitName::ExposeControlPlane, "Until the control plane is reached from outside."),
        of_unit(UnitName::ExposeServices, "The gateway's configuration for other networks."),
        of_unit(UnitName::ReaderCredential, "Until the token is filled."),
        of_unit(
            UnitName::RemoteSecret,
            "Until istiod uses the secret, for each cluster that this primary has one of.",
        ),
        of_unit(UnitName::AppNamespaces, "Application namespaces."),
    ],
    elsewhere: &[],
};

/// `apiServer: {…}`.
pub(super) static API_SERVER_PARTS: Record = Record {
    name: "apiServer",
    about: "How the other clusters reach a cluster's API.",
    keys: &[
        optional("url", Shape::Text, "`https://…`, as the other clusters reach it."),
        optional(
            "ca",
            Shape::Text,
            "Its certificate authority, a PEM file. By default the one that the cluster's own pods trust.",
        ),
        optional("serverName", Shape::Text, "The name in its certificate, where that is not the URL's host."),
    ],
    elsewhere: &[],
};

/// `controlPlane`.
pub(super) static CONTROL_PLANE_PARTS: Record = Record {
    name: "controlPlane",
    about: "How remotes reach the control plane.",
    keys: &[
        optional(
            "expose",
            Shape::Words(&["eastWestGateway", "loadBalancer", "none"]),
            "What exposes a primary's control plane to remotes. By default the east-west gateway of a primary that serves remotes.",
        ),
        optional(
            "address",
            Shape::Text,
            "On a primary the address that its remotes use, on a remote the one that it uses itself, instead of a discovered one.",
        ),
    ],
    elsewhere: &[],
};

/// `eastWestGateway: {…}`.
pub(super) static GATEWAY: Record = Record {
    name: "eastWestGateway",
    about: "An east-west gateway: the entrance for the other networks, and for remotes to the control plane.",
    keys: &[
        optional(
            "addresses",
            Shape::List(&Shape::Text),
            "At which addresses or names it is reached. By default what its Service is given.",
        ),
        optional(
            "ports",
            Shape::Ports,
            "At which port each of its ports is reached, where that is another one (a node port): `{15443: 32443}`.",
        ),
        optional("service", Shape::Of(&GATEWAY_SERVICE), "Its Service."),
        optional(
            "replicas",
            Shape::Whole { least: 0, most: u32::MAX as u64 },
            "How many pods. By default the chart's autoscaling decides.",
        ),
    ],
    elsewhere: &[],
};

/// `eastWestGateway.service`.
pub(super) static GATEWAY_SERVICE: Record = Record {
    name: "gatewayService",
    about: "The Service of an east-west gateway.",
    keys: &[
        optional(
            "type",
            Shape::Words(&["LoadBalancer", "NodePort", "ClusterIP"]),
            "The type of the Service. By default LoadBalancer; the others need `addresses`.",
        ),
        optional(
            "annotations",
            Shape::Named(&Shape::Text),
            "Annotations of the Service: what your cloud's load balancer wants to be told.",
        ),
        optional(
            "sourceRanges",
            Shape::List(&Shape::Text),
            "Who may connect, as the load balancer enforces it: `[192.0.2.0/24]`.",
        ),
    ],
    elsewhere: &[],
};

/// `namespaces.NS`.
pub(super) static NAMESPACE: Record = Record {
    name: "namespace",
    about: "An application namespace.",
    keys: &[
        optional(
            "injection",
            Shape::Words(&["enabled", "disabled", "manual"]),
            "Whether its pods get a sidecar; `manual` leaves its labels alone. By default `enabled`.",
        ),
        optional("clusters", Shape::List(&Shape::Text), "The clusters that it stands in. By default all."),
    ],
    elsewhere: &[],
};

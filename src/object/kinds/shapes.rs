//! What the built-in kinds are made of, for server-side apply.
//!
//! Taken from the schema that Kubernetes 1.34 gives its own clients
//! (`client-go/applyconfigurations/internal`), which comes from the
//! `+listType`, `+listMapKey` and `+structType` markers of `k8s.io/api`. Only
//! what departs from the rule stands here: a declared map is merged field by
//! field, a list is one value.

use super::{ItemKey, Shape};

/// A status of which only the conditions are told apart.
static CONDITIONS: Shape =
    Shape::Fields(&[("conditions", Shape::List { keys: &[ItemKey::of("type")], item: &Shape::OPEN })]);

/// Kinds that have nothing but metadata to merge specially.
pub(super) static METADATA_ONLY: Shape = Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META))]);

/// Volume sources with one reference, replaced whole.
static WITH_SECRET_REF: Shape = Shape::Fields(&[("secretRef", Shape::Atomic)]);

/// A custom resource: declared down to `spec` and `status`, free within.
pub(super) static CUSTOM: Shape =
    Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META)), ("spec", Shape::Free), ("status", Shape::Free)]);

/// A CustomResourceDefinition: its versions are one value.
pub(super) static CUSTOM_RESOURCE_DEFINITION: Shape =
    Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META)), ("status", Shape::Same(&CONDITIONS))]);

/// `meta.v1.ObjectMeta`.
static OBJECT_META: Shape = Shape::Fields(&[
    ("finalizers", Shape::Set),
    ("ownerReferences", Shape::List { keys: &[ItemKey::of("uid")], item: &Shape::Atomic }),
]);

/// `core.v1.Namespace`, `autoscaling.v2.HorizontalPodAutoscaler`.
pub(super) static NAMESPACE: Shape =
    Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META)), ("status", Shape::Same(&CONDITIONS))]);

/// `core.v1.ServiceAccount`.
pub(super) static SERVICE_ACCOUNT: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("secrets", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::Atomic }),
]);

/// `core.v1.ServiceSpec`.
static SERVICE_SPEC: Shape = Shape::Fields(&[
    (
        "ports",
        Shape::List {
            keys: &[ItemKey::of("port"), ItemKey::defaulting("protocol", "TCP")],
            item: &Shape::OPEN,
        },
    ),
    ("selector", Shape::Atomic),
]);

/// `core.v1.Service`.
pub(super) static SERVICE: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&SERVICE_SPEC)),
    ("status", Shape::Same(&CONDITIONS)),
]);

/// `core.v1.NodeAffinity`.
static NODE_AFFINITY: Shape =
    Shape::Fields(&[("requiredDuringSchedulingIgnoredDuringExecution", Shape::Atomic)]);

/// `core.v1.Affinity`.
static AFFINITY: Shape = Shape::Fields(&[("nodeAffinity", Shape::Same(&NODE_AFFINITY))]);

/// `core.v1.EnvVarSource`.
static ENV_VAR_SOURCE: Shape = Shape::Fields(&[
    ("configMapKeyRef", Shape::Atomic),
    ("fieldRef", Shape::Atomic),
    ("fileKeyRef", Shape::Atomic),
    ("resourceFieldRef", Shape::Atomic),
    ("secretKeyRef", Shape::Atomic),
]);

/// `core.v1.EnvVar`.
static ENV_VAR: Shape = Shape::Fields(&[("valueFrom", Shape::Same(&ENV_VAR_SOURCE))]);

/// `core.v1.ResourceRequirements`.
static RESOURCE_REQUIREMENTS: Shape =
    Shape::Fields(&[("claims", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::OPEN })]);

/// `core.v1.Container`, `core.v1.EphemeralContainer`.
static CONTAINER: Shape = Shape::Fields(&[
    ("env", Shape::List { keys: &[ItemKey::of("name")], item: &ENV_VAR }),
    (
        "ports",
        Shape::List {
            keys: &[ItemKey::of("containerPort"), ItemKey::defaulting("protocol", "TCP")],
            item: &Shape::OPEN,
        },
    ),
    ("resources", Shape::Same(&RESOURCE_REQUIREMENTS)),
    ("volumeDevices", Shape::List { keys: &[ItemKey::of("devicePath")], item: &Shape::OPEN }),
    ("volumeMounts", Shape::List { keys: &[ItemKey::of("mountPath")], item: &Shape::OPEN }),
]);

/// `core.v1.TopologySpreadConstraint`.
static TOPOLOGY_SPREAD_CONSTRAINT: Shape = Shape::Fields(&[("labelSelector", Shape::Atomic)]);

/// `core.v1.CSIVolumeSource`.
static CSI_VOLUME_SOURCE: Shape = Shape::Fields(&[("nodePublishSecretRef", Shape::Atomic)]);

/// `core.v1.PersistentVolumeClaimSpec`.
static PERSISTENT_VOLUME_CLAIM_SPEC: Shape =
    Shape::Fields(&[("dataSource", Shape::Atomic), ("selector", Shape::Atomic)]);

/// `core.v1.PersistentVolumeClaimTemplate`.
static PERSISTENT_VOLUME_CLAIM_TEMPLATE: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&PERSISTENT_VOLUME_CLAIM_SPEC)),
]);

/// `core.v1.EphemeralVolumeSource`.
static EPHEMERAL_VOLUME_SOURCE: Shape =
    Shape::Fields(&[("volumeClaimTemplate", Shape::Same(&PERSISTENT_VOLUME_CLAIM_TEMPLATE))]);

/// `core.v1.Volume`.
static VOLUME: Shape = Shape::Fields(&[
    ("cephfs", Shape::Same(&WITH_SECRET_REF)),
    ("cinder", Shape::Same(&WITH_SECRET_REF)),
    ("csi", Shape::Same(&CSI_VOLUME_SOURCE)),
    ("ephemeral", Shape::Same(&EPHEMERAL_VOLUME_SOURCE)),
    ("flexVolume", Shape::Same(&WITH_SECRET_REF)),
    ("iscsi", Shape::Same(&WITH_SECRET_REF)),
    ("rbd", Shape::Same(&WITH_SECRET_REF)),
    ("scaleIO", Shape::Same(&WITH_SECRET_REF)),
    ("storageos", Shape::Same(&WITH_SECRET_REF)),
]);

/// `core.v1.PodSpec`.
static POD_SPEC: Shape = Shape::Fields(&[
    ("affinity", Shape::Same(&AFFINITY)),
    ("containers", Shape::List { keys: &[ItemKey::of("name")], item: &CONTAINER }),
    ("ephemeralContainers", Shape::List { keys: &[ItemKey::of("name")], item: &CONTAINER }),
    ("hostAliases", Shape::List { keys: &[ItemKey::of("ip")], item: &Shape::OPEN }),
    ("imagePullSecrets", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::Atomic }),
    ("initContainers", Shape::List { keys: &[ItemKey::of("name")], item: &CONTAINER }),
    ("nodeSelector", Shape::Atomic),
    ("resourceClaims", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::OPEN }),
    ("resources", Shape::Same(&RESOURCE_REQUIREMENTS)),
    ("schedulingGates", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::OPEN }),
    (
        "topologySpreadConstraints",
        Shape::List {
            keys: &[ItemKey::of("topologyKey"), ItemKey::of("whenUnsatisfiable")],
            item: &TOPOLOGY_SPREAD_CONSTRAINT,
        },
    ),
    ("volumes", Shape::List { keys: &[ItemKey::of("name")], item: &VOLUME }),
]);

/// `core.v1.PodStatus`.
static POD_STATUS: Shape = Shape::Fields(&[
    ("conditions", Shape::List { keys: &[ItemKey::of("type")], item: &Shape::OPEN }),
    ("podIPs", Shape::List { keys: &[ItemKey::of("ip")], item: &Shape::OPEN }),
    ("resourceClaimStatuses", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::OPEN }),
]);

/// `core.v1.Pod`.
pub(super) static POD: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&POD_SPEC)),
    ("status", Shape::Same(&POD_STATUS)),
]);

/// `core.v1.NodeSpec`.
static NODE_SPEC: Shape = Shape::Fields(&[("podCIDRs", Shape::Set)]);

/// `core.v1.NodeStatus`.
static NODE_STATUS: Shape = Shape::Fields(&[
    ("addresses", Shape::List { keys: &[ItemKey::of("type")], item: &Shape::OPEN }),
    ("conditions", Shape::List { keys: &[ItemKey::of("type")], item: &Shape::OPEN }),
]);

/// `core.v1.Node`.
pub(super) static NODE: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&NODE_SPEC)),
    ("status", Shape::Same(&NODE_STATUS)),
]);

/// `core.v1.Event`.
pub(super) static EVENT: Shape = Shape::Fields(&[
    ("involvedObject", Shape::Atomic),
    ("metadata", Shape::Same(&OBJECT_META)),
    ("related", Shape::Atomic),
]);

/// `core.v1.PodTemplateSpec`.
static POD_TEMPLATE_SPEC: Shape =
    Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META)), ("spec", Shape::Same(&POD_SPEC))]);

/// `apps.v1.DeploymentSpec`, `apps.v1.ReplicaSetSpec`, `apps.v1.DaemonSetSpec`.
static DEPLOYMENT_SPEC: Shape =
    Shape::Fields(&[("selector", Shape::Atomic), ("template", Shape::Same(&POD_TEMPLATE_SPEC))]);

/// `apps.v1.Deployment`, `apps.v1.ReplicaSet`, `apps.v1.DaemonSet`.
pub(super) static DEPLOYMENT: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&DEPLOYMENT_SPEC)),
    ("status", Shape::Same(&CONDITIONS)),
]);

/// `policy.v1.PodDisruptionBudgetSpec`.
static POD_DISRUPTION_BUDGET_SPEC: Shape = Shape::Fields(&[("selector", Shape::Atomic)]);

/// `policy.v1.PodDisruptionBudget`.
pub(super) static POD_DISRUPTION_BUDGET: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&POD_DISRUPTION_BUDGET_SPEC)),
    ("status", Shape::Same(&CONDITIONS)),
]);

/// `rbac.v1.RoleBinding`, `rbac.v1.ClusterRoleBinding`.
pub(super) static ROLE_BINDING: Shape =
    Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META)), ("roleRef", Shape::Atomic)]);

/// `admissionregistration.v1.MutatingWebhook`, `admissionregistration.v1.ValidatingWebhook`.
static MUTATING_WEBHOOK: Shape = Shape::Fields(&[
    ("matchConditions", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::OPEN }),
    ("namespaceSelector", Shape::Atomic),
    ("objectSelector", Shape::Atomic),
]);

/// `admissionregistration.v1.MutatingWebhookConfiguration`, `admissionregistration.v1.ValidatingWebhookConfiguration`.
pub(super) static MUTATING_WEBHOOK_CONFIGURATION: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("webhooks", Shape::List { keys: &[ItemKey::of("name")], item: &MUTATING_WEBHOOK }),
]);

/// `admissionregistration.v1.ValidatingAdmissionPolicySpec`.
static VALIDATING_ADMISSION_POLICY_SPEC: Shape = Shape::Fields(&[
    ("matchConditions", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::OPEN }),
    ("matchConstraints", Shape::Atomic),
    ("paramKind", Shape::Atomic),
    ("variables", Shape::List { keys: &[ItemKey::of("name")], item: &Shape::Atomic }),
]);

/// `admissionregistration.v1.ValidatingAdmissionPolicy`.
pub(super) static VALIDATING_ADMISSION_POLICY: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&VALIDATING_ADMISSION_POLICY_SPEC)),
    ("status", Shape::Same(&CONDITIONS)),
]);

/// `admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec`.
static VALIDATING_ADMISSION_POLICY_BINDING_SPEC: Shape = Shape::Fields(&[
    ("matchResources", Shape::Atomic),
    ("paramRef", Shape::Atomic),
    ("validationActions", Shape::Set),
]);

/// `admissionregistration.v1.ValidatingAdmissionPolicyBinding`.
pub(super) static VALIDATING_ADMISSION_POLICY_BINDING: Shape = Shape::Fields(&[
    ("metadata", Shape::Same(&OBJECT_META)),
    ("spec", Shape::Same(&VALIDATING_ADMISSION_POLICY_BINDING_SPEC)),
]);

/// `networking.v1.NetworkPolicySpec`.
static NETWORK_POLICY_SPEC: Shape = Shape::Fields(&[("podSelector", Shape::Atomic)]);

/// `networking.v1.NetworkPolicy`.
pub(super) static NETWORK_POLICY: Shape =
    Shape::Fields(&[("metadata", Shape::Same(&OBJECT_META)), ("spec", Shape::Same(&NETWORK_POLICY_SPEC))]);

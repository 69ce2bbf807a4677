//! Defaults of what makes pods.

use serde_json::{Map, Value, json};

use super::{default_to, inner, pods};

/// `apps/v1` Deployment.
pub(super) fn deployment(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    default_to(spec, "replicas", json!(1));
    default_to(spec, "revisionHistoryLimit", json!(10));
    default_to(spec, "progressDeadlineSeconds", json!(600));
    default_to(spec, "strategy", json!({}));
    if let Some(strategy) = inner(spec, "strategy") {
        rolling(strategy, "25%", "25%");
    }
    template(spec);
}

/// `apps/v1` ReplicaSet.
pub(super) fn replica_set(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    default_to(spec, "replicas", json!(1));
    template(spec);
}

/// `apps/v1` DaemonSet.
pub(super) fn daemon_set(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    default_to(spec, "revisionHistoryLimit", json!(10));
    default_to(spec, "updateStrategy", json!({}));
    if let Some(strategy) = inner(spec, "updateStrategy") {
        rolling(strategy, 1, 0);
    }
    template(spec);
}

fn rolling(strategy: &mut Map<String, Value>, unavailable: impl Into<Value>, surge: impl Into<Value>) {
    default_to(strategy, "type", json!("RollingUpdate"));
    if super::text(strategy, "type") != "RollingUpdate" {
        return;
    }
    default_to(strategy, "rollingUpdate", json!({}));
    if let Some(rolling) = inner(strategy, "rollingUpdate") {
        default_to(rolling, "maxUnavailable", unavailable.into());
        default_to(rolling, "maxSurge", surge.into());
    }
}

fn template(spec: &mut Map<String, Value>) {
    if let Some(pod) = inner(spec, "template").and_then(|template| inner(template, "spec")) {
        pods::set_pod_defaults(pod);
        pods::mirror_service_account(pod);
    }
}

/// `autoscaling/v2` HorizontalPodAutoscaler.
pub(super) fn autoscaler(object: &mut Map<String, Value>) {
    let Some(spec) = inner(object, "spec") else { return };
    default_to(spec, "minReplicas", json!(1));
    let cpu = json!([{
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }]);
    let has_metrics =
        spec.get("metrics").and_then(Value::as_array).is_some_and(|metrics| !metrics.is_empty());
    if !has_metrics {
        spec.insert("metrics".into(), cpu);
    }
}

//! Defaults and normal forms: what a server makes of what is left out or written in another way.

use serde_json::{Value, json};

use super::world::{Sides, on_both, sides};
use super::{deployment, service};

sides!(
    quantities_are_kept_in_their_normal_form,
    workloads_are_defaulted_as_deep_as_they_go,
    services_are_defaulted_by_their_type,
    webhooks_and_policies_are_defaulted,
    the_other_kinds_of_a_mesh_are_defaulted
);

async fn quantities_are_kept_in_their_normal_form(on: Sides) {
    on_both(on, "default-quantities", async |api| {
        let path = api.of("apps/v1", "deployments/d");
        let resources = json!({
            "requests": {"cpu": "1000m", "memory": "1024Mi", "ephemeral-storage": "1000k"},
            "limits": {"cpu": 2, "memory": "2048Mi", "ephemeral-storage": "0.5Gi"},
        });
        let applied = api
            .apply(
                "m",
                &path,
                &deployment("d", &json!({"name": "a", "image": "a:1", "resources": resources})),
            )
            .await;
        let normal = &applied.body["spec"]["template"]["spec"]["containers"][0]["resources"];
        assert_eq!(
            normal,
            &json!({
                "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1M"},
                "limits": {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "512Mi"},
            })
        );
        for (cpu, memory) in [
            ("0.5", "1.5Gi"),
            ("500m", "1536Mi"),
            ("1e3", "100M"),
            ("0", "0"),
            ("1.0001", "1E"),
            ("100u", "123456789"),
            ("1", "1e9"),
        ] {
            let limits = json!({"limits": {"cpu": cpu, "memory": memory}});
            let object = deployment("d", &json!({"name": "a", "image": "a:1", "resources": limits}));
            assert_eq!(api.apply("m", &path, &object).await.code, 200, "{cpu} {memory}");
        }
        for cpu in ["x", "1Kx", "-1"] {
            let limits = json!({"limits": {"cpu": cpu}});
            let object = deployment("d", &json!({"name": "a", "image": "a:1", "resources": limits}));
            let refused = api.apply_quietly("m", &path, &object).await;
            assert!(refused.code >= 400, "{cpu:?} {refused:?}");
        }
    })
    .await;
}

async fn workloads_are_defaulted_as_deep_as_they_go(on: Sides) {
    on_both(on, "default-workloads", async |api| {
        let container = json!({
            "name": "a", "image": "registry.test:5000/a", "terminationMessagePath": "/x",
            "ports": [{"containerPort": 80, "name": "http"}],
            "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
            "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 5},
            "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
            "securityContext": {"runAsUser": 1337, "capabilities": {"drop": ["ALL"]}},
        });
        let mut object = deployment("d", &container);
        let pod = &mut object["spec"]["template"]["spec"];
        pod["initContainers"] = json!([{"name": "i", "image": "i@sha256:0123"}]);
        pod["serviceAccountName"] = json!("someone");
        pod["volumes"] = json!([
            {"name": "config", "configMap": {"name": "c"}},
            {"name": "secret", "secret": {"secretName": "s"}},
            {"name": "empty", "emptyDir": {}},
            {"name": "host", "hostPath": {"path": "/x"}},
            {"name": "down", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"name": "token", "projected": {"sources": [
                {"serviceAccountToken": {"audience": "istio-ca", "path": "t"}},
                {"configMap": {"name": "c"}},
            ]}},
        ]);
        pod["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}],
        }}});
        pod["topologySpreadConstraints"] = json!([
            {"maxSkew": 1, "topologyKey": "k", "whenUnsatisfiable": "ScheduleAnyway"},
        ]);
        pod["tolerations"] = json!([{"key": "k", "operator": "Exists"}]);
        object["spec"]["strategy"] = json!({"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "100%"}});
        let path = api.of("apps/v1", "deployments/d");
        let applied = api.apply("m", &path, &object).await;
        assert_eq!(applied.code, 201, "{}", applied.body);
    })
    .await;
}

async fn services_are_defaulted_by_their_type(on: Sides) {
    on_both(on, "default-services", async |api| {
        for (name, spec) in [
            ("plain", json!({"ports": [{"port": 80}]})),
            ("targets", json!({"ports": [{"port": 80, "targetPort": "http", "appProtocol": "http"}]})),
            ("sticky", json!({"ports": [{"port": 80}], "sessionAffinity": "ClientIP"})),
            ("node", json!({"ports": [{"port": 80}], "type": "NodePort"})),
            ("balanced", json!({"ports": [{"port": 80}], "type": "LoadBalancer"})),
            (
                "local",
                json!({
                    "ports": [{"port": 80}], "type": "LoadBalancer", "externalTrafficPolicy": "Local",
                    "loadBalancerSourceRanges": ["10.0.0.0/8"],
                }),
            ),
            ("headless", json!({"ports": [{"port": 80}], "clusterIP": "None"})),
            ("outside", json!({"type": "ExternalName", "externalName": "x.test"})),
        ] {
            let path = api.core(&format!("services/{name}"));
            assert_eq!(api.apply("m", &path, &service(name, &spec)).await.code, 201, "{name}");
        }
    })
    .await;
}

async fn webhooks_and_policies_are_defaulted(on: Sides) {
    on_both(on, "default-webhooks", async |api| {
        let webhook = json!({
            "name": "w.conformance.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": "s", "namespace": api.case, "path": "/p"}},
            "rules": [{
                "operations": ["CREATE"], "apiGroups": ["conformance.test"], "apiVersions": ["v1"], "resources": ["pods"],
            }],
            "objectSelector": {"matchLabels": {"conformance": "nothing-has-this"}},
        });
        for (kind, plural) in [
            ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
            ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
        ] {
            let object = json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": api.case}, "webhooks": [webhook],
            });
            let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}/{}", api.case);
            let applied = api.apply("m", &path, &object).await;
            assert_eq!((applied.code, &applied.body["webhooks"][0]["failurePolicy"]), (201, &json!("Fail")));
            // What istiod writes is its own, and an apply that says nothing of it leaves it.
            let patch = json!([
                {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "Zm9v"},
                {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"},
            ]);
            let patched = api.patch(super::world::Patch::Json, &format!("{path}?fieldManager=istiod"), &patch).await;
            assert_eq!(patched.code, 200);
            let again = api.apply("m", &path, &object).await;
            assert_eq!(again.body["webhooks"][0]["failurePolicy"], "Ignore");
            api.delete(&path, &Value::Null).await;
        }
    })
    .await;
}

async fn the_other_kinds_of_a_mesh_are_defaulted(on: Sides) {
    on_both(on, "default-others", async |api| {
        let scaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
            "spec": {
                "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                "metrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
                }}],
            },
        });
        let path = api.of("autoscaling/v2", "horizontalpodautoscalers/h");
        assert_eq!(api.apply("m", &path, &scaler).await.code, 201);
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
        });
        let path = api.of("policy/v1", "poddisruptionbudgets/p");
        assert_eq!(api.apply("m", &path, &budget).await.code, 201);
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": api.case},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        });
        let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{}", api.case);
        assert_eq!(api.apply("m", &path, &role).await.code, 201);
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": api.case}, "roleRef": {"kind": "ClusterRole", "name": api.case},
            "subjects": [{"kind": "ServiceAccount", "name": "x", "namespace": "y"}, {"kind": "Group", "name": "g"}],
        });
        let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{}", api.case);
        api.apply("m", &path, &binding).await;
        let policy = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"},
            "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 15012}]}]},
        });
        let path = api.of("networking.k8s.io/v1", "networkpolicies/n");
        assert_eq!(api.apply("m", &path, &policy).await.code, 201);
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "e"},
            "addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 80}],
        });
        let path = api.of("discovery.k8s.io/v1", "endpointslices/e");
        assert_eq!(api.apply("m", &path, &slice).await.code, 201);
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}});
        assert_eq!(api.apply("m", &api.core("serviceaccounts/a"), &account).await.code, 201);
    })
    .await;
}

//! Values for Istio's own charts, where a folder of them is at hand.

use std::path::{Path, PathBuf};

/// Values for one chart.
pub(crate) struct Case {
    pub(crate) chart: &'static str,
    pub(crate) kube_version: &'static str,
    pub(crate) values: &'static str,
}

/// The charts of a folder, three levels deep.
pub(crate) fn charts_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![folder.to_owned()];
    for _ in 0..4 {
        let mut next = Vec::new();
        for folder in level {
            if folder.join("Chart.yaml").is_file() {
                found.push(folder);
                continue;
            }
            let entries = std::fs::read_dir(&folder).expect("a readable folder");
            next.extend(entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()));
        }
        level = next;
    }
    found.sort();
    found
}

const fn case(chart: &'static str, values: &'static str) -> Case {
    Case { chart, kube_version: "1.33.0", values }
}

const fn on(kube_version: &'static str, chart: &'static str, values: &'static str) -> Case {
    Case { chart, kube_version, values }
}

/// Every profile, the remote forms, revisions, and what tests the emitter: texts inside of texts.
pub(crate) static CASES: &[Case] = &[
    case("base", "{}"),
    case("base", "defaultRevision: stable\nglobal: { istioNamespace: mesh }\n"),
    case("base", "base: { enableCRDTemplates: false }\n"),
    case("base", "base: { excludedCRDs: [gateways.networking.istio.io, sidecars.networking.istio.io] }\n"),
    case("base", "global: { resourceScope: namespace }\n"),
    case("base", "global: { resourceScope: cluster }\nprofile: ambient\n"),
    on("1.27.3", "base", "experimental: { stableValidationPolicy: true }\n"),
    case("base", "profile: remote\nglobal: { configCluster: true }\n"),
    case("base", "defaults: { no: 1 }\n"),
    case("istiod", "{}"),
    case("istiod", "profile: ambient\n"),
    case("istiod", "profile: demo\n"),
    case("istiod", "profile: preview\n"),
    case("istiod", "profile: stable\n"),
    case("istiod", "profile: nonsense\n"),
    case("istiod", "profile: remote\nglobal: { remotePilotAddress: 203.0.113.7 }\n"),
    case(
        "istiod",
        "profile: remote\nglobal: { remotePilotAddress: istiod.example.com, configCluster: true }\n",
    ),
    case(
        "istiod",
        "profile: remote\nglobal: { remotePilotAddress: '2001:db8::1', network: n2, multiCluster: { clusterName: c2 }, meshID: m }\n",
    ),
    case("istiod", "platform: openshift\n"),
    case("istiod", "platform: gke\nprofile: ambient\n"),
    case("istiod", "global: { platform: k3d }\n"),
    case("istiod", "compatibilityVersion: '1.27'\n"),
    case("istiod", "compatibilityVersion: '0.1'\n"),
    case("istiod", "revision: canary\nrevisionTags: [prod, stable]\n"),
    case("istiod", "revisionTags: [default]\n"),
    case("istiod", "defaultRevision: canary\nrevision: canary\n"),
    case(
        "istiod",
        "global: { meshID: mesh1, network: network1, multiCluster: { enabled: true, clusterName: cluster1 } }\nenv: { EXTERNAL_ISTIOD: 'true' }\n",
    ),
    case("istiod", "global: { externalIstiod: true, istiod: { enableAnalysis: true } }\n"),
    case(
        "istiod",
        "meshConfig: { accessLogFile: /dev/stdout, defaultConfig: { proxyMetadata: { A: 'yes', B: '1.5', C: 'a: b' }, tracing: { sampling: 1.5 } }, extensionProviders: [{ name: otel, opentelemetry: { port: 4317, service: otel.example.com } }] }\n",
    ),
    case(
        "istiod",
        "meshConfig: { trustDomain: example.org, trustDomainAliases: [a, b], caCertificates: [{ pem: \"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n\" }] }\n",
    ),
    case("istiod", "autoscaleEnabled: false\nreplicaCount: 3\n"),
    case(
        "istiod",
        "pilot: { autoscaleMin: 2, autoscaleMax: 1500000, cpu: { targetAverageUtilization: 70 }, env: { N: 1500000, F: 0.25, T: true } }\n",
    ),
    case(
        "istiod",
        "resources: { requests: { cpu: 1, memory: 2Gi }, limits: { cpu: 1.5 } }\nnodeSelector: { a: 'true' }\ntolerations: [{ key: x, operator: Exists }]\n",
    ),
    case(
        "istiod",
        "affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: k, operator: In, values: [v] }] }] } } }\n",
    ),
    case(
        "istiod",
        "hub: registry.example.com/x\ntag: 1.2.3\nvariant: distroless\nglobal: { imagePullPolicy: Always, imagePullSecrets: [s] }\n",
    ),
    case(
        "istiod",
        "image: registry.example.com/pilot:1\ndeploymentLabels: { a: b }\npodLabels: { c: d }\npodAnnotations: { e: '1' }\nserviceAnnotations: { f: g }\n",
    ),
    case(
        "istiod",
        "sidecarInjectorWebhook: { enableNamespacesByDefault: true, rewriteAppHTTPProbe: false, templates: { custom: \"spec:\\n  containers: []\\n\" }, defaultTemplates: [sidecar, custom], neverInjectSelector: [{ matchExpressions: [{ key: a, operator: Exists }] }] }\n",
    ),
    case(
        "istiod",
        "sidecarInjectorWebhookAnnotations: { a: b }\nsidecarInjectorWebhook: { reinvocationPolicy: IfNeeded, injectedAnnotations: { x: 'y' }, alwaysInjectSelector: [{ matchLabels: { z: 'true' } }] }\n",
    ),
    case("istiod", "istiodRemote: { enabled: true, injectionURL: 'https://istiod.example.com/inject' }\n"),
    case(
        "istiod",
        "istiodRemote: { enabled: true, enabledLocalInjectorIstiod: true, injectionPath: /inject/cluster/c/net/n }\nglobal: { remotePilotAddress: 10.0.0.1 }\n",
    ),
    case(
        "istiod",
        "global: { proxy: { resources: { requests: { cpu: null } }, logLevel: debug, componentLogLevel: 'misc:error', lifecycle: { preStop: { exec: { command: [sleep, '5'] } } } } }\n",
    ),
    case(
        "istiod",
        "global: { proxy: { tracer: zipkin, excludeIPRanges: 10.0.0.0/8, statusPort: 15020, startupProbe: { enabled: false } }, tracer: { zipkin: { address: 'zipkin:9411' } } }\n",
    ),
    case(
        "istiod",
        "global: { logAsJson: true, logging: { level: 'default:debug' }, priorityClassName: system-cluster-critical, omitSidecarInjectorConfigMap: true }\n",
    ),
    case("istiod", "global: { networkPolicy: { enabled: true }, resourceScope: namespace }\n"),
    case("istiod", "global: { operatorManageWebhooks: true, configValidation: false }\n"),
    case("istiod", "experimental: { stableValidationPolicy: true }\nrevision: r\n"),
    case("istiod", "gatewayClasses: { istio: { deployment: { spec: { replicas: 2 } } } }\n"),
    case(
        "istiod",
        "trustedZtunnelNamespace: ztunnel\nprofile: ambient\ncni: { enabled: true, provider: multus }\npilot: { cni: { enabled: true } }\n",
    ),
    case(
        "istiod",
        "ipFamilyPolicy: RequireDualStack\nipFamilies: [IPv6, IPv4]\nenv: { ISTIO_DUAL_STACK: 'true' }\n",
    ),
    case(
        "istiod",
        "jwksResolverExtraRootCA: \"a\\nb\\n\"\ntaint: { enabled: true, namespace: '' }\nkeepaliveMaxServerConnectionAge: 1h\ntraceSampling: 0.5\n",
    ),
    case(
        "istiod",
        "envVarFrom: [{ name: X, valueFrom: { secretKeyRef: { name: s, key: k } } }]\nvolumes: [{ name: v, emptyDir: {} }]\nvolumeMounts: [{ name: v, mountPath: /v }]\nextraContainerArgs: [--x]\n",
    ),
    case(
        "istiod",
        "topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway }]\nseccompProfile: { type: RuntimeDefault }\npodDisruptionBudget: {}\nglobal: { defaultPodDisruptionBudget: { enabled: false } }\n",
    ),
    case(
        "istiod",
        "memory: { targetAverageUtilization: 80 }\nautoscaleBehavior: { scaleUp: { stabilizationWindowSeconds: 30 } }\ndeploymentAnnotations: { 'a.b/c': 'd e' }\n",
    ),
    case("istiod", "configMap: false\n"),
    case(
        "istiod",
        "global: { certSigners: [example.com/x], pilotCertProvider: k8s.io/example.com/x, caAddress: 'ca:443', sts: { servicePort: 15463 }, mountMtlsCerts: true, ca: a }\n",
    ),
    case(
        "istiod",
        "telemetry: { enabled: false }\nglobal: { waypoint: { resources: { limits: { cpu: 3 } }, nodeSelector: { n: o } }, agentgateway: { image: x } }\n",
    ),
    case("gateway", "{}"),
    case("gateway", "name: istio-eastwestgateway\nnetworkGateway: network1\n"),
    case(
        "gateway",
        "networkGateway: network1\nservice: { type: NodePort, loadBalancerSourceRanges: [10.0.0.0/8], externalIPs: [1.2.3.4], annotations: { a: 'true' } }\n",
    ),
    case(
        "gateway",
        "service: { ports: [{ name: tls, port: 15443, targetPort: 15443, nodePort: 32443 }], loadBalancerIP: 1.2.3.4, externalTrafficPolicy: Local }\n",
    ),
    case("gateway", "service: { type: None }\nautoscaling: { enabled: false }\nreplicaCount: 3\n"),
    case("gateway", "kind: DaemonSet\nlabels: { app: x, istio: y }\nannotations: { b: c }\n"),
    case(
        "gateway",
        "podDisruptionBudget: { minAvailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow }\nrevision: canary\nrbac: { enabled: false }\n",
    ),
    case(
        "gateway",
        "serviceAccount: { create: false, name: other }\nenv: { A: '1' }\nenvVarFrom: [{ name: X, value: y }]\nresources: { requests: { cpu: 1m } }\n",
    ),
    case(
        "gateway",
        "affinity: { podAntiAffinity: {} }\ntolerations: [{ operator: Exists }]\ntopologySpreadConstraints: [{ maxSkew: 1 }]\nterminationGracePeriodSeconds: 45\nnodeSelector: { a: b }\n",
    ),
    case(
        "gateway",
        "volumes: [{ name: v, emptyDir: {} }]\nvolumeMounts: [{ name: v, mountPath: /v }]\ninitContainers: [{ name: i, image: i }]\nadditionalContainers: [{ name: c, image: c }]\n",
    ),
    case(
        "gateway",
        "securityContext: { runAsUser: 5 }\ncontainerSecurityContext: { allowPrivilegeEscalation: true }\nstrategy: { rollingUpdate: { maxSurge: 100% } }\n",
    ),
    case("gateway", "unknownKey: true\n"),
    case("gateway", "replicaCount: many\n"),
    case("gateway", "service: { type: Nonsense, ports: [] }\n"),
    case("gateway", "platform: openshift\n"),
    case(
        "gateway",
        "global: { networkPolicy: { enabled: true } }\nimagePullSecrets: [{ name: s }]\nminReadySeconds: 5\nreadinessProbe: { httpGet: { path: /x, port: 1 } }\nlifecycle: { preStop: {} }\n",
    ),
    case("cni", "{}"),
    case("cni", "profile: ambient\n"),
    case("cni", "profile: ambient\nplatform: gke\n"),
    case("cni", "platform: openshift\n"),
    case(
        "cni",
        "platform: k3s\ncni: { logLevel: debug, excludeNamespaces: [a, b], resources: { requests: { cpu: 1 } } }\n",
    ),
    case(
        "cni",
        "revision: canary\nreconcileIptablesOnStartup: true\nrepair: { enabled: false }\nambient: { enabled: true, dnsCapture: false, ipv6: false }\n",
    ),
    case(
        "cni",
        "resourceQuotas: { enabled: true, pods: 10 }\nenv: { A: b }\nglobal: { logAsJson: true, networkPolicy: { enabled: true } }\n",
    ),
    case(
        "cni",
        "cniBinDir: /x\ncniConfDir: /y\nchained: false\nprovider: multus\npodLabels: { a: b }\ntolerations: [{ operator: Exists }]\n",
    ),
    case("ztunnel", "{}"),
    case("ztunnel", "profile: ambient\n"),
    case(
        "ztunnel",
        "multiCluster: { clusterName: c1 }\nnetwork: n1\nmeshConfig: { defaultConfig: { proxyMetadata: { X: 'y' } } }\nenv: { L: debug }\n",
    ),
    case(
        "ztunnel",
        "revision: canary\nlogLevel: debug\nlogAsJson: true\nlabels: { a: b }\nannotations: { c: d }\npodLabels: { e: f }\npodAnnotations: { g: h }\n",
    ),
    case(
        "ztunnel",
        "resources: { requests: { cpu: 1.5, memory: 1Gi } }\ntolerations: []\nnodeSelector: { a: b }\naffinity: { nodeAffinity: {} }\nvolumes: [{ name: v }]\nvolumeMounts: [{ name: v, mountPath: /x }]\n",
    ),
    case(
        "ztunnel",
        "platform: openshift\nseLinuxOptions: { type: spc_t }\nresourceQuotas: { enabled: true }\n",
    ),
    case(
        "ztunnel",
        "istioNamespace: mesh\nxdsAddress: 'x:15012'\ncaAddress: 'y:15012'\nimagePullSecrets: [s]\nresourceName: zt\nterminationGracePeriodSeconds: 5\nupdateStrategy: { rollingUpdate: { maxUnavailable: 2 } }\n",
    ),
];

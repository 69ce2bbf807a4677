{{/* The values that this chart takes, beside `global`; _shared.tpl says what is done with them. */}}
{{- define "known.values" -}}
affinity: map
annotations: map
autoscaling:
  enabled: flag
  maxReplicas: number
  minReplicas: number
  targetCPUUtilizationPercentage: number
containerSecurityContext: map
env: map
imagePullPolicy: text
imagePullSecrets: list
kind: text
labels: map
name: text
networkGateway: text
networkGatewayPorts:
  {{- range list "status-port" "tls" "tls-istiod" "tls-webhook" }}
  {{ . }}:
    port: number
    protocol: text
    targetPort: number
  {{- end }}
nodeSelector: map
podAnnotations: map
podDisruptionBudget: map
rbac:
  enabled: flag
replicaCount: number
resources: map
revision: text
securityContext: map
service:
  allocateLoadBalancerNodePorts: flag
  annotations: map
  externalIPs: list
  externalTrafficPolicy: text
  ipFamilies: list
  ipFamilyPolicy: text
  loadBalancerClass: text
  loadBalancerIP: text
  loadBalancerSourceRanges: list
  ports: list
  type: text
serviceAccount:
  annotations: map
  create: flag
  name: text
terminationGracePeriodSeconds: number
tolerations: list
topologySpreadConstraints: list
{{- end -}}

{{/* The values that this chart takes, beside `global`; _shared.tpl says what is done with them. */}}
{{- define "known.values" -}}
istiodRemote:
  enabled: flag
  injectionCABundle: text
  injectionPath: text
  injectionURL: text
meshConfig: map
pilot:
  affinity: map
  autoscaleEnabled: flag
  autoscaleMax: number
  autoscaleMin: number
  cni:
    enabled: flag
  configMap: flag
  env: map
  extraContainerArgs: list
  nodeSelector: map
  podAnnotations: map
  podLabels: map
  replicaCount: number
  resources: map
  serviceAnnotations: map
  tolerations: list
  traceSampling: number
profile: text
revision: text
sidecarInjectorWebhook:
  alwaysInjectSelector: list
  defaultTemplates: list
  enableNamespacesByDefault: flag
  injectedAnnotations: map
  neverInjectSelector: list
  reinvocationPolicy: text
  rewriteAppHTTPProbe: flag
  templates: map
{{- end -}}

{{/*
Shared by the three embedded charts: this file is the same, byte for byte, in each of them.
*/}}

{{/*
The values under `global` that one of the three charts takes. Each tolerates those of the others, as the
official charts do, so that one `global` can serve all three releases of a cluster.
*/}}
{{- define "known.global" -}}
caAddress: text
defaultPodDisruptionBudget:
  enabled: flag
externalIstiod: flag
hub: text
imagePullPolicy: text
imagePullSecrets: list
istioNamespace: text
logAsJson: flag
logging:
  level: text
meshID: text
meshNetworks: map
multiCluster:
  clusterName: text
  enabled: flag
network: text
priorityClassName: text
proxy:
  autoInject: text
  clusterDomain: text
  componentLogLevel: text
  excludeIPRanges: text
  excludeInboundPorts: text
  excludeOutboundPorts: text
  holdApplicationUntilProxyStarts: flag
  image: text
  includeIPRanges: text
  includeInboundPorts: text
  includeOutboundPorts: text
  logLevel: text
  privileged: flag
  readinessFailureThreshold: number
  readinessInitialDelaySeconds: number
  readinessPeriodSeconds: number
  resources: map
  startupProbe:
    enabled: flag
    failureThreshold: number
  statusPort: number
proxy_init:
  image: text
remotePilotAddress: text
tag: text
variant: text
{{- end -}}

{{/*
Refuses, by name, values that the chart does not know and values of another kind than it expects. What is
ignored in silence looks honoured: a person who sets `pilot.taint` has to learn that only the official charts
have it, and a quoted "false" would count as true in a template.
*/}}
{{- define "check.values" -}}
{{- $known := include "known.values" . | fromYaml -}}
{{- $_ := set $known "global" (include "known.global" . | fromYaml) -}}
{{- include "check.map" (dict "chart" .Chart.Name "path" "" "known" $known "sparse" false "values" .Values) -}}
{{- include "check.version" . -}}
{{- end -}}

{{/* `sparse` where the chart has no defaults for all that is known: below `global`, but for istiod. */}}
{{- define "check.map" -}}
{{- $kinds := dict
  "text" (list "string")
  "flag" (list "bool")
  "number" (list "float64" "int64" "int")
  "list" (list "slice")
  "map" (list "map") -}}
{{- $words := dict "text" "text; quote it" "flag" "true or false, unquoted" "number" "a number, unquoted" "list" "a list" "map" "a map" -}}
{{- range $key, $value := .values -}}
  {{- $path := printf "%s%s" $.path $key -}}
  {{- if not (hasKey $.known $key) -}}
    {{- fail (printf "%s: value %s is not one that the embedded chart takes; use the official charts for it" $.chart $path) -}}
  {{- end -}}
  {{- $known := index $.known $key -}}
  {{- if kindIs "map" $known -}}
    {{- if not (kindIs "map" $value) -}}
      {{- fail (printf "%s: value %s has to be a map" $.chart $path) -}}
    {{- end -}}
    {{- $sparse := or $.sparse (and (eq $path "global") (ne $.chart "istiod")) -}}
    {{- include "check.map" (dict "chart" $.chart "path" (printf "%s." $path) "known" $known "sparse" $sparse "values" $value) -}}
  {{- else -}}
    {{- $fits := kindIs "invalid" $value -}}
    {{- range index $kinds $known -}}
      {{- if kindIs . $value -}}{{- $fits = true -}}{{- end -}}
    {{- end -}}
    {{- if not $fits -}}
      {{- fail (printf "%s: value %s has to be %s" $.chart $path (index $words $known)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $key, $known := .known -}}
  {{- /* A null takes a default away, here with all that is below it, and the templates read on. */ -}}
  {{- if and (kindIs "map" $known) (not $.sparse) (not (hasKey $.values $key)) -}}
    {{- fail (printf "%s: value %s%s may not be null" $.chart $.path $key) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/*
The charts are written for two minors of Istio, and the image tag says which one this is. An older istiod does
not run the injection templates (.NativeSidecars is a field since 1.27), a newer one may need more than is here.
*/}}
{{- define "check.version" -}}
{{- $tag := .Values.global.tag | default "" -}}
{{- if not (regexMatch "^1\\.(29|30)\\.[0-9]" $tag) -}}
  {{- fail (printf "%s: value global.tag is %q, and the embedded charts are for Istio 1.29 and 1.30" .Chart.Name $tag) -}}
{{- end -}}
{{- end -}}

{{/* Not empty for Istio 1.30: what 1.29 lacks is rendered under it. */}}
{{- define "istio.is130" -}}
{{- if regexMatch "^1\\.30\\." .Values.global.tag }}yes{{ end -}}
{{- end -}}

{{/* The labels of every object, beside app.kubernetes.io/name. */}}
{{- define "istio.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: istio
app.kubernetes.io/version: {{ .Values.global.tag | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

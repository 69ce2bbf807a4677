{{/* istiod, or istiod-REVISION: the name of most objects. */}}
{{- define "istiod.name" -}}
istiod{{ include "istiod.suffix" . }}
{{- end -}}

{{- define "istiod.suffix" -}}
{{- with .Values.revision }}-{{ . }}{{ end -}}
{{- end -}}

{{/* The revision as a label has it. */}}
{{- define "istiod.revision" -}}
{{- .Values.revision | default "default" -}}
{{- end -}}

{{/* Not empty where istiod runs in another cluster. */}}
{{- define "istiod.remote" -}}
{{- if eq (.Values.profile | default "") "remote" }}yes{{ end -}}
{{- end -}}

{{- define "istiod.labels" -}}
app: istiod
app.kubernetes.io/name: istiod
{{ include "istio.labels" . }}
istio.io/rev: {{ include "istiod.revision" . | quote }}
{{- end -}}

{{/*
The pods of this istiod, for its Deployment: as in the official chart, since a Deployment's selector cannot be
changed. A revision's pods do not carry `istio: pilot`, so that the default istiod leaves them alone.
*/}}
{{- define "istiod.selector" -}}
{{- if .Values.revision -}}
app: istiod
istio.io/rev: {{ .Values.revision | quote }}
{{- else -}}
istio: pilot
{{- end }}
{{- end -}}

{{/* Which form an address has: IPv4, IPv6 or, for everything else, FQDN. */}}
{{- define "istiod.addressType" -}}
{{- if regexMatch "^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])$" . -}}
IPv4
{{- else if regexMatch "^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$" . -}}
IPv6
{{- else -}}
FQDN
{{- end -}}
{{- end -}}

{{/* The API group of multi-cluster services; istiod reads the same variable (pkg/config/schema/gvr in 1.30). */}}
{{- define "istiod.mcsGroup" -}}
{{- (.Values.pilot.env | default dict).MCS_API_GROUP | default "multicluster.x-k8s.io" -}}
{{- end -}}

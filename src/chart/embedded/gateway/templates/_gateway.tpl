{{- define "gateway.name" -}}
{{- .Values.name | default .Release.Name -}}
{{- end -}}

{{/*
What the Service and Gateway resources select: `istio: eastwestgateway` is the selector that Istio's samples put
into the cross-network Gateway, and it comes of the name istio-eastwestgateway.
*/}}
{{- define "gateway.selector" -}}
{{- $labels := .Values.labels | default dict -}}
app: {{ $labels.app | default (include "gateway.name" .) | quote }}
istio: {{ $labels.istio | default (include "gateway.name" . | trimPrefix "istio-") | quote }}
{{- end -}}

{{- define "gateway.labels" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}
{{ include "istio.labels" . }}
{{ include "gateway.selector" . }}
{{- range $key, $value := omit (.Values.labels | default dict) "app" "istio" }}
{{ $key | quote }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
  {{- .Values.serviceAccount.name | default (include "gateway.name" .) -}}
{{- else -}}
  {{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "gateway.metadata" -}}
name: {{ include "gateway.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "gateway.labels" . | nindent 2 }}
{{- with .Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

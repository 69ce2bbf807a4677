{{/* The values that this chart takes, beside `global`; _shared.tpl says what is done with them. */}}
{{- define "known.values" -}}
defaultRevision: text
{{- end -}}

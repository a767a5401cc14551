{{- define "traefik.name" -}}
{{ ternary .Release.Name (printf "%s-traefik" .Release.Name) (contains "traefik" .Release.Name) }}
{{- end }}

{{- define "traefik.clusterRole" -}}
{{ include "traefik.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{/* The labels by which pods are found: they can't change while there is a DaemonSet. */}}
{{- define "traefik.selector" -}}
app.kubernetes.io/name: traefik
app.kubernetes.io/instance: {{ .Release.Name }}-{{ .Release.Namespace }}
{{- end }}

{{- define "traefik.labels" -}}
{{ include "traefik.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: traefik-{{ .Chart.Version }}
{{- end }}

{{- define "traefik.image" -}}
{{- $image := .Values.image -}}
{{ $image.registry }}/{{ $image.repository }}{{ with $image.digest }}@{{ . }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* 90 % of a limit in Mi, as Go writes it. */}}
{{- define "traefik.goMemory" -}}
{{ div (mul (trimSuffix "Mi" . | int) 9) 10 }}MiB
{{- end }}

{{- define "kps.name" -}}
{{ default .Release.Name .Values.fullnameOverride }}
{{- end }}

{{/* The labels of a part: (list $ "prometheus"). */}}
{{- define "kps.labels" -}}
{{- $ := index . 0 -}}
app: kube-prometheus-stack{{ with index . 1 }}-{{ . }}{{ end }}
release: {{ $.Release.Name }}
heritage: {{ $.Release.Service }}
chart: kube-prometheus-stack-{{ $.Chart.Version }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
app.kubernetes.io/part-of: kube-prometheus-stack
app.kubernetes.io/version: {{ $.Chart.Version | quote }}
{{- end }}

{{- define "kps.image" -}}
{{ .registry }}/{{ .repository }}:{{ .tag }}
{{- end }}

{{/* How Prometheus asks the kubelet and the API server: as its service account. */}}
{{- define "kps.token" -}}
scheme: https
bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
{{- end }}

{{/* Which monitors and rules Prometheus takes: (list $ "ruleSelector"). */}}
{{- define "kps.selector" -}}
{{- $ := index . 0 -}}
{{- if index $.Values.prometheus.prometheusSpec (printf "%sNilUsesHelmValues" (index . 1)) -}}
{matchLabels: {release: {{ $.Release.Name }}}}
{{- else -}}
{}
{{- end -}}
{{- end }}

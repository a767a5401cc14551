{{/* What Traefik is started with. */}}
{{- define "traefik.flags" -}}
{{- range $name, $port := .Values.ports }}
- --entryPoints.{{ $name }}.address=:{{ $port.port }}/tcp
{{- if $port.asDefault }}
- --entryPoints.{{ $name }}.asDefault=true
{{- end }}
{{- if $port.allowACMEByPass }}
- --entryPoints.{{ $name }}.allowACMEByPass=true
{{- end }}
{{- with (($port.transport).respondingTimeouts).readTimeout }}
- --entryPoints.{{ $name }}.transport.respondingTimeouts.readTimeout={{ . }}
{{- end }}
{{- with $port.http }}
{{- with .redirections }}
{{- with .entryPoint }}
- --entryPoints.{{ $name }}.http.redirections.entryPoint.to=:{{ (index $.Values.ports .to).exposedPort }}
- --entryPoints.{{ $name }}.http.redirections.entryPoint.scheme={{ .scheme }}
- --entryPoints.{{ $name }}.http.redirections.entryPoint.permanent={{ .permanent }}
{{- end }}
{{- end }}
{{- if (.tls).enabled }}
- --entryPoints.{{ $name }}.http.tls=true
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.providers.kubernetesCRD }}
{{- if .enabled }}
- --providers.kubernetescrd
- --providers.kubernetescrd.allowCrossNamespace={{ .allowCrossNamespace }}
- --providers.kubernetescrd.allowExternalNameServices={{ .allowExternalNameServices }}
- --providers.kubernetescrd.allowEmptyServices={{ .allowEmptyServices }}
{{- end }}
{{- end }}
{{- with .Values.providers.kubernetesIngress }}
{{- if .enabled }}
- --providers.kubernetesingress
- --providers.kubernetesingress.allowExternalNameServices={{ .allowExternalNameServices }}
- --providers.kubernetesingress.allowEmptyServices={{ .allowEmptyServices }}
{{- if .publishedService.enabled }}
- --providers.kubernetesingress.ingressendpoint.publishedservice={{ $.Release.Namespace }}/{{ include "traefik.name" $ }}
{{- else if (.ingressEndpoint).ip }}
- --providers.kubernetesingress.ingressendpoint.ip={{ .ingressEndpoint.ip }}
{{- end }}
{{- end }}
{{- end }}
- --api.dashboard={{ .Values.api.dashboard }}
- --api.insecure={{ .Values.api.insecure }}
- --ping=true
{{- with .Values.metrics.prometheus }}
- --metrics.prometheus=true
- --metrics.prometheus.entryPoint={{ .entryPoint }}
- --metrics.prometheus.addRoutersLabels={{ .addRoutersLabels }}
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- if .Values.accessLog.enabled }}
- --accesslog=true
{{- end }}
- --global.checkNewVersion={{ .Values.global.checkNewVersion }}
- --global.sendAnonymousUsage={{ .Values.global.sendAnonymousUsage }}
{{- end }}

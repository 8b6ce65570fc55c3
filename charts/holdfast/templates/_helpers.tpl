{{- define "holdfast.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "holdfast.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/part-of: holdfast
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels that select the pods of a component. Never change: selectors are immutable, and storage nodes admit by them. */}}
{{- define "holdfast.selector" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "holdfast.gatewayService" -}}
gateway
{{- end }}

{{- define "holdfast.gatewayHost" -}}
{{ include "holdfast.gatewayService" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "holdfast.gatewayURL" -}}
{{- if .Values.gateway.url -}}
{{ .Values.gateway.url }}
{{- else -}}
{{ ternary "http" "https" .Values.gateway.insecureHTTP }}://{{ include "holdfast.gatewayService" . }}.{{ .Release.Namespace }}.svc:{{ .Values.gateway.service.port }}
{{- end -}}
{{- end }}

{{- define "holdfast.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "holdfast.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What the operator must know of the installation: operator/api/platform.ts parses it. */}}
{{- define "holdfast.platform" -}}
operatorNamespace: {{ .Release.Namespace }}
operatorServiceAccount: holdfast-operator
clusterDomain: {{ .Values.clusterDomain }}
storageNode: {{- toYaml .Values.storageNode | nindent 2 }}
classes: {{- toYaml .Values.classes | nindent 2 }}
gateway:
  url: {{ include "holdfast.gatewayURL" . }}
  tlsSecretName: {{ .Values.gateway.tls.secretName | default "holdfast-gateway-tls" }}
  issueCertificate: {{ and (not .Values.gateway.insecureHTTP) (not .Values.gateway.tls.secretName) }}
  hosts:
    - {{ include "holdfast.gatewayService" . }}
    - {{ include "holdfast.gatewayService" . }}.{{ .Release.Namespace }}
    - {{ include "holdfast.gatewayService" . }}.{{ .Release.Namespace }}.svc
    - {{ include "holdfast.gatewayHost" . }}
    {{- range .Values.gateway.tls.hosts }}
    - {{ . | quote }}
    {{- end }}
{{- end }}

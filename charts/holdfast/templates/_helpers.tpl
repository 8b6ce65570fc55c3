{{/* There is no public registry of Holdfast's images: whoever installs it says where they are. */}}
{{- define "holdfast.image" -}}
{{ required "image.repository: name the image of operator and gateway in a registry of yours; docs/install.md shows how to build and push it" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
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
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
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

{{- define "holdfast.tlsSecret" -}}
{{ .Values.gateway.tls.secretName | default "holdfast-gateway-tls" | quote }}
{{- end }}

{{/* What the operator must know of the installation: operator/platform-file.ts parses it. */}}
{{- define "holdfast.platform" -}}
{{- $version := .Values.storageNode.defaultVersion }}
{{- if not (get .Values.storageNode.images $version) }}
{{- fail (printf "storageNode.images: name the storage node's image of version %s, the storageNode.defaultVersion; docs/install.md shows how to build and push it" $version) }}
{{- end -}}
{{- with .Values.certificates }}
{{- if lt (int .authorityLifetimeDays) (mul 6 (int .lifetimeDays)) }}
{{- fail "certificates.authorityLifetimeDays: at least six times certificates.lifetimeDays expected" }}
{{- end }}
{{- end -}}
operatorNamespace: {{ .Release.Namespace | quote }}
operatorServiceAccount: holdfast-operator
clusterDomain: {{ .Values.clusterDomain | quote }}
storageNode: {{- toYaml .Values.storageNode | nindent 2 }}
classes: {{- toYaml .Values.classes | nindent 2 }}
{{- with .Values.tenantLimits }}
tenantLimits: {{- toYaml . | nindent 2 }}
{{- end }}
isolation: { required: {{ .Values.isolation.required }} }
gateway:
  url: {{ include "holdfast.gatewayURL" . | quote }}
  tlsSecretName: {{ include "holdfast.tlsSecret" . }}
  issueCertificate: {{ and (not .Values.gateway.insecureHTTP) (not .Values.gateway.tls.secretName) }}
  hosts:
    {{- $service := include "holdfast.gatewayService" . }}
    - {{ $service | quote }}
    - {{ printf "%s.%s" $service .Release.Namespace | quote }}
    - {{ printf "%s.%s.svc" $service .Release.Namespace | quote }}
    - {{ include "holdfast.gatewayHost" . | quote }}
    {{- range .Values.gateway.tls.hosts }}
    - {{ . | quote }}
    {{- end }}
certificates:
  lifetime: {{ printf "%dd" (int .Values.certificates.lifetimeDays) }}
  authorityLifetime: {{ printf "%dd" (int .Values.certificates.authorityLifetimeDays) }}
{{- end }}

{{/* The operator on what users write, and events about it: cluster-wide, or in each of operator.watchNamespaces. */}}
{{- define "holdfast.tenantRules" -}}
- apiGroups: [holdfast.dev]
  resources: [organizations, databases, tokens]
  verbs: [get, list, watch, patch]
- apiGroups: [holdfast.dev]
  resources: [organizations/status, databases/status, tokens/status]
  verbs: [get, patch]
# A Token's Secret names its owner; clusters that check owner references ask for this.
- apiGroups: [holdfast.dev]
  resources: [tokens/finalizers]
  verbs: [update]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* The release's name is that of every object; `helm install scale` gives the names of k8s/. */ -}}
{{- define "scale.labels" -}}
{{ include "scale.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "scale.selector" -}}
app.kubernetes.io/name: scale
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scale.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* Every name by which browsers and programs reach Scale; under any other it answers only its probes. The kubelet puts
       the namespace in. */ -}}
{{- define "scale.hosts" -}}
{{- $own := printf "%s.$(POD_NAMESPACE)" .Release.Name -}}
{{- $hosts := list .Release.Name $own (printf "%s.svc" $own) (printf "%s.svc.cluster.local" $own) -}}
{{- if .Values.ingress.enabled }}{{ $hosts = append $hosts .Values.ingress.host }}{{ end -}}
{{- if .Values.httpRoute.enabled }}{{ $hosts = concat $hosts .Values.httpRoute.hostnames }}{{ end -}}
{{- with .Values.publicUrl }}{{ $hosts = append $hosts (urlParse . | dig "hostname" "") }}{{ end -}}
{{- concat $hosts .Values.allowedHosts | uniq | join "," -}}
{{- end }}

{{- /* "true" where several replicas may be there at a time, if only during an update. */ -}}
{{- define "scale.shared" -}}
{{- if or .Values.redis.url (hasKey .Values.secretSettings "SCALE_REDIS_URL") -}}true{{- end -}}
{{- end }}

{{- define "scale.roles" -}}
{{- $pairs := list -}}
{{- range $role, $groups := .Values.auth.roles }}{{ range $groups }}{{ $pairs = append $pairs (printf "%s=%s" $role .) }}{{ end }}{{ end -}}
{{- join "," $pairs -}}
{{- end }}

{{- /* {setting: value} of all that is no secret, as JSON; what is empty has the server's own default. */ -}}
{{- define "scale.settings" -}}
{{- $own := dict
  "SCALE_ALLOWED_HOSTS" (include "scale.hosts" .)
  "SCALE_ALLOWED_TARGETS" (join "," .Values.allowedTargets)
  "SCALE_PUBLIC_URL" .Values.publicUrl
  "SCALE_AUTH" .Values.auth.mode
  "SCALE_ROLES" (include "scale.roles" .)
  "SCALE_PROXY_NETWORKS" (join "," .Values.auth.proxy.networks)
  "SCALE_OIDC_ISSUER" .Values.auth.oidc.issuer
  "SCALE_OIDC_CLIENT_ID" .Values.auth.oidc.clientId
  "SCALE_DATABASE_URL" .Values.database.url
  "SCALE_REDIS_URL" .Values.redis.url
  "SCALE_HISTORY_MB" (.Values.historyMegabytes | int64 | toString)
-}}
{{- if .Values.cluster.enabled -}}
{{- $own = merge $own (dict "SCALE_KUBE_CONFIG" "in-cluster" "SCALE_KUBE_NAMESPACES" (join "," .Values.cluster.namespaces)) -}}
{{- end -}}
{{- if include "scale.shared" . -}}
{{- $own = merge $own (dict "SCALE_DRAIN_S" (.Values.drainSeconds | int64 | toString)) -}}
{{- end -}}
{{- merge $own .Values.settings | toJson -}}
{{- end }}

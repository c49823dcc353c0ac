{{- /* What cannot work is refused before anything is installed, with what to set instead. */ -}}
{{- define "scale.objections" -}}
{{- $auth := .Values.auth -}}
{{- $asksWho := or (eq $auth.mode "required") $auth.proxy.networks $auth.oidc.issuer -}}
{{- $shared := include "scale.shared" . -}}
{{- if and (gt (int .Values.replicas) 1) (not $shared) -}}
{{- fail (printf "replicas = %d cannot be used: several share their runs over Redis only. Set redis.url, or secretSettings.SCALE_REDIS_URL, or replicas: 1." (int .Values.replicas)) -}}
{{- end -}}
{{- if and $shared (not (or (hasPrefix "postgresql" .Values.database.url) (hasKey .Values.secretSettings "SCALE_DATABASE_URL"))) -}}
{{- fail "redis is set, so that several replicas may be there at a time, and they have no database to share: set database.url to a PostgreSQL, or secretSettings.SCALE_DATABASE_URL." -}}
{{- end -}}
{{- if and (not $asksWho) (ne $auth.mode "none") -}}
{{- fail "auth says nothing about who may come in: set auth.proxy.networks (a proxy signs people in), auth.oidc.issuer (an identity provider does) or auth.mode=required (tokens alone), or say auth.mode=none, and everybody who reaches Scale is admin." -}}
{{- end -}}
{{- if and (eq $auth.mode "none") (or $auth.proxy.networks $auth.oidc.issuer) -}}
{{- fail "auth.mode = none cannot be used with auth.proxy.networks or auth.oidc.issuer: either nobody signs in, or somebody does. Leave one out." -}}
{{- end -}}
{{- if and (or $auth.proxy.networks $auth.oidc.issuer) (not $auth.roles) -}}
{{- fail "auth.roles is empty, so whoever signs in would be refused: set it, such as {viewer: [\"*\"], operator: [sre], admin: [platform]}." -}}
{{- end -}}
{{- if and $auth.oidc.issuer (not (and $auth.oidc.clientId .Values.publicUrl)) -}}
{{- fail "auth.oidc.issuer needs auth.oidc.clientId, and publicUrl, to which the provider sends browsers back." -}}
{{- end -}}
{{- if and .Values.secretSettings (not .Values.existingSecret) -}}
{{- fail "secretSettings names keys of a Secret, and existingSecret does not say of which one: set it." -}}
{{- end -}}
{{- if regexMatch "://[^/@]*:[^/@]*@" .Values.database.url -}}
{{- fail "database.url holds a password, which everybody who may read the Deployment would see: put the URL into a Secret, name it in existingSecret, and set secretSettings.SCALE_DATABASE_URL to its key." -}}
{{- end -}}
{{- if regexMatch "://[^/@]*:[^/@]*@" .Values.redis.url -}}
{{- fail "redis.url holds a password, which everybody who may read the Deployment would see: put the URL into a Secret, name it in existingSecret, and set secretSettings.SCALE_REDIS_URL to its key." -}}
{{- end -}}
{{- if and .Values.redis.url (hasKey .Values.secretSettings "SCALE_REDIS_URL") -}}
{{- fail "redis.url and secretSettings.SCALE_REDIS_URL both name a Redis: leave one out." -}}
{{- end -}}
{{- if and .Values.database.url (hasKey .Values.secretSettings "SCALE_DATABASE_URL") -}}
{{- fail "database.url and secretSettings.SCALE_DATABASE_URL both name a database: leave one out." -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (ne $auth.mode "none") (not (and .Values.existingSecret .Values.serviceMonitor.tokenKey)) -}}
{{- fail "serviceMonitor.enabled: Prometheus would be answered with 401, because people sign in. Set existingSecret, and serviceMonitor.tokenKey to its key that holds a viewer's token." -}}
{{- end -}}
{{- if and .Values.cluster.rights (not .Values.cluster.enabled) -}}
{{- fail "cluster.rights grants rights that nothing would use: set cluster.enabled=true, or leave them out." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not (and .Values.httpRoute.parentRefs .Values.httpRoute.hostnames)) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs, the Gateways it belongs to, and httpRoute.hostnames." -}}
{{- end -}}
{{- range $name, $_ := .Values.settings -}}
{{- if or (hasKey $.Values.secretSettings $name) (has $name (splitList "," (include "scale.ownSettings" $))) -}}
{{- fail (printf "settings.%s cannot be used: another value of this chart sets it already (values.yaml says which)." $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "scale.ownSettings" -}}
SCALE_HOST,SCALE_PORT,SCALE_PROBE_PORT,SCALE_ALLOWED_TARGETS,SCALE_ALLOWED_HOSTS,SCALE_PUBLIC_URL,SCALE_AUTH,SCALE_ROLES,SCALE_PROXY_NETWORKS,SCALE_OIDC_ISSUER,SCALE_OIDC_CLIENT_ID,SCALE_DATABASE_URL,SCALE_REDIS_URL,SCALE_DRAIN_S,SCALE_HISTORY_MB,SCALE_KUBE_CONFIG,SCALE_KUBE_NAMESPACES,SCALE_KUBE_NODE
{{- end }}

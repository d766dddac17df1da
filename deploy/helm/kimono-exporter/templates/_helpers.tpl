{{/* The name of the chart. */}}
{{- define "kimono-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the release's objects. With `-r10`, `-` and a hash of 10, a pod's label has 63 characters. */}}
{{- define "kimono-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "kimono-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "kimono-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kimono-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kimono-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kimono-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{/* The labels and others, which win; those are rendered as templates. Arguments: the root, then the others. */}}
{{- define "kimono-exporter.labelsWith" -}}
{{- $root := first . }}
{{- $labels := include "kimono-exporter.labels" $root | fromYaml }}
{{- range rest . }}
{{- $labels = mergeOverwrite $labels (tpl (toYaml .) $root | fromYaml) }}
{{- end }}
{{- toYaml $labels }}
{{- end }}

{{- define "kimono-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "kimono-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The image. A digest wins over the tag, and the tag stays for people to read. */}}
{{- define "kimono-exporter.image" -}}
{{- with (.Values.global.imageRegistry | default .Values.image.registry) }}{{ . }}/{{ end -}}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The Secret with the credentials; empty if the chart has nothing to do with them. */}}
{{- define "kimono-exporter.secretName" -}}
{{- if ne .Values.credentials.type "none" }}
{{- default (include "kimono-exporter.fullname" .) (tpl .Values.credentials.existingSecret .) }}
{{- end }}
{{- end }}

{{/* The key in the Secret. */}}
{{- define "kimono-exporter.secretKey" -}}
{{- $keys := dict "apiKey" "api-key" "client" "client-secret" "token" "token" "tenants" "tenants.yaml" }}
{{- default (get $keys .Values.credentials.type) .Values.credentials.secretKey }}
{{- end }}

{{/* The variable with the path of the credentials. */}}
{{- define "kimono-exporter.credentialsVariable" -}}
{{- $names := dict "apiKey" "KEY_FILE" "client" "CLIENT_SECRET_FILE" "token" "TOKEN_FILE" "tenants" "TENANTS_FILE" }}
{{- printf "KIMONO_API_%s" (get $names .Values.credentials.type) }}
{{- end }}

{{/* http or https, in capitals for probes. */}}
{{- define "kimono-exporter.scheme" -}}
{{- ternary "HTTPS" "HTTP" .Values.web.tls }}
{{- end }}

{{/* A probe: of a path of the exporter, unless the values say how else. Arguments: probe, path, the root. */}}
{{- define "kimono-exporter.probe" -}}
{{- $probe := index . 0 }}
{{- if not (or (hasKey $probe "httpGet") (hasKey $probe "exec") (hasKey $probe "tcpSocket") (hasKey $probe "grpc")) }}
httpGet:
  path: {{ index . 1 }}
  port: metrics
  scheme: {{ include "kimono-exporter.scheme" (index . 2) }}
{{- end }}
{{ toYaml $probe }}
{{- end }}

{{/* Rules or a dashboard with the chosen thresholds and links. Arguments: the path of the file, the root. */}}
{{- define "kimono-exporter.filled" -}}
{{- $root := index . 1 }}
{{- $text := $root.Files.Get (index . 0) }}
{{- range $marker, $value := include "kimono-exporter.markers" $root | fromYaml }}
{{- $text = $text | replace $marker $value }}
{{- end }}
{{- with $root.Values.prometheusRule.runbookUrl }}
{{- $text = $text | replace "<<https://runbookUrl>>" (regexReplaceAll "/+$" . "") }}
{{- else }}
{{- /* Alerts have no link then. From dashboards, the rule in Grafana is the next best thing. */}}
{{- $text = regexReplaceAll "(?m)^ +runbook_url: .*\\n" $text "" }}
{{- $alert := "${__data.fields.alertname}" }}
{{- $text = $text | replace (printf "<<https://runbookUrl>>/%s.md" $alert) (printf "/alerting/list?search=%s" $alert) }}
{{- end }}
{{- /* Without a URL, links are paths of Grafana. */}}
{{- $text | replace "<<dashboardUrl>>" (regexReplaceAll "/+$" $root.Values.prometheusRule.dashboardUrl "") }}
{{- end }}

{{/* A duration in seconds. Arguments: the name of a threshold, its value. */}}
{{- define "kimono-exporter.seconds" -}}
{{- $name := index . 0 }}
{{- $value := index . 1 }}
{{- /* Numbers in files are floating point, whose text is 2.592e+06 from a million on. */}}
{{- $text := kindIs "float64" $value | ternary (int64 $value) $value | toString }}
{{- $seconds := 0 }}
{{- if regexMatch "^[0-9]{1,9}$" $text }}
{{- $seconds = atoi $text }}
{{- else if regexMatch "^([0-9]{1,9}y)?([0-9]{1,9}w)?([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$" $text }}
{{- range $unit, $length := dict "y" 31536000 "w" 604800 "d" 86400 "h" 3600 "m" 60 "s" 1 }}
{{- $seconds = add $seconds (mul $length (regexFind (printf "[0-9]+%s" $unit) $text | trimSuffix $unit | atoi)) }}
{{- end }}
{{- end }}
{{- if lt (int64 $seconds) 60 }}
{{- fail (printf "prometheusRule.thresholds.%s: %q is not a duration of at least a minute, such as 90m, 2h or 1d" $name $text) }}
{{- end }}
{{- $seconds }}
{{- end }}

{{/* A duration as the rules show it: `2 * 3600`. */}}
{{- define "kimono-exporter.inUnits" -}}
{{- $seconds := int64 . }}
{{- $text := toString $seconds }}
{{- range $unit := list 60 3600 86400 }}
{{- if and (ge $seconds (int64 (mul 2 $unit))) (eq 0 (int (mod $seconds $unit))) }}
{{- $text = printf "%d * %d" (div $seconds $unit) $unit }}
{{- end }}
{{- end }}
{{- $text }}
{{- end }}

{{/* Stops with a message if values do not fit together. */}}
{{- define "kimono-exporter.validate" -}}
{{- $c := .Values.credentials }}
{{- if and (ne $c.type "none") (not $c.existingSecret) (not $c.value) }}
{{- fail (printf "No credentials: set credentials.existingSecret to the name of a Secret with the key %q, or set credentials.value. If another program provides them, set credentials.type to none." (include "kimono-exporter.secretKey" .)) }}
{{- end }}
{{- if and $c.existingSecret $c.value }}
{{- fail "Two kinds of credentials: set either credentials.existingSecret or credentials.value, not both." }}
{{- end }}
{{- if eq $c.type "none" }}
{{- range $name := list "existingSecret" "secretKey" "value" }}
{{- if get $c $name }}
{{- fail (printf "credentials.type is none: unset credentials.%s, or set credentials.type to the kind of the credentials." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (ne $c.type "client") $c.clientId }}
{{- fail (printf "credentials.clientId is for credentials.type client, but the type is %s: unset clientId, or set the type to client." $c.type) }}
{{- end }}
{{- if and (eq $c.type "client") (not $c.clientId) }}
{{- fail "credentials.type is client: set credentials.clientId to the id of the OAuth2 client." }}
{{- end }}
{{- if and (gt (int .Values.shards) 1) (ne .Values.kind "StatefulSet") }}
{{- fail "shards is more than 1: set kind to StatefulSet. A pod of a Deployment has no number that tells its shard." }}
{{- end }}
{{- if and (eq .Values.kind "Deployment") .Values.persistence.enabled (gt (int .Values.replicas) 1) }}
{{- fail "Each replica needs its own volume: set kind to StatefulSet, or persistence.enabled to false." }}
{{- end }}
{{- if and (eq .Values.kind "StatefulSet") .Values.persistence.existingClaim }}
{{- fail "persistence.existingClaim is for kind Deployment: each pod of a StatefulSet needs its own volume." }}
{{- end }}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) }}
{{- fail "persistence.existingClaim is not used: set persistence.enabled to true, or unset persistence.existingClaim." }}
{{- end }}
{{- if and .Values.web.tls (not .Values.web.existingSecret) }}
{{- fail "web.tls is on: set web.existingSecret to the name of a Secret with the web configuration and the certificate." }}
{{- end }}
{{- /* Not a pattern in the schema: Helm would show the URL with its password. */}}
{{- range $name, $instead := dict "url" "use credentials.existingSecret" "proxy_url" "mount a Secret with the whole URL and set config.api.proxy_url_file" }}
{{- if contains "@" (dig "api" $name "" $.Values.config | toString) }}
{{- fail (printf "config.api.%s must not hold a user name or a password, because config is in a ConfigMap: %s." $name $instead) }}
{{- end }}
{{- end }}
{{- $_ := include "kimono-exporter.thresholds" . }}
{{- end }}

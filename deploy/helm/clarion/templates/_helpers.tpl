{{- define "clarion.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The names of all objects begin with this. What follows it has at most 23 characters, and a name has 63. */}}
{{- define "clarion.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "clarion.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "clarion.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "clarion.selector" -}}
app.kubernetes.io/name: {{ include "clarion.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "clarion.labels" -}}
{{ include "clarion.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "clarion.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/*
All components by name. `args` is the command, `port` where clients come (0: nobody does), `tokens` whether it checks
tokens, and so gets the secret; `role` is its name in CLARION_PROCESSES, and `of` are its values.
*/}}
{{- define "clarion.components" -}}
ingest: {{ dict "args" (list "ingest") "port" 8080 "tokens" true "role" "ingest" "of" .Values.ingest | toJson }}
{{- range $lane, $of := .Values.lanes }}
lane-{{ $lane }}: {{ dict "args" (list "stream" "--role" "lane" "--lane" $lane) "port" 0 "tokens" false "role" $lane "of" $of | toJson }}
{{- end }}
{{- range $role := list "receipts" "scheduler" "observer" }}
{{ $role }}: {{ dict "args" (list "stream" "--role" $role) "port" 0 "tokens" false "role" $role "of" (get $.Values $role) | toJson }}
{{- end }}
gateway: {{ dict "args" (list "gateway") "port" 8081 "tokens" true "role" "gateway" "of" .Values.gateway | toJson }}
{{- if .Values.console.enabled }}
console: {{ dict "args" (list "console") "port" 8082 "tokens" true "role" "console" "of" .Values.console | toJson }}
{{- end }}
{{- end }}

{{/* What of all settings the chart has to know: those that are not set have the defaults of libs/clarion/settings.py. */}}
{{- define "clarion.mailboxes" -}}
{{- .Values.settings.partitions_deliveries | default 256 | int }}
{{- end }}

{{- define "clarion.partitions" -}}
{{- .Values.settings.partitions_lane | default 16 | int }}
{{- end }}

{{/* All variables that are no secrets. */}}
{{- define "clarion.settings" -}}
{{- $fullname := include "clarion.fullname" . }}
{{- range $name, $value := .Values.settings }}
{{- if kindIs "float64" $value }}
CLARION_{{ upper $name }}: {{ $value | toJson | quote }}
{{- else }}
CLARION_{{ upper $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}
CLARION_INGEST_URL: {{ printf "http://%s-ingest:8080" $fullname | quote }}
CLARION_GATEWAY_URL: {{ printf "http://%s-gateway:8081" $fullname | quote }}
CLARION_PROCESSES: {{ include "clarion.processes" . | quote }}
{{- end }}

{{- define "clarion.processes" -}}
{{- $fullname := include "clarion.fullname" . -}}
{{- $found := list -}}
{{- range $name, $component := include "clarion.components" . | fromYaml -}}
{{- $found = append $found (printf "%s=http://%s-%s-admin:9400" $component.role $fullname $name) -}}
{{- end -}}
{{- join " " $found -}}
{{- end }}

{{/* The key of a Secret that `component` uses: of its own user if each has one. */}}
{{- define "clarion.secretKey" -}}
{{- if .root.Values.secrets.perRole }}{{ .of.key }}.{{ .component }}{{ else }}{{ .of.key }}{{ end }}
{{- end }}

{{/*
Files instead of variables: what a variable has can be read in /proc, and ends in what a crash reports. And a file is
read anew when it is rotated. `mongodb` and `tokens` say whether the component has that secret.
*/}}
{{- define "clarion.secretEnv" -}}
{{- $secrets := .root.Values.secrets }}
{{- if .mongodb }}
- {name: CLARION_MONGODB_FILE, value: /run/secrets/clarion/mongodb}
{{- include "clarion.tlsEnv" (dict "server" "mongodb" "of" $secrets.mongodbTls) }}
{{- end }}
{{- if $secrets.kafka.name }}
- {name: CLARION_KAFKA_PASSWORD_FILE, value: /run/secrets/clarion/kafka}
{{- if $secrets.perRole }}
- {name: CLARION_KAFKA_USER, value: {{ printf "%sclarion-%s" (.root.Values.settings.prefix | default "") .component | quote }}}
{{- end }}
{{- end }}
{{- include "clarion.tlsEnv" (dict "server" "kafka" "of" $secrets.kafkaTls) }}
{{- if and .tokens $secrets.jwtSecret.name }}
- {name: CLARION_JWT_SECRET_FILE, value: /run/secrets/clarion/jwt_secret}
{{- end }}
{{- end }}

{{- define "clarion.tlsEnv" -}}
{{- if .of.name }}
{{- $server := .server }}
{{- range $part := list "ca" "cert" "key" }}
{{- if get $.of $part }}
- {name: CLARION_{{ upper $server }}_{{ upper $part }}_FILE, value: /run/secrets/clarion/{{ $server }}-{{ $part }}.pem}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "clarion.secretVolume" -}}
{{- $secrets := .root.Values.secrets }}
- name: secrets
  {{- if or .mongodb $secrets.kafka.name $secrets.kafkaTls.name }}
  projected:
    defaultMode: 0440
    sources:
      {{- if .mongodb }}
      - secret:
          name: {{ required "secrets.mongodb.name: name the Secret with MongoDB's connection string" $secrets.mongodb.name }}
          items:
            - {key: {{ include "clarion.secretKey" (dict "root" .root "of" $secrets.mongodb "component" .component) }}, path: mongodb}
      {{- include "clarion.tlsSource" (dict "server" "mongodb" "of" $secrets.mongodbTls) }}
      {{- end }}
      {{- if $secrets.kafka.name }}
      - secret:
          name: {{ $secrets.kafka.name }}
          items:
            - {key: {{ include "clarion.secretKey" (dict "root" .root "of" $secrets.kafka "component" .component) }}, path: kafka}
      {{- end }}
      {{- include "clarion.tlsSource" (dict "server" "kafka" "of" $secrets.kafkaTls) }}
      {{- if and .tokens $secrets.jwtSecret.name }}
      - secret:
          name: {{ $secrets.jwtSecret.name }}
          items:
            - {key: {{ $secrets.jwtSecret.key }}, path: jwt_secret}
      {{- end }}
  {{- else }}
  emptyDir: {sizeLimit: 1Mi}
  {{- end }}
{{- end }}

{{- define "clarion.tlsSource" -}}
{{- if .of.name }}
{{- $server := .server }}
      - secret:
          name: {{ .of.name }}
          items:
            {{- range $part := list "ca" "cert" "key" }}
            {{- with get $.of $part }}
            - {key: {{ . }}, path: {{ $server }}-{{ $part }}.pem}
            {{- end }}
            {{- end }}
{{- end }}
{{- end }}

{{- define "clarion.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.pod.runAsUser }}
runAsGroup: {{ .Values.pod.runAsUser }}
fsGroup: {{ .Values.pod.runAsUser }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "clarion.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What every pod has, whatever runs in it. */}}
{{- define "clarion.podCommon" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "clarion.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Seconds that Kubernetes gives a pod to end: preStop, then what a process takes at most (EXIT_WITHIN_S of
libs/clarion/process.py, which covers the longest drain), and a margin.
*/}}
{{- define "clarion.grace" -}}
{{- add .Values.pod.preStopSeconds 35 5 }}
{{- end }}

{{/* Refuses values that would install something that cannot work. */}}
{{- define "clarion.check" -}}
{{- $half := div (include "clarion.mailboxes" . | int) 2 | int }}
{{- $gateways := ternary .Values.gateway.autoscaling.max .Values.gateway.replicas .Values.gateway.autoscaling.enabled | int }}
{{- if gt $gateways $half }}
{{- fail (printf "gateway: %d gateways are more than half of the %s mailboxes: raise settings.partitions_deliveries, after growing both topics of deliveries" $gateways (include "clarion.mailboxes" .)) }}
{{- end }}
{{- range $lane, $of := .Values.lanes }}
{{- $workers := ternary $of.autoscaling.max $of.replicas $of.autoscaling.enabled | int }}
{{- if gt $workers (include "clarion.partitions" $ | int) }}
{{- fail (printf "lanes.%s: %d workers are more than the %s partitions of its topic, so some would do nothing: grow the topic and raise settings.partitions_lane, or have fewer" $lane $workers (include "clarion.partitions" $)) }}
{{- end }}
{{- end }}
{{- range $name := list "ingest" "gateway" }}
{{- $scaling := (get $.Values $name).autoscaling }}
{{- if and $scaling.enabled (lt (int $scaling.max) (int $scaling.min)) }}
{{- fail (printf "%s.autoscaling: max is below min" $name) }}
{{- end }}
{{- end }}
{{- if and (not .Values.secrets.jwtSecret.name) (not .Values.settings.jwks_url) (ne (.Values.settings.env | default "production") "dev") }}
{{- fail "secrets.jwtSecret.name or settings.jwks_url must be set: gateways and ingest check tokens by one of them" }}
{{- end }}
{{- range $server := list "kafkaTls" "mongodbTls" }}
{{- $tls := get $.Values.secrets $server }}
{{- if and $tls.name (not (or $tls.ca $tls.cert)) }}
{{- fail (printf "secrets.%s names no keys: give ca, or cert and key" $server) }}
{{- end }}
{{- if ne (empty $tls.cert) (empty $tls.key) }}
{{- fail (printf "secrets.%s: cert and key go together" $server) }}
{{- end }}
{{- end }}
{{- if and .Values.secrets.perRole (not .Values.secrets.kafka.name) }}
{{- fail "secrets.perRole needs secrets.kafka.name: without passwords Kafka cannot tell the components apart" }}
{{- end }}
{{- if and .Values.secrets.perRole .Values.settings.kafka_user }}
{{- fail "secrets.perRole: each component has its own user, so leave settings.kafka_user out" }}
{{- end }}
{{- if and (hasPrefix "SASL_" (.Values.settings.kafka_protocol | default "")) (not .Values.secrets.kafka.name) }}
{{- fail "secrets.kafka.name: settings.kafka_protocol has a login, so name the Secret with its password" }}
{{- end }}
{{- if and .Values.secrets.kafkaTls.name (not (hasSuffix "SSL" (.Values.settings.kafka_protocol | default ""))) }}
{{- fail "secrets.kafkaTls: settings.kafka_protocol does not encrypt, so set it to SSL or SASL_SSL" }}
{{- end }}
{{- if and (eq .Values.autoscaling.by "keda") (not .Values.autoscaling.prometheus) }}
{{- fail "autoscaling.prometheus: KEDA asks Prometheus for connections and lag, so give its address" }}
{{- end }}
{{- end }}

{{/* The pod, for a Deployment and a StatefulSet. Arguments: the root, labels that only this pod has. */}}
{{- define "kimono-exporter.podTemplate" -}}
{{- $root := index . 0 }}
{{- $labels := index . 1 }}
{{- with $root }}
metadata:
  labels:
    {{- include "kimono-exporter.labelsWith" (list . $labels .Values.podLabels) | nindent 4 }}
  annotations:
    # Other settings start new pods.
    checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "kimono-exporter.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountServiceAccountToken }}
  # Otherwise each start warns of variables that are named after services.
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }}
  {{- with .Values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  containers:
    - name: kimono-exporter
      image: {{ include "kimono-exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- with .Values.extraArgs }}
      args:
        {{- tpl (toYaml .) $root | nindent 8 }}
      {{- end }}
      env:
        - name: KIMONO_CONFIG_FILE
          value: /etc/kimono-exporter/kimono.yaml
        - name: KIMONO_WEB_LISTEN_ADDRESS
          value: {{ printf ":%d" (int .Values.containerPort) | quote }}
        {{- with (include "kimono-exporter.secretName" .) }}
        # A file, not a variable: a rotated secret arrives in it without a new pod.
        - name: {{ include "kimono-exporter.credentialsVariable" $root }}
          value: /run/secrets/kimono-exporter/{{ include "kimono-exporter.secretKey" $root }}
        {{- end }}
        {{- if eq .Values.credentials.type "client" }}
        - name: KIMONO_API_CLIENT_ID
          value: {{ .Values.credentials.clientId | quote }}
        {{- end }}
        # Since when problems have existed. Without it, a new container starts without history, and alerts are late.
        - name: KIMONO_STATE_FILE
          value: /var/lib/kimono-exporter/state
        {{- if .Values.web.existingSecret }}
        - name: KIMONO_WEB_CONFIG_FILE
          value: /run/secrets/kimono-exporter-web/{{ .Values.web.secretKey }}
        {{- end }}
        {{- if gt (int .Values.shards) 1 }}
        # Which shard: the number at the end of the pod's name, from 0.
        - name: KIMONO_SHARD_INDEX
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: KIMONO_SHARD_TOTAL
          value: {{ .Values.shards | quote }}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- tpl (toYaml .) $root | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- tpl (toYaml .) $root | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ .Values.containerPort }}
          protocol: TCP
      {{- with .Values.livenessProbe }}
      # Does not depend on the API: an outage of the API must not restart the pod.
      livenessProbe:
        {{- include "kimono-exporter.probe" (list . "/-/healthy" $root) | trim | nindent 8 }}
      {{- end }}
      {{- with .Values.readinessProbe }}
      # 503 until each tenant has been polled once, successfully or not.
      readinessProbe:
        {{- include "kimono-exporter.probe" (list . "/-/ready" $root) | trim | nindent 8 }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: config
          mountPath: /etc/kimono-exporter
          readOnly: true
        {{- if include "kimono-exporter.secretName" . }}
        - name: credentials
          mountPath: /run/secrets/kimono-exporter
          readOnly: true
        {{- end }}
        {{- if .Values.web.existingSecret }}
        - name: web
          mountPath: /run/secrets/kimono-exporter-web
          readOnly: true
        {{- end }}
        - name: state
          mountPath: /var/lib/kimono-exporter
        {{- with .Values.extraVolumeMounts }}
        {{- tpl (toYaml .) $root | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "kimono-exporter.fullname" . }}
    {{- with (include "kimono-exporter.secretName" .) }}
    - name: credentials
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.web.existingSecret }}
    - name: web
      secret:
        secretName: {{ tpl . $root }}
        defaultMode: 0440
    {{- end }}
    {{- if not .Values.persistence.enabled }}
    - name: state
      emptyDir:
        sizeLimit: {{ .Values.persistence.size }}
    {{- else if eq .Values.kind "Deployment" }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim | default (include "kimono-exporter.fullname" .) }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

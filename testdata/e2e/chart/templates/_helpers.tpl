{{- define "up.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "up.fullname" -}}
{{- $name := include "up.name" . -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "up.selector" -}}
app.kubernetes.io/name: {{ include "up.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "up.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "up.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* A host inside the release: the subchart's name is left out where the release's name contains it. */ -}}
{{- define "up.peer" -}}
{{- $name := .name -}}
{{- if contains $name .top.Release.Name }}{{ .top.Release.Name }}{{ else }}{{ .top.Release.Name }}-{{ $name }}{{ end -}}
{{- end }}

{{- define "up.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary "milvus" "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- /* What a standalone without a queue of its own is asked to use. Charts from 5.0.0 on look at the live Deployment,
       and see nothing where there is no cluster: `helm template` then renders woodpecker for whatever runs there. */ -}}
{{- define "up.standaloneQueue" -}}
{{- $wish := .Values.standalone.messageQueue -}}
{{- if or (semverCompare "<5.0.0" .Chart.Version) (ne $wish "woodpecker") (eq (int .Release.Revision) 1) -}}{{ $wish }}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (printf "%s-standalone" (include "up.fullname" .)) -}}
{{- if not $live -}}{{ $wish }}
{{- else -}}{{ dig "metadata" "annotations" "milvus.io/message-queue" "rocksmq" $live }}{{ end -}}
{{- end -}}
{{- end }}

{{- /* role -> what the process is called with, the port it serves besides the metrics, and whether 2.6 knows it no more */ -}}
{{- define "up.roles" -}}
rootcoord: {port: 53100, coordinator: true, old: true}
querycoord: {port: 19531, coordinator: true, old: true}
datacoord: {port: 13333, coordinator: true, old: true}
indexcoord: {port: 31000, coordinator: true, old: true}
mixcoord: {run: [mixture, -rootcoord, -querycoord, -datacoord, -indexcoord], coordinator: true}
indexnode: {port: 21121, disk: true, old: true}
querynode: {port: 21123, disk: true}
datanode: {port: 21124}
streamingnode: {port: 22222}
proxy: {port: 19530, portName: milvus}
standalone: {port: 19530, portName: milvus, disk: true}
{{- end }}

{{- define "up.probe" -}}
initialDelaySeconds: {{ .initialDelaySeconds }}
periodSeconds: {{ .periodSeconds }}
timeoutSeconds: {{ .timeoutSeconds }}
successThreshold: {{ .successThreshold }}
failureThreshold: {{ .failureThreshold }}
{{- end }}

{{- /* dict "top" $ "role" ROLE "of" KEY-IN-VALUES */ -}}
{{- define "up.workload" -}}
{{- $top := .top }}{{ $v := .top.Values }}{{ $role := .role }}{{ $own := index $v .of }}
{{- $is := index (include "up.roles" . | fromYaml) $role }}
{{- $heap := ($own.heaptrack | default dict).enabled }}
{{- $logs := $v.log.persistence }}
{{- $contSec := $own.containerSecurityContext | default $v.containerSecurityContext }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "up.fullname" $top }}-{{ $role }}
  namespace: {{ $top.Release.Namespace }}
  labels:
{{ include "up.labels" $top | indent 4 }}
    component: {{ $role | quote }}
{{- with $v.labels }}
{{ toYaml . | indent 4 }}
{{- end }}
  annotations:
{{- with $v.annotations }}
{{ toYaml . | indent 4 }}
{{- end }}
{{- if and (eq $role "standalone") (semverCompare ">=5.0.0" $top.Chart.Version) }}
    milvus.io/message-queue: {{ include "up.standaloneQueue" $top }}
{{- end }}

spec:
{{- if ge (int $own.replicas) 0 }}
  replicas: {{ $own.replicas }}
{{- end }}
{{- if and (or $is.coordinator (eq $role "standalone")) (not ($own.activeStandby | default dict).enabled) }}
  strategy:
    type: Recreate
{{- else }}{{ with $own.strategy }}
  strategy:
{{ toYaml . | indent 4 }}
{{- end }}{{ end }}
  selector:
    matchLabels:
{{ include "up.selector" $top | indent 6 }}
      component: {{ $role | quote }}
  template:
    metadata:
      labels:
{{ include "up.selector" $top | indent 8 }}
        component: {{ $role | quote }}
{{- with $v.labels }}
{{ toYaml . | indent 8 }}
{{- end }}
      annotations:
{{- if ($own.profiling | default dict).enabled }}
        pyroscope.io/scrape: "true"
        pyroscope.io/application-name: {{ include "up.fullname" $top }}-{{ $role }}
        pyroscope.io/port: "9091"
{{- end }}
{{- if ne $role "streamingnode" }}{{ with $own.annotations }}
{{ toYaml . | indent 8 }}
{{- end }}{{ end }}
        checksum/config: {{ include (print $top.Template.BasePath "/configmap.yaml") $top | sha256sum }}
{{- with $v.annotations }}
{{ toYaml . | indent 8 }}
{{- end }}
    spec:
      serviceAccountName: {{ include "up.serviceAccount" $top }}
{{- with $v.image.all.pullSecrets }}
      imagePullSecrets:
{{- range . }}
        - name: {{ . }}
{{- end }}
{{- end }}
{{- if $is.disk }}{{ with $own.runtimeClassName }}
      runtimeClassName: {{ . }}
{{- end }}{{ end }}
      initContainers:
{{- if $heap }}
      - name: heaptrack
        image: "{{ $v.heaptrack.image.repository }}:{{ $v.heaptrack.image.tag }}"
        imagePullPolicy: {{ $v.heaptrack.image.pullPolicy }}
        command: [/bin/bash, -c, "cp -r /opt/heaptrack /milvus/tools"]
{{- with $contSec }}
        securityContext:
{{ toYaml . | indent 10 }}
{{- end }}
        volumeMounts:
        - mountPath: /milvus/tools
          name: tools
{{- end }}
      containers:
      - name: {{ $role }}
        image: "{{ $v.image.all.repository }}:{{ $v.image.all.tag }}"
        imagePullPolicy: {{ $v.image.all.pullPolicy }}
{{- with $contSec }}
        securityContext:
{{ toYaml . | indent 10 }}
{{- end }}
        args: [ {{ if $heap }}"/milvus/tools/heaptrack/bin/heaptrack", {{ end }}"milvus", "run"{{ range $is.run | default (list $role) }}, {{ . | quote }}{{ end }} ]
        env:
{{- if and $v.streaming.enabled (or $is.old (semverCompare "<5.0.0" $top.Chart.Version)) (ne $role "standalone") }}
        - name: MILVUS_STREAMING_SERVICE_ENABLED
          value: "1"
{{- end }}
{{- if $heap }}
        - name: LD_LIBRARY_PATH
          value: /milvus/tools/heaptrack/lib:/milvus/lib:/usr/lib
{{- end }}
{{- with ($own.disk | default dict).size }}{{ if .enabled }}
        - name: LOCAL_STORAGE_SIZE
          valueFrom: {resourceFieldRef: {resource: limits.ephemeral-storage, divisor: 1Gi}}
{{- end }}{{ end }}
{{- with $own.extraEnv }}
{{ toYaml . | indent 8 }}
{{- end }}
        ports:
{{- if $is.port }}
          - name: {{ $is.portName | default $role }}
            containerPort: {{ $is.port }}
            protocol: TCP
{{- end }}
          - name: metrics
            containerPort: 9091
            protocol: TCP
{{- if $v.livenessProbe.enabled }}
        livenessProbe:
          tcpSocket:
            port: metrics
{{ include "up.probe" $v.livenessProbe | indent 10 }}
{{- end }}
{{- if $v.readinessProbe.enabled }}
        readinessProbe:
          httpGet:
            path: /healthz
            port: metrics
{{ include "up.probe" $v.readinessProbe | indent 10 }}
{{- end }}
        resources:
{{ toYaml ($own.resources | default dict) | indent 10 }}
        volumeMounts:
{{- if not $v.customConfigMap }}
        - name: milvus-config
          mountPath: /milvus/configs/default.yaml
          subPath: default.yaml
          readOnly: true
{{- end }}
        - name: milvus-config
          mountPath: /milvus/configs/user.yaml
          subPath: {{ ternary "milvus.yaml" "user.yaml" (not (empty $v.customConfigMap)) }}
          readOnly: true
{{- if eq $role "standalone" }}
        - name: milvus-data-disk
          mountPath: {{ $own.persistence.mountPath | quote }}
          subPath: {{ $own.persistence.persistentVolumeClaim.subPath }}
{{- end }}
{{- if $logs.enabled }}
        - name: milvus-logs-disk
          mountPath: {{ $logs.mountPath | quote }}
          subPath: {{ $logs.persistentVolumeClaim.subPath }}
{{- end }}
        - mountPath: /milvus/tools
          name: tools
{{- if and $is.disk $own.disk.enabled }}
        - mountPath: /var/lib/milvus/data
          name: disk
{{- end }}
{{- if and (eq $role "streamingnode") $v.woodpecker.enabled }}
        - mountPath: /var/lib/milvus
          name: woodpecker
{{- end }}
{{- with $v.volumeMounts }}
{{ toYaml . | indent 8 }}
{{- end }}
{{- range $field := list "securityContext" "nodeSelector" "affinity" "tolerations" "topologySpreadConstraints" }}
{{- with (index $own $field) | default (index $v $field) }}
      {{ $field }}:
{{ toYaml . | indent 8 }}
{{- end }}{{ end }}

      volumes:
      - name: milvus-config
        configMap:
          name: {{ $v.customConfigMap | default (include "up.fullname" $top) }}
{{- if eq $role "standalone" }}
      - name: milvus-data-disk
        persistentVolumeClaim:
          claimName: {{ $own.persistence.persistentVolumeClaim.existingClaim | default (include "up.fullname" $top) }}
{{- end }}
{{- if $logs.enabled }}
      - name: milvus-logs-disk
        persistentVolumeClaim:
          claimName: {{ $logs.persistentVolumeClaim.existingClaim | default (printf "%s-logs" (include "up.fullname" $top | trunc 58)) }}
{{- end }}
      - name: tools
        emptyDir: {}
{{- if and $is.disk $own.disk.enabled }}
      - name: disk
        emptyDir: {}
{{- end }}
{{- if and (eq $role "streamingnode") $v.woodpecker.enabled }}
      - name: woodpecker
        emptyDir: {}
{{- end }}
{{- with $v.volumes }}
{{ toYaml . | indent 6 }}
{{- end }}
{{- end }}

{{- /* dict "top" $ "role" ROLE "headless" BOOL "port" BOOL "service" VALUES */ -}}
{{- define "up.service" -}}
{{- $is := index (include "up.roles" . | fromYaml) .role }}{{ $s := .service | default dict -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "up.fullname" .top }}{{ if not (has .role (list "proxy" "standalone")) }}-{{ .role }}{{ end }}
  namespace: {{ .top.Release.Namespace }}
  labels:
{{ include "up.labels" .top | indent 4 }}
    component: {{ .role | quote }}
{{- with $s.labels }}
{{ toYaml . | indent 4 }}
{{- end }}
{{- with $s.annotations }}
  annotations:
{{ toYaml . | indent 4 }}
{{- end }}
spec:
  type: {{ $s.type | default "ClusterIP" }}
{{- if .headless }}
  clusterIP: None
{{- else }}{{ with $s.clusterIP }}
  clusterIP: {{ . | quote }}
{{- end }}{{ end }}
  ports:
{{- if .port }}
    - name: {{ $is.portName | default .role }}
      port: {{ $is.port }}
      protocol: TCP
      targetPort: {{ $is.portName | default .role }}
{{- end }}
{{- if .top.Values.metrics.enabled }}
    - name: metrics
      protocol: TCP
      port: 9091
      targetPort: metrics
{{- end }}
  selector:
{{ include "up.selector" .top | indent 4 }}
    component: {{ .role | quote }}
{{- end }}

{{- /* The only label is the component: what it belongs to is said by scaleTargetRef alone. */ -}}
{{- define "up.hpa" -}}
{{- $hpa := (index .top.Values .of).hpa -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "up.fullname" .top }}-{{ .role }}-hpa
  namespace: {{ .top.Release.Namespace }}
  labels:
    component: {{ .role | quote }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "up.fullname" .top }}-{{ .role }}
  minReplicas: {{ $hpa.minReplicas }}
  maxReplicas: {{ $hpa.maxReplicas }}
  metrics:
{{- range $res := list "cpu" "memory" }}{{ with index $hpa (print $res "Utilization") }}
  - type: Resource
    resource:
      name: {{ $res }}
      target:
        type: Utilization
        averageUtilization: {{ . }}
{{- end }}{{ end }}
{{- end }}

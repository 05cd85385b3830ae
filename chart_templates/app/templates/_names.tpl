{{- /* Each takes a dict: `root` is the chart's scope, `name` the process. */ -}}

{{- define "app.process" -}}
{{ .root.Release.Name }}-{{ .name }}
{{- end -}}

{{- /* The web process is what the app is reached by: its Service has the app's own name. */ -}}
{{- define "app.service" -}}
{{ if eq .name "web" }}{{ .root.Release.Name }}{{ else }}{{ include "app.process" . }}{{ end }}
{{- end -}}

{{- define "app.labels" -}}
app.kubernetes.io/name: {{ .Release.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
nucleo.io/app: {{ .Release.Name | quote }}
{{- end -}}

{{- define "app.process.labels" -}}
{{ include "app.labels" .root }}
app.kubernetes.io/component: {{ .name | quote }}
nucleo.io/process: {{ .name | quote }}
{{- end -}}

{{- define "app.selector" -}}
nucleo.io/app: {{ .root.Release.Name | quote }}
nucleo.io/process: {{ .name | quote }}
{{- end -}}

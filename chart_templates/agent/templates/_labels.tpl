{{- define "agent.labels" -}}
app.kubernetes.io/name: nucleo-agent
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- /*
Environment variables, sorted by name; PORT is the first port, whatever the others say. Kubernetes replaces $(NAME) and $$
in values and commands: a doubled $ arrives as one, so that text arrives exactly as written. `quote` escapes whatever
YAML would not take as it is.
*/ -}}
{{- define "app.env" -}}
{{- $all := dict -}}
{{- range $name, $value := .root.Values.env }}{{ $_ := set $all $name $value }}{{ end -}}
{{- range $name, $value := .root.Values.config }}{{ $_ := set $all $name $value }}{{ end -}}
{{- with .process.ports }}{{ $_ := set $all "PORT" (toString (int (first .).port)) }}{{ end -}}
{{- range $name := .root.Values.secret.keys }}{{ $_ := unset $all $name }}{{ end -}}
{{- range $name, $value := $all }}
- name: {{ $name | quote }}
  value: {{ $value | replace "$" "$$" | quote }}
{{- end }}
{{- range $name := .root.Values.secret.keys | sortAlpha }}
- name: {{ $name | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ $.root.Values.secret.name | quote }}
      key: {{ $name | quote }}
{{- end }}
{{- end -}}

{{- define "app.check" -}}
{{- if .path }}
httpGet:
  path: {{ .path | quote }}
  port: {{ int .port }}
  {{- with .host }}
  httpHeaders:
    - name: Host
      value: {{ . | quote }}
  {{- end }}
{{- else }}
tcpSocket:
  port: {{ int .port }}
{{- end }}
timeoutSeconds: {{ int .timeout }}
{{- end -}}

{{- /* A slow start has five minutes; only then does the liveness probe begin, and it asks patiently. A busy node that
      answers late for some seconds must not take the only pod of an app out of its service: ten, as periods are short. */ -}}
{{- define "app.probes" -}}
startupProbe:
  {{- include "app.check" . | trim | nindent 2 }}
  periodSeconds: 1
  failureThreshold: 300
readinessProbe:
  {{- include "app.check" . | trim | nindent 2 }}
  periodSeconds: 1
  failureThreshold: 10
livenessProbe:
  {{- include "app.check" . | trim | nindent 2 }}
  periodSeconds: 10
  failureThreshold: 6
{{- end -}}

{{- /* Sleeping lets the proxies forget the pod before it closes its ports. Hooks are not expanded: no doubled $. */ -}}
{{- define "app.stop" -}}
{{- if .command }}
lifecycle:
  preStop:
    exec:
      command:
        {{- range .command }}
        - {{ . | quote }}
        {{- end }}
{{- else if .sleep }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int .sleep }}
{{- end }}
{{- end -}}

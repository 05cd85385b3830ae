"""The same app, deployed by hand: a Dockerfile that keeps its requirements cached, and a plain chart."""

import json
from collections.abc import Sequence

from nucleo_cli.builder import host, platforms
from tests.bench import apps
from tests.bench.measure import Timing, run
from tests.bench.setting import Setting

NAME = "nucleo-bench-by-hand"
# Stands for a published image that has pip in it, and for what a machine's administrator adds to one: certificates and
# package index. Made beforehand, so that no measurement pays for it.
BUILDER = "nucleo-bench-builder"
# On every image that is made, those of stages and of overwritten tags too, to find them again in the end.
LABEL = "nucleo-bench=1"

_BUILDER = """\
FROM {build}
LABEL {label}
USER root
COPY host /run/host
ENV {env}
RUN python3 -m venv /opt/pip
"""
_DOCKERFILE = """\
FROM {builder} AS build
LABEL {label}
WORKDIR /app
COPY requirements.txt ./
RUN {install} --no-cache-dir -r requirements.txt

FROM {run}
LABEL {label}
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY . .
USER 1000:1000
CMD ["/bin/sh", "-c", "exec {start}"]
"""
# With pip in the base image, as in Docker's own python images, and without, as in the platform's.
_PIP_THERE = "python3 -m venv --without-pip .venv && /opt/pip/bin/pip --python .venv/bin/python install"
_PIP_TOO = "python3 -m venv .venv && .venv/bin/pip install"
_CHART = """\
apiVersion: v2
name: app
version: 1.0.0
"""
# Probes, security and resources as in the chart of Nucleo, and as careful with requests.
_TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 1
  minReadySeconds: 1
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: "{{ .Values.repository }}:{{ .Values.tag }}"
          env: [{name: PORT, value: "8080"}]
          ports: [{name: http, containerPort: 8080}]
          resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}
          startupProbe: {tcpSocket: {port: 8080}, timeoutSeconds: 2, periodSeconds: 1, failureThreshold: 300}
          readinessProbe: {tcpSocket: {port: 8080}, timeoutSeconds: 2, periodSeconds: 1, failureThreshold: 10}
          livenessProbe: {tcpSocket: {port: 8080}, timeoutSeconds: 2, periodSeconds: 10, failureThreshold: 6}
          lifecycle: {preStop: {sleep: {seconds: 3}}}
          securityContext:
            {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {app: "{{ .Release.Name }}"}
  ports: [{name: http, port: 8080}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: "{{ .Release.Name }}"}
spec:
  parentRefs: [{name: "{{ .Values.gateway.name }}", namespace: "{{ .Values.gateway.namespace }}"}]
  hostnames: ["{{ .Values.host }}"]
  rules: [{backendRefs: [{name: "{{ .Release.Name }}", port: 8080}]}]
"""


class ByHand:
    """Deploys the app with docker and helm, as somebody would who knows them well."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.folder = setting.work / "by-hand"
        self._chart = setting.work / "chart"
        self._push = f"{setting.settings['registry-push']}/{NAME}"
        self._version = platforms.load("python").default
        apps.write(self.folder, {name: apps.WEB[name] for name in ("app.py", "requirements.txt")}, setting.env)
        self._prepare_builder()
        for name, install in (("Dockerfile", _PIP_THERE), ("Dockerfile.plain", _PIP_TOO)):
            (self.folder / name).write_text(
                _DOCKERFILE.format(
                    label=LABEL, builder=BUILDER, run=self._base("run"), start=apps.START, install=install
                )
            )
        (self.folder / ".dockerignore").write_text(".git\nDockerfile*\n.dockerignore\n")
        self._write_chart()
        setting.cleanup(self._remove)

    def deploy(self, tag: str) -> Timing:
        """docker build, docker push, helm upgrade --wait: one command after the other."""
        reference = f"{self._push}:{tag}"
        parts = {
            "build": self.docker("build", "--quiet", "--tag", reference, "."),
            "push": self.docker("push", "--quiet", reference),
            "helm": self._helm(
                *("upgrade", "--install", "--wait", "--create-namespace", "--namespace", NAME),
                *("--set-string", f"tag={tag}", NAME, str(self._chart)),
            ),
        }
        return Timing(sum(parts.values()), parts)

    def build_cold(self, file: str = "Dockerfile") -> Timing:
        """docker build with nothing cached, and docker push; the image's id is in the facts."""
        reference = f"{self._push}:cold"
        built = run(
            ["docker", "build", "--quiet", "--no-cache", *self._network(), "--file", file, "--tag", reference, "."],
            self._setting.env,
            self.folder,
        )
        parts = {"build": built.seconds, "push": self.docker("push", "--quiet", reference)}
        return Timing(sum(parts.values()), parts, {"digest": built.stdout.strip()})

    def docker(self, *argv: str) -> float:
        """Seconds of one docker command in the app's folder."""
        return run(["docker", *argv], self._setting.env, self.folder).seconds

    def _helm(self, *argv: str) -> float:
        context = ["--kube-context", self._setting.context]
        return run([self._setting.helm, *context, *argv], self._setting.env).seconds

    def _base(self, role: str) -> str:
        tag = platforms.image_tag(platforms.load("python"), self._version, platforms.architecture())
        return f"{self._setting.settings['registry-push']}/platforms/python-{role}:{tag}"

    def _network(self) -> Sequence[str]:
        return ("--network", "host") if host.read(platforms.load("python")).needs_loopback else ()

    def _prepare_builder(self) -> None:
        needs = host.read(platforms.load("python"))
        folder = self._setting.work / "builder"
        (folder / "host").mkdir(parents=True)
        for name, content in needs.files.items():
            (folder / "host" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "host" / name).write_bytes(content)
        env = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **needs.env}
        words = " ".join(f"{name}={json.dumps(value.replace(host.FOLDER, '/run/host'))}" for name, value in env.items())
        (folder / "Dockerfile").write_text(_BUILDER.format(label=LABEL, build=self._base("build"), env=words))
        run(["docker", "build", "--quiet", *self._network(), "--tag", BUILDER, "."], self._setting.env, folder)

    def _write_chart(self) -> None:
        namespace, _, gateway = self._setting.settings["gateway"].partition("/")
        values = {
            "repository": f"{self._setting.settings['registry-pull']}/{NAME}",
            "host": f"{NAME}.{self._setting.settings['base-domain']}",
            "gateway": {"namespace": namespace, "name": gateway},
        }
        (self._chart / "templates").mkdir(parents=True)
        (self._chart / "Chart.yaml").write_text(_CHART)
        (self._chart / "values.yaml").write_text(json.dumps(values))
        (self._chart / "templates" / "app.yaml").write_text(_TEMPLATE)

    def _remove(self) -> None:
        """The release, its namespace, and the images; the registry keeps its blobs until the cluster goes."""
        env = self._setting.env
        run([self._setting.helm, "--kube-context", self._setting.context, "uninstall", "--namespace", NAME, NAME], env)
        self._setting.api.delete(f"/api/v1/namespaces/{NAME}")
        images = run(["docker", "image", "ls", "--quiet", "--filter", f"reference={self._push}"], env).stdout.split()
        run(["docker", "image", "rm", "--force", BUILDER, *dict.fromkeys(images)], env)
        run(["docker", "image", "prune", "--force", "--filter", f"label={LABEL}"], env)

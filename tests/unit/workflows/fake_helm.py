"""Helm's record in the cluster, written as helm writes it: pending, then deployed, and the one before superseded."""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleo_cli.adapters.helm import TIMEOUT_SECONDS, Helm
from nucleo_cli.adapters.helm_storage import decode
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.documents import Json, labels
from nucleo_cli.domain.release import DEPLOYED, FAILED, SUPERSEDED, Revision
from nucleo_cli.errors import Conflict, NotFound, NucleoError
from nucleo_cli.network.manifest import where as rule_path
from tests.unit.workflows.fake_cluster import FakeCluster


def secret(app: str, namespace: str, version: int, status: str, values: Mapping[str, Any], **given: Any) -> Json:
    """The Secret of one revision."""
    payload = {
        "name": app,
        "namespace": namespace,
        "version": version,
        "config": values,
        "info": {
            "status": status,
            "description": given.get("description", ""),
            "last_deployed": "2026-01-02T03:04:05.000000006Z",
        },
        "chart": {"metadata": {"name": "app", "version": "0.1.0"}},
    }
    packed = base64.b64encode(gzip.compress(json.dumps(payload).encode()))
    own = {"owner": "helm", "name": app, "version": str(version), "status": status}
    return {
        "metadata": {"name": f"sh.helm.release.v1.{app}.v{version}", "labels": {**given.get("labels", {}), **own}},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }


class FakeHelm(Helm):
    """`calls` are what it was asked; `trouble` is taken by the next calls, in order.

    fail: the release is recorded as failed; refuse: nothing is written; die: it stays pending before any object was
    written, die late: after that; nothing: all is said to be well, but nothing is written; an exception is raised after
    the work was done.
    """

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__(Path("helm"), "test")
        self.cluster = cluster
        self.calls: list[tuple[Any, ...]] = []
        self.trouble: list[str | BaseException] = []
        self.keep = 20

    def upgrade(
        self,
        name: str,
        chart: Path,
        namespace: str,
        values: Mapping[str, Any],
        *,
        description: str = "",
        labels: Mapping[str, str] | None = None,
        history_max: int = 20,
        dry_run: bool = False,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.calls.append(("upgrade", name, description))
        plain: Json = json.loads(json.dumps(values))
        before = self.revisions(name, namespace)
        kind = "upgrade" if before else "install"
        given = {**(before[-1].labels if before else {}), **(labels or {"nucleo.io/app": name})}
        self._write(name, namespace, plain, f"pending-{kind}", given, description)

    def rollback(self, name: str, namespace: str, revision: int, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.calls.append(("rollback", name, revision))
        source = next((each for each in self.revisions(name, namespace) if each.version == revision), None)
        if source is None:
            raise NotFound(f"release has no {revision} version")
        said = f"Rollback to {revision}"
        self._write(name, namespace, dict(source.values), "pending-rollback", dict(source.labels), said)

    def uninstall(self, name: str, namespace: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.calls.append(("uninstall", name))
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble in ("fail", "refuse"):
            raise NucleoError("helm failed: uninstall")
        if not self.revisions(name, namespace):
            raise NotFound("release: not found")
        for kind, api in (("deployments", "apps/v1"), ("horizontalpodautoscalers", "autoscaling/v2")):
            self._remove(path(api, kind, namespace), f"nucleo.io/app={name}")
        self._remove(path("v1", "secrets", namespace), f"owner=helm,name={name}")

    def revisions(self, name: str, namespace: str) -> list[Revision]:
        where = path("v1", "secrets", namespace)
        found = [decode(each) for each in self.cluster.items(where, labelSelector=f"owner=helm,name={name}")]
        return sorted(found, key=lambda each: each.version)

    def record(
        self, app: str, namespace: str, version: int, status: str, values: Mapping[str, Any], **more: Any
    ) -> None:
        """Puts a revision there as if an earlier helm had."""
        body = secret(app, namespace, version, status, values, **more)
        where = path("v1", "secrets", namespace)
        key = f"{where}/{body['metadata']['name']}"
        if key in self.cluster.objects:
            self.cluster.replace(key, body)
        else:
            self.cluster.create(where, body)

    def _write(
        self, name: str, namespace: str, values: Json, pending: str, given: dict[str, str], description: str
    ) -> None:
        trouble = self.trouble.pop(0) if self.trouble else ""
        before = self.revisions(name, namespace)
        if before and before[-1].pending:
            raise Conflict("another operation (install/upgrade/rollback) is in progress")
        if trouble == "refuse":
            raise NucleoError("helm failed: refused")
        if trouble == "nothing":
            return
        version = before[-1].version + 1 if before else 1
        self.record(name, namespace, version, pending, values, labels=given, description=description)
        if trouble == "die":
            raise NucleoError("helm failed: signal: killed")
        self._objects(name, namespace, values)
        if trouble == "die late":
            raise NucleoError("helm failed: signal: killed")
        if trouble == "fail":
            self.record(name, namespace, version, FAILED, values, labels=given, description="failed")
            raise NucleoError("helm failed: it did not work")
        self._deployed(before)
        self.record(name, namespace, version, DEPLOYED, values, labels=given, description=description)
        if isinstance(trouble, BaseException):
            raise trouble

    def _deployed(self, before: list[Revision]) -> None:
        for each in before:
            if each.status == DEPLOYED:
                self._supersede(each)
        for each in before[: max(0, len(before) + 1 - self.keep)]:
            name = f"sh.helm.release.v1.{each.app}.v{each.version}"
            self.cluster.delete(path("v1", "secrets", each.namespace, name))

    def _supersede(self, each: Revision) -> None:
        more = {"labels": each.labels, "description": each.description}
        self.record(each.app, each.namespace, each.version, SUPERSEDED, each.values, **more)

    def _objects(self, app: str, namespace: str, values: Json) -> None:
        for process, wanted in values.get("processes", {}).items():
            body = deployment(app, namespace, process, values, wanted)
            where = path("apps/v1", "deployments", namespace)
            key = f"{where}/{body['metadata']['name']}"
            if key in self.cluster.objects:
                self.cluster.patch(key, body)
            else:
                body["spec"].setdefault("replicas", 1)
                self.cluster.create(where, body)

        for each in values.get("network", {}).get("objects", ()):
            key = rule_path(each)
            if key not in self.cluster.objects:
                self.cluster.create(key.rpartition("/")[0], each)

    def _remove(self, where: str, selector: str) -> None:
        for item in self.cluster.items(where, labelSelector=selector):
            self.cluster.delete(f"{where}/{item['metadata']['name']}")


def deployment(app: str, namespace: str, process: str, values: Json, wanted: Json) -> Json:
    """What the chart makes of a process, as far as Nucleo looks at it."""
    own = {"nucleo.io/app": app, "nucleo.io/process": process}
    container: Json = {
        "name": process,
        "image": f"{values['image']['repository']}@{values['image']['digest']}",
        "env": [{"name": name, "value": value} for name, value in values.get("config", {}).items()],
        "envFrom": [{"secretRef": {"name": values["secret"]["name"]}}] if values.get("secret", {}).get("name") else [],
        "resources": wanted.get("resources", {}),
        "ports": [{"name": each["name"], "containerPort": each["port"]} for each in wanted.get("ports", [])],
    }
    spec: Json = {"template": {"metadata": {"labels": own}, "spec": {"containers": [container]}}}
    if "replicas" in wanted:
        spec["replicas"] = wanted["replicas"]
    return {"metadata": {"name": f"{app}-{process}", "namespace": namespace, "labels": own}, "spec": spec}


def claims(secret: Json) -> tuple[str, str]:
    """Status by payload and by label: both must agree."""
    return decode(secret).status, labels(secret)["status"]

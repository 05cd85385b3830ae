"""A cluster of one node, with a helm that does at once what the controller of DaemonSets and the node do in a while."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.builder import agent as image
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.documents import Json
from nucleo_cli.domain.events import Work
from nucleo_cli.workflows import agent
from nucleo_cli.workflows.agent import install, uninstall
from nucleo_cli.workflows.tools import Tools
from tests.unit.workflows.fake_cluster import FakeCluster
from tests.unit.workflows.fake_helm import FakeHelm
from tests.unit.workflows.steps import Ran, attempt

IMAGE = Image("r.example/platforms/agent", f"sha256:{'a' * 64}", ("amd64",))
CRDS = path("apiextensions.k8s.io/v1", "customresourcedefinitions")
SETS, PODS = path("apps/v1", "daemonsets", "nucleo-system"), path("v1", "pods", "nucleo-system")
NAMESPACE = path("v1", "namespaces", name="nucleo-system")
READY: Json = {"conditions": [{"type": "Ready", "status": "True"}]}
NO_BPF = "OCI runtime create failed: unable to apply caps: operation not permitted: unknown"
REFUSED: Json = {
    "containerStatuses": [
        {"name": "agent", "state": {"terminated": {"reason": "StartError", "exitCode": 128, "message": NO_BPF}}}
    ]
}

Fate = Callable[[Mapping[str, Any]], Json]


class AgentHelm(FakeHelm):
    """`fate` makes of the values what a pod's status then is; `values` are those of each upgrade."""

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__(cluster)
        self.fate: Fate = lambda _values: READY
        self.values: list[Json] = []

    def _objects(self, app: str, namespace: str, values: Json) -> None:
        self.values.append(values)
        where = f"{SETS}/{app}"
        generation = str(len(self.values))
        body: Json = {
            "metadata": {"name": app, "annotations": {"deprecated.daemonset.template.generation": generation}},
            "spec": values,
        }
        if where in self.cluster.objects:
            self.cluster.replace(where, body)
        else:
            self.cluster.create(SETS, body)
        status = self.fate(values)
        ready = int(status == READY)
        own = {"app.kubernetes.io/name": app, "pod-template-generation": generation}
        pod: Json = {"metadata": {"name": "pod", "labels": own}, "spec": {"nodeName": "a"}, "status": status}
        if f"{PODS}/pod" in self.cluster.objects:
            self.cluster.replace(f"{PODS}/pod", pod)
        else:
            self.cluster.create(PODS, pod)
        observed = self.cluster.get(where)["metadata"]["generation"]
        counts = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": ready}
        self.cluster.patch(where, {"status": {"observedGeneration": observed, **counts}})

    def uninstall(self, name: str, namespace: str, **options: Any) -> None:
        super().uninstall(name, namespace, **options)
        self.cluster.delete(f"{SETS}/{name}")


class Ground:
    """The cluster, helm, and what is done to them."""

    def __init__(self) -> None:
        self.cluster = FakeCluster("nucleo-system")
        self.helm = AgentHelm(self.cluster)
        self.tools = Tools(self.cluster, lambda: self.helm, lambda: None, lambda _: None)  # type: ignore[arg-type,return-value]
        self.made = True
        self.node("a", "6.1.0-13-amd64")
        self.configure()
        self.cluster.controllers.append(self.establish)

    def node(self, name: str, kernel: str) -> None:
        body: Json = {"metadata": {"name": name}, "status": {"nodeInfo": {"kernelVersion": kernel}}}
        self.cluster.create(path("v1", "nodes"), body)

    def configure(self, **data: str) -> None:
        where = path("v1", "configmaps", "nucleo-system")
        body: Json = {"metadata": {"name": "nucleo"}, "data": {"registry-push": "r.example", **data}}
        if f"{where}/nucleo" in self.cluster.objects:
            self.cluster.replace(f"{where}/nucleo", body)
        else:
            self.cluster.create(where, body)

    def establish(self, key: str, item: Json) -> None:
        """What the API server does with a CRD."""
        if key.startswith(CRDS) and not item.get("status"):
            self.cluster.patch(key, {"status": {"conditions": [{"type": "Established", "status": "True"}]}})

    def rule(self, app: str, mode: str = "Enforce") -> None:
        """An AppNetwork."""
        self.cluster.create(path("v1", "namespaces"), {"metadata": {"name": app}})
        body: Json = {"metadata": {"name": app}, "spec": {"mode": mode}}
        self.cluster.create(path("nucleo.io/v1alpha1", "appnetworks", app), body)

    def install(self, timeout: float | None = None) -> Ran:
        return attempt(install(self.tools, timeout))

    def uninstall(self) -> Ran:
        return attempt(uninstall(self.tools))


def make_ground(patch: pytest.MonkeyPatch) -> Ground:
    """One whose image is made at once, and where nobody waits long."""
    found = Ground()

    def build(*_: Any) -> Work[tuple[Image, bool]]:
        yield from ()
        return IMAGE, found.made

    patch.setattr(image, "build", build)
    patch.setattr(agent, "_PAUSE_SECONDS", 0.001)
    return found

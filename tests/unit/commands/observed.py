"""The command line on a cluster of canned answers: enough for the commands that only look."""

import io
from functools import cached_property
from typing import Any

from nucleo_cli.context import Context
from nucleo_cli.errors import NotFound, Unreachable
from nucleo_cli.main import run
from nucleo_cli.terminal.terminal import Terminal
from tests.unit.commands.fake_program import Answer

Json = dict[str, Any]


class Canned:
    """A cluster that answers each path with a document, a list of items, or an error."""

    context = "test"
    server = "https://test:6443"

    def __init__(self, answers: Json) -> None:
        self.answers = answers

    def get(self, path: str, **query: Any) -> Json:
        found = self._answer(path)
        return {"metadata": {"resourceVersion": "1"}, "items": found} if isinstance(found, list) else found

    def items(self, path: str, **query: Any) -> list[Json]:
        return self._answer(path)

    metadata = items

    def create(self, path: str, body: Json, **query: Any) -> Json:
        return self._answer(path)

    def server_time(self) -> float:
        return self.answers["time"]

    def certificate_days(self) -> float | None:
        return self.answers.get("days")

    def _answer(self, path: str) -> Any:
        if path not in self.answers:
            raise NotFound(f"nothing at {path}", details={"status": 404})
        if isinstance(found := self.answers[path], Exception):
            raise found
        return found


def answer(cluster: Any, *argv: str) -> Answer:
    """Runs one command line on the cluster."""
    out, err = io.StringIO(), io.StringIO()

    class Here(Context):
        @cached_property
        def terminal(self) -> Terminal:
            chosen = self.options
            return Terminal(
                machine=chosen.json, quiet=chosen.quiet, color=False, stdin=io.StringIO(), stdout=out, stderr=err
            )

        @cached_property
        def cluster(self) -> Any:
            return cluster

        @cached_property
        def engine(self) -> Any:
            raise Unreachable("there is no container engine")

    return Answer(run(argv, Here()), out.getvalue(), err.getvalue())


def pod(name: str, process: str = "web", **changed: Any) -> Json:
    """A pod that runs and is ready; `changed` replaces parts of its status."""
    status: Json = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {"name": process, "ready": True, "restartCount": 2, "state": {"running": {}}, "containerID": "c1"}
        ],
    }
    resources = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"memory": "200Mi"}}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"nucleo.io/app": "shop", "nucleo.io/process": process},
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": process, "image": "shop@sha256:1", "resources": resources}],
        },
        "status": {**status, **changed},
    }


def deployment(process: str = "web", replicas: int = 1, ready: int = 1) -> Json:
    """A Deployment of the app shop."""
    return {
        "metadata": {
            "name": f"shop-{process}",
            "namespace": "shop",
            "labels": {"nucleo.io/app": "shop", "nucleo.io/process": process},
        },
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": process, "image": "shop@sha256:1"}]}},
        },
        "status": {"readyReplicas": ready},
    }


PODS = "/api/v1/namespaces/shop/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"

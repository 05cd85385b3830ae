"""nucleo destroy: removes the app and everything that belongs to it."""

import time
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json, labels
from nucleo_cli.domain.events import Work
from nucleo_cli.domain.labels import of_app
from nucleo_cli.errors import NotAllowed, NotFound
from nucleo_cli.workflows.dns import published, withdraw
from nucleo_cli.workflows.history import forget_gone, read_history
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.phases import Phase
from nucleo_cli.workflows.secrets import delete_secret
from nucleo_cli.workflows.settings import read_settings

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.workflows.tools import Tools

_GONE_SECONDS = 60.0
_LOOKED_FOR = (
    ("coordination.k8s.io/v1", "leases"),
    ("v1", "persistentvolumeclaims"),
    ("v1", "pods"),
    ("v1", "secrets"),
    ("v1", "configmaps"),
    ("v1", "services"),
    ("apps/v1", "deployments"),
    ("apps/v1", "statefulsets"),
    ("apps/v1", "daemonsets"),
    ("batch/v1", "cronjobs"),
)
# A lock says that somebody is at work, and data is never removed by the way.
_NEVER_LEFT_OVER = frozenset({"leases", "persistentvolumeclaims"})


def destroy(tools: "Tools", target: Target) -> Work[dict[str, Any]]:
    """Removes the release, its secrets, and the namespace when Nucleo made it and nothing else is in it.

    Returns the JSON of `nucleo destroy`. Raises NotFound when there is nothing to remove.
    """
    phase = Phase("destroy")
    yield phase.start(f"{target.app} in namespace {target.namespace}")
    if not _exists(tools.cluster, target):
        # A destroy that was killed after its last Secret, or a first deploy that never came to a release.
        if _remove_namespace(tools.cluster, target):
            yield phase.end("its namespace was all that was left")
            return {"app": target.app, "namespace": target.namespace, "namespace_removed": True}
        raise NotFound(f'no app "{target.app}" in namespace "{target.namespace}"', "nucleo apps lists what is there")
    with (yield from acquire(tools.cluster, target)):
        if published(tools.cluster, target) is not None:
            yield from withdraw(tools.cluster, target, read_settings(tools.cluster))
        if forget_gone(tools.cluster, read_history(tools.cluster, target)).revisions:
            tools.helm().uninstall(target.app, target.namespace)
        for secret in _secrets(tools.cluster, target):
            delete_secret(tools.cluster, target, secret)
    removed = _remove_namespace(tools.cluster, target)
    yield phase.end("its namespace too" if removed else "")
    return {"app": target.app, "namespace": target.namespace, "namespace_removed": removed}


def _exists(cluster: "Cluster", target: Target) -> bool:
    return bool(
        read_history(cluster, target).revisions or _secrets(cluster, target) or published(cluster, target) is not None
    )


def _secrets(cluster: "Cluster", target: Target) -> list[str]:
    selector = f"nucleo.io/secret,{of_app(target.app)}"
    found = cluster.items(path("v1", "secrets", target.namespace), labelSelector=selector)
    return [secret["metadata"]["name"] for secret in found]


def _remove_namespace(cluster: "Cluster", target: Target) -> bool:
    where = path("v1", "namespaces", name=target.namespace)
    try:
        ours = labels(cluster.get(where)).get("app.kubernetes.io/managed-by") == "nucleo"
        if not ours or _others(cluster, target):
            return False
        cluster.delete(where)
    except (NotAllowed, NotFound):
        return False
    return _wait_until_gone(cluster, where)


def _others(cluster: "Cluster", target: Target) -> bool:
    """Whether anything but this app's leftovers lives in the namespace."""
    for api, kind in _LOOKED_FOR:
        found = cluster.items(path(api, kind, target.namespace))
        if kind in _NEVER_LEFT_OVER and found:
            return True
        if not all(_is_left_over(item, target) for item in found):
            return True
    return False


def _is_left_over(item: Json, target: Target) -> bool:
    own = labels(item)
    ours = own.get("nucleo.io/app") == target.app and own.get("owner") != "helm"
    # Kubernetes itself puts these into every namespace.
    return ours or item["metadata"]["name"] in ("kube-root-ca.crt", "kubernetes")


def _wait_until_gone(cluster: "Cluster", where: str) -> bool:
    deadline = time.monotonic() + _GONE_SECONDS
    while time.monotonic() < deadline:
        try:
            cluster.get(where)
        except NotFound:
            return True
        time.sleep(0.2)
    return False

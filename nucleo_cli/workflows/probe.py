"""Is a NetworkPolicy enforced here? A cluster takes every one, whether or not something acts on it: it is tried."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.documents import Json, part, parts
from nucleo_cli.domain.labels import APP
from nucleo_cli.errors import NotFound, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

_STARTS_WITHIN = 5.0
_CLOSES_WITHIN = 3.0
_PAUSE_SECONDS = 0.2
# Opens connections to the cluster's DNS, again and again, and says how each ended.
_SCRIPT = """
end=$((SECONDS + 30))
while [ $SECONDS -lt $end ]; do
  if timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/53"' "$1" 2>/dev/null; then echo open; else echo closed; fi
  sleep 0.1
done
"""


def enforces_policies(cluster: Cluster) -> bool | None:
    """Whether a pod that no policy lets out is kept in; None where there is nothing to try it with.

    Makes a namespace with one pod in it, of an image that the cluster has, and removes both.
    """
    image, address = _image(cluster), _dns(cluster)
    if image is None or address is None:
        return None
    with _namespace(cluster) as namespace:
        cluster.create(path("v1", "pods", namespace), _pod(image, address))
        if not _says(cluster, namespace, "open", _STARTS_WITHIN):
            return None
        cluster.create(path("networking.k8s.io/v1", "networkpolicies", namespace), _policy())
        return _says(cluster, namespace, "closed", _CLOSES_WITHIN)


def _image(cluster: Cluster) -> str | None:
    """Of an app that runs: it has a shell, and the nodes can pull it."""
    for pod in cluster.items(path("v1", "pods"), labelSelector=APP):
        if part(pod, "status").get("phase") == "Running":
            return str(parts(pod, "spec", "containers")[0]["image"])
    return None


def _dns(cluster: Cluster) -> str | None:
    try:
        return part(cluster.get(path("v1", "services", "kube-system", "kube-dns")), "spec").get("clusterIP")
    except NotFound:
        return None


@contextmanager
def _namespace(cluster: Cluster) -> Generator[str]:
    name = f"nucleo-probe-{token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.create(path("v1", "namespaces"), {"metadata": {"name": name, "labels": labels}})
    try:
        yield name
    finally:
        with suppress(NucleoError):
            cluster.delete(path("v1", "namespaces", name=name))


def _pod(image: str, address: str) -> Json:
    container = {
        "name": "probe",
        "image": image,
        "command": ["bash", "-c", _SCRIPT, "probe", address],
        "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "metadata": {"name": "probe"},
        "spec": {
            "containers": [container],
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }


def _policy() -> Json:
    return {"metadata": {"name": "nobody"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}


def _says(cluster: Cluster, namespace: str, word: str, seconds: float) -> bool:
    """Whether this is the last that the pod says, before so many seconds are over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(NucleoError), cluster.stream(path("v1", "pods", namespace, "probe", "log")) as chunks:
            if b"".join(chunks).decode("utf-8", "replace").split()[-1:] == [word]:
                return True
        time.sleep(_PAUSE_SECONDS)
    return False

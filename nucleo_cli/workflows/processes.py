"""The app's processes and their pods: what `ps` shows, and what the commands that act on pods choose from."""

from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import labels, pods
from nucleo_cli.domain.app import Target
from nucleo_cli.errors import NotFound

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

Json = dict[str, Any]


def read_processes(cluster: "Cluster", target: Target) -> Json:
    """The JSON of `nucleo ps`. NotFound when the app has no process in its namespace."""
    deployments = read_deployments(cluster, target)
    by_process: dict[str, list[Json]] = {}
    for pod in read_pods(cluster, target):
        by_process.setdefault(pods.process(pod), []).append(pod)
    names = sorted({_process(each) for each in deployments} | set(by_process), key=_web_first)
    return {
        "app": target.app,
        "processes": [_entry(name, _named(deployments, name), by_process.get(name, [])) for name in names],
    }


def read_deployments(cluster: "Cluster", target: Target) -> list[Json]:
    """The Deployments of the app's processes; NotFound when there are none."""
    found = cluster.items(
        path("apps/v1", "deployments", target.namespace), labelSelector=labels.of_processes(target.app)
    )
    if not found:
        raise no_app(target)
    return found


def read_pods(cluster: "Cluster", target: Target, process: str | None = None) -> list[Json]:
    """The pods of the app's processes, oldest first; those of one-off commands are left out."""
    found = cluster.items(path("v1", "pods", target.namespace), labelSelector=labels.of_processes(target.app, process))
    return sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pods.name(pod)))


def check_process(deployments: list[Json], target: Target, process: str | None) -> None:
    """NotFound, naming the processes there are, when the app has no such process."""
    known = sorted(map(_process, deployments), key=_web_first)
    if process is not None and process not in known:
        raise NotFound(f'"{target.app}" has no process "{process}"', f"it has {', '.join(known)}", {"processes": known})


def no_app(target: Target) -> NotFound:
    """The error of every command about an app that is not there."""
    return NotFound(
        f'no app "{target.app}" is deployed in namespace "{target.namespace}"',
        "nucleo deploy releases it; nucleo apps lists what is there",
    )


def _entry(name: str, deployment: Json | None, of_process: list[Json]) -> Json:
    return {
        "name": name,
        "desired": deployment["spec"].get("replicas", 1) if deployment else 0,
        "ready": sum(pods.ready(pod) for pod in of_process),
        "pods": [_pod(pod, name) for pod in of_process],
    }


def _pod(pod: Json, process: str) -> Json:
    containers: list[Json] = pod["spec"].get("containers") or []
    own = next((each for each in containers if each["name"] == process), containers[0] if containers else {})
    return {
        "name": pods.name(pod),
        "status": pods.status(pod),
        "ready": pods.ready(pod),
        "restarts": pods.restarts(pod),
        "age_seconds": pods.age(pod),
        "node": pod["spec"].get("nodeName"),
        "image": own.get("image"),
    }


def _process(deployment: Json) -> str:
    return str(deployment["metadata"]["labels"][labels.PROCESS])


def _named(deployments: list[Json], name: str) -> Json | None:
    return next((each for each in deployments if _process(each) == name), None)


def _web_first(name: str) -> tuple[bool, str]:
    return name != "web", name

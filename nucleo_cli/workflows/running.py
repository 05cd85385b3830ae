"""Commands inside of running pods."""

from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import pods
from nucleo_cli.domain.app import WEB, Target
from nucleo_cli.domain.documents import parts
from nucleo_cli.errors import NotFound, Unreachable
from nucleo_cli.workflows.attach import Conversation, Local, exit_code
from nucleo_cli.workflows.processes import check_process, read_deployments, read_pods

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

Json = dict[str, Any]


def choose_pod(cluster: "Cluster", target: Target, process: str | None = None, name: str | None = None) -> Json:
    """A running pod: the one named (in full or by its last part), else the newest ready one of the process (web).

    NotFound when there is none, with what there is.
    """
    found = read_pods(cluster, target, process)
    running = [pod for pod in found if any("running" in each.get("state", {}) for each in pods.containers(pod))]
    if name is not None:
        running = [pod for pod in running if name in (pods.name(pod), pods.name(pod).rpartition("-")[2])]
    elif process is None:
        running = [pod for pod in running if pods.process(pod) == WEB] or running
    if running:
        return max(running, key=lambda pod: (pods.ready(pod), pod["metadata"]["creationTimestamp"]))
    if not found:
        check_process(read_deployments(cluster, target), target, process)
    raise _none(target, found, name)


def _none(target: Target, found: list[Json], name: str | None) -> NotFound:
    states = [f"{pods.name(pod)} ({pods.status(pod)})" for pod in found]
    which = f'"{name}" is no running pod of {target.app}' if name else f"{target.app} has no running pod"
    hint = f"it has {', '.join(states)}" if states else "nucleo run starts a pod of its own; nucleo ps shows the scale"
    return NotFound(which, hint, {"pods": [pods.name(pod) for pod in found]})


def execute(cluster: "Cluster", pod: Json, command: list[str], local: Local) -> int:
    """Runs a command in the pod's own container; its exit code. Unreachable when the connection breaks."""
    container = own_container(pod)
    query = [
        ("container", container),
        ("stdin", _word(local.stdin is not None)),
        ("stdout", "true"),
        ("stderr", _word(not local.tty)),
        ("tty", _word(local.tty)),
        *(("command", each) for each in command),
    ]
    where = path("v1", "pods", pod["metadata"]["namespace"], pods.name(pod), "exec")
    status = Conversation(cluster.websocket(where, query), local).hold()
    if status is None:
        raise Unreachable(
            f"the connection to {pods.name(pod)} broke while the command ran",
            "nucleo ps shows whether the pod is still there",
        )
    return exit_code(status)


def own_container(pod: Json) -> str:
    """The container of the process, which has its name; else the first one."""
    names = [each["name"] for each in parts(pod, "spec", "containers")]
    process = pods.process(pod)
    return process if process in names else names[0]


def _word(value: bool) -> str:
    return "true" if value else "false"

"""What a pod's own JSON says about it, in the words that `kubectl get pods` uses."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nucleo_cli.domain import labels
from nucleo_cli.domain.documents import part, parts

Json = Mapping[str, Any]


def name(pod: Json) -> str:
    return str(pod["metadata"]["name"])


def process(pod: Json) -> str:
    """The process it belongs to; "" for a one-off command."""
    return str(part(pod, "metadata", "labels").get(labels.PROCESS, ""))


def containers(pod: Json) -> Sequence[Json]:
    """The statuses of its containers; empty before the node has taken it."""
    return parts(pod, "status", "containerStatuses")


def container(pod: Json, of: str) -> Json:
    """The status of one container; empty before it has one."""
    empty: Json = {}
    return next((each for each in containers(pod) if each["name"] == of), empty)


def ready(pod: Json) -> bool:
    """Whether it takes traffic: the condition Ready, and not being deleted."""
    conditions = parts(pod, "status", "conditions")
    holds = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return holds and "deletionTimestamp" not in pod["metadata"]


def restarts(pod: Json) -> int:
    return sum(each.get("restartCount", 0) for each in containers(pod))


def finished(pod: Json) -> bool:
    """Whether none of its containers will run again."""
    return part(pod, "status").get("phase") in ("Succeeded", "Failed")


def age(pod: Json, now: datetime | None = None) -> int:
    """Seconds since it was made."""
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
    return max(0, int(((now or datetime.now(UTC)) - created).total_seconds()))


def status(pod: Json) -> str:
    """One word: Running, CrashLoopBackOff, ContainerCreating, Init:0/1, Terminating, Completed …"""
    found = part(pod, "status")
    if "deletionTimestamp" in pod["metadata"] and found.get("phase") not in ("Succeeded", "Failed"):
        return "Unknown" if found.get("reason") == "NodeLost" else "Terminating"
    word = _initializing(pod) or _of_containers(pod)
    return word or str(found.get("reason") or found.get("phase") or "Unknown")


def _initializing(pod: Json) -> str:
    statuses = parts(pod, "status", "initContainerStatuses")
    total = len(parts(pod, "spec", "initContainers") or statuses)
    for index, each in enumerate(statuses):
        if word := _init_word(each, index, total):
            return f"Init:{word}"
    return ""


def _init_word(each: Json, index: int, total: int) -> str:
    state = part(each, "state")
    if "terminated" in state:
        ended = part(state, "terminated")
        return "" if ended.get("exitCode") == 0 else _ended(ended)
    if each.get("started") and "running" in state and each.get("ready"):
        return ""  # a sidecar: it keeps running beside the others
    reason = str(part(state, "waiting").get("reason", ""))
    return reason if reason not in ("", "PodInitializing") else f"{index}/{total}"


def _of_containers(pod: Json) -> str:
    words = [word for each in containers(pod) if (word := _word(each))]
    running = any(each.get("ready") and "running" in part(each, "state") for each in containers(pod))
    if not words:
        return ""
    if words[0] == "Completed" and running:
        return "Running" if ready(pod) else "NotReady"
    return words[0]


def _word(each: Json) -> str:
    state = part(each, "state")
    if reason := part(state, "waiting").get("reason"):
        return str(reason)
    return _ended(part(state, "terminated")) if "terminated" in state else ""


def _ended(terminated: Json) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"

"""What is certainly wrong with a pod, and what to do about it. Rows of data, read top to bottom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nucleo_cli.domain.documents import Json, part, parts

UNSCHEDULABLE_SECONDS = 15.0

# The container that a pod begins with where Nucleo's agent enforces rules; the chart names it.
RULES_CONTAINER = "network"


@dataclass(frozen=True, slots=True)
class Failure:
    """A certain failure. `previous` says whose log explains it: that of the container before its last restart."""

    reason: str
    summary: str
    hint: str
    pod: str = ""
    container: str = ""
    previous: bool = False


# Why a container waits, as the kubelet says it. {message} is the kubelet's own sentence.
_WAITING: Mapping[str, tuple[str, str]] = {
    "ImagePullBackOff": ("the image cannot be pulled: {message}", "nucleo doctor checks the registry and the nodes"),
    "ErrImageNeverPull": ("the image is not on the node", "nucleo doctor checks the registry and the nodes"),
    "InvalidImageName": ("the image's name is invalid: {message}", "nucleo cluster status shows the registry setting"),
    "CreateContainerConfigError": (
        "the container cannot be configured: {message}",
        "nucleo config list shows what is set",
    ),
    "CreateContainerError": ("the container cannot be created: {message}", "check cmd.start in nucleo.yml"),
    "RunContainerError": ("the container cannot be started: {message}", "check cmd.start in nucleo.yml"),
    "StartError": ("the container cannot be started: {message}", "check cmd.start in nucleo.yml"),
    "PreStartHookError": ("a start hook failed: {message}", "the last lines of its log are above"),
}

# Why a container that is tried again and again never ran at all.
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})

# What an exit code of a crashing start command means; 128 and more are signals.
_EXITS: Mapping[int, tuple[str, str]] = {
    0: (
        "it ended by itself (exit code 0), but a process has to keep running",
        "check cmd.start: does it go to the background?",
    ),
    126: ("its start command is not executable (exit code 126)", "chmod +x the script that cmd.start names"),
    127: ("its start command was not found (exit code 127)", "check cmd.start, and that its package is a dependency"),
    137: (
        "it was killed (signal 9)",
        "nucleo metrics shows its memory; resources.memory in nucleo.yml raises the limit",
    ),
    139: ("it crashed (signal 11, segmentation fault)", "the last lines of its log are above"),
    143: ("it was told to stop (signal 15) and did", "the last lines of its log are above"),
}


def diagnose(pod: Mapping[str, Any], age: float) -> Failure | None:
    """The failure of a pod of a rollout, or None while it may still become healthy. `age` in seconds."""
    found = _pod_failure(pod, age) or next(
        (failure for status in _statuses(pod) if (failure := _container_failure(pod, status))), None
    )
    return replace(found, pod=pod["metadata"]["name"]) if found else None


def _pod_failure(pod: Mapping[str, Any], age: float) -> Failure | None:
    status = part(pod, "status")
    reason = str(status.get("reason", ""))
    if reason == "SysctlForbidden":
        return Failure(
            reason,
            f"the node forbids a sysctl of `kernel`: {status.get('message', '')}",
            "the kubelet's allowedUnsafeSysctls has to list it; or take it out of kernel in nucleo.yml",
        )
    if status.get("phase") == "Failed" and reason in (
        "UnexpectedAdmissionError",
        "NodeAffinity",
        "OutOfcpu",
        "OutOfmemory",
    ):
        return Failure(
            reason, f"the node refused the pod: {status.get('message', reason)}", "lower resources in nucleo.yml"
        )
    for condition in parts(status, "conditions"):
        waiting = condition.get("type") == "PodScheduled" and condition.get("status") == "False"
        if waiting and condition.get("reason") == "Unschedulable" and age > UNSCHEDULABLE_SECONDS:
            return Failure(
                "Unschedulable",
                f"no node has room for it: {condition.get('message', '')}",
                "lower resources in nucleo.yml, or add a node",
            )
    return None


def _statuses(pod: Mapping[str, Any]) -> list[Json]:
    return parts(pod, "status", "initContainerStatuses") + parts(pod, "status", "containerStatuses")


def _container_failure(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Failure | None:
    name = status["name"]
    waiting = part(status, "state", "waiting")
    ended = part(status, "state", "terminated") or part(status, "lastState", "terminated")
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod, name)
        return Failure(
            "OOMKilled",
            f"it used more memory than its limit{f' of {limit}' if limit else ''} and was killed",
            "raise resources.memory in nucleo.yml",
            container=name,
            previous="terminated" not in part(status, "state"),
        )
    reason = waiting.get("reason", "")
    if reason == "CrashLoopBackOff" and ended.get("reason") in _NOT_STARTED:
        said = str(ended.get("message", "")).strip() or reason
        return Failure(
            "StartError", f"the container cannot be started: {said}", "check cmd.start in nucleo.yml", container=name
        )
    if reason == "CrashLoopBackOff":
        summary, hint = _exit(int(ended.get("exitCode", 1)))
        return Failure(reason, summary, hint, container=name, previous=True)
    if reason == "ErrImagePull" and re.search(r"not found|unauthorized|denied|forbidden", waiting.get("message", "")):
        reason = "ImagePullBackOff"
    if row := _WAITING.get(reason):
        summary = row[0].format(message=waiting.get("message", "").strip() or reason)
        return Failure(reason, summary, row[1], container=name)
    return None


def waits_for_rules(pod: Mapping[str, Any]) -> bool:
    """Whether the app's containers are held back until the rules of their pod are attached."""
    statuses = parts(pod, "status", "initContainerStatuses")
    return any(each["name"] == RULES_CONTAINER and "running" in part(each, "state") for each in statuses)


def no_rules(pod: Mapping[str, Any]) -> Failure:
    """The failure of a pod whose rules nobody attaches."""
    return Failure(
        "RulesNotAttached",
        "its network rules are not attached: Nucleo's agent on its node does not answer",
        "look at the agent's pods in the namespace nucleo-system",
        pod=pod["metadata"]["name"],
        container=RULES_CONTAINER,
    )


def _exit(code: int) -> tuple[str, str]:
    return _EXITS.get(code, (f"it exits at once with code {code}", "the last lines of its log, above, say why"))


def _memory_limit(pod: Mapping[str, Any], container: str) -> str:
    for each in parts(pod, "spec", "containers"):
        if each["name"] == container:
            return str(part(each, "resources", "limits").get("memory", ""))
    return ""


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket that accepts connections."""

    port: int
    loopback: bool


_LOCAL = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})")


def listeners(table: str) -> frozenset[Listener]:
    """The listening sockets of /proc/net/tcp and /proc/net/tcp6, as printed by the kernel.

    https://docs.kernel.org/networking/proc_net_tcp.html
    """
    found: set[Listener] = set()
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A" and (local := _LOCAL.fullmatch(fields[1])):
            found.add(Listener(int(local[2], 16), _is_loopback(local[1])))
    return frozenset(found)


def _is_loopback(address: str) -> bool:
    # Words of 32 bits in the machine's own order: 127.0.0.1 and ::1, and ::ffff:127.0.0.1.
    return (
        address.endswith("7F")
        if len(address) == 8
        else address in (f"{'0' * 24}01000000", f"{'0' * 16}FFFF00000100007F")
    )


def wrong_port(found: frozenset[Listener], expected: int) -> Failure | None:
    """The failure of an app that listens, but not where nucleo.yml says; None while it does not listen at all."""
    if not found or Listener(expected, False) in found:
        return None
    if Listener(expected, True) in found:
        return Failure(
            "LoopbackOnly",
            f"it listens on 127.0.0.1:{expected} only, where nobody outside of the pod can reach it",
            f"make it listen on 0.0.0.0:{expected}",
        )
    ports = ", ".join(str(each.port) for each in sorted(found, key=lambda each: each.port))
    return Failure(
        "WrongPort",
        f"it listens on port {ports}, but nucleo.yml says {expected}",
        f'make it listen on $PORT, or write ports: ["{min(each.port for each in found)}:80"] in nucleo.yml',
    )

"""Nucleo's agent on a cluster: installing or upgrading it, and removing it with all that it has put into the kernel."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from nucleo_cli import assets
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.documents import Json, annotations, number, part, parts
from nucleo_cli.domain.events import Notice, PodChanged, Warned, Work
from nucleo_cli.errors import Conflict, NotFound, NucleoError, RolloutFailed
from nucleo_cli.workflows.build import registry_settings
from nucleo_cli.workflows.diagnosis import diagnose
from nucleo_cli.workflows.history import read_history, recover
from nucleo_cli.workflows.lease import HeldLease, acquire
from nucleo_cli.workflows.phases import Phase
from nucleo_cli.workflows.rollout import last_lines
from nucleo_cli.workflows.settings import AGENT, NAMESPACE, OF_AGENT, with_back_end

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.workflows.tools import Tools

TARGET = Target(AGENT, NAMESPACE)
CRD = "appnetworks.nucleo.io"

DEADLINE_SECONDS = 180.0
_PAUSE_SECONDS = 0.3
_NODES_SECONDS = 5.0
_LABELS = {"nucleo.io/component": "agent"}
_POD_SECURITY = "pod-security.kubernetes.io/enforce"
# bpf_loop came with 5.17; Red Hat's 5.14 has it since 9.2.
_OLDEST = (5, 17)
_BACKPORTED = ".el9"
# What runc says of a capability that it does not have itself.
_NO_CAPABILITY = re.compile(r"unable to apply caps|unknown capability", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The DaemonSet of the agent as it is now, and its pods."""

    document: Json
    pods: list[Json]

    @property
    def nodes(self) -> int:
        return number(self.document, "status", "desiredNumberScheduled")

    @property
    def is_complete(self) -> bool:
        """Whether every node runs the newest template, and its pod is ready."""
        counts = ("updatedNumberScheduled", "numberReady")
        observed = number(self.document, "status", "observedGeneration") >= self.document["metadata"]["generation"]
        return observed and all(number(self.document, "status", count) == self.nodes for count in counts)

    @property
    def late(self) -> dict[str, Json]:
        """The pods that are not ready, by their nodes."""
        return {str(part(each, "spec").get("nodeName", "?")): each for each in self.pods if not _is_ready(each)}

    @property
    def newest(self) -> list[Json]:
        """The pods of the newest template."""
        wanted = annotations(self.document).get("deprecated.daemonset.template.generation")
        own = [each for each in self.pods if "deletionTimestamp" not in each["metadata"]]
        return [each for each in own if each["metadata"]["labels"].get("pod-template-generation") == wanted]


def install(tools: Tools, timeout: float | None = None) -> Work[Json]:
    """Put the agent on every node, or bring it to this version; the JSON of `nucleo network install`.

    Raises NucleoError where Cilium enforces rules, or a node cannot; RolloutFailed where the agent does not start.
    """
    settings = registry_settings(tools)
    if with_back_end(tools.cluster, settings).network == "cilium":
        raise NucleoError(
            "Cilium enforces network rules on this cluster: the agent is not needed",
            "nucleo deploy writes the rules of an app for Cilium",
        )
    nodes = tools.cluster.items(path("v1", "nodes"))
    capabilities = capabilities_on(nodes)
    with (yield from acquire(tools.cluster, TARGET)) as lease:
        from nucleo_cli.builder.agent import build  # an uninstall needs none of it

        phase = Phase("image")
        yield phase.start("the agent, from Debian packages")
        image, made = yield from build(settings, tools.engine, tools.registry(settings))
        yield phase.end("" if made else "it was there", skipped=not made)
        phase = Phase("agent")
        yield phase.start(f"{len(nodes)} nodes" if len(nodes) != 1 else "1 node")
        history = recover(tools.cluster, read_history(tools.cluster, TARGET))
        if any("SYS_ADMIN" in each.values.get("capabilities", ()) for each in history.revisions[-1:]):
            capabilities = _without_bpf(capabilities)
        _allow_privileged(tools.cluster)
        _apply_crd(tools.cluster)
        seen = yield from _roll_out(tools, lease, image, capabilities, timeout)
        yield phase.end(f"ready on {number(seen.document, 'status', 'numberReady')} of {seen.nodes}")
    if settings.network not in ("auto", "agent"):
        yield Warned(
            f"the cluster's setting network is {settings.network}: apps do not use the agent",
            "nucleo cluster configure --network auto",
        )
    return {"image": image.reference, "nodes": seen.nodes, "ready": number(seen.document, "status", "numberReady")}


def uninstall(tools: Tools, timeout: float | None = None) -> Work[Json]:
    """Remove the agent, its programs, links and maps on every node, and the rules of all apps.

    Returns the JSON of `nucleo network uninstall`. Raises NotFound where there is no agent.
    """
    cluster = tools.cluster
    phase = Phase("remove")
    with (yield from acquire(cluster, TARGET)) as lease:
        history = recover(cluster, read_history(cluster, TARGET))
        rules = ruled_apps(cluster)
        if not history.revisions and not _has_crd(cluster):
            raise NotFound("there is no agent on this cluster", "nucleo network install puts it there")
        yield phase.start("the agent, its programs and its rules")
        seen = None
        if history.revisions:
            values = {**history.revisions[-1].values, "remove": True}
            tools.helm().upgrade(AGENT, _chart(), NAMESPACE, values, description="remove", labels=_LABELS)
            seen = yield from _watch(cluster, lease, timeout)
            tools.helm().uninstall(AGENT, NAMESPACE)
        _delete_crd(cluster)
        _label_namespace(cluster, {})
        yield phase.end()
    return {"nodes": seen.nodes if seen else 0, "apps": rules}


def ruled_apps(cluster: Cluster) -> list[Json]:
    """The apps whose rules the agent enforces."""
    try:
        found = cluster.items(path("nucleo.io/v1alpha1", "appnetworks"))
    except NotFound:
        return []
    return [{"app": each["metadata"]["name"], "namespace": each["metadata"]["namespace"]} for each in found]


def capabilities_on(nodes: list[Json]) -> list[str]:
    """What the agent asks for on these nodes. NucleoError for a kernel that is too old."""
    kernels = {
        str(each["metadata"]["name"]): str(part(each, "status", "nodeInfo").get("kernelVersion", "")) for each in nodes
    }
    if old := {node: kernel for node, kernel in kernels.items() if not _is_new_enough(kernel)}:
        named = ", ".join(f"{node} ({kernel})" for node, kernel in sorted(old.items()))
        raise NucleoError(f"the agent needs Linux 5.17 or later on every node: {named}")
    return ["BPF", "NET_ADMIN", "PERFMON"]


def _is_new_enough(kernel: str) -> bool:
    found = re.match(r"(\d+)\.(\d+)", kernel)
    return not found or (int(found[1]), int(found[2])) >= _OLDEST or _BACKPORTED in kernel


def _without_bpf(capabilities: list[str]) -> list[str]:
    """The same where a container cannot be given BPF and PERFMON: SYS_ADMIN has all three in it."""
    return sorted({"SYS_ADMIN", *capabilities} - {"BPF", "NET_ADMIN", "PERFMON"})


def _roll_out(
    tools: Tools, lease: HeldLease, image: Image, capabilities: list[str], timeout: float | None
) -> Work[_Seen]:
    try:
        _upgrade(tools, image, capabilities)
        return (yield from _watch(tools.cluster, lease, timeout))
    except _NoCapability:
        yield Notice("The nodes' containers cannot have CAP_BPF: the agent asks for CAP_SYS_ADMIN instead")
        _upgrade(tools, image, _without_bpf(capabilities))
        return (yield from _watch(tools.cluster, lease, timeout))


def _upgrade(tools: Tools, image: Image, capabilities: list[str]) -> None:
    values = {"image": {"repository": image.repository, "digest": image.digest}, "capabilities": capabilities}
    tools.helm().upgrade(AGENT, _chart(), NAMESPACE, values, description="install", labels=_LABELS)


class _NoCapability(Exception):
    """The container runtime of a node has no such capability to give."""


def _watch(cluster: Cluster, lease: HeldLease, timeout: float | None) -> Work[_Seen]:
    """Until every node that answers has the newest agent. Raises RolloutFailed, and _NoCapability."""
    began = asked = time.monotonic()
    shown: dict[str, bool] = {}
    while not (seen := _look(cluster)).is_complete:
        lease.check()
        spent = time.monotonic() - began
        for pod in seen.newest:
            name, ready = str(pod["metadata"]["name"]), _is_ready(pod)
            if shown.get(name) != ready:
                shown[name] = ready
                yield PodChanged("agent", name, str(part(pod, "status").get("phase", "Pending")), ready)
            _check(cluster, pod, spent)
        if time.monotonic() - asked > _NODES_SECONDS:
            asked = time.monotonic()
            if down := _down(cluster, seen):
                yield Warned(f"nodes that do not answer were left as they are: {', '.join(down)}")
                return seen
        if spent > (timeout or DEADLINE_SECONDS):
            nodes = ", ".join(sorted(seen.late)) or "every node"
            raise _failed(cluster, next(iter(seen.late.values()), Json()), f"the agent is not ready on {nodes}")
        time.sleep(_PAUSE_SECONDS)
    return seen


def _check(cluster: Cluster, pod: Json, spent: float) -> None:
    """Raises RolloutFailed or _NoCapability for a pod that will never be ready."""
    if _NO_CAPABILITY.search(_said(pod)):
        raise _NoCapability
    if failure := diagnose(pod, spent):
        raise _failed(cluster, pod, f"{pod['metadata']['name']}: {failure.summary}")


def _down(cluster: Cluster, seen: _Seen) -> list[str]:
    """The nodes that are still waited for, where none of them is ready itself; else none."""
    if not seen.late or seen.nodes != number(seen.document, "status", "numberReady") + len(seen.late):
        return []
    healthy = {str(each["metadata"]["name"]) for each in cluster.items(path("v1", "nodes")) if _is_ready(each)}
    return [] if healthy & set(seen.late) else sorted(seen.late)


def _look(cluster: Cluster) -> _Seen:
    found = cluster.get(path("apps/v1", "daemonsets", NAMESPACE, AGENT))
    pods = cluster.items(path("v1", "pods", NAMESPACE), labelSelector=OF_AGENT)
    return _Seen(found, pods)


def _failed(cluster: Cluster, pod: Json, message: str) -> RolloutFailed:
    name = str(part(pod, "metadata").get("name", ""))
    log = last_lines(cluster, NAMESPACE, name, "agent", False) or last_lines(cluster, NAMESPACE, name, "prepare", False)
    hint = "rules that are in force already stay so; run the same command again when the node is well"
    return RolloutFailed(message, hint, {"pod": name or None, "log": log})


def _is_ready(found: Json) -> bool:
    """Of a pod or a node."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in parts(found, "status", "conditions"))


def _said(pod: Json) -> str:
    """What the kubelet says of the containers that do not run."""
    states = [
        part(status, when, how)
        for status in parts(pod, "status", "containerStatuses")
        for when in ("state", "lastState")
        for how in ("waiting", "terminated")
    ]
    return "\n".join(str(state.get("message", "")) for state in states)


def _chart() -> Any:
    return assets.folder("chart_templates") / "agent"


def _allow_privileged(cluster: Cluster) -> None:
    """The agent is no pod like others: it shares the node's network and looks at its cgroups.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    try:
        _label_namespace(cluster, {_POD_SECURITY: "privileged"})
    except Conflict as error:
        raise NucleoError(
            f"somebody has forbidden privileged pods in the namespace {NAMESPACE}, and the agent is one",
            f"kubectl label --overwrite namespace {NAMESPACE} {_POD_SECURITY}=privileged",
        ) from error


def _label_namespace(cluster: Cluster, labels: dict[str, str]) -> None:
    """Sets the agent's own labels of the namespace, and takes away those that it had set before; no one else's."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    cluster.patch(path("v1", "namespaces", name=NAMESPACE), body, "apply", fieldManager=AGENT, force="false")


def _apply_crd(cluster: Cluster) -> None:
    """Helm never changes a CRD that is there."""
    wanted = yaml.safe_load((_chart() / "crds" / "appnetworks.yaml").read_text("utf-8"))
    where = path("apiextensions.k8s.io/v1", "customresourcedefinitions", name=CRD)
    cluster.patch(where, wanted, "apply")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        conditions = parts(cluster.get(where), "status", "conditions")
        if any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
            return
        time.sleep(_PAUSE_SECONDS)
    raise NucleoError(f"the cluster does not serve {CRD}", "nucleo doctor looks at the cluster")


def _has_crd(cluster: Cluster) -> bool:
    try:
        cluster.get(path("apiextensions.k8s.io/v1", "customresourcedefinitions", name=CRD))
    except NotFound:
        return False
    return True


def _delete_crd(cluster: Cluster) -> None:
    try:
        cluster.delete(path("apiextensions.k8s.io/v1", "customresourcedefinitions", name=CRD))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while _has_crd(cluster) and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
    except NotFound:
        return

"""One-off commands: a Job with a pod like the app's own, whose input and output are this terminal's."""

import copy
import math
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import labels, pods
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import part, parts
from nucleo_cli.domain.events import PhaseEnded, PhaseStarted, Warned, Work
from nucleo_cli.errors import NotFound, NucleoError, TimedOut, Unreachable
from nucleo_cli.workflows.attach import Conversation, Local
from nucleo_cli.workflows.diagnosis import diagnose
from nucleo_cli.workflows.gate import Ending, gated
from nucleo_cli.workflows.processes import check_process, read_deployments

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

Json = dict[str, Any]

_KEPT_SECONDS = 60
_GRACE_SECONDS = 10
_TELL_SECONDS = 10.0
_WATCH_SECONDS = 30
_NOT_FOR_ONE_OFFS = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "args")


@dataclass(frozen=True, slots=True)
class Request:
    """What to run. `timeout` in seconds; `term` is the kind of terminal at this side, for a TTY.

    `token` is the word of the end mark.
    """

    command: Sequence[str]
    process: str = "web"
    tty: bool = False
    timeout: float | None = None
    term: str = ""
    token: str = field(default_factory=lambda: f"nucleo-{secrets.token_hex(8)}")


def job(deployment: Mapping[str, Any], target: Target, request: Request, name: str) -> Json:
    """The Job: the pod of the Deployment without its probes and ports, with the command behind a gate.

    It has no label nucleo.io/process, so that no Service sends it traffic.
    """
    marks = {labels.APP: target.app, labels.RUN: name, "app.kubernetes.io/managed-by": "nucleo"}
    spec: Json = {
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "template": {"metadata": {"labels": marks}, "spec": _pod_spec(deployment, request)},
    }
    if request.timeout is not None:
        spec["activeDeadlineSeconds"] = math.ceil(request.timeout)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": target.namespace, "labels": marks},
        "spec": spec,
    }


def _pod_spec(deployment: Mapping[str, Any], request: Request) -> Json:
    spec = copy.deepcopy(part(deployment, "spec", "template", "spec"))
    spec.pop("topologySpreadConstraints", None)
    containers = parts(spec, "containers")
    own = next((each for each in containers if each["name"] == request.process), containers[0])
    for key in _NOT_FOR_ONE_OFFS:
        own.pop(key, None)
    # Kubernetes replaces $(NAME) and $$ in commands; a doubled $ arrives as one.
    words = gated(list(request.command), request.token)
    own |= {
        "command": [word.replace("$", "$$") for word in words],
        "stdin": True,
        "stdinOnce": True,
        "tty": request.tty,
    }
    if request.tty and re.fullmatch(r"[A-Za-z0-9.+-]{1,40}", request.term):
        env = [each for each in parts(own, "env") if each["name"] != "TERM"]
        own["env"] = [*env, {"name": "TERM", "value": request.term}]
    return {**spec, "containers": [own], "restartPolicy": "Never", "terminationGracePeriodSeconds": _GRACE_SECONDS}


class OneOff:
    """A one-off command from its Job's making to its removal, which leaving the `with` block does in any case."""

    def __init__(self, cluster: "Cluster", target: Target, request: Request) -> None:
        self.name = f"{target.app[:40]}-run-{secrets.token_hex(3)}"
        self._cluster = cluster
        self._target = target
        self._request = request
        self._made = False
        self._pod: Json = {}

    def __enter__(self) -> "OneOff":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made:
            try:
                self._cluster.delete(self._job_path(self.name), {"propagationPolicy": "Background"})
            except NucleoError:
                # It removes itself a minute after it has ended.
                return

    def start(self) -> Work[None]:
        """Makes the Job and waits until its container runs. NotFound: no such app or process; NucleoError: why not."""
        began = time.monotonic()
        yield PhaseStarted("run", "starting a pod")
        deployments = read_deployments(self._cluster, self._target)
        check_process(deployments, self._target, self._request.process)
        own = next(each for each in deployments if each["metadata"]["labels"][labels.PROCESS] == self._request.process)
        self._made = True  # before the request: an interrupt must not leave behind what it made
        self._cluster.create(self._job_path(), job(own, self._target, self._request, self.name))
        told = False
        for pod in self._states():
            waited = time.monotonic() - began
            if pod:
                if _has_started(pod):
                    break
                self._check(pod, waited)
            if waited > _TELL_SECONDS and not told:
                told = True
                yield from self._tell(pod)
        yield PhaseEnded("run", time.monotonic() - began, detail=self.name)

    def talk(self, local: Local) -> int:
        """Connects this side with the command until it ends; the command's own code."""
        received = 0
        try:
            conversation = Conversation(self._attach(local), local, self._request.token)
            conversation.hold()
            received = conversation.received
            if conversation.code is not None:
                self._check_deadline(conversation.code)
                return conversation.code
        except NucleoError as error:
            # It may have ended already: then its log has all that it printed, and its state says how it ended.
            if not self._has_ended():
                raise error
        return self._rest(local, received)

    def _attach(self, local: Local) -> Any:
        query = [("container", self._request.process), ("stdin", "true"), ("stdout", "true")]
        query += [("tty", "true")] if local.tty else [("stderr", "true")]
        return self._cluster.websocket(
            path("v1", "pods", self._target.namespace, pods.name(self._pod), "attach"), query
        )

    def _rest(self, local: Local, received: int) -> int:
        """After the connection broke, or the container was killed: the log has the rest of the output, and the code."""
        where = path("v1", "pods", self._target.namespace, pods.name(self._pod), "log")
        ending = Ending(self._request.token)
        with self._cluster.stream(where, container=self._request.process, follow="true") as chunks:
            for chunk in chunks:
                local.out(ending.passed(chunk[received:]))
                received = max(0, received - len(chunk))
                if ending.code is not None:
                    break
        local.out(ending.rest())
        code = self._ended_code() if ending.code is None else ending.code
        self._check_deadline(code)
        return code

    def _has_ended(self) -> bool:
        self._pod = self._cluster.get(path("v1", "pods", self._target.namespace, pods.name(self._pod)))
        return _code(self._pod, self._request.process) is not None

    def _ended_code(self) -> int:
        return next(code for pod in self._states() if (code := _code(pod, self._request.process)) is not None)

    def _states(self) -> Iterator[Json]:
        """The pod when it changes, and every few seconds; empty while there is none. NotFound when it was removed."""
        where = path("v1", "pods", self._target.namespace)
        selector = f"{labels.RUN}={self.name}"
        while True:
            listed = self._cluster.get(where, labelSelector=selector)
            found = parts(listed, "items")
            if self._pod and not found:
                raise NotFound(f"the pod of {self.name} was removed while its command ran")
            self._pod = found[0] if found else {}
            yield self._pod
            yield from self._changes(where, selector, listed["metadata"]["resourceVersion"])

    def _changes(self, where: str, selector: str, version: str) -> Iterator[Json]:
        seconds = int(_TELL_SECONDS) if not self._pod else _WATCH_SECONDS
        query = {"labelSelector": selector, "resourceVersion": version, "timeoutSeconds": seconds}
        try:
            for event in self._cluster.watch(where, **query):
                if event["type"] in ("ERROR", "DELETED"):
                    return
                if event["type"] != "BOOKMARK":
                    self._pod = event["object"]
                    yield self._pod
        except Unreachable:
            time.sleep(1)

    def _check(self, pod: Json, waited: float) -> None:
        if failure := diagnose(pod, waited):
            raise NucleoError(f"{self.name} cannot start: {failure.summary}", failure.hint, {"reason": failure.reason})
        if pods.finished(pod):
            message = part(pod, "status").get("message") or pods.status(pod)
            raise NucleoError(f"{self.name} cannot start: {message}")

    def _check_deadline(self, code: int) -> None:
        """TimedOut when it was the Job's deadline that killed it."""
        if code == 0 or self._request.timeout is None:
            return
        conditions = parts(self._cluster.get(self._job_path(self.name)), "status", "conditions")
        if any(each.get("reason") == "DeadlineExceeded" for each in conditions):
            raise TimedOut(f"{self.name} was stopped after {self._request.timeout:g} s, as --timeout says")

    def _tell(self, pod: Json) -> Iterator[Warned]:
        if pod:
            conditions = [
                each.get("message", "") for each in parts(pod, "status", "conditions") if each["status"] != "True"
            ]
            yield Warned(f"still waiting: {pods.status(pod)}", next((text for text in conditions if text), ""))
            return
        events = self._cluster.items(
            path("v1", "events", self._target.namespace), fieldSelector=f"involvedObject.name={self.name}"
        )
        refused = [each.get("message", "") for each in events if each.get("reason") == "FailedCreate"]
        if refused:
            raise NucleoError(f"the cluster refuses the pod: {refused[-1]}", "nucleo doctor checks quotas and rights")
        yield Warned("still waiting for the cluster to make the pod")

    def _job_path(self, name: str | None = None) -> str:
        return path("batch/v1", "jobs", self._target.namespace, name)


def _has_started(pod: Mapping[str, Any]) -> bool:
    states = [part(each, "state") for each in pods.containers(pod)]
    return bool(states) and all("running" in state or "terminated" in state for state in states)


def _code(pod: Mapping[str, Any], container: str) -> int | None:
    """The exit code of a container that has ended; None while it runs."""
    ended = part(pods.container(pod, container), "state", "terminated") if pod else {}
    return int(ended.get("exitCode", 0)) if ended else None

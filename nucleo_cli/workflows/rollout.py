"""Watches a release become healthy, from the cluster's own events, and fails at the first certain sign."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json, annotations, labels, number, part, parts
from nucleo_cli.domain.events import PodChanged, Work
from nucleo_cli.domain.labels import of_app
from nucleo_cli.errors import NucleoError, RolloutFailed, TimedOut, Unreachable
from nucleo_cli.workflows.diagnosis import Failure, diagnose, listeners, no_rules, waits_for_rules, wrong_port

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.workflows.lease import HeldLease

DEADLINE_SECONDS = 120.0
_TICK_SECONDS = 1.0
_LOOK_INSIDE_SECONDS = 8.0
_RULES_SECONDS = 60.0
_LOG_LINES = 20
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ready:
    """The end of a good rollout: pods that are ready, by process."""

    pods: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.pods.values())


def roll_out(
    cluster: "Cluster", target: Target, timeout: float | None = None, lease: "HeldLease | None" = None
) -> Work[Ready]:
    """Follows the app's Deployments until all of them run their newest pods and nothing else.

    Raises RolloutFailed with the pod's last log lines in `details["log"]`, TimedOut when `timeout` seconds were given
    and are over.
    """
    watch = _Watch(cluster, target)
    deadline = time.monotonic() + (timeout or DEADLINE_SECONDS)
    try:
        while True:
            yield from watch.changes()
            if lease is not None:
                lease.check()
            if (ready := watch.ready()) is not None:
                return ready
            if failure := watch.failure():
                raise failed(cluster, target, failure)
            if time.monotonic() > deadline:
                raise _late(cluster, target, watch, timeout)
            watch.wait(_TICK_SECONDS)
    finally:
        watch.close()


@dataclass
class _Watch:
    """The newest known state of the app's Deployments and pods, fed by two watches."""

    cluster: "Cluster"
    target: Target
    deployments: dict[str, Json] = field(default_factory=dict[str, Json])
    sets: dict[str, Json] = field(default_factory=dict[str, Json])
    pods: dict[str, Json] = field(default_factory=dict[str, Json])

    def __post_init__(self) -> None:
        self._news: queue.Queue[tuple[str, Json] | Exception] = queue.Queue()
        self._closed = threading.Event()
        self._shown: dict[str, PodChanged] = {}
        self._looked: dict[str, float] = {}
        self._first: dict[tuple[str, str], float] = {}
        self._selector = of_app(self.target.app)
        stores = (
            ("deployments", "apps/v1", self.deployments),
            ("replicasets", "apps/v1", self.sets),
            ("pods", "v1", self.pods),
        )
        # All lists before the first watch: nobody would end it when a later list fails.
        for followed in [(kind, api, self._list(kind, api, store)) for kind, api, store in stores]:
            threading.Thread(target=self._follow, args=followed, name=f"watch {followed[0]}", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def wait(self, seconds: float) -> None:
        """Until there is news, `seconds` at most, then takes in all of it."""
        try:
            self._take(self._news.get(timeout=seconds))
            while True:
                self._take(self._news.get_nowait())
        except queue.Empty:
            return

    def changes(self) -> Iterator[PodChanged]:
        """The pods of the new release whose state is another than last shown."""
        for pod in self.new_pods():
            event = _event(pod)
            if self._shown.get(event.pod) != event:
                self._shown[event.pod] = event
                yield event

    def ready(self) -> Ready | None:
        """The result, once every Deployment runs its newest template and nothing else."""
        if not self.deployments or not all(is_complete(each) for each in self.deployments.values()):
            return None
        return Ready({_process(each): number(each, "status", "readyReplicas") for each in self.deployments.values()})

    def failure(self) -> Failure | None:
        """The first certain sign that this rollout cannot succeed."""
        for deployment in filter(_is_observed, self.deployments.values()):
            for condition in parts(deployment, "status", "conditions"):
                if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                    return Failure(
                        condition.get("reason", "ReplicaFailure"),
                        f"the cluster refuses its pods: {condition.get('message', '')}",
                        "nucleo doctor checks quotas and rights",
                    )
        for pod in self.new_pods():
            if waits_for_rules(pod) and self._seconds_since(pod, "waiting for rules") > _RULES_SECONDS:
                return no_rules(pod)
            if found := diagnose(pod, self._seconds_since(pod, "seen")) or self._look_inside(pod):
                return found
        return None

    def _look_inside(self, pod: Json) -> Failure | None:
        """For a pod that runs but is not ready: does it listen somewhere else than nucleo.yml says?"""
        name = pod["metadata"]["name"]
        expected = _expected_port(pod)
        if expected is None or _is_ready(pod) or not _is_running(pod):
            return None
        if self._seconds_since(pod, f"running {_event(pod).restarts}") < _LOOK_INSIDE_SECONDS:
            return None
        if time.monotonic() - self._looked.get(name, 0) < _LOOK_INSIDE_SECONDS / 2:
            return None
        again = name in self._looked
        self._looked[name] = time.monotonic()
        found = wrong_port(listeners(sockets(self.cluster, self.target.namespace, pod)), expected)
        # Seen twice: an app may open a debug port before its real one.
        if found is None or not again:
            return None
        return Failure(found.reason, found.summary, found.hint, pod=name, container=_container(pod))

    def new_pods(self) -> list[Json]:
        """The pods of each Deployment's newest ReplicaSet, without those that are being deleted."""
        newest = {uid for each in self.deployments.values() if (uid := self._newest_set(each))}
        return [
            pod
            for pod in self.pods.values()
            if "deletionTimestamp" not in pod["metadata"] and newest & {owner["uid"] for owner in _owners(pod)}
        ]

    def _seconds_since(self, pod: Json, what: str) -> float:
        """Since this was first asked about the pod: this machine's clock and the cluster's may be hours apart."""
        now = time.monotonic()
        return now - self._first.setdefault((pod["metadata"]["name"], what), now)

    def _newest_set(self, deployment: Json) -> str | None:
        own = [
            each for each in self.sets.values() if deployment["metadata"]["uid"] in {o["uid"] for o in _owners(each)}
        ]
        # Only once the controller has seen this generation does its annotation name the newest ReplicaSet's revision.
        if not _is_observed(deployment):
            return None
        revision = _revision(deployment)
        return next((each["metadata"]["uid"] for each in own if _revision(each) == revision), None)

    def _take(self, news: tuple[str, Json] | Exception) -> None:
        if isinstance(news, Exception):
            raise news
        kind, event = news
        store = {"deployments": self.deployments, "replicasets": self.sets, "pods": self.pods}[kind]
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            store.pop(name, None)
        else:
            store[name] = event["object"]

    def _list(self, kind: str, api: str, store: dict[str, Json]) -> str:
        found = self.cluster.get(path(api, kind, self.target.namespace), labelSelector=self._selector)
        store.clear()
        store.update({item["metadata"]["name"]: item for item in parts(found, "items")})
        return found["metadata"]["resourceVersion"]

    def _follow(self, kind: str, api: str, version: str) -> None:
        """Watches again and again; after a broken connection from where it was, after "too old" from a new list."""
        broken_since: float | None = None
        while not self._closed.is_set():
            try:
                version = self._watch_once(kind, api, version)
                broken_since = None
            except Unreachable as error:
                broken_since = broken_since or time.monotonic()
                if time.monotonic() - broken_since > DEADLINE_SECONDS:
                    self._news.put(error)
                    return
                time.sleep(_RETRY_SECONDS)
            except Exception as error:
                self._news.put(error)
                return

    def _watch_once(self, kind: str, api: str, version: str) -> str:
        where = path(api, kind, self.target.namespace)
        query = {"labelSelector": self._selector, "timeoutSeconds": 300}
        for event in self.cluster.watch(where, resourceVersion=version, **query):
            if self._closed.is_set():
                return version
            if event["type"] == "ERROR":
                return self._relist(kind, where)
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._news.put((kind, event))
        return version

    def _relist(self, kind: str, where: str) -> str:
        found = self.cluster.get(where, labelSelector=self._selector)
        for item in parts(found, "items"):
            self._news.put((kind, {"type": "MODIFIED", "object": item}))
        return found["metadata"]["resourceVersion"]


def is_complete(deployment: Mapping[str, Any]) -> bool:
    """Whether a Deployment runs its newest template with all its pods, and nothing older.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    wanted = deployment["spec"].get("replicas", 1)
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    return _is_observed(deployment) and all(number(deployment, "status", count) == wanted for count in counts)


def _is_observed(deployment: Mapping[str, Any]) -> bool:
    """Whether the status is about the newest spec."""
    return number(deployment, "status", "observedGeneration") >= deployment["metadata"]["generation"]


def failed(cluster: "Cluster", target: Target, failure: Failure) -> RolloutFailed:
    """The error of a failure, with the last lines of the log that explains it."""
    log = last_lines(cluster, target.namespace, failure.pod, failure.container, failure.previous)
    about = f"{failure.pod}: " if failure.pod else ""
    details = {"reason": failure.reason, "pod": failure.pod or None, "log": log}
    return RolloutFailed(f"{about}{failure.summary}", failure.hint, details)


def last_lines(cluster: "Cluster", namespace: str, pod: str, container: str, previous: bool) -> list[str]:
    """The last lines that a container printed; empty when there are none to be had."""
    if not pod or not container:
        return []
    where = path("v1", "pods", namespace, pod, "log")
    query = {"container": container, "tailLines": _LOG_LINES, "limitBytes": 65536}
    for again in (previous, not previous):
        try:
            with cluster.stream(where, read_timeout=10, previous=str(again).lower(), **query) as chunks:
                text = b"".join(chunks).decode("utf-8", "replace")
        except NucleoError:
            continue
        if text.strip():
            return text.splitlines()
    return []


def sockets(cluster: "Cluster", namespace: str, pod: Json) -> str:
    """The pod's tables of TCP sockets; empty when one may not look or nothing can print them."""
    query = [("container", _container(pod)), ("stdout", "true"), ("stderr", "false")]
    query += [("command", word) for word in ("cat", "/proc/net/tcp", "/proc/net/tcp6")]
    try:
        channels = cluster.websocket(path("v1", "pods", namespace, pod["metadata"]["name"], "exec"), query)
        printed = channels.collect(5).get(1, b"")
    except NucleoError:
        return ""
    channels.close()
    return printed.decode("utf-8", "replace")


def _late(cluster: "Cluster", target: Target, watch: _Watch, timeout: float | None) -> NucleoError:
    pods = [pod for pod in watch.new_pods() if not _is_ready(pod)]
    log: list[str] = []
    about = "it is not healthy"
    if pods:
        pod = max(pods, key=lambda each: each["metadata"]["creationTimestamp"])
        log = last_lines(cluster, target.namespace, pod["metadata"]["name"], _container(pod), False)
        port = _expected_port(pod)
        nothing = port and _is_running(pod) and not listeners(sockets(cluster, target.namespace, pod))
        about = f"{pod['metadata']['name']}: " + (f"nothing listens on port {port}" if nothing else "it is not ready")
    spent = f"after {timeout or DEADLINE_SECONDS:g} s"
    details = {"reason": "NotReady", "log": log}
    if timeout is not None:
        return TimedOut(f"{about} {spent}", "a longer --timeout waits longer", details)
    return RolloutFailed(f"{about} {spent}", "an app that starts slowly needs a longer --timeout", details)


def _event(pod: Json) -> PodChanged:
    status = _first_status(pod)
    waiting, ended = part(status, "state", "waiting"), part(status, "state", "terminated")
    words = waiting.get("reason") or ended.get("reason") or part(pod, "status").get("phase", "Pending")
    ready = _is_ready(pod)
    restarts = number(status, "restartCount")
    return PodChanged(_process(pod), pod["metadata"]["name"], "Ready" if ready else str(words), ready, restarts)


def _first_status(pod: Mapping[str, Any]) -> Json:
    statuses = parts(pod, "status", "containerStatuses")
    return statuses[0] if statuses else Json()


def _process(item: Mapping[str, Any]) -> str:
    return labels(item).get("nucleo.io/process", "web")


def _owners(item: Mapping[str, Any]) -> list[Json]:
    return parts(item, "metadata", "ownerReferences")


def _revision(item: Mapping[str, Any]) -> str:
    return annotations(item).get("deployment.kubernetes.io/revision", "")


def _container(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["name"])


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = parts(pod, "status", "conditions")
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _expected_port(pod: Mapping[str, Any]) -> int | None:
    ports = parts(parts(pod, "spec", "containers")[0], "ports")
    return int(ports[0]["containerPort"]) if ports else None


def _is_running(pod: Mapping[str, Any]) -> bool:
    return "running" in part(_first_status(pod), "state")

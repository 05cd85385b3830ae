"""Follows every pod of a selector: one thread watches the pods, one reads each container, one hands the lines on.

The threads are daemons: they end with the program, which may stop at any line.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import pods
from nucleo_cli.domain.events import Event, Notice, Warned
from nucleo_cli.errors import NotAllowed, NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.logs.follower import Follower
from nucleo_cli.workflows.logs.lines import Line
from nucleo_cli.workflows.logs.order import HOLD_SECONDS, Holding
from nucleo_cli.workflows.logs.position import Position
from nucleo_cli.workflows.logs.source import Json, Source, sources

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

MOST_STREAMS = 100
_QUEUE_LINES = 10_000
_WATCH_SECONDS = 300
_RETRY_SECONDS = 2.0
_BREATH_SECONDS = 0.005

Item = Line | Event | Exception


class Started(Protocol):
    """A container that was there before the watch began."""

    source: Source
    pod: Json
    position: Position
    done: set[str]


def follow(
    cluster: "Cluster", namespace: str, selector: str, version: str, starts: Sequence[Started]
) -> Iterator[list[Line] | Event]:
    """Lines as they come, held back for a moment to put them in order; endless.

    `version` is the resourceVersion of the list of pods that `starts` was made from.
    """
    following = Following(cluster)
    for start in starts:
        following.start(start.source, start.pod, start.position, frozenset(start.done))
    watching = Watching(cluster, namespace, selector, following)
    threading.Thread(target=watching.run, args=(version,), name="watch", daemon=True).start()
    return following.shown()


class Following:
    """The followers, at most MOST_STREAMS at once, and the queue in which their lines meet."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        # Bounded: when the terminal is slow the followers stop reading, and nothing is dropped.
        self._items: queue.Queue[Item] = queue.Queue(_QUEUE_LINES)
        self._lock = threading.Lock()
        self._followers: dict[tuple[str, str], Follower] = {}
        self._waiting: deque[Follower] = deque()
        self._running = 0

    def put(self, item: Item) -> None:
        self._items.put(item)

    def start(
        self, source: Source, pod: Json, position: Position | None = None, done: frozenset[str] = frozenset()
    ) -> None:
        """Follows a container, or lets it wait for its turn."""
        follower = Follower(self._cluster, source, pod, self.put, position, done)
        with self._lock:
            self._followers[source.uid, source.container] = follower
            if full := self._running >= MOST_STREAMS:
                self._waiting.append(follower)
            else:
                self._run(follower)
            waiting = len(self._waiting)
        if full:
            self.put(Warned(f"following {MOST_STREAMS} containers; {waiting} wait until one of them ends"))

    def known(self) -> dict[str, list[Follower]]:
        """The followers by the uid of their pod."""
        with self._lock:
            found: dict[str, list[Follower]] = {}
            for (uid, _), follower in self._followers.items():
                found.setdefault(uid, []).append(follower)
            return found

    def shown(self) -> Iterator[list[Line] | Event]:
        """What the followers hand out; the errors that end everything are raised here."""
        held = Holding()
        while True:
            for item in self._taken(held.wait(time.monotonic())):
                if isinstance(item, Line):
                    held.add(item, time.monotonic())
                elif isinstance(item, Exception):
                    raise item
                else:
                    yield item
            lines = held.due(time.monotonic()) if self._running > 1 else held.all()
            if lines:
                yield lines
                # What comes meanwhile is handed on at once: with a thread switch for each line, half the work is that.
                time.sleep(_BREATH_SECONDS)

    def _taken(self, wait: float | None) -> list[Item]:
        """Everything that is in the queue now; waits for the first."""
        try:
            found = [self._items.get(timeout=HOLD_SECONDS if wait is None else max(wait, 0.001))]
        except queue.Empty:
            return []
        while len(found) < _QUEUE_LINES:
            try:
                found.append(self._items.get_nowait())
            except queue.Empty:
                break
        return found

    def _run(self, follower: Follower) -> None:
        self._running += 1
        name = f"log {follower.source.pod}"
        threading.Thread(target=self._follow, args=(follower,), name=name, daemon=True).start()

    def _follow(self, follower: Follower) -> None:
        try:
            follower.run()
        except Exception as error:
            self.put(error)  # raised again where the lines are shown
        finally:
            with self._lock:
                self._running -= 1
                self._followers.pop((follower.source.uid, follower.source.container), None)
                if self._waiting:
                    self._run(self._waiting.popleft())


class Watching:
    """Tells the followers what becomes of their pods, and starts new ones; survives every break of the watch."""

    def __init__(self, cluster: "Cluster", namespace: str, selector: str, following: Following) -> None:
        self._cluster = cluster
        self._path = path("v1", "pods", namespace)
        self._selector = selector
        self._following = following
        self._seen = set(following.known())

    def run(self, version: str) -> None:
        """Watches until the program ends; what cannot be mended is raised in the main thread."""
        try:
            while True:
                began = time.monotonic()
                version = self._step(version)
                if time.monotonic() - began < 1:
                    time.sleep(_RETRY_SECONDS)
        except Exception as error:
            self._following.put(error)

    def _step(self, version: str) -> str:
        try:
            return self._watch(version or self._list())
        except Unreachable:
            return version
        except (NotAllowed, NotFound):
            raise
        except NucleoError:
            return ""  # 410, or something else that a new list may mend

    def _watch(self, version: str) -> str:
        """One watch request; the resourceVersion to go on from, "" when the pods must be listed again."""
        query = {"labelSelector": self._selector, "resourceVersion": version, "timeoutSeconds": _WATCH_SECONDS}
        for event in self._cluster.watch(self._path, **query):
            pod = event["object"]
            if event["type"] == "ERROR":
                return ""
            version = pod["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self._tell_gone(pod["metadata"]["uid"])
            elif event["type"] != "BOOKMARK":
                self._see(pod)
        return version

    def _list(self) -> str:
        """Compares what is there with what was known: nothing is replayed."""
        listed = self._cluster.get(self._path, labelSelector=self._selector)
        found: list[dict[str, Any]] = listed.get("items") or []
        for pod in found:
            self._see(pod)
        for uid in set(self._following.known()) - {pod["metadata"]["uid"] for pod in found}:
            self._tell_gone(uid)
        return str(listed["metadata"]["resourceVersion"])

    def _see(self, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        followers = self._following.known().get(uid)
        if followers:
            for follower in followers:
                follower.news(pod)
        elif uid not in self._seen:
            self._seen.add(uid)
            self._following.put(Notice(f"{pods.name(pod)}: new pod"))
            for source in sources(pod):
                self._following.start(source, pod)

    def _tell_gone(self, uid: str) -> None:
        for follower in self._following.known().get(uid, []):
            self._following.put(Notice(f"{follower.source.pod}: the pod is gone"))
            follower.gone()

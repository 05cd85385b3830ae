"""Follows one container through every break of the connection and every restart, until its pod is gone."""

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import pods
from nucleo_cli.domain.events import Event, Notice, Warned
from nucleo_cli.errors import NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.logs.lines import Line
from nucleo_cli.workflows.logs.position import Position
from nucleo_cli.workflows.logs.source import Instance, Json, Source, instances, new_lines, open_log

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

_NEWS_SECONDS = 30.0
_BACKOFF_SECONDS = (0.1, 10.0)
_FAILURES_UNTIL_TOLD = 4


class Follower:
    """Reads the runs of one container one after the other and hands out every line once, in order.

    `put` takes lines and events and may block: then nothing more is read, and TCP holds the sender back.
    `news` and `gone` are called from the thread that watches the pods.
    """

    def __init__(
        self,
        cluster: "Cluster",
        source: Source,
        pod: Json,
        put: Callable[[Line | Event], None],
        position: Position | None = None,
        done: frozenset[str] = frozenset(),
    ) -> None:
        self.source = source
        self._cluster = cluster
        self._put = put
        self._position = position or Position()
        self._done = set(done)
        self._pod = pod
        self._gone = False
        self._changed = threading.Condition()
        self._failures = 0
        self._reading = ""

    def news(self, pod: Json) -> None:
        """The pod has changed."""
        with self._changed:
            self._pod = pod
            self._changed.notify_all()

    def gone(self) -> None:
        """The pod has been deleted."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def run(self) -> None:
        """Follows to the end; returns when the pod is gone or its container will not run again."""
        while True:
            pod = self._pod
            found = instances(pod, self.source.container)
            instance = next((each for each in found if each.id not in self._done), None)
            if instance is not None:
                self._check_gap(found)
                self._read(instance)
            elif self._gone or pods.finished(pod):
                return
            else:
                self._wait(pod)

    def _read(self, instance: Instance) -> None:
        if self._reading not in ("", instance.id):
            self._put(Notice(f"{self.source.pod}: the container was restarted"))
        self._reading = instance.id
        try:
            complete = self._drain(instance) if instance.ended else self._follow(instance)
        except NotFound:
            self._gone = complete = True
        except Unreachable as error:
            complete = self._failed(error)
        except NucleoError as error:
            # 400: the container is not there yet, or its log is no longer kept.
            complete = instance.ended or self._failed(error)
        if complete:
            self._done.add(instance.id)

    def _drain(self, instance: Instance) -> bool:
        """Reads what is left of a run that has ended."""
        query = {"previous": "true"} if instance.previous else {}
        with open_log(self._cluster, self.source, self._position, **query) as chunks:
            for line in new_lines(chunks, self.source, self._position, whole=True):
                self._put(line)
        self._failures = 0
        return True

    def _follow(self, instance: Instance) -> bool:
        resumed = self._position.begun
        with open_log(self._cluster, self.source, self._position, follow="true") as chunks:
            # The API follows whichever run is the present one: only now it is certain that it is this one.
            if not resumed or self._is_running(instance):
                for line in new_lines(chunks, self.source, self._position, whole=False):
                    self._failures = 0
                    self._put(line)
        if self._is_running(instance):
            self._pause()
        return False

    def _is_running(self, instance: Instance) -> bool:
        self._refresh()
        if self._gone:
            # Deleted while its log was read: nothing more can be read of it.
            self._done.add(instance.id)
            return False
        return any(each.id == instance.id and not each.ended for each in instances(self._pod, self.source.container))

    def _refresh(self) -> None:
        try:
            pod = self._cluster.get(path("v1", "pods", self.source.namespace, self.source.pod))
        except NotFound:
            self._gone = True
            return
        if pod["metadata"]["uid"] == self.source.uid:
            self._pod = pod
        else:
            self._gone = True

    def _failed(self, error: NucleoError) -> bool:
        if self._failures == _FAILURES_UNTIL_TOLD:
            self._put(Warned(f"{self.source.pod}: {error.message}; trying again"))
        self._pause()
        try:
            self._refresh()
        except NucleoError:
            return False
        return False

    def _pause(self) -> None:
        """Waits longer after each failure in a row, with jitter, so that not all come back at once."""
        shortest, longest = _BACKOFF_SECONDS
        seconds = min(longest, shortest * 2**self._failures) * random.uniform(0.5, 1)  # noqa: S311 - not a secret
        self._failures = min(self._failures + 1, 16)
        with self._changed:
            if not self._gone:
                self._changed.wait(seconds)

    def _wait(self, pod: Json) -> None:
        with self._changed:
            told = self._pod is not pod or self._gone or self._changed.wait(_NEWS_SECONDS)
        if not told:
            try:
                self._refresh()
            except NucleoError:
                return

    def _check_gap(self, found: list[Instance]) -> None:
        known = {each.id for each in found}
        if self._reading and self._reading not in known and self._reading not in self._done:
            self._done.add(self._reading)
            self._put(Warned(f"{self.source.pod}: restarted more than once; the last lines of an earlier run are gone"))

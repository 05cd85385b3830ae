"""Follows collections of the API: all that there is, then each change, over broken connections and lost history."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleo_cli.errors import NotFound, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

_WATCH_SECONDS = 600
_RETRY_SECONDS = 1.0
# A collection that is not served may be so later: a CRD comes with its chart.
_ABSENT_SECONDS = 10.0

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """What happened to a kind: RESET with all items, or ADDED, MODIFIED or DELETED with one."""

    kind: str
    event: str
    items: list[Json]


@dataclass
class Watches:
    """Threads that put news into a queue, until the process ends."""

    cluster: Cluster
    news: queue.SimpleQueue[News] = field(default_factory=queue.SimpleQueue[News])

    def follow(self, kind: str, path: str, **query: str) -> None:
        threading.Thread(target=self._follow, args=(kind, path, query), name=f"watch {kind}", daemon=True).start()

    def _follow(self, kind: str, path: str, query: Mapping[str, str]) -> None:
        while True:
            try:
                self._list_and_watch(kind, path, query)
            except NotFound:
                self.news.put(News(kind, "RESET", []))
                time.sleep(_ABSENT_SECONDS)
            except NucleoError:
                time.sleep(_RETRY_SECONDS)

    def _list_and_watch(self, kind: str, path: str, query: Mapping[str, str]) -> None:
        found = self.cluster.get(path, **query)
        version: str = found["metadata"]["resourceVersion"]
        self.news.put(News(kind, "RESET", found["items"]))
        while True:
            asked = {"resourceVersion": version, "timeoutSeconds": _WATCH_SECONDS, "allowWatchBookmarks": "true"}
            for event in self.cluster.watch(path, **query, **asked):
                if event["type"] == "ERROR":
                    return
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.news.put(News(kind, event["type"], [event["object"]]))

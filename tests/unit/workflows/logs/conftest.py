"""A node whose log API breaks off wherever a test says."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from nucleo_cli.errors import NotFound, NucleoError, Unreachable

Json = dict[str, Any]
Record = tuple[int, bytes]


def stamp(time: int) -> str:
    whole, nanos = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


class Node:
    """One pod with one container. Each request for its log takes the next of `breaks`: (bytes to send, cleanly).

    When there are no more breaks, a log is sent whole, and the container ends after it, or restarts with the next run.
    """

    def __init__(self, runs: list[list[Record]], breaks: list[tuple[int, bool]] | None = None) -> None:
        self.runs = runs
        self.breaks = breaks or []
        self.run = 0
        self.ended = False
        self.gone = False
        self.asked: list[Json] = []

    @property
    def pod(self) -> Json:
        state: Json = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        if self.ended:
            state = {"terminated": {"exitCode": 0, "reason": "Completed", "containerID": f"run-{self.run}"}}
        last = {"terminated": {"containerID": f"run-{self.run - 1}", "exitCode": 1}} if self.run else {}
        status: Json = {"name": "web", "containerID": f"run-{self.run}", "state": state, "lastState": last}
        return {
            "metadata": {
                "name": "shop-web-5d9-abcde",
                "namespace": "shop",
                "uid": "u1",
                "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"nucleo.io/app": "shop", "nucleo.io/process": "web"},
            },
            "spec": {"containers": [{"name": "web"}]},
            "status": {"phase": "Succeeded" if self.ended else "Running", "containerStatuses": [status]},
        }

    def get(self, path: str, **query: Any) -> Json:
        if self.gone:
            raise NotFound(f"no pod at {path}")
        return self.pod

    @contextmanager
    def stream(self, path: str, **query: Any) -> Generator[Iterator[bytes]]:
        self.asked.append(query)
        if self.gone:
            raise NotFound(f"no pod at {path}")
        run = self.run - 1 if query.get("previous") else self.run
        if run < 0:
            raise NucleoError("previous terminated container not found", details={"status": 400})
        yield self._body(self._since(self.runs[run], query), "follow" in query)

    def _since(self, records: list[Record], query: Json) -> bytes:
        since = 0
        if "sinceTime" in query:
            since = int(datetime.fromisoformat(query["sinceTime"]).timestamp()) * 1_000_000_000
        shown = [(time, text) for time, text in records if time >= since]
        if "tailLines" in query:
            shown = shown[len(shown) - min(len(shown), query["tailLines"]) :]
        return b"".join(f"{stamp(time)} ".encode() + text + b"\n" for time, text in shown)

    def _body(self, body: bytes, follow: bool) -> Iterator[bytes]:
        if self.breaks:
            size, cleanly = self.breaks.pop(0)
            yield body[: size % (len(body) + 1)]
            if not cleanly or not follow:
                raise Unreachable("the connection to the cluster broke while reading")
            return
        yield body
        if follow:
            self._next()

    def _next(self) -> None:
        if self.run + 1 < len(self.runs):
            self.run += 1
        else:
            self.ended = True


@pytest.fixture
def node() -> Callable[..., Node]:
    return Node

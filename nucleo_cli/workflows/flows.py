"""Flows of an app, asked of the agents on the nodes where its pods are."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.adapters.channels import ERROR, STDERR, STDOUT
from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json, part
from nucleo_cli.domain.flows import DROPPED, UNRULED, Flow
from nucleo_cli.errors import NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.history import read_history
from nucleo_cli.workflows.settings import NAMESPACE, OF_AGENT

if TYPE_CHECKING:
    from nucleo_cli.adapters.channels import Channels
    from nucleo_cli.adapters.kubernetes import Cluster

_ANSWER_SECONDS = 20.0
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """`since` and `until` are seconds since 1970, `until` of the first packet; `to` is the peer's name or address."""

    since: float = 0
    until: float = float("inf")
    dropped: bool = False
    to: str = ""
    follow: bool = False

    def fits(self, flow: Flow) -> bool:
        if flow.first > self.until:
            return False
        if self.dropped and flow.verdict not in DROPPED | UNRULED:
            return False
        return not self.to or self.to in (flow.peer, flow.address) or self.to in flow.peer.split("/")


def during(cluster: Cluster, target: Target, release: int) -> tuple[float, float]:
    """From when until when a release was the newest, in seconds since 1970. NotFound where it is not kept."""
    revisions = read_history(cluster, target).revisions
    times = {each.version: each.created.timestamp() for each in revisions if each.created}
    if release not in times:
        raise NotFound(f"{target.app} has no release {release}", "nucleo releases lists those that are kept")
    return times[release], min((time for version, time in times.items() if version > release), default=float("inf"))


def read_flows(cluster: Cluster, target: Target, query: Query) -> Iterator[Flow]:
    """The flows of an app that fit: those that were, then, where they are followed, those that come.

    Raises NotFound where the cluster has no agent, NotAllowed where one may not ask it, Unreachable where one of the
    agents does not answer.
    """
    request = {"namespace": target.namespace, "app": target.app, "since": query.since, "follow": query.follow}
    asked = [_ask(cluster, pod, json.dumps(request)) for pod in _agents(cluster)]
    try:
        for line in _lines(asked, None if query.follow else time.monotonic() + _ANSWER_SECONDS):
            flow = Flow.read(json.loads(line))
            if query.fits(flow):
                yield flow
    finally:
        for each in asked:
            each.close()


def _agents(cluster: Cluster) -> list[str]:
    found = cluster.items(path("v1", "pods", NAMESPACE), labelSelector=OF_AGENT)
    running = [each["metadata"]["name"] for each in found if part(each, "status").get("phase") == "Running"]
    if not running:
        raise NotFound(
            "no agent of Nucleo runs on this cluster: nothing sees the app's connections",
            "nucleo network install puts one on each node",
        )
    return running


def _ask(cluster: Cluster, pod: str, request: str) -> Channels:
    query = [("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in ("python3", "-m", "nucleo_cli.agent", "flows", request)]
    return cluster.websocket(path("v1", "pods", NAMESPACE, pod, "exec"), query)


def _lines(asked: list[Channels], deadline: float | None) -> Iterator[bytes]:
    """What the agents say, line by line, until all have ended."""
    rest = dict.fromkeys(range(len(asked)), b"")
    told = dict.fromkeys(range(len(asked)), b"")
    while waiting := [index for index in rest if asked[index].open]:
        if deadline is not None and time.monotonic() > deadline:
            raise Unreachable("an agent does not answer", "nucleo doctor looks for the reason")
        _wait([asked[index] for index in waiting])
        for index in waiting:
            asked[index].flush()
            for channel, data in asked[index].receive():
                if channel == STDOUT:
                    *whole, rest[index] = (rest[index] + data).split(b"\n")
                    yield from filter(None, whole)
                elif channel == STDERR:
                    told[index] += data
                elif channel == ERROR:
                    _check(json.loads(data), told[index])


def _wait(channels: list[Channels]) -> None:
    if any(each.pending for each in channels):
        return
    poll = select.poll()
    for each in channels:
        poll.register(each.fileno(), select.POLLIN | (select.POLLOUT if each.unsent else 0))
    poll.poll(_POLL_SECONDS * 1000)


def _check(status: Json, told: bytes) -> None:
    if status.get("status") != "Success":
        said = told.decode("utf-8", "replace").strip().splitlines()
        raise NucleoError(f"the agent failed: {said[-1] if said else status.get('message', '')}")

"""The containers whose logs are read, and the API requests that read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import pods
from nucleo_cli.domain.documents import Json, part, parts
from nucleo_cli.workflows.logs.lines import Line, Stamped, split, stamped
from nucleo_cli.workflows.logs.position import Position

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from nucleo_cli.adapters.kubernetes import Cluster


@dataclass(frozen=True, slots=True)
class Source:
    """One container of one pod; a pod of the same name with another uid is another source."""

    namespace: str
    process: str
    pod: str
    uid: str
    container: str

    def line(self, stamped_line: Stamped) -> Line:
        """The line with where it is from; bytes that are not UTF-8 become U+FFFD."""
        time, stamp, text = stamped_line
        return Line(time, stamp, self.process, self.pod, text.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of a container: a restart makes a new one, and the API still has the log of the one before."""

    id: str
    ended: bool
    previous: bool = False


def sources(pod: Json) -> list[Source]:
    """Every container of the pod."""
    meta = pod["metadata"]
    return [
        Source(meta["namespace"], pods.process(pod), meta["name"], meta["uid"], container["name"])
        for container in parts(pod, "spec", "containers")
    ]


def instances(pod: Json, container: str) -> list[Instance]:
    """The runs of a container whose logs the API can give, oldest first: at most the present one and the one before."""
    status = pods.container(pod, container)
    state = part(status, "state")
    last = str(part(status, "lastState", "terminated").get("containerID", ""))
    found: list[Instance] = []
    if "running" in state:
        found = [Instance(last, ended=True, previous=True), Instance(status.get("containerID", ""), ended=False)]
    elif "terminated" in state:
        own = part(state, "terminated").get("containerID") or status.get("containerID", "")
        found = [Instance(last, ended=True, previous=True), Instance(own, ended=True)]
    else:
        # Waiting for a restart: the API gives the log of the run before as the present one.
        found = [Instance(last, ended=True)]
    return [each for each in found if each.id]


def open_log(
    cluster: "Cluster", source: Source, position: Position, **query: Any
) -> "AbstractContextManager[Iterator[bytes]]":
    """The log as chunks of bytes, from the position on, each line with its time."""
    asked: dict[str, Any] = {"container": source.container, "timestamps": "true", **position.query(), **query}
    return cluster.stream(path("v1", "pods", source.namespace, source.pod, "log"), **asked)


def new_lines(chunks: Iterator[bytes], source: Source, position: Position, *, whole: bool) -> Iterator[Line]:
    """The lines that were not seen before. `whole` False: an unfinished last line is left to the next connection."""
    position.reconnect()
    for line in stamped(split(chunks, whole=whole)):
        if position.is_new(line):
            yield source.line(line)

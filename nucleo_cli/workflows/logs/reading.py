"""The lines that are there already, in the order of their times; and then, if wanted, those that come."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain import labels, pods
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.events import Event, Notice, Warned
from nucleo_cli.errors import NotAllowed, NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.logs.following import follow
from nucleo_cli.workflows.logs.lines import Line
from nucleo_cli.workflows.logs.order import batches, merged
from nucleo_cli.workflows.logs.position import Position
from nucleo_cli.workflows.logs.query import Query
from nucleo_cli.workflows.logs.source import Instance, Json, Source, instances, new_lines, open_log, sources
from nucleo_cli.workflows.processes import check_process, read_deployments

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

PodNames = frozenset[str]
Shown = list[Line] | Event | PodNames


@dataclass(slots=True)
class Start:
    """A container that was there at the start: how far its log has been read, and which runs need no more reading."""

    source: Source
    pod: Json
    position: Position
    done: set[str] = field(default_factory=set[str])


def read_logs(cluster: "Cluster", target: Target, query: Query) -> Iterator[Shown]:
    """First the names of the pods that are there, then batches of lines, and events about what cannot be shown.

    Endless when `query.follow`.
    NotFound when there is no such app or process.
    """
    selector = labels.of_processes(target.app, query.process)
    listed = cluster.get(path("v1", "pods", target.namespace), labelSelector=selector)
    found: list[Json] = listed.get("items") or []
    yield frozenset(pods.name(pod) for pod in found)
    if not found:
        yield _no_pods(cluster, target, query)
    since = int(cluster.server_time() - (query.since or 0)) if _limited(query) else -1
    starts = [Start(source, pod, Position(since)) for pod in found for source in sources(pod)]
    yield from _history(cluster, starts, query)
    if query.follow:
        version = listed["metadata"].get("resourceVersion", "")
        yield from follow(cluster, target.namespace, selector, version, starts)


def _limited(query: Query) -> bool:
    return query.since is not None or query.tail == 0


def _no_pods(cluster: "Cluster", target: Target, query: Query) -> Event:
    deployments = read_deployments(cluster, target)
    check_process(deployments, target, query.process)
    wanted = query.process or "web"
    waiting = "; waiting for one" if query.follow else ""
    return Warned(
        f"{target.app} has no pod now{waiting}", f"nucleo scale {wanted}=1 starts one; nucleo ps shows the scale"
    )


def _history(cluster: "Cluster", starts: list[Start], query: Query) -> Generator[Shown, None, None]:
    with ExitStack() as stack:
        streams: list[Iterator[Line]] = []
        for start in starts:
            try:
                stream = _open(stack, cluster, start, query)
            except (NotAllowed, Unreachable):
                raise
            except NotFound:
                continue  # the pod went away since it was listed
            except NucleoError as error:
                yield Warned(f"{start.source.pod}: {error.message}")
                continue
            if stream is None:
                yield Notice(_nothing(start, query))
            else:
                streams.append(stream)
        lines = merged(streams)
        yield from batches(lines if query.tail is None else deque(lines, maxlen=query.tail))


def _open(stack: ExitStack, cluster: "Cluster", start: Start, query: Query) -> Iterator[Line] | None:
    """The log of the present run, or of the one before with `previous`; None when there is none yet."""
    runs = instances(start.pod, start.source.container)
    start.done |= {each.id for each in runs if each.ended}
    run = _chosen(runs, query)
    if run is None:
        return None
    asked = {"tailLines": query.tail} if query.tail is not None else {}
    asked |= {"previous": "true"} if run.previous else {}
    chunks = stack.enter_context(open_log(cluster, start.source, start.position, **asked))
    # A running container may be in the middle of a line: following shows it when it is whole.
    return new_lines(chunks, start.source, start.position, whole=not query.follow or run.ended)


def _chosen(runs: list[Instance], query: Query) -> Instance | None:
    if query.previous:
        # Waiting for a restart, the API gives the run before as the present one.
        return next((each for each in runs if each.previous or (len(runs) == 1 and each.ended)), None)
    return runs[-1] if runs else None


def _nothing(start: Start, query: Query) -> str:
    if query.previous:
        return f"{start.source.pod}: the container was not restarted, there is no earlier log"
    return f"{start.source.pod}: nothing printed yet ({pods.status(start.pod)})"

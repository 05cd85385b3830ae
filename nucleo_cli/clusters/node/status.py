"""What a local cluster is doing: its components, its ports, its logs."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.clusters.node import ports
from nucleo_cli.clusters.node.container import container_name
from nucleo_cli.clusters.node.node import existing, find, lines
from nucleo_cli.clusters.node.ports import Ports
from nucleo_cli.errors import NotFound, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine

_LOGS = "/var/log/nucleo"


@dataclass(frozen=True, slots=True)
class Component:
    """A supervised program of the node: `state` is "run" or "down", for so many seconds."""

    name: str
    state: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Status:
    """`state` is the container's (running, exited, created), or "absent". `memory` is in bytes, of all processes."""

    name: str
    context: str
    state: str
    image: str = ""
    ports: Ports | None = None
    kubernetes: str = ""
    ready: bool = False
    memory: int = 0
    components: tuple[Component, ...] = ()


def status(engine: "Engine", name: str = "local") -> Status:
    """The state of cluster `name`, whether it exists or not."""
    full = container_name(name)
    found = find(engine, name)
    if found is None:
        return Status(name, full, "absent")
    bound = ports.bound(engine.inspect(found["Id"]))
    if found["State"] != "running":
        return Status(name, full, found["State"], found["Image"], bound)
    told = list(lines(iter(engine.exec(full, ["nucleo-status"]))))
    facts = dict(line.split("=", 1) for line in told if re.match(r"\w+=", line))
    return Status(
        name=name,
        context=full,
        state="running",
        image=found["Image"],
        ports=bound,
        kubernetes=facts.get("kubernetes", ""),
        ready=facts.get("ready") == "True",
        memory=int(facts.get("memory") or 0),
        components=tuple(component for line in told if (component := _component(line))),
    )


def logs(engine: "Engine", name: str, component: str, tail: int = 100, follow: bool = False) -> Iterator[str]:
    """The last lines that a component of the node wrote, and with `follow` those to come. Raises NotFound."""
    full = container_name(name)
    existing(engine, name)
    known = _folders(engine, full)
    if component not in known:
        raise NotFound(f'The node has no component "{component}"', f"It has {', '.join(known)}")
    file = f"{_LOGS}/{component}/current"
    # The shell says its process id first, for the engine leaves a command running when nobody listens any more.
    script = 'echo $$; exec tail -n "$1" $2 "$3"'
    running = engine.exec(full, ["sh", "-c", script, "tail", str(tail), "-F" if follow else "-q", file])
    told = lines(iter(running))
    process = next(told, "")
    try:
        yield from told
    finally:
        running.close()
        if follow:
            with suppress(NucleoError):
                _ = engine.exec(full, ["kill", process]).code


def _folders(engine: "Engine", full: str) -> list[str]:
    return list(lines(iter(engine.exec(full, ["ls", _LOGS]))))


def _component(line: str) -> Component | None:
    """A line of runit's `sv status`: `run: /run/service/etcd: (pid 70) 123s; run: log: …`."""
    match = re.match(r"(\w+): /run/service/([a-z-]+): (?:\(pid \d+\) )?(\d+)s", line)
    return Component(match[2], match[1], int(match[3])) if match else None

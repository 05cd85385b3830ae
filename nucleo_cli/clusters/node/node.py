"""The life of a local cluster: up and down. Each can be killed at any point and run again."""

import io
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from nucleo_cli.clusters import choice, kubeconfig
from nucleo_cli.clusters.node import image, ports
from nucleo_cli.clusters.node.container import LABEL, container_name, create, labels
from nucleo_cli.clusters.node.ports import Ports
from nucleo_cli.domain.events import Notice, PhaseEnded, PhaseStarted, Warned, Work
from nucleo_cli.errors import NotFound, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine

_ADMIN = "/var/lib/nucleo/admin.conf"
_STAGES = {
    "api": "the API server answers",
    "node": "the node is Ready",
    "dns": "names resolve",
    "ingress": "the ingress serves",
}


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A running local cluster. `registry` is where this machine pushes; `url` is where the ingress answers."""

    name: str
    context: str
    server: str
    registry: str
    url: str
    changed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Removed:
    """What `down` took away, in words for people."""

    name: str
    removed: tuple[str, ...]


def up(engine: "Engine", name: str = "local") -> Work[LocalCluster]:
    """Starts the cluster, making what is missing of it; returns when pods run, names resolve and the ingress serves."""
    start = time.monotonic()
    full = container_name(name)
    found = find(engine, name)
    changed = found is None or found["State"] != "running"
    if found is None:
        create(engine, name, (yield from image.ensure(engine)), ports.choose(_promised(engine)))
    elif changed:
        yield from _renew(engine, name, found)
    elif found["Image"] != image.name():
        yield Notice(
            f'cluster "{name}" is of another version of Nucleo: docker stop {full}, then cluster up, renews it'
        )
    if changed:
        yield from _start(engine, name)
    yield from _await(engine, full)
    chosen = ports.bound(engine.inspect(full))
    server = f"https://127.0.0.1:{chosen.api}"
    changed = kubeconfig.add(full, _credentials(engine, full, server)) or changed
    if choice.chosen() is None:
        choice.choose(full)
    return LocalCluster(
        name=name,
        context=full,
        server=server,
        registry=f"127.0.0.1:{chosen.registry}",
        url=f"http://127.0.0.1:{chosen.http}",
        changed=changed,
        seconds=time.monotonic() - start,
    )


def down(engine: "Engine", name: str = "local") -> Work[Removed]:
    """Removes the cluster and all that it left on this machine; its image stays in the engine for the next `up`."""
    start = time.monotonic()
    full = container_name(name)
    yield PhaseStarted("cluster", f"removing {full}")
    removed: list[str] = []
    found = find(engine, name)
    if found:
        engine.remove_container(found["Id"])
        removed.append(f"container {full}")
    # The volume goes last, for it shows a run after a killed one that there is something left to do.
    if volumes := engine.volumes(labels(name)):
        if engine.info().get("CgroupVersion", "1") == "1":
            removed += yield from _remove_cgroups(engine, name, found["Image"] if found else image.name())
        for volume in volumes:
            engine.remove_volume(volume["Name"])
            removed.append(f"volume {volume['Name']}")
    removed += [f"context {full} in {path}" for path in kubeconfig.remove(full)]
    choice.forget(full)
    yield PhaseEnded("cluster", time.monotonic() - start, skipped=not removed)
    return Removed(name, tuple(removed))


def find(engine: "Engine", name: str) -> dict[str, Any] | None:
    """The cluster's container, as the engine lists it; None when there is none."""
    return next(iter(engine.containers(labels(name))), None)


def exists(engine: "Engine", name: str) -> bool:
    """Whether anything of the cluster is there to be lost."""
    return find(engine, name) is not None or bool(engine.volumes(labels(name)))


def existing(engine: "Engine", name: str) -> dict[str, Any]:
    """The cluster's running container. Raises NotFound when there is none or it is stopped."""
    found = find(engine, name)
    if found is None:
        raise NotFound(f'There is no local cluster "{name}"', "nucleo cluster up")
    if found["State"] != "running":
        raise NotFound(f'The local cluster "{name}" is stopped', "nucleo cluster up")
    return found


def _renew(engine: "Engine", name: str, found: dict[str, Any]) -> Work[None]:
    """Makes a stopped cluster's container again from this version's image; the data stays, it is on the volume."""
    wanted = image.name()
    if found["Image"] != wanted:
        yield Notice(f'cluster "{name}" moves to {wanted}')
        yield from image.ensure(engine)
        kept = ports.complete(ports.bound(engine.inspect(found["Id"])), _promised(engine))
        engine.remove_container(found["Id"])
        create(engine, name, wanted, kept)


def _promised(engine: "Engine") -> set[int]:
    """The ports of the other local clusters: a stopped one wants its own back."""
    promised: set[int] = set()
    for other in engine.containers({LABEL: ""}):
        bound: Ports = ports.bound(engine.inspect(other["Id"]))
        promised |= {bound.api, bound.registry, bound.http, bound.https}
    return promised


def _start(engine: "Engine", name: str) -> Work[None]:
    """Starts the container; it is made again with other ports when somebody has taken one of its own meanwhile."""
    full = container_name(name)
    try:
        engine.start(full)
    except NucleoError as error:
        if "already allocated" not in error.message and "already in use" not in error.message:
            raise
        made_of = engine.inspect(full)["Config"]["Image"]
        engine.remove_container(full)
        create(engine, name, made_of, ports.choose(_promised(engine)))
        yield Warned("another program has taken a port of the cluster, so it got new ones")
        engine.start(full)


def _await(engine: "Engine", full: str) -> Work[None]:
    """Waits for each stage of the start, in order; a node that is up has them all behind it."""
    start = time.monotonic()
    reached = ""
    running = engine.exec(full, ["nucleo-wait"])
    for reached in lines(iter(running)):
        yield PhaseEnded(reached, time.monotonic() - start, detail=_STAGES.get(reached, ""))
    if running.code:
        so_far = _STAGES.get(reached, "nothing answers")
        raise NucleoError(f"The cluster did not start: {so_far}, but no more", "nucleo cluster status --logs addons")


def lines(chunks: Iterator[tuple[str, bytes]]) -> Iterator[str]:
    """The lines of both streams of a command, as they come."""
    rest = b""
    for _, chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


def _credentials(engine: "Engine", full: str, server: str) -> kubeconfig.Credentials:
    """The administrator's, out of the node's own kubeconfig."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.get_archive(full, _ADMIN)))) as tar:
        file = tar.extractfile("admin.conf")
        content: dict[str, Any] = yaml.safe_load(file.read()) if file else {}
    user = content["users"][0]["user"]
    authority = content["clusters"][0]["cluster"]["certificate-authority-data"]
    return kubeconfig.Credentials(server, authority, user["client-certificate-data"], user["client-key-data"])


def _remove_cgroups(engine: "Engine", name: str, reference: str) -> Work[list[str]]:
    """Removes the cluster's cgroup folders through a container, for they belong to root."""
    if not engine.has_image(reference):
        yield Warned(f"the cgroup folders /nucleo-{name} stay until the machine restarts: the node's image is gone")
        return []
    helper = engine.create_container(
        reference,
        entrypoint=["nucleo-forget-cgroups", name],
        volumes={"/sys/fs/cgroup": "/sys/fs/cgroup"},
        network_mode="none",
    )
    try:
        engine.start(helper)
        if engine.wait(helper):
            yield Warned(f"the cgroup folders /nucleo-{name} are still in use")
            return []
    finally:
        engine.remove_container(helper)
    return [f"cgroup folders /nucleo-{name}"]

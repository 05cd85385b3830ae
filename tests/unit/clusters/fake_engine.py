"""A container engine in memory, as far as a local cluster needs one."""

import base64
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import yaml

from nucleo_cli.domain.events import Event, Work
from nucleo_cli.errors import Conflict, NotFound, NucleoError

T = TypeVar("T")
STAGES = ("api", "node", "dns", "ingress")


def drain(work: Work[T]) -> tuple[list[Event], T]:
    """The events of a workflow, and its result."""
    events: list[Event] = []
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return events, end.value


class FakeExecution:
    """A command that has ended."""

    def __init__(self, lines: Sequence[str], code: int = 0) -> None:
        self._lines = lines
        self.code = code
        self.closed = False

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        # In pieces that do not end where lines do.
        text = "".join(f"{line}\n" for line in self._lines).encode()
        for start in range(0, len(text), 7):
            yield "stdout", text[start : start + 7]

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """`commands` maps a program to the lines it prints; `busy` are outer ports that another program has taken."""

    def __init__(self, *images: str) -> None:
        self.images = set(images)
        self.made: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, dict[str, str]] = {}
        self.commands: dict[str, FakeExecution] = {"nucleo-wait": FakeExecution(STAGES)}
        self.busy: set[int] = set()
        self.log: list[str] = []
        self.helper_code = 0

    def info(self) -> dict[str, Any]:
        return {"CgroupVersion": "1"}

    def is_local(self) -> bool:
        return False

    def has_image(self, reference: str) -> bool:
        return reference in self.images

    def pull(self, reference: str) -> None:
        self.log.append(f"pull {reference}")
        self.images.add(reference)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        self.kept.setdefault(name, dict(labels))

    def volumes(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        return [{"Name": name} for name, has in self.kept.items() if _match(has, labels)]

    def remove_volume(self, name: str) -> None:
        self.log.append(f"remove volume {name}")
        self.kept.pop(name, None)

    def create_container(self, image: str, *, name: str | None = None, **options: Any) -> str:
        full = name or "helper"
        if full in self.made:
            raise Conflict(f"{full} exists")
        self.log.append(f"create {full}")
        self.made[full] = {
            "Id": full,
            "Image": image,
            "State": "created",
            "labels": options.get("labels", {}),
            "ports": options.get("ports", {}),
            "options": options,
        }
        return full

    def start(self, container: str) -> None:
        made = self.made[container]
        if taken := {port for _, port in made["ports"].values()} & self.busy:
            raise NucleoError(f"Bind for 127.0.0.1:{min(taken)} failed: port is already allocated")
        made["State"] = "running"
        self.log.append(f"start {container}")

    def wait(self, container: str) -> int:
        self.log.append(f"wait {container}")
        return self.helper_code

    def containers(self, labels: Mapping[str, str], all: bool = True) -> list[dict[str, Any]]:
        return [made for made in self.made.values() if _match(made["labels"], labels)]

    def inspect(self, container: str) -> dict[str, Any]:
        made = self.made[container]
        bindings = {
            inner: [{"HostIp": address, "HostPort": str(port)}] for inner, (address, port) in made["ports"].items()
        }
        return {"HostConfig": {"PortBindings": bindings}, "Config": {"Image": made["Image"]}}

    def remove_container(self, container: str, *, force: bool = True, volumes: bool = False) -> None:
        self.log.append(f"remove container {container}")
        self.made.pop(container, None)

    def exec(self, container: str, command: Sequence[str], **_: Any) -> FakeExecution:
        self.log.append(f"exec {' '.join(command)}")
        if self.made[container]["State"] != "running":
            raise NotFound(f"{container} does not run")
        return self.commands.get(command[0], FakeExecution(()))

    def get_archive(self, container: str, path: str) -> Iterator[bytes]:
        encoded = base64.b64encode(b"pem").decode()
        content = yaml.safe_dump(
            {
                "clusters": [{"cluster": {"certificate-authority-data": encoded}}],
                "users": [{"user": {"client-certificate-data": encoded, "client-key-data": encoded}}],
            }
        ).encode()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            info = tarfile.TarInfo(path.rsplit("/", 1)[1])
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        yield buffer.getvalue()


def _match(has: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in has and value in ("", has[key]) for key, value in wanted.items())

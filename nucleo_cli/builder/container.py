"""The build container: one a build, thrown away after it. Steps run in it and their layers are made in it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from nucleo_cli.builder import layers
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.images import EPOCH, USER, WORKDIR, Layer
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Platform, Step
from nucleo_cli.domain.events import Output
from nucleo_cli.errors import BuildFailed, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine, Execution

ROLE = "io.nucleo.role"
OWNER = "io.nucleo.owner"
_LAST_LINES = 40
_LONGEST_LINE = 4000
_OWNER_ID = 1000
# It ends by itself should nobody be left to remove it.
_LIFE_SECONDS = 6 * 3600
_OUT_OF_MEMORY = 137

# $1 is the folder that becomes the layer, $2 where to put the packed layer. Prints the digests of the tar and of the
# packed file, and its size. Sorted names, fixed time and owner: the same files always make the same layer.
_PACK = f"""
set -euo pipefail
cd /
tar --create --sort=name --format=gnu --mtime=@{EPOCH} --numeric-owner --owner=0 --group=0 --mode=u+rwX,go+rX,go-w \
  --file=- -- "$1" | tee >(sha256sum > "$2.plain") | gzip --no-name -1 > "$2"
while [ ! -s "$2.plain" ]; do sleep 0.01; done
cut -d' ' -f1 "$2.plain"
sha256sum "$2" | cut -d' ' -f1
stat --format=%s "$2"
"""


class BuildContainer:
    """A running container of a build image. Use it in a `with` statement: it is removed at the end."""

    def __init__(self, engine: Engine, image: str, app: str, platform: Platform, host: Host, caches: bool) -> None:
        self._engine = engine
        self._image = image
        self._app = app
        self._platform = platform
        self._host = host
        self._caches = caches
        self._id = ""
        self._packed = 0

    def __enter__(self) -> BuildContainer:
        sweep(self._engine)
        volumes = {
            f"nucleo-cache-{self._platform.name}{folder.replace('/', '-')}": folder for folder in self._platform.caches
        }
        options: dict[str, Any] = {"network_mode": "host"} if self._host.needs_loopback else {}
        self._id = self._engine.create_container(
            self._image,
            command=["sleep", str(_LIFE_SECONDS)],
            user=USER,
            volumes=volumes if self._caches else {},
            labels={ROLE: "build", "io.nucleo.app": self._app, OWNER: owner()},
            init=True,
            **options,
        )
        try:
            self._engine.start(self._id)
            self._engine.put_archive(self._id, "/", self._host.archive(_OWNER_ID))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_failure: object) -> None:
        with suppress(NucleoError):
            self._engine.remove_container(self._id, force=True)

    def put(self, source: Source, paths: Iterable[str]) -> None:
        """Put files of the tree below /app, for the steps to write beside them."""
        with layers.archive(source, paths, _OWNER_ID) as file:
            self._engine.put_archive(self._id, "/", file)

    def restore(self, content: Iterator[bytes]) -> None:
        """Unpack a layer that an earlier build made."""
        with TemporaryFile() as file:
            for block in content:
                file.write(block)
            file.seek(0)
            self._engine.put_archive(self._id, "/", file)

    def run(self, step: Step) -> Iterator[Output]:
        """Run a step. Raises BuildFailed with what it printed last."""
        if step.files:
            self._engine.put_archive(self._id, "/", layers.texts(step.files, _OWNER_ID))
        env = {"SOURCE_DATE_EPOCH": str(EPOCH), "HOME": "/tmp", **self._host.env, **step.env}  # noqa: S108
        execution = self._engine.exec(
            self._id, ["/bin/bash", "-euo", "pipefail", "-c", step.command], user=USER, env=env, workdir=WORKDIR
        )
        printed: list[str] = []
        for line in lines(chunk for _, chunk in execution):
            printed.append(line)
            del printed[:-_LAST_LINES]
            yield Output(step.name, line)
        if execution.code:
            raise failure(step, execution.code, printed, self._platform)

    def pack(self, step: Step) -> tuple[Layer, str]:
        """Make the layer of a step's output; the layer, and the file in the container that holds it."""
        self._packed += 1
        path = f"/tmp/nucleo-layer-{self._packed}.tar.gz"  # noqa: S108
        script = ["/bin/bash", "-c", _PACK, "pack", step.output.lstrip("/"), path]
        execution = self._engine.exec(self._id, script, user=USER)
        printed = list(lines(chunk for _, chunk in execution))
        if execution.code or len(printed) != 3:
            raise BuildFailed(
                f"The step {step.name!r} left nothing at {step.output}", step.reason, {"output": printed[-_LAST_LINES:]}
            )
        plain, packed, size = printed
        return Layer(f"sha256:{packed}", int(size), f"sha256:{plain}"), path

    def read(self, path: str) -> Iterator[bytes]:
        """The bytes of a file in the container."""
        execution: Execution = self._engine.exec(self._id, ["cat", "--", path], user=USER)
        for stream, chunk in execution:
            if stream == "stdout":
                yield chunk
        if execution.code:
            raise NucleoError(f"{path} could not be read from the build container", "Run the same command again")


def failure(step: Step, code: int, printed: list[str], platform: Platform) -> BuildFailed:
    """What a failed step means; the platform knows its tools' own words for it."""
    details = {"step": step.name, "reason": step.reason, "code": code, "output": printed}
    text = "\n".join(printed)
    for known in platform.failures:
        if re.search(known.match, text):
            return BuildFailed(known.message, known.hint, details)
    if code == _OUT_OF_MEMORY:
        return BuildFailed(
            f"The step {step.name!r} was killed, most likely for memory", "Give the engine more", details
        )
    return BuildFailed(
        f"The step {step.name!r} failed with exit code {code}",
        f"It runs because {step.reason}: {step.command}",
        details,
    )


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of text; what is not UTF-8 is replaced, and a line without end is cut off."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from (_text(line) for line in whole)
        if len(rest) > _LONGEST_LINE:
            yield _text(rest)
            rest = b""
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line[:_LONGEST_LINE].decode("utf-8", "replace")


def owner() -> str:
    """This process, so that a later build can tell whether it still lives."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def sweep(engine: Engine) -> None:
    """Remove the containers of builds that were killed: those that ended, and those whose process is gone."""
    for container in engine.containers({ROLE: "build"}):
        if container.get("State") == "exited" or _is_orphan(container.get("Labels", {}).get(OWNER, "")):
            with suppress(NucleoError):
                engine.remove_container(container["Id"], force=True)


def _is_orphan(label: str) -> bool:
    host, _, rest = label.partition("/")
    process, _, started = rest.partition("/")
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(process)) != started


def _started(process: int) -> str:
    """When a process began, in the kernel's own count; empty where the kernel does not tell."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

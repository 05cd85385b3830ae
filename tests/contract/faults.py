"""What the tests of faults share: a platform that takes seconds to make, builds, and a registry that misbehaves.

    python -m tests.contract.faults FOLDER REGISTRY EVENT

is one build that kills itself at its EVENT-th event; with 0 it lives, and prints the image's digest.
"""

import contextlib
import http.client
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

from nucleo_cli.adapters.docker import Engine
from nucleo_cli.adapters.registry import Registry
from nucleo_cli.builder import platforms
from nucleo_cli.builder.build import build
from nucleo_cli.builder.source import Source, read_source
from nucleo_cli.domain.app import App, Build
from nucleo_cli.domain.build import GitFacts, Image, Plan, Platform, PlatformVersion, Step
from nucleo_cli.domain.events import Event, Work
from nucleo_cli.domain.settings import Settings

PLATFORM = Platform(
    name="faults",
    default="1",
    detect=(),
    versions={"1": PlatformVersion("trixie", (), ())},
    tools={},
    caches=("/cache",),
    app_caches=("/own",),
    host_env=("FAULTS_INDEX_URL",),
    cache_damage="the cache is damaged",
)
FIRST = Step("first", "cp one.txt /opt/app/first", "/opt/app", "one.txt is there", ("one.txt",), changed_only=True)
SECOND = Step(
    "second",
    "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; seq 300000 | cat - /opt/app/first two.txt > /opt/app/second",
    "/opt/app",
    "two.txt is there",
    ("two.txt",),
    after=("first",),
    changed_only=True,
)
STEPS = (FIRST, SECOND)
COMMIT = GitFacts("c0ffee", False, 1_700_000_000)


def known() -> contextlib.AbstractContextManager[object]:
    """While this lasts, the platform of the tests is one of Nucleo's."""
    return patch.object(platforms, "load", return_value=PLATFORM)


def make_app(folder: Path) -> Path:
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(f"{name}\n")
    return folder


@dataclass
class Builder:
    """Builds apps into the registry at an address. `pauses` are the seconds that the client would have waited."""

    address: str
    engine: Engine
    pauses: list[float] = field(default_factory=list[float])
    events: list[Event] = field(default_factory=list[Event])

    def begin(
        self,
        folder: Path,
        steps: Sequence[Step] = STEPS,
        *,
        no_cache: bool = False,
        how: Build | None = None,
        source: Source | None = None,
    ) -> Work[Image]:
        app = App(folder.name, folder, "faults", build=how or Build())
        client = Registry(self.address, lambda _host: None, pause=self.pauses.append)
        settings = Settings(registry_push=self.address, registry_pull=self.address)
        plan = Plan("faults", "1", "cat /opt/app/second", steps=tuple(steps))
        source = source or read_source(folder)
        try:
            yield from ()
            return (
                yield from build(
                    app, source, plan, settings, lambda: self.engine, client, COMMIT, no_cache=no_cache
                )
            )  # fmt: skip
        finally:
            client.close()

    def build(self, folder: Path, steps: Sequence[Step] = STEPS, **options: object) -> Image:
        work = self.begin(folder, steps, **options)  # type: ignore[arg-type]
        self.events = []
        try:
            while True:
                self.events.append(next(work))
        except StopIteration as end:
            return end.value


@dataclass
class Fault:
    """What happens to the first `times` requests whose `METHOD PATH` the pattern finds, after `spare` others.

    `status` is answered, or the connection is cut after so many bytes of the body.
    """

    pattern: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: int = -1
    times: int = 1_000_000
    seen: int = 0


class FaultProxy(ThreadingHTTPServer):
    """A proxy on loopback in front of the registry at a port."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = port
        self.faults: list[Fault] = []
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def struck(self, request: str) -> Fault | None:
        """The fault that befalls a request."""
        with self._lock:
            for fault in self.faults:
                if re.search(fault.pattern, request):
                    fault.seen += 1
                    return fault if fault.seen <= fault.times else None
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up."""

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        assert isinstance(self.server, FaultProxy)
        fault = self.server.struck(f"{self.command} {self.path}")
        size = int(self.headers.get("content-length") or 0)
        if fault and fault.status:
            self.rfile.read(size)
            self._answer(fault.status, {**fault.headers, "content-length": "0"}, ())
        elif fault and size:
            self.rfile.read(min(fault.cut, size))
            self._hang_up()
        else:
            self._pass_on(self.server.target, size, fault)

    def _pass_on(self, port: int, size: int, fault: Fault | None) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as upstream:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(self._body(size))
            answer = upstream.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() != "connection"}
            if fault:
                self._answer(answer.status, headers, [answer.read(fault.cut)])
                self._hang_up()
            else:
                self._answer(answer.status, headers, iter(lambda: answer.read(65536), b""))

    def _body(self, left: int) -> Iterator[bytes]:
        while left and (part := self.rfile.read(min(65536, left))):
            left -= len(part)
            yield part

    def _answer(self, status: int, headers: Mapping[str, str], body: Iterable[bytes]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for part in body:
                self.wfile.write(part)
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(folder: str, address: str, event: str) -> None:
    engine = Engine()
    work = Builder(address, engine).begin(Path(folder))
    left = int(event)
    with known():
        try:
            while True:
                next(work)
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        except StopIteration as end:
            print(end.value.digest)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])

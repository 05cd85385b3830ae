"""Answers about flows on a Unix socket of the agent's own file system: who may `exec` into its pod may ask.

A request is one line of JSON: {"namespace", "app", "since", "follow"}; `since` is seconds since 1970. The answer is one
flow a line, and, where they are followed, an empty line each few seconds to notice who has gone.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from nucleo_cli.agent.flows import Flows, Store, line

SOCKET = Path("/run/nucleo/agent.sock")
_ALIVE_SECONDS = 5.0
_BLOCK = 1 << 16


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(flows: Flows, store: Path, where: Path = SOCKET) -> None:
    """From now on, in threads of its own."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = json.loads(self.rfile.readline())
            of = (request["namespace"], request["app"])
            listener = flows.listen() if request.get("follow") else None
            try:
                for each in Store(store).find(*of, request.get("since", 0)):
                    self.wfile.write(line(each))
                if listener is not None:
                    for each in _followed(listener):
                        if each is None or (each["namespace"], each["app"]) == of:
                            self.wfile.write(line(each) if each else b"\n")
            except OSError:  # whoever asked has gone
                return
            finally:
                if listener is not None:
                    flows.forget(listener)

    where.parent.mkdir(parents=True, exist_ok=True)
    where.unlink(missing_ok=True)
    server = _Server(str(where), Handler)
    where.chmod(0o600)
    threading.Thread(target=server.serve_forever, name="serve flows", daemon=True).start()


def _followed(listener: SimpleQueue[dict[str, Any]]) -> Iterator[dict[str, Any] | None]:
    while True:
        try:
            yield listener.get(timeout=_ALIVE_SECONDS)
        except Empty:
            yield None


def ask(request: dict[str, Any], where: Path = SOCKET) -> Iterator[bytes]:
    """The answer in pieces, as they come."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(where))
        connection.sendall(json.dumps(request).encode() + b"\n")
        while block := connection.recv(_BLOCK):
            yield block

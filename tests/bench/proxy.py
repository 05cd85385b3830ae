"""A TCP proxy that counts what is sent through it, and whose connections can be dropped, as a network would."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

_BLOCK = 65536


class Proxy:
    """Listens on a free port of 127.0.0.1 until its `with` block ends. `sent` are the bytes that clients sent."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._listener.close()
        self.drop()

    def drop(self) -> int:
        """Resets every open connection; how many there were."""
        with self._lock:
            dropped, self._connections = self._connections, []
        for each in dropped:
            with contextlib.suppress(OSError):
                # Lingering for no time at all: the other side gets a reset instead of a clean end.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RD)
            each.close()
        return len(dropped) // 2

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._target) as server:
            pair = [client, server]
            with self._lock:
                self._connections += pair
            for each in pair:  # what comes in small pieces goes out in small pieces, at once
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_copy, args=(server, client, _ignore), daemon=True)
            back.start()
            _copy(client, server, self._count)
            back.join()
            with self._lock:
                self._connections = [each for each in self._connections if each not in pair]

    def _count(self, size: int) -> None:
        with self._lock:
            self.sent += size


def _copy(source: socket.socket, target: socket.socket, count: Callable[[int], None]) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            count(len(block))
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)


def _ignore(_size: int) -> None:
    pass

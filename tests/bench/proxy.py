"""A TCP proxy in front of the API server whose connections can be dropped, as a network would drop them."""

import contextlib
import socket
import struct
import threading

_BLOCK = 65536


class Proxy:
    """Listens on a free port of 127.0.0.1 until its `with` block ends."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
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
                server = socket.create_connection(self._target)
                with self._lock:
                    self._connections += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)

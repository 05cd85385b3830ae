"""The channels of an interactive exec of the container engine, as `channels` has them for the cluster's.

Framing: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach; with a TTY
there is none.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import socket
import ssl
from contextlib import suppress
from typing import Any

from docker.errors import APIError

from nucleo_cli.adapters.channels import RESIZE, STDERR, STDOUT
from nucleo_cli.errors import Unreachable

_READ_BYTES = 1 << 18
_HEADER = 8


class ExecChannels:
    """A command of a container that reads and writes. `receive` and `send` never wait."""

    def __init__(self, api: Any, id: str, stream: Any, *, tty: bool) -> None:
        self._api = api
        self._id = id
        self._stream = stream
        self._socket: Any = getattr(stream, "_sock", stream)
        self._socket.setblocking(False)
        self._tty = tty
        self._received = bytearray(_read_ahead(stream))
        self._ahead = bool(self._received)
        self._unsent = bytearray()
        self._ends = False
        # TLS has no half of a connection to close.
        self.half_close = not isinstance(self._socket, ssl.SSLSocket)
        self.open = True

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether there is something to receive that waiting for the socket would not show."""
        hidden = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        return hidden or self._ahead

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._unsent)

    def send(self, channel: int, data: bytes) -> None:
        """Queues input of the command; a new size of the window is told at once."""
        if channel == RESIZE:
            self._resize(json.loads(data))
        else:
            self._unsent += data

    def end_input(self) -> None:
        """Tells the command that its input is over, after what is queued."""
        self._ends = True
        self.flush()

    def flush(self) -> None:
        """Sends as much of what is queued as the connection takes now."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent[:_READ_BYTES])]
            if self._ends:
                self._ends = False
                self._socket.shutdown(socket.SHUT_WR)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError:
            # The command has ended without reading all of it; what it wrote is still to be received.
            self._unsent.clear()

    def receive(self) -> list[tuple[int, bytes]]:
        """What has come on each channel, in order; `open` is False once the command has closed its outputs."""
        try:
            data = self._socket.recv(_READ_BYTES)
            self.open = bool(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = b""
        except OSError as error:
            self.open = False
            raise Unreachable("the connection to the container engine broke", "", {"reason": str(error)}) from error
        self._received += data
        self._ahead = False
        return self._whole() if self._tty else self._frames()

    def close(self) -> None:
        self.open = False
        # The SDK's answer owns the stream; a plain socket has none.
        getattr(self._stream, "_response", self._stream).close()

    def _whole(self) -> list[tuple[int, bytes]]:
        data = bytes(self._received)
        self._received.clear()
        return [(STDOUT, data)] if data else []

    def _frames(self) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        got = self._received
        while len(got) >= _HEADER and len(got) >= (end := _HEADER + int.from_bytes(got[4:_HEADER], "big")):
            found.append((STDERR if got[0] == STDERR else STDOUT, bytes(got[_HEADER:end])))
            del got[:end]
        return found

    def _resize(self, size: dict[str, int]) -> None:
        with suppress(APIError):  # it is told again with the next change
            self._api.exec_resize(self._id, height=size["Height"], width=size["Width"])


def _read_ahead(stream: Any) -> bytes:
    """What came together with the headers of the engine's answer, and is in a buffer already."""
    try:
        return stream._response.raw._fp.fp.read1(_READ_BYTES) or b""
    except (AttributeError, OSError, ValueError):
        return b""

"""The channels of exec and attach over one WebSocket, without ever blocking: one loop serves both directions.

The kubernetes package opens the connection (certificates, tokens, proxies). Its own client reads until nothing more
comes, which for a busy program is never, and sends while nobody reads, which can stop both ends for ever.
Frames: https://www.rfc-editor.org/rfc/rfc6455#section-5.2; channels: the first byte of each message.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import os
import select
import ssl
import time
from typing import Any, Protocol

from nucleo_cli.errors import Unreachable

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE_CHANNEL = 255
_V5 = "v5.channel.k8s.io"
_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA
_READ_BYTES = 65536


class Open(Protocol):
    """An open connection to a command: of the cluster (Channels), or of the container engine (ExecChannels)."""

    open: bool
    half_close: bool

    def fileno(self) -> int: ...
    @property
    def pending(self) -> bool: ...
    @property
    def unsent(self) -> int: ...
    def send(self, channel: int, data: bytes) -> None: ...
    def end_input(self) -> None: ...
    def flush(self) -> None: ...
    def receive(self) -> list[tuple[int, bytes]]: ...
    def close(self) -> None: ...


class Channels:
    """An open exec or attach connection.

    `receive` and `send` never wait; `fileno`, `pending` and `unsent` say what to wait for.
    """

    def __init__(self, socket: Any, protocol: str | None) -> None:
        self._socket = socket
        self._socket.setblocking(False)
        self._received = bytearray()
        self._message = bytearray()
        self._unsent = bytearray()
        self.half_close = protocol == _V5
        self.open = True

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether there is something to receive that waiting for the socket would not show."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._unsent)

    def send(self, channel: int, data: bytes) -> None:
        """Queues data for a channel; `flush` sends it."""
        self._frame(_BINARY, bytes([channel]) + data)

    def end_input(self) -> None:
        """Tells the remote command that its input is over. Only where `half_close`: Kubernetes 1.30 and later."""
        self._frame(_BINARY, bytes([_CLOSE_CHANNEL, STDIN]))

    def flush(self) -> None:
        """Sends as much of what is queued as the connection takes now."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[:_READ_BYTES])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                self.open = False
                raise _broken(error) from error
            del self._unsent[:sent]

    def receive(self) -> list[tuple[int, bytes]]:
        """What has come on each channel, in order; `open` is False once the other side has said goodbye."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return []
        except OSError as error:
            self.open = False
            raise _broken(error) from error
        if not data:
            self.open = False
        self._received += data
        return self._messages()

    def collect(self, seconds: float) -> dict[int, bytes]:
        """Everything that comes on each channel until the other side ends it; what has come by then after `seconds`."""
        found: dict[int, bytes] = {}
        end = time.monotonic() + seconds
        while self.open and (left := end - time.monotonic()) > 0:
            self.flush()
            wait(self, [], left)
            for channel, data in self.receive():
                found[channel] = found.get(channel, b"") + data
        return found

    def close(self) -> None:
        """Says goodbye if that is possible at once, and closes."""
        try:
            self._frame(_CLOSE, b"\x03\xe8")
            self.flush()
        except (OSError, Unreachable):
            pass  # it is broken: there is nobody to say it to
        finally:
            self.open = False
            self._socket.close()

    def _messages(self) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        while (frame := self._next()) is not None:
            final, code, data = frame
            if code == _CLOSE:
                self.open = False
            elif code == _PING:
                self._frame(_PONG, data)
            elif code != _PONG:
                self._message += data
                if final:
                    if len(self._message) > 1 and self._message[0] != _CLOSE_CHANNEL:
                        found.append((self._message[0], bytes(self._message[1:])))
                    self._message.clear()
        return found

    def _next(self) -> tuple[bool, int, bytes] | None:
        """The next whole frame: (final, opcode, data). Servers do not mask."""
        got = self._received
        if len(got) < 2:
            return None
        size, start = got[1] & 0x7F, 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(got) < start:
                return None
            size = int.from_bytes(got[2:start], "big")
        if len(got) < start + size:
            return None
        frame = bool(got[0] & 0x80), got[0] & 0x0F, bytes(got[start : start + size])
        del got[: start + size]
        return frame

    def _frame(self, code: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | code, 0x80 | size])
        elif size < 1 << 16:
            head = bytes([0x80 | code, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | code, 0x80 | 127]) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        self._unsent += head + mask + _masked(data, mask)


def wait(channels: Open, readable: list[int], seconds: float | None) -> set[int]:
    """Waits until a connection has something or can take more, or a file has something; the files that have."""
    own = channels.fileno()
    if channels.pending:
        seconds = 0
    poll = select.poll()
    poll.register(own, select.POLLIN | (select.POLLOUT if channels.unsent else 0))
    for file in readable:
        poll.register(file, select.POLLIN)
    found = poll.poll(None if seconds is None else seconds * 1000)
    return {file for file, events in found if file != own or events & ~select.POLLOUT} | (
        {own} if channels.pending else set()
    )


def _masked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")


def _broken(error: OSError) -> Unreachable:
    return Unreachable("the connection to the cluster broke", "", {"reason": str(error)})

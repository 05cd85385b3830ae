"""A conversation with a remote command: bytes both ways until it ends, and the code that it ended with."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from nucleo_cli.adapters.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT, wait
from nucleo_cli.domain.documents import parts
from nucleo_cli.errors import NotFound, NucleoError, Unreachable

if TYPE_CHECKING:
    from nucleo_cli.adapters.channels import Channels

NOT_FOUND_CODE = 127
_READ_BYTES = 32768
_MOST_UNSENT = 1 << 20
_ASK_SECONDS = 1.0

_WAITING = b"\x1e?\x1e"
_GOING = b"\x1e!\x1e"
GATE = (
    'while read -r word; do [ "$word" = go ] && { printf "\\036!\\036"; exec "$@"; }; '
    'printf "\\036?\\036"; done; exit 125'
)
"""A shell script that runs its arguments when it is told to, so that no output is lost before somebody listens.

It answers every line with a mark; `go` is answered with another mark, and then the command takes its place. What comes
before that mark (answers, and the echo of a terminal) is not the command's.
"""


class Local(Protocol):
    """This side: where bytes come from and go to. `resized` has a byte to read when the window has changed its size."""

    tty: bool
    stdin: int | None
    resized: int | None

    def size(self) -> tuple[int, int]: ...
    def out(self, data: bytes) -> None: ...
    def err(self, data: bytes) -> None: ...


class Gate:
    """Opens GATE: asks until it is heard, says go, and lets the output through that comes after the mark."""

    def __init__(self, send: Callable[[bytes], None], closed: bool) -> None:
        self.closed = closed
        self._send = send
        self._said_go = False
        self._before = b""

    def ask(self) -> None:
        """Again once a second: the first question may come before the other side's output is connected."""
        if self.closed and not self._said_go:
            self._send(b"\n")

    def passed(self, data: bytes) -> bytes:
        """What of the standard output is the command's own."""
        if not self.closed:
            return data
        self._before += data
        if not self._said_go and _WAITING in self._before:
            self._said_go = True
            self._send(b"go\n")
        _, mark, own = self._before.partition(_GOING)
        if not mark:
            return b""
        self.closed = False
        self._before = b""
        return own


class Conversation:
    """One connection, from its first byte to its last. `received` counts the bytes of both outputs."""

    def __init__(self, channels: "Channels", local: Local, *, gated: bool = False) -> None:
        self.received = 0
        self._channels = channels
        self._local = local
        self._gate = Gate(lambda data: channels.send(STDIN, data), gated)
        self._reading = local.stdin is not None
        self._status = b""

    def hold(self) -> dict[str, Any] | None:
        """Talks until the other side ends it; its Status, or None when the connection broke before that."""
        try:
            self._resize()
            self._gate.ask()
            while self._channels.open:
                self._turn()
        except Unreachable:
            pass  # the Status says whether it was over
        finally:
            self._channels.close()
        return json.loads(self._status) if self._status else None

    def _turn(self) -> None:
        self._channels.flush()
        ready = wait(self._channels, self._files(), _ASK_SECONDS if self._gate.closed else None)
        if not ready:
            self._gate.ask()
        if self._channels.fileno() in ready:
            for channel, data in self._channels.receive():
                self._take(channel, data)
        if self._local.resized in ready:
            os.read(self._local.resized or 0, _READ_BYTES)
            self._resize()
        if self._local.stdin in ready:
            self._pass_input()

    def _files(self) -> list[int]:
        files = [self._local.resized] if self._local.resized is not None else []
        # A slow command must not make this side keep all of its input in memory.
        if self._reading and not self._gate.closed and self._channels.unsent < _MOST_UNSENT:
            files.append(self._local.stdin or 0)
        return files

    def _take(self, channel: int, data: bytes) -> None:
        if channel == ERROR:
            self._status += data
        elif channel in (STDOUT, STDERR):
            self.received += len(data)
            if channel == STDERR:
                self._local.err(data)
            elif own := self._gate.passed(data):
                self._local.out(own)

    def _pass_input(self) -> None:
        if data := os.read(self._local.stdin or 0, _READ_BYTES):
            self._channels.send(STDIN, data)
            return
        self._reading = False
        if self._channels.half_close:
            self._channels.end_input()

    def _resize(self) -> None:
        if self._local.tty:
            columns, rows = self._local.size()
            self._channels.send(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())


def exit_code(status: dict[str, Any]) -> int:
    """The remote command's own code. NotFound: the container has no such program; NucleoError: it failed to run.

    https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/api-conventions.md: a
    Status with the reason NonZeroExitCode has the code in its causes.
    """
    if status.get("status") == "Success":
        return 0
    for cause in parts(status, "details", "causes"):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    message = str(status.get("message", ""))
    if "executable file not found" in message or "no such file or directory" in message:
        raise NotFound("the container has no such program", "nucleo exec -- ls /usr/bin shows some that it has")
    raise NucleoError(f"the command could not be run: {message}")

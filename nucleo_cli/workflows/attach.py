"""A conversation with a remote command: bytes both ways until it ends, and the code that it ended with."""

import json
import os
from typing import Any, Protocol

from nucleo_cli.adapters.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT, Open, wait
from nucleo_cli.domain.documents import parts
from nucleo_cli.errors import NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.gate import Beginning, Ending

NOT_FOUND_CODE = 127
_READ_BYTES = 32768
_MOST_UNSENT = 1 << 20
_ASK_SECONDS = 1.0


class Local(Protocol):
    """This side: where bytes come from and go to. `resized` has a byte to read when the window has changed its size."""

    tty: bool
    stdin: int | None
    resized: int | None

    def size(self) -> tuple[int, int]: ...
    def out(self, data: bytes) -> None: ...
    def err(self, data: bytes) -> None: ...


class Conversation:
    """One connection, from its first byte to its last.

    `token`: the command is behind a gate (see gate.py); `code` is its exit code once its end mark has come. `received`
    counts the bytes of both outputs.
    """

    def __init__(self, channels: Open, local: Local, token: str | None = None) -> None:
        self.code: int | None = None
        self.received = 0
        self._channels = channels
        self._local = local
        self._reading = local.stdin is not None
        self._status = b""
        self._beginning = Beginning(lambda data: channels.send(STDIN, data)) if token else None
        self._endings = {channel: Ending(token) for channel in _outputs(local)} if token else {}

    def hold(self) -> dict[str, Any] | None:
        """Talks until the command or the connection ends; the Status of the other side, None when there was none."""
        try:
            self._resize()
            if self._beginning:
                self._beginning.ask()
            while self._channels.open and self.code is None:
                self._turn()
        except Unreachable:
            pass  # the Status or the code says whether it was over
        finally:
            self._channels.close()
        for channel, ending in self._endings.items():
            self._show(channel, ending.rest())
        return json.loads(self._status) if self._status else None

    @property
    def _waiting(self) -> bool:
        return self._beginning is not None and not self._beginning.open

    def _turn(self) -> None:
        self._channels.flush()
        ready = wait(self._channels, self._files(), _ASK_SECONDS if self._waiting else None)
        if not ready and self._beginning and self._waiting:
            self._beginning.ask()
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
        if self._reading and not self._waiting and self._channels.unsent < _MOST_UNSENT:
            files.append(self._local.stdin or 0)
        return files

    def _take(self, channel: int, data: bytes) -> None:
        if channel == ERROR:
            self._status += data
            return
        self.received += len(data)
        if channel == STDOUT and self._beginning:
            data = self._beginning.passed(data)
        if ending := self._endings.get(channel):
            data = ending.passed(data)
            if all(each.code is not None for each in self._endings.values()):
                self.code = ending.code
        self._show(channel, data)

    def _show(self, channel: int, data: bytes) -> None:
        if data:
            (self._local.err if channel == STDERR else self._local.out)(data)

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


def _outputs(local: Local) -> tuple[int, ...]:
    return (STDOUT,) if local.tty else (STDOUT, STDERR)


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

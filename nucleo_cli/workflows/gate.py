"""A shell script around a one-off command, and this side's part of their conversation.

Container runtimes lose what is printed before somebody has attached, and may lose the last of it when a container ends.
So the command waits until this side is heard, and the container stays for a moment after the command: all that the
command printed lies between two marks. The end mark has a word that nobody else knows, and the command's exit code.
"""

import re
from collections.abc import Callable

LINGER_SECONDS = 60
UNHEARD_CODE = 125

_WAITING = b"\x1e?\x1e"
_GOING = b"\x1e!\x1e"
_SCRIPT = (
    # Answers every line with a mark, so that this side knows when its output is connected; `go` starts the command.
    'while read -r word; do [ "$word" = go ] && break; printf "\\036?\\036"; done; '
    f'[ "$word" = go ] || exit {UNHEARD_CODE}; printf "\\036!\\036"; '
    # A subshell: the words may name a builtin, such as exit.
    '(exec "$@"); code=$?; trap "exit $code" TERM; '
    'printf "\\036%s %s\\036" "$0" "$code"; printf "\\036%s %s\\036" "$0" "$code" >&2; '
    # Short sleeps: a shell may miss a signal that comes just before a long wait.
    f'left={LINGER_SECONDS}; while [ "$left" -gt 0 ]; do sleep 1; left=$((left-1)); done; exit "$code"'
)


def gated(command: list[str], token: str) -> list[str]:
    """The command line of the container: the command, between the marks. `token` is the end mark's word."""
    return ["/bin/sh", "-c", _SCRIPT, token, *command]


class Beginning:
    """Asks until it is heard, says go, and lets through what comes after the first mark.

    Before it are answers, and the echo of a terminal.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.open = False
        self._send = send
        self._said_go = False
        self._before = b""

    def ask(self) -> None:
        """Once a second: the first question may come before the other side's output is connected."""
        if not self._said_go:
            self._send(b"\n")

    def passed(self, data: bytes) -> bytes:
        """What of the standard output is the command's own."""
        if self.open:
            return data
        self._before += data
        if not self._said_go and _WAITING in self._before:
            self._said_go = True
            self._send(b"go\n")
        _, mark, own = self._before.partition(_GOING)
        self.open = bool(mark)
        return own if mark else b""


class Ending:
    """Lets through what comes before the end mark; `code` is the command's own once the mark was seen."""

    def __init__(self, token: str) -> None:
        self.code: int | None = None
        self._start = b"\x1e" + token.encode() + b" "
        self._mark = re.compile(re.escape(self._start) + rb"(\d+)\x1e")
        self._held = b""

    def passed(self, data: bytes) -> bytes:
        """What is certainly not part of the mark; a possible beginning of it is held back."""
        if self.code is not None:
            return b""
        data = self._held + data
        if found := self._mark.search(data):
            self.code = int(found[1])
            return data[: found.start()]
        keep = self._possible(data)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def rest(self) -> bytes:
        """What was held back, when nothing more will come."""
        held, self._held = self._held, b""
        return held

    def _possible(self, data: bytes) -> int:
        """How many of the last bytes may begin the mark."""
        start = data.rfind(b"\x1e")
        if start < 0:
            return 0
        tail = data[start:]
        unfinished = self._start.startswith(tail) or re.fullmatch(re.escape(self._start) + rb"\d*", tail)
        return len(tail) if unfinished else 0

"""How lines of a log look: for people with level, message and fields told apart; for machines one object a line."""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from nucleo_cli.domain.events import Event, Warned
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.progress import warning
from nucleo_cli.terminal.style import Style
from nucleo_cli.terminal.terminal import Terminal

_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level")
_MESSAGE_KEYS = ("message", "msg", "event", "text")
_TIME_KEYS = frozenset({"time", "timestamp", "ts", "@timestamp", "asctime"})
# pino and bunyan count levels.
_NUMBERED = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}
_COLORS: Mapping[str, str] = {
    **dict.fromkeys(("error", "err", "fatal", "critical", "panic", "alert", "emergency"), "red"),
    **dict.fromkeys(("warn", "warning"), "yellow"),
    **dict.fromkeys(("info", "notice"), "green"),
}
# JSON leaves these as they are, and a terminal takes some of them for commands.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Line(Protocol):
    """A line of a log; `stamp` is RFC 3339."""

    @property
    def stamp(self) -> str: ...
    @property
    def process(self) -> str: ...
    @property
    def pod(self) -> str: ...
    @property
    def message(self) -> str: ...


class LogView:
    """Writes lines to stdout, a batch at a time, and what is to be said about them to stderr.

    `raw`: the message as the app wrote it, control sequences too, but never those on a terminal. `stamps`: with times.
    """

    def __init__(self, terminal: Terminal, *, raw: bool = False, stamps: bool = False) -> None:
        self._terminal = terminal
        self._style = terminal.style
        self._render = as_json if terminal.machine else self._as_text
        self._stamps = stamps
        self._message = _message(terminal, raw)
        self._pods: set[str] = set()

    def expect(self, pods: Iterable[str]) -> None:
        """The pods whose lines may come: with more than one, each line says from which it is."""
        self._pods.update(pods)

    def show(self, lines: Iterable[Line]) -> None:
        self._write([self._render(line) for line in self._counted(lines)])

    def tell(self, event: Event) -> None:
        """A notice or a warning about the stream itself."""
        if isinstance(event, Warned):
            self._terminal.stderr.write(warning(event, self._terminal.error_style) + "\n")
            self._terminal.stderr.flush()
        elif text := getattr(event, "text", ""):
            self._terminal.note(self._terminal.error_style.dim(clean(text)))

    def _counted(self, lines: Iterable[Line]) -> list[Line]:
        batch = list(lines)
        if len(self._pods) < 2:
            self._pods.update(line.pod for line in batch)
        return batch

    def _write(self, rendered: list[str]) -> None:
        self._terminal.stdout.write("\n".join(rendered) + "\n")
        self._terminal.stdout.flush()

    def _as_text(self, line: Line) -> str:
        text = self._message(line.message)
        if self._stamps:
            text = f"{self._style.dim(line.stamp)} {text}"
        if len(self._pods) < 2:
            return text
        return f"{self._style.color(zlib.crc32(line.pod.encode()), short(line))}  {text}"


def short(line: Line) -> str:
    """A pod by its process and the last part of its name: `web.x2x4z`."""
    return f"{line.process}.{line.pod.rpartition('-')[2]}"


def as_json(line: Line) -> str:
    """{"time","process","pod","message"}; what a terminal could take for a command is escaped."""
    document = {"time": line.stamp, "process": line.process, "pod": line.pod, "message": line.message}
    text = json.dumps(document, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def structured(message: str, style: Style) -> str:
    """A JSON object as level, message and dim key=value; any other line as it is. Control characters are removed."""
    fields = _object(message)
    if fields is None:
        return clean(message)
    level = _taken(fields, _LEVEL_KEYS)
    text = _taken(fields, _MESSAGE_KEYS)
    rest = " ".join(f"{key}={_value(value)}" for key, value in fields.items() if key not in _TIME_KEYS)
    parts = (_level(level, style), clean(str(text or "")), style.dim(clean(rest)))
    return " ".join(part for part in parts if part)


def _message(terminal: Terminal, raw: bool) -> Callable[[str], str]:
    if not raw:
        return lambda message: structured(message, terminal.style)
    return clean if terminal.stdout.isatty() else str


def _object(message: str) -> dict[str, Any] | None:
    if not message.startswith("{"):
        return None
    try:
        found: dict[str, Any] = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return found if any(key in found for key in _MESSAGE_KEYS) else None


def _taken(fields: dict[str, Any], keys: Iterable[str]) -> Any:
    """The first of the keys that is there; it is removed, for it is shown apart."""
    return next((fields.pop(key) for key in keys if key in fields), None)


def _level(level: Any, style: Style) -> str:
    word = clean(str(_NUMBERED.get(level, level) if isinstance(level, int) else level or "")).lower()
    paint = {"red": style.red, "yellow": style.yellow, "green": style.green}.get(_COLORS.get(word, ""), style.dim)
    return paint(word.upper().ljust(5)) if word else ""


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if value and not re.search(r'[\s="]', value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

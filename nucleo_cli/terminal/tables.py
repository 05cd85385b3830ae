"""Columns for people: aligned by spaces, no boxes, so that they also read well in a pipe."""

from collections.abc import Sequence
from datetime import UTC, datetime

from nucleo_cli.terminal.clean import clean

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads, each column as wide as its widest cell; the last one is not padded."""
    cells = [[clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def duration(seconds: float) -> str:
    """The two largest units: `1d 4h`, `3m 20s`, `12s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size}{unit}")
        left %= size
    return " ".join(parts[:2])


def ago(created: str) -> str:
    """How long ago an RFC 3339 time was: `3m 20s ago`."""
    then = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return f"{duration(max(0.0, (datetime.now(UTC) - then).total_seconds()))} ago"

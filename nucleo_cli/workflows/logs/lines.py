"""From bytes to lines: the kubelet's log lines, each with the time at which the container runtime took it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

MAX_LINE = 1 << 20
_SECOND = 1_000_000_000


class Line(NamedTuple):
    """One line that a container printed. `time` is in nanoseconds since the epoch, `stamp` is the same in RFC 3339."""

    time: int
    stamp: str
    process: str
    pod: str
    message: str


class Stamped(NamedTuple):
    """A line as it came: the time in nanoseconds since the epoch, in RFC 3339, and the bytes after it."""

    time: int
    stamp: str
    text: bytes


def split(chunks: Iterable[bytes], *, whole: bool = True) -> Iterator[bytes]:
    """The lines of a stream without their line ends; the last one too when it has none, unless `whole` is False.

    A line longer than MAX_LINE is cut there, and says how much was left out: memory stays bounded, and nothing is
    dropped silently.
    """
    rest = bytearray()
    skipped = 0
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            skipped += _take(rest, chunk[start:end])
            yield _whole(rest, skipped)
            rest.clear()
            skipped = 0
            start = end + 1
        skipped += _take(rest, chunk[start:])
    if whole and (rest or skipped):
        yield _whole(rest, skipped)


def _take(rest: bytearray, piece: bytes) -> int:
    """Adds what has room; how many bytes had none."""
    room = MAX_LINE - len(rest)
    rest += piece[:room]
    return max(0, len(piece) - room)


def _whole(rest: bytearray, skipped: int) -> bytes:
    line = bytes(rest).removesuffix(b"\r")
    return line + f" … ({skipped} bytes more)".encode() if skipped else line


def stamped(lines: Iterable[bytes]) -> Iterator[Stamped]:
    """Lines of a stream that was asked for with timestamps=true.

    What has no readable time (the kubelet's own words about a broken log file) gets that of the line before it.
    """
    time, stamp = 0, ""
    for line in lines:
        head, space, text = line.partition(b" ")
        try:
            time = nanoseconds(word := head.decode("ascii"))
        except ValueError:
            yield Stamped(time, stamp, line)
            continue
        stamp = word
        yield Stamped(time, stamp, text if space else b"")


def nanoseconds(stamp: str) -> int:
    """An RFC 3339 time with up to nine digits of fraction, in nanoseconds since the epoch; ValueError for others."""
    if len(stamp) < 20:
        raise ValueError(f"no time: {stamp}")
    digits = ""
    zone = stamp[19:]
    if zone[0] == ".":
        body = zone[1:]
        digits = body[: len(body) - len(body.lstrip("0123456789"))]
        zone = body[len(digits) :]
    if len(digits) > 9 or not zone:
        raise ValueError(f"no time: {stamp}")
    return _whole_seconds(stamp[:19], zone) * _SECOND + int(digits.ljust(9, "0"))


@lru_cache(maxsize=256)
def _whole_seconds(second: str, zone: str) -> int:
    return int(datetime.fromisoformat(second + ("+00:00" if zone == "Z" else zone)).timestamp())


def rfc3339(seconds: int) -> str:
    """Whole seconds since the epoch as the API takes them for sinceTime."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Lines of many containers in the order of their times."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from nucleo_cli.workflows.logs.lines import Line

HOLD_SECONDS = 0.25
MOST_HELD = 20_000
_BATCH = 1000

T = TypeVar("T")


def merged(streams: Sequence[Iterable[Line]]) -> Iterator[Line]:
    """Streams that end, merged by time; only one line of each is held."""
    return heapq.merge(*streams, key=_time) if len(streams) > 1 else iter(streams[0] if streams else ())


def batches(lines: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    """The same lines in lists, so that each is written with one call."""
    batch: list[T] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


class Holding:
    """Lines from live streams, held back for a moment so that those of a slower stream still come before them.

    A line is let go when it, or a later one, has been held for `hold` seconds; and early when there are too many.
    """

    def __init__(self, hold: float = HOLD_SECONDS, most: int = MOST_HELD) -> None:
        self._hold = hold
        self._most = most
        self._heap: list[tuple[int, int, Line]] = []
        self._arrivals: deque[tuple[float, int]] = deque()
        self._count = 0
        self._cutoff = -1

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, line: Line, now: float) -> None:
        """Holds a line that arrived at `now` (a monotonic clock, in seconds)."""
        self._count += 1
        heapq.heappush(self._heap, (line.time, self._count, line))
        self._arrivals.append((now, line.time))

    def due(self, now: float) -> list[Line]:
        """The lines whose time has come, in order."""
        while self._arrivals and self._arrivals[0][0] <= now - self._hold:
            self._cutoff = max(self._cutoff, self._arrivals.popleft()[1])
        return self._take(self._cutoff)

    def all(self) -> list[Line]:
        """Every line still held, in order."""
        self._arrivals.clear()
        return [heapq.heappop(self._heap)[2] for _ in range(len(self._heap))]

    def wait(self, now: float) -> float | None:
        """Seconds until the next line is due; None when none is held."""
        return max(0.0, self._arrivals[0][0] + self._hold - now) if self._arrivals else None

    def _take(self, cutoff: int) -> list[Line]:
        found: list[Line] = []
        while self._heap and (self._heap[0][0] <= cutoff or len(self._heap) > self._most):
            found.append(heapq.heappop(self._heap)[2])
        return found


def _time(line: Line) -> int:
    return line.time

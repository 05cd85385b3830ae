"""How much an app's connections carry now: flows as they come, summed up over the last seconds."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from nucleo_cli.domain.flows import DROPPED, Flow


@dataclass(frozen=True, slots=True)
class Rate:
    """What an app and one peer exchange: per second, over the last seconds. `rtt_us` is the newest that was seen."""

    direction: str
    peer: str
    port: int
    connections: float
    bytes_out: float
    bytes_in: float
    retransmits: float
    dropped: float
    rtt_us: int | None


@dataclass
class Rates:
    """Takes in flows from a thread; `seconds` is how far back the sums reach."""

    seconds: float = 10.0
    _flows: deque[tuple[float, Flow]] = field(default_factory=deque[tuple[float, Flow]])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failed: Exception | None = None

    def start(self, flows: Iterable[Flow]) -> None:
        threading.Thread(target=self._take, args=(flows,), name="flows", daemon=True).start()

    def _take(self, flows: Iterable[Flow]) -> None:
        try:
            for flow in flows:
                self.add(flow)
        except Exception as error:  # it is told by whoever asks next
            self._failed = error

    def add(self, flow: Flow) -> None:
        with self._lock:
            self._flows.append((time.monotonic(), flow))

    def read(self) -> list[Rate]:
        """The busiest first. Raises what has ended the flows."""
        if self._failed:
            raise self._failed
        with self._lock:
            while self._flows and self._flows[0][0] < time.monotonic() - self.seconds:
                self._flows.popleft()
            recent = [flow for _, flow in self._flows]
        groups: dict[tuple[str, str, int], list[Flow]] = {}
        for flow in recent:
            groups.setdefault((flow.direction, flow.name, flow.port), []).append(flow)
        found = [self._rate(key, group) for key, group in groups.items()]
        return sorted(found, key=lambda rate: (-(rate.bytes_in + rate.bytes_out), rate.peer, rate.port))

    def _rate(self, key: tuple[str, str, int], flows: list[Flow]) -> Rate:
        passed = [flow for flow in flows if flow.verdict not in DROPPED]
        trips = [flow.rtt_us for flow in flows if flow.rtt_us is not None]
        return Rate(
            *key,
            connections=sum(flow.connections for flow in passed) / self.seconds,
            bytes_out=sum(flow.bytes_out for flow in passed) / self.seconds,
            bytes_in=sum(flow.bytes_in for flow in passed) / self.seconds,
            retransmits=sum(flow.retransmits for flow in flows) / self.seconds,
            dropped=sum(max(flow.connections, flow.packets_out) for flow in flows if flow not in passed) / self.seconds,
            rtt_us=trips[-1] if trips else None,
        )

"""Phases of a workflow, timed."""

import time
from typing import TypeVar

from nucleo_cli.domain.events import Event, PhaseEnded, PhaseStarted, Work

T = TypeVar("T")
E = TypeVar("E", bound=Event)


class Phase:
    """One phase: yield `start`, do the work, yield `end`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()

    def start(self, detail: str = "") -> PhaseStarted:
        self._began = time.monotonic()
        return PhaseStarted(self._name, detail)

    def end(self, detail: str = "", *, skipped: bool = False) -> PhaseEnded:
        return PhaseEnded(self._name, round(time.monotonic() - self._began, 3), skipped, detail)


def recorded(work: Work[T], kind: type[E], seen: list[E]) -> Work[T]:
    """Passes the events of `work` on and keeps those of one kind in `seen`."""
    try:
        event = next(work)
        while True:
            if isinstance(event, kind):
                seen.append(event)
            try:
                yield event
            except BaseException as error:
                event = work.throw(error)
            else:
                event = next(work)
    except StopIteration as end:
        return end.value

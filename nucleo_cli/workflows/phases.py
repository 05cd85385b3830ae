"""Phases of a workflow, timed."""

import time
from typing import TypeVar

from nucleo_cli.domain.events import PhaseEnded, PhaseStarted, Work

T = TypeVar("T")


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


def recorded(work: Work[T], ended: list[PhaseEnded]) -> Work[T]:
    """Passes the events of `work` on and keeps the ends of its phases in `ended`."""
    try:
        event = next(work)
        while True:
            if isinstance(event, PhaseEnded):
                ended.append(event)
            try:
                yield event
            except BaseException as error:
                event = work.throw(error)
            else:
                event = next(work)
    except StopIteration as end:
        return end.value

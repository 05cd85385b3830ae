"""Running workflows step by step."""

from typing import Any, NamedTuple, TypeVar

from nucleo_cli.domain.events import Event, Notice, Warned, Work

T = TypeVar("T")


class Ran(NamedTuple):
    """What a workflow yielded, and what came of it: its result, or the error that it ended with."""

    events: list[Event]
    result: Any
    error: BaseException | None

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Warned)]


def run(work: Work[T]) -> T:
    """The result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def attempt(work: Work[Any], stop_at: int | None = None, stop: BaseException | None = None) -> Ran:
    """Everything it yields; `stop` is thrown into it at the event number `stop_at`."""
    events: list[Event] = []
    try:
        events.append(next(work))
        while True:
            stopping = stop is not None and len(events) - 1 == stop_at
            events.append(work.throw(stop) if stopping and stop else next(work))
    except StopIteration as end:
        return Ran(events, end.value, None)
    except BaseException as error:
        return Ran(events, None, error)

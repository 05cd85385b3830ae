"""The program with a fault in it: at the N-th event of a kind a signal hits the process.

    python failpoint.py EVENT[:NAME][#N] SIGNAL[,SIGNAL…] [+SECONDS] -- ARGUMENTS OF nucleo

`PhaseStarted:build KILL -- deploy` ends the process as the build begins; `PodChanged#2 INT +0.2` interrupts it 0.2 s
after a pod has changed for the second time. The product knows nothing of this: its context gets another terminal.
"""

import os
import signal
import sys
import threading
import time
from functools import cached_property
from typing import NamedTuple

from nucleo_cli import main
from nucleo_cli.context import Context
from nucleo_cli.domain.events import Event, Work
from nucleo_cli.terminal.terminal import T, Terminal

BETWEEN_SIGNALS_SECONDS = 0.3


class Fault(NamedTuple):
    """Which event, counted from 1, and what happens how long after it."""

    event: str
    name: str
    nth: int
    signals: tuple[signal.Signals, ...]
    delay: float


def parse(words: list[str]) -> Fault:
    """The fault of a command line, up to its `--`."""
    point, numbers, *rest = words
    kind, _, count = point.partition("#")
    event, _, name = kind.partition(":")
    signals = tuple(signal.Signals[f"SIG{word}"] for word in numbers.split(","))
    return Fault(event, name, int(count or 1), signals, float(rest[0].removeprefix("+")) if rest else 0.0)


class Failing(Terminal):
    """A terminal that sees the events pass and strikes at one of them."""

    fault: Fault
    seen = 0

    def follow(self, work: Work[T]) -> T:
        return super().follow(self._watched(work))

    def _watched(self, work: Work[T]) -> Work[T]:
        stop: BaseException | None = None
        while True:
            try:
                event = next(work) if stop is None else work.throw(stop)
            except StopIteration as end:
                return end.value
            stop = None
            try:
                self._look(event)
                yield event
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                # A signal may arrive here or in the terminal: the workflow has to hear of it, as from Terminal itself.
                stop = error

    def _look(self, event: Event) -> None:
        if type(event).__name__ != self.fault.event or self.fault.name not in ("", getattr(event, "name", "")):
            return
        Failing.seen += 1
        if Failing.seen == self.fault.nth:
            strike(self.fault)


def strike(fault: Fault) -> None:
    """Sends the signals: at once, or from a thread while the work goes on."""
    if fault.delay == 0 and len(fault.signals) == 1:
        os.kill(os.getpid(), fault.signals[0])
        return

    def later() -> None:
        time.sleep(fault.delay)
        for number in fault.signals:
            os.kill(os.getpid(), number)
            time.sleep(BETWEEN_SIGNALS_SECONDS)

    threading.Thread(target=later, daemon=True).start()


def run(words: list[str]) -> None:
    """Runs the program with its fault."""
    end = words.index("--")
    fault = parse(words[:end])

    class FailingContext(Context):
        @cached_property
        def terminal(self) -> Terminal:
            chosen = self.options
            terminal = Failing(machine=chosen.json, quiet=chosen.quiet, color=chosen.color, input=chosen.input)
            terminal.fault = fault
            return terminal

    setattr(main, "Context", FailingContext)  # noqa: B010  a type checker would call it an error, and it is one elsewhere
    sys.argv = ["nucleo", *words[end + 1 :]]
    main.main()


if __name__ == "__main__":
    run(sys.argv[1:])

"""Whole processes, timed side by side: a warm-up of each, then one of ours, one of theirs, and so on."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LIMIT_SECONDS = 1800


class MeasureError(Exception):
    """Something that was to be measured did not work; the rest goes on without it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One run. `parts` are seconds too; `facts` are whatever else was seen."""

    seconds: float
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds, or a ratio of the medians when `relative`; None: nothing was promised."""

    limit: float | None = None
    relative: bool = False

    def text(self, median: float, ratio: float | None) -> str:
        """The budget and whether it was kept."""
        if self.limit is None:
            return ""
        value = ratio if self.relative else median
        said = f"{self.limit:.3g}×" if self.relative else f"{self.limit:g} s"
        return said if value is None else f"{said}, {'kept' if value <= self.limit else 'MISSED'}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `note` says what was compared with what; `findings` are what else the runs proved."""

    command: str
    ours: Sequence[Timing]
    budget: Budget = Budget()
    beside: str = ""
    theirs: Sequence[Timing] = ()
    note: str = ""
    findings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One app in one scenario, by every program that builds images. Of the scenario "size", `seconds` are bytes."""

    app: str
    scenario: str
    sides: Mapping[str, Sequence[Timing]]
    compiled: bool = False
    note: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A process that ended well; `cpu` is the seconds that it computed, which a busy machine does not change."""

    seconds: float
    cpu: float
    stdout: str

    @property
    def timing(self) -> Timing:
        return Timing(self.seconds, facts={"cpu": self.cpu})


def run(argv: Sequence[str], env: Mapping[str, str], folder: Path | None = None) -> Done:
    """Runs a program to its end. Raises MeasureError with what it printed last when it fails."""
    before = _children()
    started = time.perf_counter()
    try:
        done = subprocess.run(
            argv,
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeasureError(f"{' '.join(argv[:4])}: {error}") from error
    seconds = time.perf_counter() - started
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise MeasureError(
            f"{Path(argv[0]).name} {' '.join(argv[1:4])} ended with {done.returncode}: {' / '.join(last)}"
        )
    return Done(seconds, _children() - before, done.stdout)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def side_by_side(
    runs: int, ours: Callable[[], Timing], theirs: Callable[[], Timing] | None = None
) -> tuple[list[Timing], list[Timing]]:
    """A warm-up of each, then `runs` of each, taking turns."""
    sides = [ours] if theirs is None else [ours, theirs]
    for side in sides:
        side()
    found: list[list[Timing]] = [[], []]
    for _ in range(runs):
        for side, timings in zip(sides, found, strict=False):
            timings.append(side())
    return found[0], found[1]


def median(timings: Sequence[Timing]) -> float:
    return statistics.median(timing.seconds for timing in timings)

"""What a workflow yields while it works. The terminal decides how an event looks; a test lists them."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase of the work begins: `build`, "building with python 3.13"."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A phase is over. `skipped` when nothing had to be done; `detail` is one short line for people."""

    name: str
    seconds: float
    skipped: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step of a build is over. `cached` when its layer was made before."""

    name: str
    seconds: float
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One line that a program printed (a build step, a hook): shown while live, and in full when it fails."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know; not a problem."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that will hurt later, with what to do about it."""

    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PodChanged:
    """A pod of a rollout changed its state."""

    process: str
    pod: str
    status: str
    ready: bool
    restarts: int = 0


Event = PhaseStarted | PhaseEnded | StepEnded | Output | Notice | Warned | PodChanged

T = TypeVar("T")
Work = Generator[Event, None, T]
"""A workflow: yields events, returns its result."""

"""Every error that a person may see, and the exit code of each.

The table of exit codes is the contract of the design; `main.run` is the one place that uses it.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    BUILD = 4
    ROLLOUT = 5
    NOT_FOUND = 6
    NOT_ALLOWED = 7
    UNREACHABLE = 8
    LOCKED = 9
    DIFFERENT = 10
    TIMED_OUT = 11
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


class NucleoError(Exception):
    """Something that a person can act on.

    `message` says what is wrong in the person's own names, `hint` is the next thing to do (a command where there is
    one), `details` are facts for machines. `code` is stable and machine readable; `exit` is the process's exit code.
    """

    code: ClassVar[str] = "failed"
    exit: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str, hint: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: Mapping[str, Any] = details or {}


class UsageError(NucleoError):
    """The command line is wrong."""

    code = "usage"
    exit = Exit.USAGE


class ConfigInvalid(NucleoError):
    """nucleo.yml is missing or invalid; `details["problems"]` lists each problem with file, line and column."""

    code = "config-invalid"
    exit = Exit.CONFIG


class BuildFailed(NucleoError):
    """A step of the build failed; `details["output"]` holds its last lines."""

    code = "build-failed"
    exit = Exit.BUILD


class RolloutFailed(NucleoError):
    """The new release did not become healthy; `details["log"]` holds the last lines of the failing pod."""

    code = "rollout-failed"
    exit = Exit.ROLLOUT


class NotFound(NucleoError):
    """What was named does not exist."""

    code = "not-found"
    exit = Exit.NOT_FOUND


class NotAllowed(NucleoError):
    """The cluster or the registry refused the credentials or the right."""

    code = "not-allowed"
    exit = Exit.NOT_ALLOWED


class Unreachable(NucleoError):
    """The cluster, the registry or the container engine does not answer."""

    code = "unreachable"
    exit = Exit.UNREACHABLE


class Locked(NucleoError):
    """Another deploy of the same app holds the Lease."""

    code = "locked"
    exit = Exit.LOCKED


class DropsFound(NucleoError):
    """The network rules of nucleo.yml would drop flows that were seen; `details["flows"]` lists them."""

    code = "would-drop"
    exit = Exit.DIFFERENT


class Conflict(NucleoError):
    """Somebody else changed the object in between; read it again and retry."""

    code = "conflict"


class TimedOut(NucleoError):
    """The time given by --timeout ran out."""

    code = "timed-out"
    exit = Exit.TIMED_OUT


class Interrupted(BaseException):
    """A signal asked the program to end; `exit` is 130 (INT, HUP) or 143 (TERM). Never caught as an ordinary error.

    `restored` is what the workflow put back on its way out, in words; empty when nothing had been changed.
    """

    def __init__(self, exit: Exit) -> None:
        super().__init__(exit)
        self.exit = exit
        self.restored = ""


class NucleoInterrupted(NucleoError):
    """How an interrupted command is told."""

    code = "interrupted"

    def __init__(self, restored: str) -> None:
        message = f"interrupted: {restored}" if restored else "interrupted"
        super().__init__(message, "run the same command again to finish the work")

"""The program: signals in, exit code out. The one place where errors become exit codes."""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn

from nucleo_cli import __version__
from nucleo_cli.context import Context
from nucleo_cli.domain import xdg
from nucleo_cli.errors import Exit, Interrupted, NucleoError, NucleoInterrupted, UsageError

# `timeout` and some supervisors send a signal to the process and to its group: that is one request, not two.
_ONE_REQUEST_SECONDS = 0.02


def run(argv: Sequence[str], context: Context) -> int:
    """Runs one command line; its exit code (the table is errors.Exit; `run` and `exec` give the remote code)."""
    root = context
    try:
        return _call(argv, context)
    except NucleoError as error:
        _reporting(root, argv).terminal.error(error)
        return error.exit
    except Interrupted as stop:
        _reporting(root, argv).terminal.error(NucleoInterrupted(stop.restored))
        return stop.exit
    except BrokenPipeError:
        # The reader has what it wanted (`nucleo logs | head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:
        return _bug(error, argv, _reporting(root, argv))


def main() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A locale that has no ✓ is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    _listen()
    code = run(sys.argv[1:], Context())
    # Python would search all that was imported for cycles once more, to free what the system takes back anyway: 20 ms.
    gc.freeze()
    sys.exit(code)


def _call(argv: Sequence[str], context: Context) -> int:
    import typer
    from typer.exceptions import TyperException

    from nucleo_cli.commands.shell import root

    command = root()
    try:
        # Not Typer's own main(): it makes exit codes of its own out of errors and closed pipes.
        with command.make_context("nucleo", list(argv), obj=context) as parsed:
            return int(command.invoke(parsed) or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        if not argv:
            context.terminal.note(error.format_message())
            return Exit.USAGE
        raise UsageError(error.format_message(), _usage_hint(error)) from error


def _usage_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help shows what it takes" if context is not None else "nucleo --help"


def _reporting(root: Context, argv: Sequence[str]) -> Context:
    """The context whose terminal tells an error: that of the command, or a plain one when parsing had failed."""
    if (current := root.current) is not None:
        return current
    options = type(root.options)(json="--json" in argv, color="--no-color" not in argv)
    return root.configured(options)


def _bug(error: Exception, argv: Sequence[str], context: Context) -> int:
    try:
        report = str(_write_report(error, argv))
        hint = f"the report is {report}: please send it along"
    except OSError as refused:
        report, hint = "", f"its report could not be written ({refused}): please tell what you did"
    failure = NucleoError(f"this is a bug in Nucleo: {type(error).__name__}: {error}", hint, {"report": report})
    failure.code = "bug"  # type: ignore[misc]
    context.terminal.error(failure)
    return Exit.BUG


def _write_report(error: Exception, argv: Sequence[str]) -> Path:
    """A file only its owner can read: the command's name, the versions and the stack; no values of options."""
    folder = xdg.state() / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    report = folder / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    words = " ".join(word for word in argv[:2] if not word.startswith("-") and "=" not in word)
    stack = "".join(traceback.format_exception(error))
    report.touch(mode=0o600)
    report.write_text(f"nucleo {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n{words}\n\n{stack}")
    return report


def _listen() -> None:
    """The first INT, TERM or HUP asks the workflow to tidy up; the second ends the program at once."""
    asked: list[float] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        code = Exit.TERMINATED if number == signal.SIGTERM else Exit.INTERRUPTED
        if asked and time.monotonic() - asked[0] < _ONE_REQUEST_SECONDS:
            return
        if asked:
            os.write(2, b"\nstopped at once; run the same command again to finish the work\n")
            os._exit(code)
        asked.append(time.monotonic())
        raise Interrupted(code)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)

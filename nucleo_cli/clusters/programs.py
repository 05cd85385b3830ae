"""Runs a program of this machine and yields what it prints."""

import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from nucleo_cli.domain.events import Output, Work
from nucleo_cli.errors import NucleoError

_LAST_LINES = 40


def require(programs: Mapping[str, str], purpose: str) -> None:
    """Checks that each program is on PATH; `programs` maps its name to the Debian package that has it.

    Raises one NucleoError that names all that are missing.
    """
    missing = sorted(program for program in programs if shutil.which(program) is None)
    if missing:
        packages = " ".join(sorted({programs[program] for program in missing}))
        raise NucleoError(f"{purpose} needs {', '.join(missing)}", f"sudo apt-get install {packages}")


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, folder: Path | None = None) -> Work[None]:
    """Runs the program in a process group of its own and yields its lines; the group dies with the generator.

    Raises NucleoError with the last lines in `details["output"]` when it fails.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
        cwd=folder,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            last.append(line.rstrip())
            yield Output(Path(command[0]).name, line.rstrip())
        code = process.wait()
    finally:
        _end(process)
    if code:
        raise NucleoError(
            f"{' '.join(command[:3])} failed with code {code}" + (f": {last[-1]}" if last else ""),
            details={"command": list(command), "output": list(last)},
        )


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()

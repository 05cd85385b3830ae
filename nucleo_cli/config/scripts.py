"""Commands of nucleo.yml; where one is a script of the repository, the script must be there and able to run."""

import re
import shlex
import stat
from pathlib import Path
from typing import Any

from nucleo_cli.config.kinds import TEXT, Kind, MisfitError, Single
from nucleo_cli.config.nodes import Node, quoted
from nucleo_cli.config.problems import Place

# Longer ones belong in a script; shlex takes seconds for a single word of a megabyte.
LONGEST_COMMAND = 8_192
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def _stripped(text: str) -> str:
    if not text.strip():
        raise MisfitError
    if len(text) > LONGEST_COMMAND:
        raise MisfitError(f"must be at most {LONGEST_COMMAND} characters, got {len(text)}", "write a script for it")
    return text.strip()


_TEXT = Single(
    "a script of the repository or a command line",
    _stripped,
    {"type": "string", "minLength": 1, "maxLength": LONGEST_COMMAND},
    TEXT,
)


class Command(Kind[str]):
    """A command line. Its first word is a script of the repository if it holds a "/" and does not begin with one."""

    def read(self, node: Node, at: Place) -> str | None:
        command = _TEXT.read(node, at)
        if command is None:
            return None
        try:
            if script := script_of(command):
                _check(at.report.directory, script)
        except MisfitError as wrong:
            at.wrong(wrong.what, wrong.hint)
            return None
        return command

    def schema(self) -> dict[str, Any]:
        return _TEXT.schema()


def script_of(command: str) -> str | None:
    """The script of the repository that `command` runs, as a relative path; None for a command of the image.

    Raises MisfitError where a quote is not closed.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        raise MisfitError("has a quote that is opened and never closed") from None
    first = next((word for word in words if not _ASSIGNMENT.match(word)), "")
    return first if "/" in first and first[0] not in "/$~" else None


def _check(directory: Path, script: str) -> None:
    """Raises MisfitError unless `script` is a file inside of `directory` that may be executed."""
    name = quoted(script)
    try:
        root = directory.resolve()
        path = (root / script).resolve()
        if not path.is_relative_to(root):
            raise MisfitError(
                f"names {name}, which lies outside of the repository", "copy the script into the repository"
            )
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise MisfitError(f"names {name}, which does not exist", _where(script)) from None
    except (OSError, RuntimeError):  # RuntimeError: symbolic links that go round in a circle
        raise MisfitError(f"names {name}, which cannot be read") from None
    if not stat.S_ISREG(mode):
        raise MisfitError(f"names {name}, which is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}")
    if not mode & 0o111:
        raise MisfitError(f"names {name}, which is not executable", _make_executable(script))


def _where(script: str) -> str:
    return f"write the script {script}, or a command of the image without a slash or with an absolute path"


def _make_executable(script: str) -> str:
    safe = shlex.quote(script)
    return f"chmod +x {safe}, and for git: git update-index --chmod=+x {safe}"

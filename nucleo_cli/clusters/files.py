"""Changes YAML files that other programs and other runs of Nucleo change too."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from nucleo_cli.errors import NucleoError

Document = dict[str, Any]


def read(path: Path) -> Document:
    """What the file holds; empty when there is no file. Raises NucleoError when it is no YAML mapping."""
    try:
        content: Any = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise NucleoError(f"{path} could not be read: {error}", f"Correct {path}, or move it away") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise NucleoError(f"{path} does not hold a YAML mapping", f"Correct {path}, or move it away")
    return content  # pyright: ignore[reportUnknownVariableType]


def update(path: Path, change: Callable[[Document], Document]) -> bool:
    """Replaces the file's content by what `change` makes of it, in one step; False when that is the same.

    The file keeps its mode (a new one may be read by its owner alone), and a symbolic link stays one.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        before = read(path)
        after = change(before)
        if after == before:
            return False
        _replace(path, yaml.safe_dump(after, sort_keys=False, allow_unicode=True, width=1 << 30))
        return True


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Keeps other runs of Nucleo out of the folder; the lock ends with the process and leaves no file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if path.exists():
                os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise

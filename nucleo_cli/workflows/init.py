"""Writes the smallest nucleo.yml, and beside it the schema that editors complete it by."""

import os
from pathlib import Path
from typing import NamedTuple

from nucleo_cli.builder import platforms
from nucleo_cli.config.kinds import MisfitError
from nucleo_cli.config.loading import FILE, load, shown
from nucleo_cli.config.model import NAME
from nucleo_cli.config.nodes import Mark, Scalar
from nucleo_cli.config.problems import Place, Report
from nucleo_cli.config.schema import text as schema_text
from nucleo_cli.config.values import PLATFORM
from nucleo_cli.errors import NucleoError, UsageError

# Relative to nucleo.yml and committed with it, so that it works for everybody who checks the repository out, without a
# network and whether or not they have Nucleo. yaml-language-server and its kin resolve it so.
SCHEMA = Path(".nucleo") / "schema.json"


_HELPERS = ("static", "node")


class Found(NamedTuple):
    """A platform, and the file that speaks for it."""

    platform: str
    file: str


def detect(directory: Path) -> list[Found]:
    """The platforms that the files at the top of `directory` speak for, one file each."""
    found: list[Found] = []
    for platform in platforms.usable():
        file = next((each for each in platform.detect if (directory / each).is_file()), None)
        if file is not None:
            found.append(Found(platform.name, file))
    return found


def decided(found: list[Found]) -> list[Found]:
    """Those that it can be; more than one is a question.

    A package.json beside another language's files is there for the assets, an index.html beside anything for that.
    """
    for helper in _HELPERS:
        found = [each for each in found if each.platform != helper] or found
    return found


def check_free(directory: Path) -> None:
    """Raises UsageError unless a nucleo.yml can be written in `directory`."""
    if not directory.is_dir():
        raise UsageError(f'"{directory}" is not a folder', "name the app's folder with -C DIR")
    if os.path.lexists(directory / FILE):
        raise UsageError(f"{shown(directory)} is already there", "nucleo validate checks it; delete it to begin anew")
    if (directory / "nucleo.yaml").exists():
        raise UsageError("nucleo.yaml is already there, and is not read", "rename nucleo.yaml to nucleo.yml")


def check_platform(platform: str) -> None:
    """Raises UsageError unless `platform` is bundled: "python", "python:3.13"."""
    try:
        PLATFORM.parse(platform)
    except MisfitError as misfit:
        raise UsageError(f"--platform {misfit.what or f'must be {PLATFORM.expected}'}", misfit.hint) from None


def check_name(name: str) -> None:
    """Raises UsageError unless `name` can be an app's."""
    report = Report("", Path())
    NAME.kind.read(Scalar(name, "text", Mark(1, 1)), Place(report, "--app", Mark(1, 1)))
    if report.problems:
        raise UsageError(report.problems[0].message, report.problems[0].hint)


def write(directory: Path, platform: str, name: str | None = None) -> None:
    """Writes nucleo.yml and its schema; never over a nucleo.yml. Raises UsageError, or NucleoError when it fails."""
    check_free(directory)
    try:
        _write_schema(directory)
        with (directory / FILE).open("x", encoding="utf-8") as stream:
            stream.write(content(platform, name))
    except OSError as error:
        raise NucleoError(f"{error.filename} cannot be written: {error.strerror}") from None
    load(directory)


def content(platform: str, name: str | None = None) -> str:
    """The smallest nucleo.yml; a name only where the folder's will not do."""
    named = f'name: "{name}"\n' if name else ""
    return f"# yaml-language-server: $schema={SCHEMA.as_posix()}\n{named}platform: {platform}\n"


def _write_schema(directory: Path) -> None:
    """Never through a link: a repository of somebody else's could point it at a file of the person."""
    path = directory / SCHEMA
    if path.parent.is_symlink():
        raise UsageError(f"{path.parent} is a symbolic link", "delete it: nucleo init makes the folder")
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        with new.open("x", encoding="utf-8") as stream:
            stream.write(schema_text() + "\n")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)

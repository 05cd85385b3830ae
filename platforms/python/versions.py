"""Which Python: what the repository asks for against what the platform has."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

_CLAUSE = re.compile(r"\s*(===|==|~=|!=|>=|<=|>|<|\^|~|)\s*(\d+)(?:\.(\d+|\*))?[\w.*]*\s*$")


def choose(source: Source, platform: Platform, version: str | None) -> tuple[str, str]:
    """The version ("3.13") and why. nucleo.yml wins, then the files of version managers, then what packages require."""
    if version is not None:
        return _exact(platform, version, "nucleo.yml"), "from nucleo.yml"
    for wanted, file in _managed(source):
        return _exact(platform, wanted, file), f"from {file}"
    wanted = required(source)
    if wanted is None:
        return platform.default, "the platform's default"
    specifier, where = wanted
    for candidate in (platform.default, *platform.versions):
        if allows(specifier, candidate):
            return candidate, f"from {where}: {specifier}"
    raise BuildFailed(
        f"{where} asks for Python {specifier}, which this platform does not have", f"It has: {_list(platform)}"
    )


def _managed(source: Source) -> Iterator[tuple[str, str]]:
    """What the files of pyenv and uv, of Heroku, asdf and mise say, and the file; above the app's folder too."""
    for folder in upwards(source):
        for name in (".python-version", "runtime.txt"):
            lines = (line.strip() for line in (source.read(folder + name) or "").splitlines())
            yield from ((line, folder + name) for line in lines if line and not line.startswith("#"))
        for line in (source.read(f"{folder}.tool-versions") or "").splitlines():
            words = line.split("#")[0].split()
            if len(words) > 1 and words[0] == "python":
                yield words[1], f"{folder}.tool-versions"
        for name in ("mise.toml", ".mise.toml"):
            tool = document(source, folder + name).get("tools", {}).get("python")
            if isinstance(tool, dict):
                tool = cast("dict[str, Any]", tool).get("version")
            if tool is not None:
                yield str(tool), folder + name


def upwards(source: Source) -> list[str]:
    """The app's folder, then those above it in the tree: "", "../", "../../"."""
    return ["../" * depth for depth in range(len(PurePosixPath(source.folder).parts) + 1)]


def required(source: Source) -> tuple[str, str] | None:
    """A version specifier and the file that states it."""
    project = document(source, "pyproject.toml")
    if specifier := project.get("project", {}).get("requires-python"):
        return str(specifier), "requires-python in pyproject.toml"
    if specifier := project.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python"):
        return str(specifier), "pyproject.toml"
    requires = document(source, "Pipfile").get("requires", {})
    if specifier := requires.get("python_version") or requires.get("python_full_version"):
        return f"=={specifier}", "Pipfile"
    return None


def document(source: Source, path: str) -> dict[str, Any]:
    """A TOML file; empty where there is none. Raises BuildFailed with the position of a mistake in it."""
    try:
        return tomllib.loads(source.read(path) or "")
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"{path} is not valid TOML: {error}", f"Correct {path}") from error


def allows(specifier: str, version: str) -> bool:
    """Whether `version` ("3.13") satisfies `specifier` by its first two numbers. What cannot be read is satisfied."""
    return any(
        all(_satisfies(clause, version) for clause in alternative.split(",") if clause.strip())
        for alternative in specifier.split("||")
    )


def _satisfies(clause: str, version: str) -> bool:
    found = _CLAUSE.match(clause)
    if found is None:
        return True
    operator, major, minor = found.groups()
    have = tuple(int(part) for part in version.split("."))
    any_minor = minor in (None, "*")
    want = (int(major), 0 if any_minor else int(minor))
    same = have[0] == want[0] if any_minor else have == want
    # Only the minor matters here: ">3.11.2" and "!=3.12.1" leave 3.11 and 3.12 possible.
    exact_patch = clause.count(".") > 1 and not clause.rstrip().endswith("*")
    match operator:
        case ">=":
            return have >= want
        case ">":
            return have > want or (exact_patch and have == want)
        case "<=":
            return have <= want
        case "<":
            return have < want or (exact_patch and have == want)
        case "!=":
            return not same or exact_patch
        case "^":
            return have[0] == want[0] and have >= want
        case "~=":
            return have == want if exact_patch else have[0] == want[0] and have >= want
        case _:
            return same


def _exact(platform: Platform, text: str, where: str) -> str:
    found = re.fullmatch(r"(?:python-|cpython-)?(\d+)(?:\.(\d+))?(?:\.\w+)*", text.strip().lower())
    if found is not None:
        major, minor = found.groups()
        candidates = [platform.default, *platform.versions]
        for candidate in candidates:
            if candidate == f"{major}.{minor}" or (minor is None and candidate.split(".")[0] == major):
                return candidate
    raise BuildFailed(
        f"{where} asks for Python {text}, which this platform does not have", f"It has: {_list(platform)}"
    )


def _list(platform: Platform) -> str:
    return ", ".join(platform.versions)

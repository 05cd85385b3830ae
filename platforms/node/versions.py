"""Which Node: what the tree asks for, and what the platform has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Platform
from nucleo_cli.errors import BuildFailed

from . import semver

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .manifests import Package

_FILES = (".nvmrc", ".node-version")
_CODENAMES = {"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version of the platform, why it is the one, and what speaks against it."""

    version: str
    because: str
    warnings: tuple[str, ...] = ()


def choose(source: Source, platform: Platform, version: str | None, packages: tuple[Package, ...]) -> Chosen:
    """nucleo.yml decides, then the files of version managers, then package.json; then the platform's default.

    `packages` are the app's package.json and, in a workspace, that of its root.
    """
    if version is not None:
        return Chosen(_exact(platform, version, "nucleo.yml"), "from nucleo.yml")
    wanted = list(_engines(packages))
    for text, where in _stated(source, packages):
        chosen = _exact(platform, text, where)
        return Chosen(chosen, f"from {where}", tuple(_against(platform, chosen, where, wanted)))
    for text, where in wanted:
        return Chosen(_range(platform, text, where), f"from {where}: {text}")
    return Chosen(platform.default, "the platform's default")


def numbers(platform: Platform, version: str) -> semver.Version:
    """The whole version of Node that stands for a version of the platform."""
    return semver.parse(platform.versions[version].tools["node"])


def _stated(source: Source, packages: tuple[Package, ...]) -> Iterator[tuple[str, str]]:
    """The versions that are named outright, and where."""
    for prefix in dict.fromkeys(("", *(package.folder for package in packages))):
        for file in _FILES:
            for line in (source.read(prefix + file) or "").splitlines():
                if text := line.split("#")[0].strip():
                    yield text, file
        for line in (source.read(f"{prefix}.tool-versions") or "").splitlines():
            words = line.split("#")[0].split()
            if len(words) > 1 and words[0] in ("nodejs", "node"):
                yield words[1], ".tool-versions"
    for package in packages:
        if text := package.section("volta").get("node"):
            yield str(text), f"volta in {package.path}"


def _engines(packages: tuple[Package, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        runtime = package.section("devEngines").get("runtime")
        if text := package.section("engines").get("node"):
            yield str(text), f"engines.node in {package.path}"
        elif isinstance(runtime, dict) and runtime.get("name") == "node" and runtime.get("version"):  # pyright: ignore[reportUnknownMemberType]
            yield str(runtime["version"]), f"devEngines.runtime in {package.path}"  # pyright: ignore[reportUnknownArgumentType]


def _against(platform: Platform, chosen: str, where: str, wanted: list[tuple[str, str]]) -> Iterator[str]:
    for text, other in wanted:
        if semver.allows(text, numbers(platform, chosen)) is False and _range_major(platform, text) != chosen:
            yield f"{where} names Node {chosen}, but {other} asks for {text}"


def _exact(platform: Platform, text: str, where: str) -> str:
    """The version of the platform for `20`, `v20.11.1`, `lts/iron`, `lts/*` or `node`; patches are the newest."""
    name = text.strip().lower().removeprefix("node-").removeprefix("v")
    if name in ("node", "current", "latest"):
        return max(platform.versions, key=int)
    if name in ("lts", "lts/*", "stable"):
        return platform.default
    major = _CODENAMES.get(name.removeprefix("lts/"), name)
    if found := re.fullmatch(r"(\d+)(\.(\d+|x|\*))*", major):
        if found.group(1) in platform.versions:
            return found.group(1)
    elif semver.allows(name, (0, 0, 0)) is not None:
        return _range(platform, name, where)
    raise _missing(platform, text, where)


def _range(platform: Platform, text: str, where: str) -> str:
    candidates = [platform.default, *sorted(platform.versions, key=int, reverse=True)]
    for candidate in candidates:
        if semver.allows(text, numbers(platform, candidate)):
            return candidate
    if (major := _range_major(platform, text)) is not None:
        return major
    raise _missing(platform, text, where)


def _range_major(platform: Platform, text: str) -> str | None:
    """Of a range that allows single releases alone, `20.11.1`: the newest one of that line is the safe choice."""
    found = re.fullmatch(r"\s*[=v~]*(\d+)\.\d+(\.(\d+|x|\*))?\s*", text)
    return found.group(1) if found and found.group(1) in platform.versions else None


def _missing(platform: Platform, text: str, where: str) -> BuildFailed:
    have = ", ".join(sorted(platform.versions, key=int, reverse=True))
    return BuildFailed(f"{where} asks for Node {text}, which this platform does not have", f"It has: {have}")

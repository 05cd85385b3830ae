"""Which PHP: what the repository asks for against what the platform has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

    from .composer import Manifest

_CLAUSE = re.compile(r"(\^|~|==|!=|>=|<=|<>|>|<|=|)\s*v?(\d+)(?:\.(\d+|\*|x))?(?:\.(\d+|\*|x))?(?:\.\d+)?(?:[-@]\w+)?$")


def choose(source: Source, platform: Platform, version: str | None, manifest: Manifest | None) -> tuple[str, str]:
    """The version ("8.4") and why.

    nucleo.yml wins, then .php-version, .tool-versions, config.platform of composer.json, then what it requires.
    """
    if version is not None:
        return _fitting(platform, version, "nucleo.yml"), "from nucleo.yml"
    for file in (".php-version", ".tool-versions"):
        if wanted := _from_file(source, file):
            return _fitting(platform, wanted, file), f"from {file}: {wanted}"
    if manifest is not None and manifest.platform_php:
        where = f"config.platform in {manifest.file}"
        return _fitting(platform, manifest.platform_php, where), f"from {where}: {manifest.platform_php}"
    if manifest is not None and (wanted := manifest.require.get("php")):
        return _fitting(platform, wanted, manifest.file), f"from {manifest.file}: {wanted}"
    return platform.default, "the platform's default"


def allows(constraint: str, version: str) -> bool:
    """Whether `version` ("8.4") satisfies a constraint by its first two numbers. What cannot be read is satisfied."""
    return any(
        all(_satisfies(clause, version) for clause in _clauses(alternative))
        for alternative in re.split(r"\s*\|\|?\s*", constraint.strip())
    )


def _clauses(alternative: str) -> list[str]:
    bounds = re.fullmatch(r"(\S+)\s+-\s+(\S+)", alternative)
    if bounds:
        return [f">={bounds[1]}", f"<={bounds[2]}"]
    return [clause for clause in re.split(r"[\s,]+", re.sub(r"([<>=!~^])\s+", r"\1", alternative)) if clause]


def _satisfies(clause: str, version: str) -> bool:
    found = _CLAUSE.match(clause)
    if found is None:
        return True
    operator, major, minor, patch = found.groups()
    have = tuple(int(part) for part in version.split("."))
    any_minor = minor in (None, "*", "x")
    want = (int(major), 0 if any_minor else int(minor))
    has_patch = patch is not None and patch.isdecimal()
    match operator:
        case ">=":
            return have >= want
        case ">":
            return have > want or (has_patch and have == want)
        case "<=":
            return have <= want
        case "<":
            return have < want or (has_patch and patch != "0" and have == want)
        case "!=" | "<>":
            return have != want or has_patch
        case "^":
            return have[0] == want[0] and have >= want
        case "~":
            return have == want if patch is not None else have[0] == want[0] and have >= want
        case _:
            return have[0] == want[0] if any_minor else have == want


def _fitting(platform: Platform, constraint: str, where: str) -> str:
    for candidate in (platform.default, *platform.versions):
        if allows(constraint, candidate):
            return candidate
    raise BuildFailed(
        f"{where} asks for PHP {constraint}, which this platform does not have",
        f"It has: {', '.join(platform.versions)}",
    )


def _from_file(source: Source, file: str) -> str | None:
    lines = [line.split("#")[0].strip() for line in (source.read(file) or "").splitlines()]
    if file == ".tool-versions":
        lines = [line.partition(" ")[2].strip() for line in lines if line.startswith("php ")]
    return next((line for line in lines if line), None)

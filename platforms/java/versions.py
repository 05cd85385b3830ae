"""Which Java: what the repository asks for, what its tools can run on, and what the platform has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

    from .projects import Project

# The newest Java that a tool before a version runs on, as its makers say; what is newer runs on all that are here.
LIMITS = {
    "Gradle": (("7.3", 16), ("8.5", 17), ("9.1", 21)),
    "Spring Boot": (("2.7", 17), ("3.5", 21)),
    "Quarkus": (("3", 17), ("3.28", 21)),
    "Lombok": (("1.18.30", 17), ("1.18.40", 21)),
    "Kotlin": (("1.9.20", 17), ("2.2.20", 21)),
}
_NUMBER = re.compile(r"(?<![\d.])(?:1\.)?(\d+)(?:[._+-]|$)")


@dataclass(frozen=True, slots=True)
class Wish:
    """A Java version that the repository names, where, and whether no other will do."""

    version: int
    where: str
    exact: bool


def choose(source: Source, platform: Platform, project: Project, version: str | None) -> tuple[str, str]:
    """The version ("25") and why. nucleo.yml wins, then the version files, then what the build is configured for.

    A version file asks for exactly one; a build says what it compiles for, which every newer Java runs: the newest
    that the build's own tools run on has the longest support ahead.
    """
    if version is not None:
        return _exact(platform, version, "nucleo.yml"), "from nucleo.yml"
    wish = next(_wishes(source, project), None)
    if wish is not None and wish.exact:
        return _exact(platform, str(wish.version), wish.where), f"from {wish.where}"
    return _newest(platform, project, wish)


def _newest(platform: Platform, project: Project, wish: Wish | None) -> tuple[str, str]:
    limit, tool = min(_limits(project), default=(999, ""))
    least = wish.version if wish is not None else 0
    versions = sorted(platform.versions, key=int, reverse=True)
    fit = [one for one in versions if least <= int(one) <= limit]
    asked = f"{wish.where} asks for {least}" if wish is not None else "nothing asks for a version"
    if fit:
        if int(versions[0]) > limit:
            return fit[0], f"{asked}; {tool} runs on {limit} at most"
        if wish is None:
            return platform.default, "the platform's default"
        return fit[0], f"{asked}, which the newest runs"
    if least > limit:
        raise BuildFailed(
            f"{asked}, but {tool} runs on Java {limit} at most", f"Update {tool}; the platform has {_list(platform)}"
        )
    if least > int(versions[0]):
        raise _unavailable(platform, str(least), wish.where if wish is not None else "")
    raise BuildFailed(
        f"{tool} runs on Java {limit} at most, which this platform does not have",
        f"Update {tool}; the platform has {_list(platform)}",
    )


def _limits(project: Project) -> Iterator[tuple[int, str]]:
    for tool, version in project.tools.items():
        for before, newest in LIMITS.get(tool, ()):
            if _numbers(version) < _numbers(before):
                yield newest, f"{tool} {version}"
                break


def _wishes(source: Source, project: Project) -> Iterator[Wish]:
    folders = dict.fromkeys(("", project.root))
    for file, pattern in _FILES.items():
        for folder in folders:
            path = f"{folder}/{file}" if folder else file
            for line in (source.read(path) or "").splitlines():
                found = pattern(line.strip())
                if found is not None and (version := number(found)) is not None:
                    yield Wish(version, path, exact=True)
                elif found is not None:
                    raise BuildFailed(f"{path} says no Java version: {found}", 'One like this is understood: "21"')
    for text, where, exact in project.wishes:
        if (version := number(text)) is not None:
            yield Wish(version, where, exact)


def number(text: str) -> int | None:
    """The feature version in `21.0.5-tem`, `temurin-21.0.5+11`, `openjdk@1.17`, `1.8`; None where there is none."""
    found = _NUMBER.search(text.strip())
    return int(found[1]) if found else None


def _after(pattern: str) -> Callable[[str], str | None]:
    def value(line: str) -> str | None:
        found = re.match(pattern, line)
        return found[1] if found else None

    return value


_FILES: dict[str, Callable[[str], str | None]] = {
    ".java-version": _after(r"([^#\s].*)"),
    ".sdkmanrc": _after(r"java\s*=\s*(\S+)"),
    ".tool-versions": _after(r"java\s+(\S+)"),
    "system.properties": _after(r"java\.runtime\.version\s*[=:]\s*(\S+)"),
}


def _exact(platform: Platform, text: str, where: str) -> str:
    wanted = str(number(text))
    if wanted in platform.versions:
        return wanted
    raise _unavailable(platform, text, where)


def _unavailable(platform: Platform, text: str, where: str) -> BuildFailed:
    newer = [one for one in sorted(platform.versions, key=int) if int(one) > (number(text) or 0)]
    hint = f"It has: {_list(platform)}"
    if newer:
        hint += f'. Java {newer[0]} runs what is built for {text}: platform: "{platform.name}:{newer[0]}"'
    return BuildFailed(f"{where} asks for Java {text}, which this platform does not have", hint)


def _list(platform: Platform) -> str:
    return ", ".join(platform.versions)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])

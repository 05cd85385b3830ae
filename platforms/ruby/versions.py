"""Which Ruby: what the repository asks for against what the platform has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source
    from nucleo_cli.domain.build import Platform

    from .bundle import Bundle

_CLAUSE = re.compile(r"\s*(~>|!=|>=|<=|>|<|=|)\s*(\d+)(?:\.(\d+))?(\.[\w.-]+)?\s*$")
_LINE = re.compile(r"^(?P<before>[ \t]*ruby[ \t(]+)(?P<what>[^#\n]+?)(?P<after>\)?[ \t]*(?:#.*)?)$", re.MULTILINE)
_STRING = re.compile(r"""["']([^"']+)["']""")
_FILE = re.compile(r"""file:\s*["']([^"']+)["']""")
_ENGINE = re.compile(r"""engine:\s*["']([^"']+)["']""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file asks for: clauses ("~> 3.3.0") of which each must hold."""

    clauses: tuple[str, ...]
    where: str

    @property
    def exact(self) -> bool:
        """Whether one patch version is asked for, of which a Debian release only ever has one."""
        return any((found := _CLAUSE.match(clause)) and found[1] in ("", "=") and found[4] for clause in self.clauses)


@dataclass(frozen=True, slots=True)
class Choice:
    """The version ("3.3"), why, and the Gemfile to use where its own line would refuse another patch version."""

    version: str
    because: str
    gemfile: str | None = None
    warning: str | None = None


def choose(source: Source, platform: Platform, version: str | None, bundle: Bundle) -> Choice:
    """nucleo.yml wins, then the Gemfile, .ruby-version, .tool-versions, then the Ruby that wrote Gemfile.lock."""
    stated = _gemfile(source, bundle)
    if version is not None:
        chosen, because = _fitting(platform, Wanted((version,), "nucleo.yml")), "from nucleo.yml"
        if stated is not None and not all(allows(clause, chosen) for clause in stated.clauses):
            raise BuildFailed(
                f"nucleo.yml asks for Ruby {version}, {stated.where} for {', '.join(stated.clauses)}",
                "Bundler refuses any other Ruby than the Gemfile's: change one of the two",
            )
    else:
        wanted = stated or _files(source) or _locked(bundle)
        if wanted is None:
            chosen, because = platform.default, "the platform's default"
        else:
            chosen, because = _fitting(platform, wanted), f"from {wanted.where}: {', '.join(wanted.clauses)}"
    if stated is None or not stated.exact:
        return Choice(chosen, because)
    relaxed = f'"~> {chosen}.0"'
    # A lock file without Ruby's version does not fit a Gemfile with one, frozen as it is.
    line = rf"\g<before>{relaxed}\g<after>" if bundle.ruby else r"# \g<0>"
    return Choice(
        chosen,
        because,
        _LINE.sub(line, source.read(bundle.gemfile) or ""),
        f"{stated.where} asks for Ruby {', '.join(stated.clauses)}: the image has the newest {chosen} of Debian "
        f"{platform.versions[chosen].suite}, and its Gemfile takes any {chosen}",
    )


def allows(clause: str, version: str) -> bool:
    """Whether `version` ("3.3") satisfies a clause by its first two numbers. What cannot be read is satisfied."""
    found = _CLAUSE.match(clause)
    if found is None:
        return True
    operator, major, minor, patch = found.groups()
    have = tuple(int(part) for part in version.split("."))
    want = (int(major), int(minor or 0))
    match operator:
        case ">=":
            return have >= want
        case ">":
            return have > want or (patch is not None and have == want)
        case "<=":
            return have <= want
        case "<":
            return have < want or (patch not in (None, ".0") and have == want)
        case "!=":
            return have != want or patch is not None
        case "~>" if patch is None:
            return have[0] == want[0] and have >= want
        case _:
            return have[0] == want[0] if minor is None else have == want


def _fitting(platform: Platform, wanted: Wanted) -> str:
    for candidate in (platform.default, *platform.versions):
        if all(allows(clause, candidate) for clause in wanted.clauses):
            return candidate
    raise BuildFailed(
        f"{wanted.where} asks for Ruby {', '.join(wanted.clauses)}, which this platform does not have",
        f"It has: {', '.join(platform.versions)}",
    )


def _gemfile(source: Source, bundle: Bundle) -> Wanted | None:
    """The `ruby` line of the Gemfile; None where there is none, or where it is computed."""
    found = _LINE.search(source.read(bundle.gemfile) or "")
    if found is None:
        return None
    what = found["what"]
    if (engine := _ENGINE.search(what)) and engine[1] != "ruby":
        raise BuildFailed(f"{bundle.gemfile} asks for {engine[1]}, and this platform has MRI alone", "Remove engine:")
    if file := _FILE.search(what):
        named = _from_file(source, file[1])
        if named is None:
            raise BuildFailed(f"{bundle.gemfile} reads its Ruby from {file[1]}, which is not there", f"Add {file[1]}")
        return Wanted((named,), file[1])
    clauses = tuple(text for text in _STRING.findall(what.split("engine")[0]) if _CLAUSE.match(text))
    return Wanted(clauses, bundle.gemfile) if clauses else None


def _files(source: Source) -> Wanted | None:
    for file in (".ruby-version", ".tool-versions"):
        if (text := _from_file(source, file)) is not None:
            return Wanted((text,), file)
    return None


def _from_file(source: Source, file: str) -> str | None:
    """The version in .ruby-version ("ruby-3.3.5", "3.3") or in .tool-versions ("ruby 3.3.5")."""
    lines = [line.split("#")[0].strip() for line in (source.read(file) or "").splitlines()]
    if file.endswith(".tool-versions"):
        lines = [line.partition(" ")[2].strip() for line in lines if line.startswith("ruby ")]
    return next((line.removeprefix("ruby-") for line in lines if line), None)


def _locked(bundle: Bundle) -> Wanted | None:
    """The minor version of the Ruby that wrote the lock file, which may use any of its patch versions."""
    found = re.match(r"ruby (\d+\.\d+)", bundle.ruby)
    return Wanted((f"~> {found[1]}.0",), bundle.lock) if found else None

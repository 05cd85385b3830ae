"""What a failed step lacks: from the words of compilers and loaders to the `apt:` line of nucleo.yml that brings it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import yaml

Kind = Literal["headers", "pc", "libs", "programs", "loaded", "extensions"]

TABLE = Path(__file__).with_suffix(".yml")
_MOST = 6
_LONGEST = 500
_SEARCH = "https://packages.debian.org/search?searchon=contents&mode=filename&suite={suite}&keywords={file}"


@dataclass(frozen=True, slots=True)
class Missing:
    """`things` as the tools named them; `packages` have them. Without packages, `search` is where to find them."""

    things: tuple[str, ...]
    packages: tuple[str, ...]
    search: str = ""

    @property
    def hint(self) -> str:
        """The line of nucleo.yml."""
        if self.packages:
            return f"Add to nucleo.yml:  apt: [{', '.join(self.packages)}]"
        return f"Find the Debian package that has it ({self.search}), and add it to nucleo.yml:  apt: [PACKAGE]"


class _Rule(NamedTuple):
    """The first group of `pattern` names a thing of `kind`. Without a group, `thing` is what is missing."""

    kind: Kind
    pattern: str
    thing: str = ""


_NAME = r"[A-Za-z0-9_.+-]+"

# They name the very file that is missing.
_FILES = (
    # gcc, then clang
    _Rule("headers", r"fatal error: ([\w./+-]+): No such file"),
    _Rule("headers", r"fatal error: '([\w./+-]+)' file not found"),
    # GNU ld and gold, then lld
    _Rule("libs", rf"cannot find -l({_NAME})"),
    _Rule("libs", rf"unable to find library -l({_NAME})"),
    # pkg-config and pkgconf
    _Rule("pc", rf"Package ({_NAME}) was not found in the pkg-config search path"),
    _Rule("pc", rf"Package '({_NAME})'(?:, required by '[^']*',)? not found"),
    _Rule("pc", rf"No package '({_NAME})' found"),
    # the loader
    _Rule("loaded", r"(lib[\w.+-]+\.so(?:\.\d+)*): cannot open shared object file"),
)
# They name a thing in words of their own: good for what the table knows.
_WORDS = (
    # meson, CMake (with "-- " before it, the build goes on without), Rust's pkg-config and system-deps
    _Rule("pc", rf'Dependency "({_NAME})" not found, tried'),
    _Rule("pc", rf"(?<!-- )Could NOT find ({_NAME})"),
    _Rule("pc", rf'package configuration file provided by "({_NAME})"'),
    _Rule("pc", rf"The system library `({_NAME})` required by crate"),
    _Rule("pc", r"Could not find directory of OpenSSL installation", "openssl"),
    # programs: shells and make, then each language's own way to say it
    _Rule("programs", rf"(?:^|[\s/])({_NAME}): (?:command )?not found\s*$"),
    _Rule("programs", rf"\bnot found: ({_NAME})\s*$"),
    _Rule("programs", rf"\bmake(?:\[\d+\])?: ({_NAME}): No such file or directory"),
    _Rule("programs", rf"/usr/bin/env: \W*({_NAME}?)\W*: No such file or directory"),
    _Rule("programs", rf"\b({_NAME})\"?:? executable (?:file )?not found"),
    _Rule("programs", rf"command '({_NAME})' failed: No such file or directory"),
    _Rule("programs", rf"unable to execute '({_NAME})': No such file"),
    _Rule("programs", rf"Cannot find command '({_NAME})'"),
    _Rule("programs", rf"FileNotFoundError: \[Errno 2\] No such file or directory: '({_NAME})'"),
    _Rule("programs", rf"spawn(?:Sync)? ({_NAME}) ENOENT"),
    _Rule("programs", rf"No such file or directory - ({_NAME})"),
    _Rule("programs", rf"linker `({_NAME})` not found"),
    _Rule("programs", rf'failed to find tool "({_NAME})"'),
    _Rule("programs", rf"[Ii]s `({_NAME})` (?:not )?installed\?"),
    _Rule("programs", rf"`({_NAME})`(?: command)? could not be found"),
    _Rule("programs", rf"[Cc]ould not find `({_NAME})`"),
    _Rule("programs", rf"({_NAME}) was not found in your PATH"),
    _Rule("programs", r"\b(\w+[_-]config) not found"),
    _Rule("programs", r"Unknown compiler\(s\): \[\['(\w+)"),
    _Rule("programs", r"no acceptable C compiler found|No CMAKE_C_COMPILER could be found", "gcc"),
    _Rule("programs", r"You have to install development tools first", "gcc"),
    _Rule("programs", r"No CMAKE_CXX_COMPILER could be found", "g++"),
    _Rule("programs", r"Could not find any Python installation to use", "python3"),
    _Rule("programs", r"can't find Rust compiler|Cargo, the Rust package manager, is not installed", "cargo"),
    _Rule("programs", r"pkg-config command (?:could not be|was not) found|Did you install pkg-config\?", "pkg-config"),
    _Rule("programs", r"You need to install (git) to be able to use gems"),
    _Rule("programs", r"The zip extension and (unzip)/7z commands are both missing"),
    # libraries and headers: single packages that say it in words of their own
    _Rule("headers", r"can't find header files for ruby", "ruby.h"),
    _Rule("headers", r"Can't find the '?([\w./-]+\.h)'? header"),
    _Rule("headers", r"\b([\w./-]+\.h) (?:is missing|not found)"),
    _Rule("pc", rf"[Cc]an't find ({_NAME})"),
    _Rule("pc", rf"({_NAME}) is missing\. Please locate mkmf\.log"),
    _Rule("pc", r"headers or library files could not be found for (\w+)"),
    _Rule("pc", r"Can not find valid pkg-config name|mysql client is missing", "mysqlclient"),
    _Rule("pc", r"make sure the libxml2 and libxslt development packages are installed", "libxml-2.0"),
    _Rule("pc", r"make sure the libxml2 and libxslt development packages are installed", "libxslt"),
    _Rule("libs", r"Unable to find PostgreSQL client library", "pq"),
    _Rule("libs", r"couldn't find any valid shared libraries matching: \['lib(clang)"),
    _Rule("libs", r"Could not find the GDAL library", "gdal"),
    _Rule("loaded", r"no library called \"cairo-2\" was found", "libcairo.so.2"),
    _Rule("loaded", r"cannot load library '(?:lib)?pango-1\.0", "libpango-1.0.so.0"),
    _Rule("loaded", r"cannot load library '(?:lib)?gobject-2\.0", "libgobject-2.0.so.0"),
    _Rule("loaded", r"failed to find libmagic", "libmagic.so.1"),
    _Rule("extensions", r"requires (?:PHP extension )?ext-([\w-]+) .*missing from your system"),
)
# Configure scripts ask for much that they can do without.
_PROBES = (
    _Rule("headers", r"checking for ([\w./-]+\.h)\.\.\. no"),
    _Rule("libs", r"checking for \S+ in -l(\w+)\.\.\. no"),
    _Rule("pc", rf"checking for ({_NAME})\.\.\. no\s*$"),
    _Rule("pc", rf"-- Could NOT find ({_NAME})"),
)


def find(output: Iterable[str], suite: str = "trixie") -> Missing | None:
    """What the lines of a failed step say is missing; None where they say nothing of the kind."""
    lines = list(output)
    if known := _known(lines, _FILES + _WORDS, suite):
        return known
    for kind, name in _named(lines, _FILES):
        return Missing((name,), (), _SEARCH.format(suite=suite, file=_file(kind, name)))
    return None


def guess(output: Iterable[str], suite: str = "trixie") -> Missing | None:
    """What a configure script looked for in vain. It may have done without."""
    return _known(list(output), _PROBES, suite)


def _known(lines: Iterable[str], rules: Iterable[_Rule], suite: str) -> Missing | None:
    found = {thing: _package(*thing, suite) for thing in _named(lines, rules)}
    packages = tuple(dict.fromkeys(filter(None, found.values())))[:_MOST]
    things = dict.fromkeys(name for (_, name), package in found.items() if package in packages)
    return Missing(tuple(things), packages) if packages else None


def _named(lines: Iterable[str], rules: Iterable[_Rule]) -> Iterator[tuple[Kind, str]]:
    compiled = [(rule, re.compile(rule.pattern)) for rule in rules]
    for line in lines:
        for rule, pattern in compiled:
            for hit in pattern.finditer(line[:_LONGEST]):
                yield rule.kind, rule.thing or hit[1]


def _package(kind: Kind, name: str, suite: str) -> str:
    """The package that has it, by the table; the empty text where the table does not know it."""
    package = next((found for thing in _names_of(kind, name) if (found := _table().get(thing))), "")
    return _own_names().get((package, suite), package)


def _names_of(kind: Kind, name: str) -> Iterator[tuple[str, str]]:
    """Under what a thing may stand in the table, the best first."""
    yield kind, name
    if kind == "headers" and "/" in name:
        yield "folders", name.partition("/")[0]
    elif kind in ("pc", "libs", "programs"):
        yield from ((other, name.lower()) for other in ("pc", "libs", "programs"))
    elif kind == "loaded" and name.endswith(".so"):
        yield "libs", name.removeprefix("lib").removesuffix(".so")


def _file(kind: Kind, name: str) -> str:
    return {"pc": f"{name}.pc", "libs": f"lib{name}.so"}.get(kind, name)


@cache
def _table() -> Mapping[tuple[str, str], str]:
    """Packages by kind and name; under "folders" those that alone have the headers of a folder."""
    found: dict[tuple[str, str], str] = {}
    owners: dict[str, set[str]] = {}
    for package, things in _document().items():
        for kind, names in things.items():
            if isinstance(names, list):
                found |= {(kind, name): package for name in cast("list[str]", names)}
        for header in things.get("headers", ()):
            owners.setdefault(header.rpartition("/")[0].partition("/")[0], set()).add(package)
    return found | {("folders", folder): one for folder, (one, *more) in owners.items() if folder and not more}


@cache
def _own_names() -> Mapping[tuple[str, str], str]:
    """What a package is called in a suite that has another name for it."""
    return {
        (package, suite): name
        for package, things in _document().items()
        for suite, name in things.items()
        if isinstance(name, str)
    }


@cache
def _document() -> Mapping[str, Mapping[str, Any]]:
    return yaml.safe_load(TABLE.read_text("utf-8"))

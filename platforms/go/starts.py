"""Which programs to compile, and the start command."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Start
from nucleo_cli.errors import BuildFailed

from .packages import Program

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .project import Project

# First in the image's PATH.
BIN = "/opt/app/bin"

_NAME = re.compile(r"^name:\s*[\"']?([\w.-]+)", re.MULTILINE)
_GO_RUN = re.compile(r"\bgo run (?!-)(\S+)")
# The program of a command line: what comes before it is a variable, or runs it.
_FIRST = re.compile(r"^((?:(?:exec|env|\w+=\S*)\s+)*)(\S+)")
_IN_BIN = re.compile(r"(?<![\w./-])(?:\./)?bin/([\w.-]+)")


def choose(
    source: Source, project: Project, programs: tuple[Program, ...], start: Start | None
) -> tuple[tuple[Program, ...], Start]:
    """The programs to compile, and how the web process starts."""
    if not programs:
        raise BuildFailed(
            "No main package was found, so there is no program to start",
            "Write `package main` and `func main()`, in the app's folder or in cmd/NAME",
        )
    offered = _installed(project, programs)
    if start is None:
        chosen, because = _default(source, project, offered)
        wanted, start = (chosen,), Start(f"{BIN}/{chosen.name}", because)
    else:
        wanted, start = _named(source, project, offered, start)
    # What nucleo.yml and the Procfile name anywhere (a worker, a cron job, a release command) is compiled as well.
    text = f"{source.read('nucleo.yml') or ''}\n{source.read('Procfile') or ''}"
    named = (one for one in offered if re.search(rf"(?<![\w.-]){re.escape(one.name)}(?![\w.-])", text))
    listed = offered if any(name == "install" for one in project.modules for name, _ in one.heroku) else named
    return tuple({one.folder: one for one in (*listed, *wanted)}.values()), start


def _installed(project: Project, programs: tuple[Program, ...]) -> tuple[Program, ...]:
    """What a `// +heroku install` line of go.mod leaves."""
    specs = [
        spec for one in project.modules for name, value in one.heroku if name == "install" for spec in _words(value)
    ]
    if not specs:
        return programs
    paths = [f"{one.module}/" for one in project.modules]
    folders = [next((spec.removeprefix(path) for path in paths if spec.startswith(path)), spec) for spec in specs]
    folders = [folder.removeprefix("./").rstrip("/") for folder in folders]
    found = tuple(
        one
        for one in programs
        if any(one.folder == folder.rstrip(".") or _below(one.folder, folder) for folder in folders)
    )
    if not found:
        raise BuildFailed(
            f"go.mod says +heroku install {' '.join(specs)}, and no main package is there", _list(programs)
        )
    return found


def _words(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _below(folder: str, spec: str) -> bool:
    return spec.endswith("...") and f"{folder}/".startswith(spec.removesuffix("..."))


def _default(source: Source, project: Project, programs: tuple[Program, ...]) -> tuple[Program, str]:
    root = next((one for one in programs if not one.folder), None)
    if root is not None:
        return root, "the main package of the app's folder"
    first = [one for one in programs if not one.is_beside] or list(programs)
    if len(first) == 1:
        return first[0], f"the only main package, {first[0].package}"
    app = _NAME.search(source.read("nucleo.yml") or "")
    names = {"nucleo.yml": app[1] if app else "", "the folder": posixpath.basename(source.folder)}
    names |= {manifest.file: manifest.name for manifest in project.modules}
    for where, name in names.items():
        if one := next((one for one in first if one.name == name), None):
            return one, f"{one.package} is named as the app is in {where}"
    raise BuildFailed(
        f"There are {len(first)} main packages: {', '.join(one.package for one in first)}",
        f"Say in nucleo.yml which one serves, for example: cmd: {{start: {first[0].name}}}",
    )


def _named(
    source: Source, project: Project, programs: tuple[Program, ...], start: Start
) -> tuple[tuple[Program, ...], Start]:
    """The programs that a command line names, and the line with the places where they will be."""
    used: dict[str, Program] = {}

    def compiled(program: Program) -> str:
        used[program.name] = program
        return f"{BIN}/{program.name}"

    def in_bin(match: re.Match[str]) -> str:
        program = next((one for one in programs if one.name == match[1]), None)
        return match[0] if program is None or source.has(f"bin/{match[1]}") else compiled(program)

    line = _GO_RUN.sub(lambda match: compiled(_run(programs, match[1], start)), start.line)
    line = _IN_BIN.sub(in_bin, line)
    first = _FIRST.match(line)
    word = first[2] if first else ""
    if first and not source.has(_in_app(source, word)) and not word.startswith(f"{BIN}/"):
        name = posixpath.basename(word)
        program = next((one for one in programs if one.name == name), None)
        if program is None and word.startswith(("./", "bin/", f"{source.app}/")):
            program = replace(_only(source, project, programs, name, start), name=name)
        if program is not None:
            line = f"{first[1]}{compiled(program)}{line[first.end() :]}"
    if re.match(r"(exec\s+)?go\s", line):
        raise BuildFailed(
            f"{start.line!r}, {start.because}, runs the go command, which images do not have",
            f"Name the program that it makes: {programs[0].name}",
        )
    # A script may start any of them.
    return tuple(used.values()) or programs, Start(line, start.because)


def _in_app(source: Source, word: str) -> str:
    return posixpath.normpath(word.removeprefix(f"{source.app}/"))


def _only(source: Source, project: Project, programs: tuple[Program, ...], name: str, start: Start) -> Program:
    """The one program that a start command can mean by a name that no main package has."""
    try:
        return _default(source, project, programs)[0]
    except BuildFailed as error:
        raise BuildFailed(
            f"{start.line!r}, {start.because}, starts {name}, and no main package has that name", _list(programs)
        ) from error


def _run(programs: tuple[Program, ...], target: str, start: Start) -> Program:
    folder = posixpath.normpath(posixpath.dirname(target) if target.endswith(".go") else target)
    program = next((one for one in programs if one.folder == folder.strip(".")), None)
    if program is None:
        raise BuildFailed(f"{start.line!r}, {start.because}, runs {target}, where no main package is", _list(programs))
    return program


def _list(programs: tuple[Program, ...]) -> str:
    return f"The main packages are: {', '.join(one.package for one in programs)}"

"""Which programs are compiled, and which one answers requests: from the start command, the manifests and the names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Start
from nucleo_cli.errors import BuildFailed

from .manifests import Package, Workspace

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

PROGRAMS = "/opt/app/bin"
FRAMEWORKS = (
    "axum", "actix-web", "rocket", "warp", "poem", "salvo", "loco-rs", "tide", "gotham", "ntex", "viz", "tonic",
    "async-graphql", "hyper", "tiny_http", "rouille",
)  # fmt: skip
_BUILT = r"(?:\./|/app/)?(?:target/(?:[\w-]+/)?(?:release|debug)/|bin/)?"
_CARGO_RUN = re.compile(r"cargo run(?P<options>(?: (?!-- )\S+)*)(?: -- | --$|$)")


@dataclass(frozen=True, slots=True)
class Choice:
    """The packages to compile, their programs, and the start command."""

    packages: tuple[Package, ...]
    programs: tuple[str, ...]
    start: Start

    @property
    def framework(self) -> str | None:
        """The framework of the first package, which answers requests."""
        return next((name for name in FRAMEWORKS if name in self.packages[0].dependencies), None)


def choose(source: Source, workspace: Workspace, start: Start | None) -> Choice:
    """The program that `start` names, else the one that cargo or the names single out. Raises BuildFailed with a list
    of them where there are several, and where there is none."""
    makers = [package for package in workspace.packages if package.programs]
    if not makers:
        raise BuildFailed(
            "No package makes a program: there is neither src/main.rs nor src/bin nor [[bin]]",
            "Write src/main.rs, or name the folder of the program: nucleo deploy -C FOLDER",
        )
    if start is None:
        package, program, because = _single_out(source, workspace, makers)
        start = Start(f"{PROGRAMS}/{program}", because)
    else:
        start = Start(_resolved(source, workspace, makers, start.line), start.because)
        package = _runs(makers, start.line) or _single_out(source, workspace, makers)[0]
    start = Start(_runnable(start.line, package), start.because)
    # Other processes, jobs and crons may be programs of other packages.
    said = "\n".join((start.line, source.read("nucleo.yml") or "", source.read("Procfile") or ""))
    named = [one for one in makers if one is not package and any(_names(program, said) for program in one.programs)]
    programs = [*package.programs, *(name for one in named for name in one.programs if _names(name, said))]
    return Choice((package, *named), tuple(dict.fromkeys(programs)), start)


def _single_out(source: Source, workspace: Workspace, makers: list[Package]) -> tuple[Package, str, str]:
    package, why = _package(source, workspace, makers)
    program, because = _program(source, package)
    return package, program, f"{because}{why}"


def _package(source: Source, workspace: Workspace, makers: list[Package]) -> tuple[Package, str]:
    if workspace.own in makers:
        return workspace.own, ""
    if len(makers) == 1:
        return makers[0], f", the only program of the workspace, in {makers[0].path}"
    name = _app_name(source)
    for key in ("name", "programs"):
        named = [one for one in makers if name == one.name or (key == "programs" and name in one.programs)]
        if len(named) == 1:
            return named[0], f", named like the app, in {named[0].path}"
    served = [one for one in makers if one.dependencies.intersection(FRAMEWORKS)]
    if len(served) == 1:
        framework = next(name for name in FRAMEWORKS if name in served[0].dependencies)
        return served[0], f", the only package with {framework}, in {served[0].path}"
    raise _several([(program, one.path) for one in makers for program in one.programs], "The workspace")


def _program(source: Source, package: Package) -> tuple[str, str]:
    if package.default_run:
        return package.default_run, f"default-run in {package.path}"
    if len(package.programs) == 1:
        return package.programs[0], "the only program"
    for name, why in ((package.name, "the package"), (_app_name(source), "the app")):
        if name in package.programs:
            return name, f"the program named like {why}"
    below = f"{package.folder}/" if package.folder else ""
    raise _several([(program, f"{below}src") for program in package.programs], f"Package {package.name}")


def _several(found: Iterable[tuple[str, str]], where: str) -> BuildFailed:
    listed = list(found)
    return BuildFailed(
        f"{where} has several programs: {', '.join(f'{program} ({path})' for program, path in listed)}",
        f"Choose one in nucleo.yml: cmd: {{start: {listed[0][0]}}}",
    )


def _app_name(source: Source) -> str:
    if found := re.search(r"^name:\s*[\"']?([\w.-]+)", source.read("nucleo.yml") or "", re.MULTILINE):
        return found[1]
    return posixpath.basename(source.folder) or source.root.name


def _names(program: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(program)}(?![\w-])", text) is not None


def _resolved(source: Source, workspace: Workspace, makers: list[Package], line: str) -> str:
    """The line with every way to name a compiled program turned into where the image has it."""
    programs = [program for package in makers for program in package.programs]
    if found := _CARGO_RUN.search(line):
        named = re.search(r"--bin[ =](\S+)", found["options"])
        packaged = re.search(r"(?:-p|--package)[ =](\S+)", found["options"])
        own = [one for one in makers if packaged and one.name == packaged[1]]
        program = named[1] if named else _program(source, own[0])[0] if own else None
        program = program or _single_out(source, workspace, makers)[1]
        line = f"{line[: found.start()]}{PROGRAMS}/{program} {line[found.end() :]}".rstrip()
    for program in sorted(programs, key=len, reverse=True):
        line = _placed(source, line, program)
    return line


def _placed(source: Source, line: str, program: str) -> str:
    """The line with the program's path in the image where it is the first word, or a path that the tree lacks."""

    def place(found: re.Match[str]) -> str:
        is_path = "/" in found["path"]
        in_tree = source.has(posixpath.normpath(found[0].removeprefix("/app/")))
        first = not re.sub(r"\w+=\S*\s+|(env|exec)\s+", "", line[: found.start()]).strip()
        return f"{PROGRAMS}/{program}" if (is_path and not in_tree) or (first and not is_path) else found[0]

    return re.sub(rf"(?<![\w./-])(?P<path>{_BUILT}){re.escape(program)}(?![\w./-])", place, line)


def _runs(makers: list[Package], line: str) -> Package | None:
    """The package of the program that the line names first."""
    found = [
        (place.start(), package)
        for package in makers
        for program in package.programs
        if (place := re.search(rf"{PROGRAMS}/{re.escape(program)}(?![\w-])", line))
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _runnable(line: str, package: Package) -> str:
    """The line as `exec` takes it: variables before the program need `env`. Rocket does not read PORT."""
    if "rocket" in package.dependencies and "ROCKET_PORT" not in line:
        line = f"ROCKET_PORT=$PORT {line}"
    return f"env {line}" if re.match(r"[A-Za-z_]\w*=", line) else line

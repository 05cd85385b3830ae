"""The steps: what is installed for production, what is installed to build, and the build."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Step

from . import frameworks, managers
from .managers import Manager
from .manifests import Package, Project, absolute
from .starts import STATIC_SERVER, Found, has_other_commands

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

PRODUCTION, ALL, BUILD, SERVER = "dependencies", "build dependencies", "build", "static server"

# Scripts that belong to an installation. They run with the whole tree there, since nobody can tell what they read.
_LIFECYCLE = ("preinstall", "install", "postinstall", "prepare")
_HOOKS = re.compile(r"\b(husky|lefthook|simple-git-hooks|only-allow|pre-commit|yorkie|is-ci)\b")
_BUILD_SCRIPTS = ("heroku-postbuild", "build")
_BUILD_ENV = {
    "NODE_ENV": "production",
    "NEXT_TELEMETRY_DISABLED": "1",
    "NUXT_TELEMETRY_DISABLED": "1",
    "ASTRO_TELEMETRY_DISABLED": "1",
    "GATSBY_TELEMETRY_DISABLED": "1",
    "NG_CLI_ANALYTICS": "false",
    "TURBO_TELEMETRY_DISABLED": "1",
}
# What bundlers keep for their next run, below the app's folder, and the package that keeps it.
_CACHES = {"node_modules/.cache": "", ".next/cache": "next", ".angular/cache": "@angular/cli"}
_NOT_SHIPPED = (
    *("node_modules/.cache", ".angular/cache", "node_modules/.vite", "node_modules/.vite-temp", ".turbo"),
    *(".parcel-cache", ".nx/cache", ".next/trace", ".next/trace-build", ".next/diagnostics", ".next/types"),
)


_STEADY = "/tmp/nucleo-steady.mjs"  # noqa: S108  inside the build container
_KEY = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"


@dataclass(frozen=True, slots=True)
class Work:
    """The steps, the folders with programs of packages, and what of the source the image does without."""

    steps: tuple[Step, ...]
    programs: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def make(source: Source, project: Project, manager: Manager, found: Found) -> Work:
    """Dependencies for production beside those to build with and the build itself.

    Where the build leaves all that runs in one folder, that folder alone is in the image.
    """
    commands = tuple(_commands(source, project, manager))
    whole = found.site is None and not (found.server and found.server.folder and commands)
    whole = whole or has_other_commands(source)
    steps: list[Step] = []
    if whole and any(package.production for package in project.packages):
        steps.append(_install(source, project, manager, production=True))
    if commands:
        before = _before(source, project, manager, steps)
        steps += before
        after = before or steps
        steps.append(_build(source, project, manager, found, commands, tuple(step.name for step in after), whole))
    if found.site is not None:
        steps.append(_server())
    committed = ("node_modules/",) if any("node_modules/" in path for path in source.paths) else ()
    return Work(
        tuple(steps),
        tuple(f"{absolute(source, folder)}/node_modules/.bin" for folder in dict.fromkeys(("", project.root.folder))),
        (*committed, ".yarn/", ".pnp.*") if whole else ("*",),
        tuple(_warnings(bool(committed), manager, found)),
    )


def _before(source: Source, project: Project, manager: Manager, steps: list[Step]) -> list[Step]:
    """The step that installs everything; none where that is what production has, or nothing."""
    needs_more = any(package.section("devDependencies") for package in project.packages)
    if needs_more or (not steps and any(package.dependencies for package in project.packages)):
        return [_install(source, project, manager, production=False)]
    return []


def _install(source: Source, project: Project, manager: Manager, production: bool) -> Step:
    root = absolute(source, project.root.folder)
    # `yarn run` of berry reads what its installation wrote down, below .yarn.
    alone = not project.is_workspace and (production or manager.name != "berry")
    return Step(
        name=PRODUCTION if production else ALL,
        command=managers.install(source, project, manager, production),
        output=f"{root}/node_modules" if alone else root,
        reason=f"{manager.lock} states them" if production else "the build needs development dependencies too",
        inputs=managers.inputs(source, project, manager),
        changed_only=not alone,
        exclude=managers.notes(source, project) if production else (),
        env=manager.env,
        files=managers.files(source, project),
        ships=production,
    )


def _build(
    source: Source,
    project: Project,
    manager: Manager,
    found: Found,
    commands: tuple[str, ...],
    after: tuple[str, ...],
    whole: bool,
) -> Step:
    root = absolute(source, project.root.folder)
    folder = found.site.folder if found.site else found.server.folder if found.server else ""
    is_next = frameworks.is_next(project.app)
    files = {
        **({STATIC_SERVER: _script("serve.mjs")} if found.site else {}),
        **({_STEADY: _script("steady.mjs")} if is_next else {}),
    }
    # Of one's own it is among `build: {secrets: […]}`; drawn by Next.js, pages that are open during a deploy break.
    made = f"node {_STEADY} --key {shlex.quote(f'{project.root.folder}{manager.lock}')}"
    secret = f'export {_KEY}="${{{_KEY}:-$({made})}}"' if is_next else ""
    lines = [manager.fetch, secret, *_linked_caches(project.app), *commands, *_afterwards(source, project, found)]
    return Step(
        name=BUILD,
        command=" && ".join(line for line in lines if line),
        output=root if whole else f"{source.app}/{folder}",
        reason=_reason(project.app),
        inputs=source.tree if project.root.folder else source.paths,
        after=after,
        changed_only=whole,
        exclude=(*(f"{source.app}/{path}" for path in _NOT_SHIPPED), *managers.notes(source, project)) if whole else (),
        env={**manager.env, **_BUILD_ENV},
        files=files,
    )


def _commands(source: Source, project: Project, manager: Manager) -> Iterator[str]:
    """What is run to build, first for the members of the workspace that the app needs."""
    packages = [package for package in project.needed if package is not project.app]
    if project.root is not project.app:
        scripts = tuple(_lifecycle(project.root))
        yield from (f"(cd {absolute(source, project.root.folder)} && {managers.run(manager, one)})" for one in scripts)
    for package in packages:
        for script in _scripts(package):
            yield f"(cd {shlex.quote(absolute(source, package.folder))} && {managers.run(manager, script)})"
    for script in _scripts(project.app):
        yield managers.run(manager, script)


def _scripts(package: Package) -> Iterator[str]:
    """The scripts of a package that make what it ships."""
    lifecycle = list(_lifecycle(package))
    yield from lifecycle
    build = next((name for name in _BUILD_SCRIPTS if package.scripts.get(name)), None)
    if build and not any(re.search(r"\brun build\b", package.scripts[name]) for name in lifecycle):
        yield build


def _lifecycle(package: Package) -> Iterator[str]:
    for name in _LIFECYCLE:
        text = package.scripts.get(name, "")
        if text and not _HOOKS.search(text):
            yield name


def _reason(app: Package) -> str:
    names = list(_scripts(app))
    if not names:
        return "packages of the workspace are built"
    return f"package.json has the script{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _linked_caches(app: Package) -> Iterator[str]:
    """A link in place of each cache folder: nothing is copied, and none of it is in the way of an installation."""
    for path, package in _CACHES.items():
        if not package or package in app.dependencies:
            kept, parent = f"/cache-app/{path.replace('/', '-').lstrip('.')}", path.rpartition("/")[0]
            yield f"mkdir -p {kept} {parent} && rm -rf {path} && ln -s {kept} {path}"


def _afterwards(source: Source, project: Project, found: Found) -> Iterator[str]:
    """What makes the output of a build complete, and the same every time."""
    if frameworks.is_next(project.app):
        dist = frameworks.next_folder(source)
        build = "" if frameworks.names_its_build(source) else source.hash.partition(":")[2]
        exported = f" {found.site.folder}" if found.site else ""
        yield f"node {_STEADY} {dist} '{build}' \"${_KEY}\"{exported}"
        # Where the server keeps images that it has made smaller: its own folder cannot be written.
        yield f"rm -rf {dist}/cache && ln -s /tmp {dist}/cache"
        if found.server is not None and (place := found.server.place):
            yield f"if test -d public; then cp -r public {place}/; fi"
            yield f"cp -r {dist}/static {place}/{dist}/ && ln -sfn /tmp {place}/{dist}/cache"
    if found.site is not None:
        yield f"node {STATIC_SERVER} {shlex.quote(found.site.folder)} --compress"


def _server() -> Step:
    return Step(
        name=SERVER,
        command="true",
        output="/opt/app",
        reason="the files need a server",
        files={STATIC_SERVER: _script("serve.mjs")},
        once=True,
    )


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def _warnings(committed: bool, manager: Manager, found: Found) -> Iterator[str]:
    if committed:
        yield "node_modules is part of the source: it is not used. To leave it out: echo node_modules/ >> .gitignore"
    if found.server is not None and found.server.framework == "Next.js":
        yield 'output: "standalone" in next.config would make the image some 300 MB smaller'
    if manager.name == "berry" and int(manager.version.split(".")[0]) < 4:
        yield f"yarn {manager.version} installs development dependencies too; yarn 4 leaves them out of the image"

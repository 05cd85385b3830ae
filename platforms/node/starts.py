"""The start command: a script of package.json without the package manager around it, a framework's server, a file."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from nucleo_cli.domain.build import Start
from nucleo_cli.errors import BuildFailed

from . import frameworks
from .manifests import Package, Project

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

STATIC_SERVER = "/opt/app/serve.mjs"

_SCRIPTS = ("start:prod", "start:production", "start", "serve:prod")
# Servers that compile on the fly and are meant for the developer alone.
_FOR_DEVELOPMENT = re.compile(
    r"^(?:npx\s+)?(?:vite\b|react-scripts start|ng serve|next dev|nuxi? dev|nuxt (?:dev|preview)"
    r"|gatsby (?:develop|serve)"
    r"|vue-cli-service serve|webpack(?:-dev-server| serve)|parcel\b|astro (?:dev|preview|$)|nest start|docusaurus"
    r"|(?:eleventy|@11ty/eleventy).*--serve|remix (?:dev|vite:dev)|react-router dev|ts-node-dev|tsx watch|node --watch"
    r"|expo |svelte-kit dev|ng\b|nodemon --exec|nodemon -x|concurrently)"
)
_NODEMON = re.compile(r"^(?:npx\s+)?nodemon\s+(?!-)(?=\S+\.[cm]?[jt]s\b|\.?/?\w)")
_RUN = re.compile(
    r"^(?:npm|pnpm|yarn|bun)(?:\s+--silent|\s+-s)?\s+(?:(?:run|run-script)\s+)?(?P<name>[\w:.-]+)(?P<rest>\s+.*)?$"
)
_IN_MEMBER = re.compile(
    r"^(?:npm|pnpm|yarn)\s+(?:workspace\s+(?P<a>\S+)|(?:--filter|-F|-w|--workspace|--prefix|-C|--cwd)[ =](?P<b>\S+))"
    r"\s+(?:run\s+)?(?P<c>[\w:.-]+)$"
    r"|^(?:npm|pnpm)\s+(?:run\s+)?(?P<d>[\w:.-]+)\s+(?:-w|--workspace|--prefix)[ =](?P<e>\S+)$"
)
# `npx serve`, `pnpm exec serve`, `yarn node server.js`: the program is in node_modules/.bin, or is node.
_EXEC = re.compile(
    r"^(?:npx\s+(?:--no-install\s+|--yes\s+|-y\s+)?|(?:npm|pnpm|yarn)\s+exec\s+(?:--\s+)?|yarn\s+(?=node\s))"
)
_SHELL = re.compile(r"[&|;<>()`]|\$\(")
_ASSIGNED = re.compile(r"^\w+=")
# Programs whose package has another name.
_BROUGHT_BY = {
    "ts-node-esm": "ts-node",
    "remix-serve": "@remix-run/serve",
    "react-router-serve": "@react-router/serve",
    "fastify": "fastify-cli",
    "nest": "@nestjs/cli",
    "dotenv": "dotenv-cli",
    "babel-node": "@babel/node",
    "pm2-runtime": "pm2",
}
_NAMES = ("server", "app", "index", "main")
_FOLDERS = ("", "src/")
_OTHER_COMMANDS = ("processes", "cron", "jobs")


@dataclass(frozen=True, slots=True)
class Found:
    """The start command, and what kind of app it starts: a site, a framework's server, or neither."""

    start: Start
    site: frameworks.Site | None = None
    server: frameworks.Server | None = None


def find(source: Source, project: Project, start: Start | None, strips_types: bool) -> Found:
    """nucleo.yml and the Procfile have decided, or a script of package.json, the framework, or a file's name does.

    `strips_types` says that this Node runs TypeScript as it is.
    """
    server = frameworks.server(source, project.app, project.place(source))
    if start is not None:
        line = _resolved(source, project, project.app, start.line)
        return Found(Start(line, start.because), server=server if server and line == _full(server) else None)
    if server is not None and (server.folder or not _own_start(project.app)):
        return Found(Start(_full(server), server.framework), server=server)
    if (name := _script(project.app)) is not None:
        line = _resolved(source, project, project.app, project.app.scripts[name])
        return Found(Start(line, f"the script {name} in package.json"), server=server)
    if server is not None:
        return Found(Start(_full(server), server.framework), server=server)
    site = frameworks.site(source, project.app)
    if site is not None and "build" in project.app.scripts:
        fallback = " --fallback" if site.fallback else ""
        because = f"{site.framework} writes files for browsers and no server"
        return Found(Start(f"node {STATIC_SERVER} {site.folder}{fallback}", because), site=site)
    return Found(_file(source, project, strips_types))


def has_other_commands(source: Source) -> bool:
    """Whether nucleo.yml or the Procfile run more than the web process: then all of the app has to be in the image."""
    for line in (source.read("Procfile") or "").splitlines():
        if (name := line.partition(":")[0].strip()) and re.fullmatch(r"[\w-]+", name) and name != "web":
            return True
    try:
        document = yaml.safe_load(source.read("nucleo.yml") or "")
    except yaml.YAMLError:  # whoever reads the configuration has said so
        return False
    if not isinstance(document, dict):
        return False
    cmd = document.get("cmd")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    others = isinstance(cmd, dict) and cmd.keys() - {"start"}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return bool(others or any(document.get(name) for name in _OTHER_COMMANDS))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _own_start(app: Package) -> bool:
    return _script(app) is not None


def _script(app: Package) -> str | None:
    """The script that starts the app: one that is no server for development."""
    for name in _SCRIPTS:
        text = app.scripts.get(name, "").strip()
        if name == "start" and "@nestjs/core" in app.dependencies:
            continue
        if text and not _FOR_DEVELOPMENT.match(_without_cross_env(_followed(app, text))):
            return name
    return None


def _followed(app: Package, text: str, depth: int = 0) -> str:
    """What a script runs in the end, where it only runs another one."""
    found = _RUN.match(text)
    if found and found["name"] in app.scripts and depth < 5:
        return _followed(app, app.scripts[found["name"]].strip(), depth + 1) + (found["rest"] or "")
    return text


def _resolved(source: Source, project: Project, app: Package, text: str, depth: int = 0) -> str:
    """A command line without package manager: it would stand between the app and its signals, and take its memory."""
    text = text.strip()
    if (inner := _IN_MEMBER.match(text)) and depth < 5:
        who, script = inner["a"] or inner["b"] or inner["e"], inner["c"] or inner["d"]
        member = _member(project, who)
        if member is not None and script in member.scripts:
            line = _resolved(source, project, member, member.scripts[script], depth + 1)
            return _shell(f"cd {shlex.quote(member.folder)} && exec {line}")
    found = _RUN.match(text)
    if found and found["name"] in app.scripts and depth < 5:
        name, rest = found["name"], re.sub(r"^\s+--(?=\s)", "", found["rest"] or "")
        line = _resolved(source, project, app, app.scripts[name] + rest, depth + 1)
        before = app.scripts.get(f"pre{name}", "")
        if before and not re.search(r"\b(build|lint|test)\b|\btsc\b", before):
            before = _resolved(source, project, app, before, depth + 1)
            return _shell(f"{before} && exec {line}")
        return line
    if _SHELL.search(text):
        *first, last = re.split(r"\s+&&\s+", text)
        return _shell(" && ".join([*first, f"exec {_simple(source, project, app, last)}"])) if first else _shell(text)
    return _simple(source, project, app, text)


def _simple(source: Source, project: Project, app: Package, text: str) -> str:
    text = _NODEMON.sub("node ", _without_cross_env(text.strip()))
    text = _EXEC.sub("", text)
    words = text.split()
    program = next((word for word in words if not _ASSIGNED.match(word) and word != "env"), "")
    _check_program(project, app, program)
    _check_file(source, app, words)
    return f"env {text}" if _ASSIGNED.match(text) else text


def _without_cross_env(text: str) -> str:
    return re.sub(r"^(?:npx\s+)?cross-env(?:-shell)?\s+", "", text)


def _shell(text: str) -> str:
    return f"sh -c {shlex.quote(text)}"


def _member(project: Project, who: str) -> Package | None:
    place = who.removeprefix("./").strip("/\"'") + "/"
    return next((one for one in project.members if one.name == who.strip("\"'") or one.folder == place), None)


def _check_program(project: Project, app: Package, program: str) -> None:
    """A development dependency is not in the image: to start the app with one fails there, so it fails here."""
    package = _BROUGHT_BY.get(program, program)
    shipped = app.production | project.root.production
    if package in app.section("devDependencies") and package not in shipped:
        raise BuildFailed(
            f"The app is started with {program}, but {package} is a development dependency, which is not in the image",
            f"Run: npm install --save-prod {package}; or let the start script run node on a file",
        )


def _check_file(source: Source, app: Package, words: list[str]) -> None:
    """`node sever.js`: a file that is not there, and that no build could write."""
    if words[:1] != ["node"] or _builds(app) or len(words) < 2 or words[1].startswith("-"):
        return
    name = words[1].removeprefix("./")
    if name.startswith("/") or any(source.has(f"{app.folder}{name}{ending}") for ending in _ENDINGS):
        return
    if not re.fullmatch(r"[\w./-]+", name):
        return
    likely = difflib.get_close_matches(name, source.paths, n=1)
    raise BuildFailed(
        f"The app is started with `{' '.join(words)}`, but there is no {name}",
        f"Perhaps {likely[0]}? Correct the start command" if likely else "Correct the start command",
    )


_ENDINGS = ("", ".js", ".cjs", ".json", ".ts", "/index.js", "/index.mjs", "/package.json")


def _builds(app: Package) -> bool:
    return any(name in app.scripts for name in ("build", "heroku-postbuild", "postinstall", "prepare", "install"))


def _file(source: Source, project: Project, strips_types: bool) -> Start:
    app = project.app
    main = app.text("main").removeprefix("./")
    if main and (_builds(app) or any(source.has(main + ending) for ending in _ENDINGS)):
        return Start(f"node {main}", "main in package.json")
    for path in _candidates(source, app, strips_types):
        return Start(f"node {path}", "the usual name of a server's file")
    if main:
        likely = difflib.get_close_matches(main, source.paths, n=1)
        raise BuildFailed(
            f"main in package.json names {main}, which is not there",
            f"Perhaps {likely[0]}? Correct main in package.json" if likely else "Correct main in package.json",
        )
    raise BuildFailed(
        "Neither a start script nor a server was found, so it is not known how to start the app",
        'Say it in package.json: "scripts": {"start": "node server.js"}',
    )


def _candidates(source: Source, app: Package, strips_types: bool) -> Iterator[str]:
    endings = ["js", "mjs", "cjs", *(["ts", "mts"] if strips_types and not _builds(app) else [])]
    if _builds(app):
        output = re.search(r'"outDir"\s*:\s*"([^"]+)"', source.read("tsconfig.json") or "")
        folder = output.group(1).removeprefix("./").rstrip("/") if output else "dist"
        for name in _NAMES:
            if source.has(f"src/{name}.ts"):
                yield f"{folder}/{name}.js"
    for below in _FOLDERS:
        for name in _NAMES:
            for ending in endings:
                if source.has(f"{below}{name}.{ending}"):
                    yield f"{below}{name}.{ending}"


def _full(server: frameworks.Server) -> str:
    env = " ".join(f"{name}={value}" for name, value in server.env)
    return f"env {env} {server.line}" if env else server.line

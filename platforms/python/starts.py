"""The start command: from nucleo.yml, a Procfile, or the framework that the code uses."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Start
from nucleo_cli.errors import BuildFailed

from . import django
from .modules import dotted, full_name, imported, module_body, parse, words
from .versions import document

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

# Two workers of four threads suit the smallest pods; WEB_CONCURRENCY changes it without a build. The heartbeat files
# go to memory: the root file system is read-only, and a slow disk would get healthy workers killed.
GUNICORN = (
    "gunicorn {target} --bind 0.0.0.0:$PORT --workers ${{WEB_CONCURRENCY:-2}} --threads 4 --access-logfile -"
    " --worker-tmp-dir /dev/shm --graceful-timeout 10"
)
# uvicorn itself reads WEB_CONCURRENCY.
UVICORN = "uvicorn {target} --host 0.0.0.0 --port $PORT --timeout-graceful-shutdown 10"

AIOHTTP = GUNICORN + " --worker-class aiohttp.GunicornWebWorker"
STREAMLIT = "streamlit run {file} --server.address 0.0.0.0 --server.port $PORT --server.headless true"
GRADIO = "env GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=$PORT python {file}"

# What makes an application: by its last name where nothing else is called so, else with the module it is imported from.
FRAMEWORKS = {
    **dict.fromkeys(("Flask", "APIFlask", "Bottle", "bottle.default_app", "falcon.App", "make_wsgi_app"), GUNICORN),
    **dict.fromkeys(("FastAPI", "Starlette", "Quart", "Litestar", "FastHTML", "fast_app", "Sanic"), UVICORN),
    **dict.fromkeys(("falcon.asgi.App", "blacksheep.Application"), UVICORN),
    "aiohttp.web.Application": AIOHTTP,
}
_LABELS = {
    "default_app": "Bottle", "falcon.App": "Falcon", "falcon.asgi.App": "Falcon", "make_wsgi_app": "Pyramid",
    "fast_app": "FastHTML", "blacksheep.Application": "BlackSheep", "aiohttp.web.Application": "aiohttp",
}  # fmt: skip
_ASGI_PACKAGES = frozenset({"fastapi", "starlette", "quart", "litestar", "python-fasthtml", "sanic"})
_FACTORIES = frozenset({"create_app", "make_app", "build_app", "get_app"})
_FIRST = ("app", "main", "wsgi", "asgi", "application", "server", "api", "run")
_NOT_THE_APP = re.compile(
    r"(^|/)(tests?|docs?|examples?|scripts|migrations|alembic|node_modules|\.?venv|site-packages)/"
    r"|(^|/)(test_|conftest)|_test\.py$"
)
_MAIN = re.compile(r"""__name__\s*==\s*['"]__main__""")
_PROGRAMS = ("main.py", "app.py", "server.py", "run.py")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application object (`shop:app`) or a factory (`shop:create_app`) that the code defines, and how it is run."""

    module: str
    name: str
    template: str
    framework: str
    factory: bool
    path: str


def find(source: Source, dependencies: frozenset[str]) -> Start:
    """Django, what pyproject.toml says, else the one application that the modules define, else the one program."""
    if (project := django.project(source)) is not None:
        target, kind = django.application(source, project, dependencies)
        template, option = (UVICORN, "--app-dir") if kind == "asgi" else (GUNICORN, "--chdir")
        into = f"{option} {shlex.quote(project.folder)} " if project.folder else ""
        return Start(template.format(target=into + target), f"Django, {project.manage}")
    if entry := document(source, "pyproject.toml").get("tool", {}).get("fastapi", {}).get("entrypoint"):
        return Start(UVICORN.format(target=entry), "entrypoint in pyproject.toml")
    found = sorted(_candidates(source, dependencies), key=_rank)
    return _best(found) if found else _program(source, dependencies)


def server(line: str) -> str | None:
    """The server that a start command runs, where the platform can add it."""
    return next((word for word in words(line) if word in ("gunicorn", "uvicorn")), None)


def _best(found: list[Candidate]) -> Start:
    best = found[0]
    rivals = [one for one in found[1:] if _rank(one)[:2] == _rank(best)[:2] and one.path != best.path]
    if rivals and _rank(best)[0] >= len(_FIRST):
        raise BuildFailed(
            f"Both {best.path} and {rivals[0].path} define an application",
            f'Choose one in nucleo.yml: cmd: {{start: "{_line(best)}"}}',
        )
    return Start(_line(best), f"{best.framework}, {best.name} in {best.path}")


def _program(source: Source, dependencies: frozenset[str]) -> Start:
    """A file at the top that is a page of Streamlit or Gradio, or a program that has to look at $PORT by itself."""
    top = [path for path in source.paths if path.endswith(".py") and "/" not in path and not _NOT_THE_APP.search(path)]
    usual = ["streamlit_app.py", *_PROGRAMS, *top]
    for package, word, template in (("streamlit", "streamlit", STREAMLIT), ("gradio", ".launch(", GRADIO)):
        pages = [path for path in top if package in dependencies and word in (source.read(path) or "")]
        if pages:
            page = min(pages, key=usual.index)
            return Start(template.format(file=shlex.quote(page)), f"{package.title()}, {page}")
    for path in top:
        if "Dash(" in (source.read(path) or "") and "dash" in dependencies:
            raise BuildFailed(f"{path} makes a Dash app, but not its server", "Add the line: server = app.server")
    scripts = {path: f"python {path}" for path in _PROGRAMS if path in top and _MAIN.search(source.read(path) or "")}
    mains = [path for path in source.paths if path.endswith("/__main__.py") and not _NOT_THE_APP.search(path)]
    modules = {path: f"python -m {dotted(path).removesuffix('.__main__')}" for path in mains if len(mains) == 1}
    for path, line in {**scripts, **modules}.items():
        return Start(line, f"{path} is a program, of no known framework: it has to listen on $PORT")
    raise BuildFailed(
        "No Flask, Django or FastAPI application was found in the code, so it is not known how to start it",
        'Say it in nucleo.yml: cmd: {start: "python shop.py"}',
    )


def _line(candidate: Candidate) -> str:
    target = f"{candidate.module}:{candidate.name}"
    if candidate.template == UVICORN:
        return UVICORN.format(target=f"--factory {target}" if candidate.factory else target)
    return candidate.template.format(target=f"'{target}()'" if candidate.factory else target)


def _rank(candidate: Candidate) -> tuple[int, int, bool, str]:
    """The usual names first, then the shallow; an object before a factory."""
    last = candidate.module.rsplit(".", 1)[-1]
    known = _FIRST.index(last) if last in _FIRST else len(_FIRST)
    return known, candidate.module.count("."), candidate.factory, candidate.path


def _candidates(source: Source, dependencies: frozenset[str]) -> Iterator[Candidate]:
    default = UVICORN if dependencies & _ASGI_PACKAGES else GUNICORN
    words = tuple({name.partition(".")[0] for name in FRAMEWORKS} | _FACTORIES | {"Dash"})
    for path in source.paths:
        text = source.read(path) if path.endswith(".py") and not _NOT_THE_APP.search(path) else None
        # Parsing every file of a large tree is slow; a file without these words has nothing to offer.
        if text is None or not any(word in text for word in words):
            continue
        for name, framework, factory in _applications(parse(text)):
            template = FRAMEWORKS.get(framework, GUNICORN if framework == "Dash" else default)
            label = _LABELS.get(framework, framework) or ("ASGI" if template == UVICORN else "WSGI")
            yield Candidate(dotted(path), name, template, label, factory, path)


def _applications(tree: ast.Module) -> Iterator[tuple[str, str, bool]]:
    """(name, framework or "" where only the factory is seen, is a factory) for each application of a module."""
    origins = imported(tree)
    for node in module_body(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Tuple):  # app, rt = fast_app()
                target = target.elts[0]
            framework = _made_by(node.value, origins)
            if isinstance(target, ast.Name) and framework is not None:
                yield target.id, framework, False
        elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES and not _needs_arguments(node):
            made = (_made_by(inner, origins) for inner in ast.walk(node) if isinstance(inner, ast.Call))
            yield node.name, next((framework for framework in made if framework), ""), True
    yield from ((name, "Dash", False) for name in _dash_servers(tree, origins))


def _dash_servers(tree: ast.Module, origins: Mapping[str, str]) -> Iterator[str]:
    """What `server = app.server` names in a module where `app` is a Dash."""
    dashes: set[str] = set()
    for node in module_body(tree):
        if not isinstance(node, ast.Assign) or not isinstance(target := node.targets[0], ast.Name):
            continue
        if isinstance(node.value, ast.Call) and full_name(node.value.func, origins).endswith("dash.Dash"):
            dashes.add(target.id)
        elif full_name(node.value, {}) in {f"{name}.server" for name in dashes}:
            yield target.id


def _made_by(value: ast.expr | None, origins: Mapping[str, str]) -> str | None:
    """The framework that a call makes an application of, "" for a call of a factory, None for anything else."""
    if not isinstance(value, ast.Call):
        return None
    name = full_name(value.func, origins)
    last = name.rpartition(".")[2]
    return next((known for known in (name, last) if known in FRAMEWORKS), "" if last in _FACTORIES else None)


def _needs_arguments(node: ast.FunctionDef) -> bool:
    arguments = node.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return required > 0 or any(default is None for default in arguments.kw_defaults)

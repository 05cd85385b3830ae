"""The start command: from nucleo.yml, a Procfile, or the framework that the code uses."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

from . import django
from .modules import dotted, module_body, parse, words

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

WSGI, ASGI = "wsgi", "asgi"
FRAMEWORKS = {"Flask": WSGI, "FastAPI": ASGI, "Starlette": ASGI, "Quart": ASGI, "Litestar": ASGI, "Falcon": WSGI}
_ASGI_PACKAGES = frozenset({"fastapi", "starlette", "quart", "litestar"})
_FACTORIES = frozenset({"create_app", "make_app", "build_app", "get_app"})
_FIRST = ("app", "main", "wsgi", "asgi", "application", "server", "api", "run")
_NOT_THE_APP = re.compile(
    r"(^|/)(tests?|docs?|examples?|migrations|node_modules|\.?venv)/|(^|/)(test_|conftest)|_test\.py$"
)


@dataclass(frozen=True, slots=True)
class Start:
    """A command line and why it is the one."""

    line: str
    because: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application object (`shop:app`) or a factory (`shop:create_app`) that the code defines."""

    module: str
    name: str
    kind: str
    framework: str
    factory: bool
    path: str


def find(source: Source, dependencies: frozenset[str], start: str | None) -> Start:
    """cmd.start wins, then the Procfile's web, then Django, then the one application that the modules define."""
    if start is not None:
        return Start(_in_tree(source, start), "from nucleo.yml")
    if (web := _procfile(source)) is not None:
        return Start(web, "from Procfile")
    if (project := django.project(source)) is not None:
        target, kind = django.application(source, project, dependencies)
        template = UVICORN if kind == ASGI else GUNICORN
        return Start(template.format(target=target), f"Django, {project.manage}")
    return _framework(source, dependencies)


def server(line: str) -> str | None:
    """The server that a start command runs, where the platform can add it."""
    return next((word for word in words(line) if word in ("gunicorn", "uvicorn")), None)


def _framework(source: Source, dependencies: frozenset[str]) -> Start:
    found = sorted(_candidates(source, dependencies), key=_rank)
    if not found:
        raise BuildFailed(
            "No Flask, Django or FastAPI application was found in the code, so it is not known how to start it",
            'Say it in nucleo.yml: cmd: {start: "python main.py"}',
        )
    best = found[0]
    rivals = [one for one in found[1:] if _rank(one)[:2] == _rank(best)[:2] and one.path != best.path]
    if rivals and _rank(best)[0] >= len(_FIRST):
        raise BuildFailed(
            f"Both {best.path} and {rivals[0].path} define an application",
            f'Choose one in nucleo.yml: cmd: {{start: "{_line(best)}"}}',
        )
    return Start(_line(best), f"{best.framework}, {best.name} in {best.path}")


def _line(candidate: Candidate) -> str:
    if candidate.kind == ASGI:
        target = f"{candidate.module}:{candidate.name}"
        return UVICORN.format(target=f"--factory {target}" if candidate.factory else target)
    target = f"{candidate.module}:{candidate.name}"
    return GUNICORN.format(target=f"'{target}()'" if candidate.factory else target)


def _rank(candidate: Candidate) -> tuple[int, int, bool, str]:
    """The usual names first, then the shallow; an object before a factory."""
    last = candidate.module.rsplit(".", 1)[-1]
    known = _FIRST.index(last) if last in _FIRST else len(_FIRST)
    return known, candidate.module.count("."), candidate.factory, candidate.path


def _candidates(source: Source, dependencies: frozenset[str]) -> Iterator[Candidate]:
    default = ASGI if dependencies & _ASGI_PACKAGES else WSGI
    for path in source.paths:
        text = source.read(path) if path.endswith(".py") and not _NOT_THE_APP.search(path) else None
        # Parsing every file of a large tree is slow; a file without these words has nothing to offer.
        if text is None or not any(word in text for word in (*FRAMEWORKS, *_FACTORIES)):
            continue
        for name, framework, factory in _applications(parse(text)):
            kind = FRAMEWORKS.get(framework, default)
            label = framework or ("ASGI" if kind == ASGI else "WSGI")
            yield Candidate(dotted(path), name, kind, label, factory, path)


def _applications(tree: ast.Module) -> Iterator[tuple[str, str, bool]]:
    """(name, framework or "" where only the factory is seen, is a factory) for each application of a module."""
    for node in module_body(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            framework = _made_by(node.value)
            if isinstance(target, ast.Name) and framework is not None:
                yield target.id, framework, False
        elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES and not _needs_arguments(node):
            made = (_made_by(inner) for inner in ast.walk(node) if isinstance(inner, ast.Call))
            yield node.name, next((framework for framework in made if framework), ""), True


def _made_by(value: ast.expr | None) -> str | None:
    """The framework that a call makes an application of, "" for a call of a factory, None for anything else."""
    if not isinstance(value, ast.Call):
        return None
    called = value.func
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name if name in FRAMEWORKS else "" if name in _FACTORIES else None


def _needs_arguments(node: ast.FunctionDef) -> bool:
    arguments = node.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return required > 0 or any(default is None for default in arguments.kw_defaults)


def _procfile(source: Source) -> str | None:
    for line in (source.read("Procfile") or "").splitlines():
        name, colon, command = line.partition(":")
        if colon and name.strip() == "web" and command.strip():
            return command.strip()
    return None


def _in_tree(source: Source, start: str) -> str:
    """A bare file name of the tree needs `./` for the shell to find it."""
    first, _, rest = start.partition(" ")
    if "/" not in first and source.has(first):
        return f"./{shlex.quote(first)} {rest}".rstrip()
    return start

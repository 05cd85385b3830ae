"""Django: its settings module, the application that it names, and its static files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Step

from .modules import module_body, parse

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_STATIC_APP = "django.contrib.staticfiles"
_ASGI_SERVERS = frozenset({"uvicorn", "daphne", "channels", "hypercorn"})


@dataclass(frozen=True, slots=True)
class Project:
    """A Django project: its manage.py at the top of the app, and the settings module that this names."""

    manage: str
    settings: str


def project(source: Source) -> Project | None:
    """The project, where manage.py is at the top and names its settings."""
    for node in ast.walk(parse(source.read("manage.py") or "")):
        if isinstance(node, ast.Call) and len(node.args) == 2:
            name, value = (argument.value if isinstance(argument, ast.Constant) else None for argument in node.args)
            if name == "DJANGO_SETTINGS_MODULE" and isinstance(value, str):
                return Project("manage.py", value)
    return None


def application(source: Source, project: Project, dependencies: frozenset[str]) -> tuple[str, str]:
    """The target for the server (`shop.wsgi:application`) and which interface it speaks, "wsgi" or "asgi"."""
    wsgi, asgi = (_text(source, project, name) for name in ("WSGI_APPLICATION", "ASGI_APPLICATION"))
    if asgi and (not wsgi or dependencies & _ASGI_SERVERS):
        return _target(asgi), "asgi"
    return _target(wsgi or f"{project.settings.split('.')[0]}.wsgi.application"), "wsgi"


def collectstatic(source: Source) -> Step | str | None:
    """The step that gathers static files, a warning where their folder cannot be read off the settings, else None."""
    found = project(source)
    root = None if found is None else _value(source, found, "STATIC_ROOT")
    if found is None or root is None or not _uses_static_files(source, found):
        return None
    folder = _folder(root)
    if folder is None:
        return "STATIC_ROOT in the settings is not a folder of the app that can be read off: collectstatic is not run"
    return Step(
        name="static files",
        # The settings may insist on a key; what it is does not matter here, and it ends with this command.
        command="SECRET_KEY=only-for-collectstatic DJANGO_SECRET_KEY=only-for-collectstatic"
        " /app/.venv/bin/python manage.py collectstatic --noinput",
        output=f"/app/{folder}",
        reason="STATIC_ROOT is set and django.contrib.staticfiles installed",
        inputs=source.paths,
        env={"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"},  # noqa: S108  inside the build container
    )


def _uses_static_files(source: Source, project: Project) -> bool:
    constants = (
        node.value for tree in _settings(source, project) for node in ast.walk(tree) if isinstance(node, ast.Constant)
    )
    return _STATIC_APP in constants


def _target(path: str) -> str:
    module, _, name = path.rpartition(".")
    return f"{module}:{name}"


def _text(source: Source, project: Project, name: str) -> str | None:
    value = _value(source, project, name)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _value(source: Source, project: Project, name: str) -> ast.expr | None:
    """The last value that the settings give to `name`; None where they set none, or None itself."""
    last: ast.expr | None = None
    for tree in _settings(source, project):
        for node in module_body(tree):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                last = node.value
    return None if isinstance(last, ast.Constant) and last.value is None else last


def _settings(source: Source, project: Project) -> Iterator[ast.Module]:
    """The settings module; of a package first its base, which the others import."""
    base = project.settings.replace(".", "/")
    parent = str(PurePosixPath(base).parent)
    for path in (f"{parent}/base.py", f"{base}/base.py", f"{base}/__init__.py", f"{base}.py"):
        for prefix in ("", "src/"):
            if (text := source.read(prefix + path)) is not None:
                yield parse(text)


def _folder(value: ast.expr) -> str | None:
    """`BASE_DIR / "a" / "b"`, `os.path.join(BASE_DIR, "a")` or "/app/a", relative to the app; else None."""
    parts = _parts(value)
    if not parts:
        return None
    path = PurePosixPath(*parts)
    if path.is_absolute():
        path = path.relative_to("/app") if path.is_relative_to("/app") else PurePosixPath("..")
    return None if ".." in path.parts or path == PurePosixPath() else str(path)


def _parts(value: ast.expr) -> list[str] | None:
    """The constant parts of a path below a name; None where something else is in it."""
    if isinstance(value, ast.Name):
        return []
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [value.value]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        return _joined([value.left, value.right])
    if isinstance(value, ast.Call) and not value.keywords:
        called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return _joined(value.args) if called in ("join", "str", "Path", "joinpath") else None
    return None


def _joined(values: list[ast.expr]) -> list[str] | None:
    found: list[str] = []
    for value in values:
        parts = _parts(value)
        if parts is None:
            return None
        found += parts
    return found

"""Django: its settings module, the application that it names, and its static files."""

from __future__ import annotations

import ast
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Step

from .modules import module_body, parse

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_MANAGE = "manage.py"
_OUTSIDE = ".."
# Inside the build container.
_SORT = "/tmp/sort_manifests.py"  # noqa: S108
_TRACE = "/tmp/trace_modules.py"  # noqa: S108
# In the place of the installed environment, or never read.
_NO_INPUT = re.compile(r"^\.venv/|(^|/)(__pycache__|node_modules)/|(^|/)pyvenv\.cfg$")
_STATIC_APP = "django.contrib.staticfiles"
_ASGI_SERVERS = frozenset({"uvicorn", "daphne", "channels", "hypercorn"})


@dataclass(frozen=True, slots=True)
class Project:
    """A Django project: its manage.py, the folder that this lies in ("" is the app's), and the settings it names."""

    manage: str
    folder: str
    settings: str


def project(source: Source) -> Project | None:
    """The project, where manage.py is at the top, or the only one of the tree, and its settings are named."""
    found = [path for path in source.paths if path == _MANAGE or path.endswith(f"/{_MANAGE}")]
    if _MANAGE not in found and len(found) != 1:
        return None
    manage = _MANAGE if _MANAGE in found else found[0]
    folder = manage.removesuffix(_MANAGE)
    servers = (path for name in ("wsgi.py", "asgi.py") for path in source.glob(f"{folder}*/{name}"))
    for path in (manage, *servers):
        if settings := _settings_named(parse(source.read(path) or "")):
            return Project(manage, folder.rstrip("/"), settings)
    return None


def _settings_named(tree: ast.Module) -> str | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) == 2:
            name, value = (argument.value if isinstance(argument, ast.Constant) else None for argument in node.args)
            if name == "DJANGO_SETTINGS_MODULE" and isinstance(value, str):
                return value
    return None


def application(source: Source, project: Project, dependencies: frozenset[str]) -> tuple[str, str]:
    """The target for the server (`shop.wsgi:application`) and which interface it speaks, "wsgi" or "asgi"."""
    wsgi, asgi = (_text(source, project, name) for name in ("WSGI_APPLICATION", "ASGI_APPLICATION"))
    if asgi and (not wsgi or dependencies & _ASGI_SERVERS):
        return _target(asgi), "asgi"
    return _target(wsgi or f"{project.settings.split('.')[0]}.wsgi.application"), "wsgi"


def collectstatic(source: Source, after: str) -> Step | str | None:
    """The step that gathers static files, a warning where they would lie outside of the app, else None."""
    found = project(source)
    root = None if found is None else _value(source, found, "STATIC_ROOT")
    if found is None or root is None or not _uses_static_files(source, found):
        return None
    folder = _folder(root, source.app, _has_usual_base(source, found))
    if folder == _OUTSIDE:
        return f"STATIC_ROOT in the settings is a folder outside of {source.app}: collectstatic is not run"
    # Collected before and committed: Django compares times, which say nothing here, and would keep what is old.
    committed = f"{posixpath.join(found.folder, folder)}/" if folder else "\0"
    place = posixpath.join(source.app, found.folder, folder) if folder else source.app
    into = f"cd {shlex.quote(found.folder)} && " if found.folder else ""
    return Step(
        name="static files",
        # The settings may insist on a key; what it is does not matter here, and it ends with this command.
        command=f"{into}SECRET_KEY=only-for-collectstatic DJANGO_SECRET_KEY=only-for-collectstatic"
        f" /app/.venv/bin/python {_TRACE} {source.app} manage.py collectstatic --noinput"
        f" && /app/.venv/bin/python {_SORT} {place}",
        output=place,
        reason="STATIC_ROOT is set and django.contrib.staticfiles installed",
        inputs=tuple(p for p in source.paths if not _NO_INPUT.search(p) and not p.startswith(committed)),
        after=(after,),
        # Where the settings compute the folder, it is what the command wrote.
        changed_only=folder is None,
        env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{source.app}/src"},
        traced=True,
        files={path: Path(__file__).with_name(Path(path).name).read_text("utf-8") for path in (_SORT, _TRACE)},
    )


def _uses_static_files(source: Source, project: Project) -> bool:
    nodes = (node for _, tree in _settings(source, project) for node in ast.walk(tree))
    return any(isinstance(node, ast.Constant) and node.value == _STATIC_APP for node in nodes)


def _target(path: str) -> str:
    module, _, name = path.rpartition(".")
    return f"{module}:{name}"


def _text(source: Source, project: Project, name: str) -> str | None:
    value = _value(source, project, name)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _value(source: Source, project: Project, name: str) -> ast.expr | None:
    """The last value that the settings give to `name`; None where they set none, or None itself."""
    values = [value for _, tree in _settings(source, project) if (value := _assigned(tree, name)) is not None]
    last = values[-1] if values else None
    return None if isinstance(last, ast.Constant) and last.value is None else last


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    """The last value that a module gives to a name."""
    last: ast.expr | None = None
    for node in module_body(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            last = node.value
    return last


def _has_usual_base(source: Source, project: Project) -> bool:
    """Whether BASE_DIR is the folder of manage.py, as Django's own template has it."""
    for path, tree in _settings(source, project):
        if (value := _assigned(tree, "BASE_DIR")) is not None:
            return _steps_up(value) == len(PurePosixPath(path).parts)
    return False


def _steps_up(value: ast.expr) -> int:
    """How many folders an expression of `__file__` goes up: `.parent`, `.parents[1]`, `dirname(…)`."""
    called = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
    names = [node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in called]
    up = names.count("dirname")
    for node in ast.walk(value):
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            up += 1
        elif isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "parents":
            up += 1 + int(getattr(node.slice, "value", 0))
    return up


def _settings(source: Source, project: Project) -> Iterator[tuple[str, ast.Module]]:
    """The settings module, by its path below the project; of a package first its base, which the others import."""
    base = project.settings.replace(".", "/")
    parent = str(PurePosixPath(base).parent)
    for path in (f"{parent}/base.py", f"{base}/base.py", f"{base}/__init__.py", f"{base}.py"):
        for prefix in ("", "src/"):
            if (text := source.read(posixpath.join(project.folder, prefix + path))) is not None:
                yield prefix + path, parse(text)


def _folder(value: ast.expr, app: str, usual_base: bool) -> str | None:
    """`BASE_DIR / "a" / "b"` or "/app/a", relative to the project; _OUTSIDE, or None where it has to be computed."""
    if isinstance(value, ast.Constant) and str(value.value).startswith("/"):
        path = PurePosixPath(str(value.value))
        return str(path.relative_to(app)) if path != PurePosixPath(app) and path.is_relative_to(app) else _OUTSIDE
    parts = _parts(value)
    if not parts or not usual_base:
        return None
    path = PurePosixPath(*parts)
    return None if path.is_absolute() or ".." in path.parts else str(path)


def _parts(value: ast.expr) -> list[str] | None:
    """The constant parts of a path below BASE_DIR; None where something else is in it."""
    if isinstance(value, ast.Name) and value.id == "BASE_DIR":
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

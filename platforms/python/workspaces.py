"""What lies above the app's folder in its tree, or beside it: uv workspaces and packages by their path."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from .versions import document, upwards

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_LOCK = "uv.lock"


def lock_above(source: Source) -> str | None:
    """The uv.lock of the workspace that the app is a member of."""
    for folder in upwards(source)[1:]:
        if source.has(folder + _LOCK) and _is_member(source, folder):
            return folder + _LOCK
    return None


def local_packages(source: Source, file: str) -> Iterator[str]:
    """The folders of the packages in the tree that the app depends on, relative to the lock file's; not the app."""
    packages: dict[str, Mapping[str, Any]] = {each["name"]: each for each in document(source, file).get("package", [])}
    own = _from(source, posixpath.dirname(file))
    waiting = [name for name, each in packages.items() if _place(each) == own] or list(packages)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in packages:
            continue
        seen.add(name)
        each = packages[name]
        extras = (needed for group in each.get("optional-dependencies", {}).values() for needed in group)
        waiting += [needed["name"] for needed in (*each.get("dependencies", ()), *extras)]
        place = _place(each)
        if place is not None and place != own:
            yield place


def below(source: Source, folder: str) -> list[str]:
    """The paths of the tree that lie in a folder, both relative to the app's."""
    top = posixpath.normpath(posixpath.join(source.folder, folder))
    places = ((path, posixpath.normpath(posixpath.join(source.folder, path))) for path in source.tree)
    return [path for path, place in places if top == "." or place == top or place.startswith(f"{top}/")]


def _place(package: Mapping[str, Any]) -> str | None:
    origin: Mapping[str, Any] = package.get("source", {})
    path = origin.get("editable") or origin.get("virtual") or origin.get("directory") or origin.get("path")
    return posixpath.normpath(path) if isinstance(path, str) else None


def _is_member(source: Source, folder: str) -> bool:
    workspace = document(source, f"{folder}pyproject.toml").get("tool", {}).get("uv", {}).get("workspace", {})
    path = PurePosixPath(f"/{_from(source, folder)}")
    matches = (any(path.match(f"/{pattern}") for pattern in workspace.get(key, ())) for key in ("members", "exclude"))
    return next(matches) and not next(matches)


def _from(source: Source, folder: str) -> str:
    """The app's folder as seen from one above it: "." is itself."""
    return posixpath.relpath(source.app, posixpath.normpath(posixpath.join(source.app, folder)))

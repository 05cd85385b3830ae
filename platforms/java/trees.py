"""Paths of the whole source tree: with a build root, a build may begin above the app's own folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

# Neither a build nor the app looks at these: a change of them builds nothing again.
_NOT_READ = re.compile(
    r"(^|/)(\.github|\.gitlab|\.idea|\.vscode|docs)/|(^|/)\.git\w*$|"
    r"(^|/)([^/]*\.(md|adoc|iml|cmd|bat)|LICENSE[^/]*|NOTICE[^/]*|[^/]*Dockerfile[^/]*|(docker-)?compose[^/]*\.ya?ml|"
    r"Procfile|nucleo\.yml|\.nucleoignore|\.dockerignore|\.editorconfig|Jenkinsfile|Makefile|mvnw|gradlew)$"
)
_SOURCES = re.compile(r"(^|/)src/")
_TESTS = re.compile(r"(^|/)src/(test|it|integrationTest|integration-test)/")
_PRODUCED = re.compile(r"(^|/)(target|build|\.gradle|bin|out)/")


def join(folder: str, name: str) -> str:
    """A path of the tree, normal: `services/api`, and the empty text for the tree itself."""
    path = posixpath.normpath(posixpath.join(folder, name))
    return "" if path == "." else path


def relative(source: Source, path: str) -> str:
    """A path of the tree as the source and steps know it: relative to the app's folder."""
    return posixpath.relpath(path or ".", source.folder) if source.folder else path


def read(source: Source, path: str) -> str | None:
    """The text of a file of the tree, or None."""
    return source.read(relative(source, path))


def above(folder: str) -> Iterator[str]:
    """The folders above one, the nearest first."""
    while folder:
        folder = posixpath.dirname(folder)
        yield folder


def owner(path: str, folders: Collection[str]) -> str:
    """The deepest of the folders that a path is in; the empty text where it is in none of them."""
    return next((folder for folder in above(path) if folder in folders), "")


def inputs(source: Source, root: str, others: Collection[str] = (), *, tests: bool = False) -> tuple[str, ...]:
    """What a build in `root` reads, as steps name it, less all in the folders `others` but their build files."""
    found: list[str] = []
    for path in source.entries:
        inside = not root or path.startswith(f"{root}/")
        if not inside or _is_produced(path) or (_TESTS.search(path) and not tests):
            continue
        if _NOT_READ.search(path) and not _SOURCES.search(path):
            continue
        if others and any(path.startswith(f"{other}/") for other in others) and not _is_build_file(path):
            continue
        found.append(relative(source, path))
    return tuple(found)


def _is_produced(path: str) -> bool:
    """What an earlier build left. Packages may well be called `build`: only folders above `src` count."""
    found = _SOURCES.search(path)
    return _PRODUCED.search(path[: found.start() + 1] if found else path) is not None


def _is_build_file(path: str) -> bool:
    return posixpath.basename(path) == "pom.xml"

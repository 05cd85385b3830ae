"""The main class, found in the sources: for builds whose jar names none."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import trees

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_JAVA = re.compile(r"\bpublic\s+static\s+(?:final\s+)?void\s+main\s*\(\s*(?:final\s+)?String\b")
_KOTLIN = re.compile(r"^(?:suspend\s+)?fun\s+main\s*\(", re.MULTILINE)
_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)", re.MULTILINE)
_USUAL = ("Main", "App", "Application", "MainKt", "ApplicationKt", "AppKt", "Server")


def find(source: Source, folders: Iterable[str], named: str) -> str:
    """`named`, else the only class with a main method, else the one of them with a usual name; empty if unclear."""
    if named and "${" not in named:
        return named
    roots = tuple(f"{folder}/src/main/" if folder else "src/main/" for folder in folders)
    found: list[str] = []
    for path in source.entries:
        is_java, is_kotlin = path.endswith(".java"), path.endswith(".kt")
        if not (is_java or is_kotlin) or not path.startswith(roots):
            continue
        text = trees.read(source, path) or ""
        if (_JAVA if is_java else _KOTLIN).search(text):
            package = _PACKAGE.search(text)
            name = posixpath.splitext(posixpath.basename(path))[0] + ("" if is_java else "Kt")
            found.append(f"{package[1]}.{name}" if package else name)
    usual = [one for one in found if one.rpartition(".")[2] in _USUAL]
    return found[0] if len(found) == 1 else usual[0] if len(usual) == 1 else ""

"""go.mod and go.work: what they say, with the position of what cannot be read."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

_DIRECTIVES = (
    *("module", "go", "toolchain", "godebug", "require", "replace", "exclude", "retract", "tool", "ignore", "use"),
)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s()]+|[()]')
_MAJOR = re.compile(r"v[2-9]\d*|v1\d+")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A go.mod or go.work. `requires` are paths and versions, `replaces` local folders by module path."""

    file: str
    module: str = ""
    go: str = ""
    toolchain: str = ""
    requires: tuple[tuple[str, str], ...] = ()
    replaces: tuple[tuple[str, str], ...] = ()
    uses: tuple[str, ...] = ()
    heroku: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        """Where it lies, relative to the app's folder: "" for the app's own."""
        return posixpath.dirname(self.file)

    @property
    def name(self) -> str:
        """The last part of the module's path that is no major version: what Go calls its program."""
        parts = self.module.split("/")
        return parts[-2] if len(parts) > 1 and _MAJOR.fullmatch(parts[-1]) else parts[-1]


def read(source: Source, file: str) -> Manifest:
    """Raises BuildFailed with the line that cannot be understood."""
    text = source.read(file) or ""
    found: dict[str, list[list[str]]] = {name: [] for name in _DIRECTIVES}
    for name, words in _directives(file, text):
        found[name].append(words)
    return Manifest(
        file=file,
        module=_first(found["module"]),
        go=_first(found["go"]),
        toolchain=_first(found["toolchain"]),
        requires=tuple((words[0], words[1]) for words in found["require"] if len(words) > 1),
        replaces=tuple((words[0], words[-1]) for words in found["replace"] if _is_local(words)),
        uses=tuple(words[0] for words in found["use"]),
        heroku=tuple(re.findall(r"^//\s*\+heroku\s+(\w+)\s+(.+?)\s*$", text, re.MULTILINE)),
    )


def _directives(file: str, text: str) -> Iterator[tuple[str, list[str]]]:
    block = ""
    for number, line in enumerate(text.splitlines(), 1):
        words: list[str] = [word.strip('"`') for word in _WORD.findall(_without_comment(line))]
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
            else:
                yield block, words
            continue
        if words[0] not in _DIRECTIVES:
            close = difflib.get_close_matches(words[0], _DIRECTIVES, 1)
            raise BuildFailed(
                f"{file}:{number}: {words[0]!r} is nothing that Go knows",
                f"Did you mean {close[0]}?" if close else f"Correct {file}; go mod tidy names the place too",
            )
        if words[1:] == ["("]:
            block = words[0]
        elif len(words) == 1:
            raise BuildFailed(f"{file}:{number}: {words[0]} says nothing", f"Correct {file}")
        else:
            yield words[0], [word for word in words[1:] if word not in "()"]
    if block:
        raise BuildFailed(f"{file}: the parenthesis of {block} is never closed", f"Correct {file}")


def _without_comment(line: str) -> str:
    return re.split(r"(?:^|\s)//", line)[0]


def _first(lines: list[list[str]]) -> str:
    return lines[0][0] if lines else ""


def _is_local(words: list[str]) -> bool:
    return "=>" in words and words[-1].startswith(("./", "../"))

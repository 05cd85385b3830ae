"""What a YAML text is once read: texts, lists and mappings that know where they stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Type = Literal["text", "int", "float", "bool", "null"]

_SHOWN = 60


class Mark(NamedTuple):
    """A place in a file, both counted from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One value, kept as it was written: `type` says what YAML 1.2 (core schema) takes it for."""

    text: str
    type: Type
    mark: Mark
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class List:
    """A list. `size` counts every value in it, with aliases expanded; `height` is how deeply it nests."""

    items: tuple["Node", ...]
    mark: Mark
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A key of a mapping, where the key stands, and the key's value."""

    key: str
    mark: Mark
    node: "Node"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A mapping by the keys as they were written; `size` and `height` as in List."""

    entries: Mapping[str, Entry]
    mark: Mark
    size: int = 1
    height: int = 1

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())


Node = Scalar | List | Map


def matched(key: str) -> str:
    """The form in which keys of nucleo.yml are compared: `pre-stop`, `pre stop` and `pre_stop` are one."""
    return key.replace("-", "_").replace(" ", "_")


def find(node: Node, *path: str) -> Entry | None:
    """The entry at `path`, keys matched; None where there is none."""
    entry: Entry | None = None
    for key in path:
        if not isinstance(node, Map):
            return None
        entry = node.entries.get(key) or next((each for each in node if matched(each.key) == matched(key)), None)
        if entry is None:
            return None
        node = entry.node
    return entry


def quoted(text: str) -> str:
    """`text` in quotes on one line, shortened, with whatever does not print escaped."""
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return '"' + "".join(_printed(character) for character in short) + '"'


def _printed(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def kind(node: Node) -> str:
    """What `node` is, without its value: for values that must not be shown."""
    if isinstance(node, List):
        return "a list"
    if isinstance(node, Map):
        return "a mapping"
    return {"text": "text", "int": "a number", "float": "a number", "bool": "a boolean", "null": "nothing"}[node.type]


def shown(node: Node) -> str:
    """What `node` is, for "got …"."""
    if not isinstance(node, Scalar) or node.type == "null":
        return kind(node)
    if node.type == "text":
        return quoted(node.text)
    return node.text if len(node.text) <= _SHOWN else f"a number of {len(node.text)} digits"

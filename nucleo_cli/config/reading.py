"""Reads YAML that anybody may have written: YAML 1.2 values, positions everywhere, and a bound on everything.

PyYAML splits the text into events; what they mean is decided here. Its own loaders let the last of two equal keys win,
take `no` for false and `22:22` for 1342, and expand 350 bytes to 43 million values.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from nucleo_cli.config.nodes import Entry, List, Map, Mark, Node, Scalar, Type, quoted

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 10_000

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# YAML 1.2, 5.1: c-printable.
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A quoted text can name these by an escape; no key or value of ours can hold them.
_NEVER = re.compile("[\0\ud800-\udfff]")

# YAML 1.2, 10.3.2 (core schema), but for leading zeros: `010` is 8 to some readers and 10 to others, so it is text.
_TYPES: tuple[tuple[Type, re.Pattern[str]], ...] = (
    ("null", re.compile(r"|~|null|Null|NULL")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        "float",
        re.compile(
            r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
        ),
    ),
)


class MalformedError(Exception):
    """The text is not YAML that we read; where, why, and what to do."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.hint = hint


def parse(data: bytes) -> Node:
    """The one document of `data`; nothing at all is a null. Raises MalformedError, and no other exception."""
    if len(data) > MAX_BYTES:
        raise MalformedError(Mark(1, 1), "the file is larger than 1 MiB")
    text = _text(data)
    events = _Events(text)
    try:
        return events.document()
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # What is left is an escape such as "\U99999999" that names no character.
        raise MalformedError(
            events.mark, "this is not valid YAML after here: a character that does not exist"
        ) from None


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MalformedError(Mark(1, 1), "the file is UTF-16; expected UTF-8", "save it again as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise MalformedError(_mark_after(good), message, "save the file again as UTF-8") from None
    if found := _NOT_PRINTABLE.search(text):
        message = f"the control character U+{ord(found.group()):04X} is not allowed in YAML"
        raise MalformedError(_mark_after(text[: found.start()]), message, "delete it")
    return text


def _mark_after(text: str) -> Mark:
    return Mark(text.count("\n") + 1, len(text) - text.rfind("\n"))


class _Events:
    """The events of one text, made into nodes."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node | None] = {}  # None while the anchored value is still open
        self._count = 0
        self.mark = Mark(1, 1)

    def document(self) -> Node:
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return Scalar("", "null", Mark(1, 1))
        root = self._node(self._next(), 1)
        self._next()
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise MalformedError(self.mark, "a second document begins here; expected one document alone")
        return root

    def _next(self) -> Any:
        event = next(self._events)
        self.mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        return event

    def _node(self, event: Any, depth: int) -> Node:
        mark = self.mark
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, depth)
        if event.tag is not None:
            raise MalformedError(mark, "a YAML tag is not allowed here", 'put a text that begins with "!" in quotes')
        self._take(1, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(depth)
        else:
            node = self._map(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _take(self, size: int, depth: int) -> None:
        self._count += size
        if self._count > MAX_NODES:
            raise MalformedError(
                self.mark, f"there are more than {MAX_NODES:,} values, aliases counted as often as used"
            )
        if depth > MAX_DEPTH:
            raise MalformedError(self.mark, f"lists and mappings nest more than {MAX_DEPTH} deep")

    def _alias(self, anchor: Any, depth: int) -> Node:
        # The name is not shown: it may be a password that begins with an asterisk.
        if anchor not in self._anchors:
            message = 'the alias after "*" names no anchor that stands before it'
            raise MalformedError(self.mark, message, 'put a text that begins with "*" in quotes')
        node = self._anchors[anchor]
        if node is None:
            raise MalformedError(
                self.mark, "an alias stands inside of the value that it names, which would have no end"
            )
        self._take(node.size, depth + node.height - 1)
        return node

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        if _NEVER.search(text):
            raise MalformedError(
                self.mark, "a text holds an escape for a character that is not allowed (NUL or a surrogate)"
            )
        return Scalar(text, _type(text) if event.implicit[0] else "text", self.mark)

    def _list(self, depth: int) -> List:
        mark, before = self.mark, self._count
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return List(tuple(items), mark, self._count - before + 1, 1 + max((item.height for item in items), default=0))

    def _map(self, depth: int) -> Map:
        mark, before = self.mark, self._count
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key_mark = self.mark
            key = self._key(event, depth + 1)
            if key in entries:
                first = entries[key].mark
                message = f"{quoted(key)} is here twice; the first is at {first.line}:{first.column}"
                raise MalformedError(key_mark, message, "keep one of them")
            entries[key] = Entry(key, key_mark, self._node(self._next(), depth + 1))
        height = 1 + max((entry.node.height for entry in entries.values()), default=0)
        return Map(entries, mark, self._count - before + 1, height)

    def _key(self, event: Any, depth: int) -> str:
        mark = self.mark
        key = self._node(event, depth)
        if not isinstance(key, Scalar):
            raise MalformedError(mark, "a key must be a word, got a list or a mapping")
        if key.text == "<<" and event.implicit[0]:
            raise MalformedError(mark, 'merge keys ("<<") are not supported', "write the keys out")
        if key.type == "null":
            raise MalformedError(mark, 'a key is missing before ":"')
        return key.text


def _type(text: str) -> Type:
    for name, pattern in _TYPES:
        if pattern.fullmatch(text):
            return name
    return "text"


_BACKSLASH = "use single quotes, or two backslashes"

# What PyYAML's two parsers say, and what a person can use. The first row that fits is taken; {0} is the character at
# the place, {1} the place of the bracket that is open. The parsers' own texts are shown only where no row fits: some of
# them quote the file, which may hold secrets.
_EXPLANATIONS: tuple[tuple[str, str, str], ...] = (
    ("that cannot start any token", "{0} cannot begin a value", "put the value in quotes"),
    (
        "mapping values are not allowed",
        'a second ":" on one line; expected one key and one value',
        'put a value that holds ": " in quotes',
    ),
    ("could not find expected ':'", 'expected ":" and a value after the key', ""),
    ("sequence entries are not allowed", 'a list item cannot stand here; expected "- " on a line of its own', ""),
    ("expected '-' indicator", 'expected "- " and a list item, indented as the items above', ""),
    ("expected ',' or ']'", 'expected "," or "]" {1}', ""),
    ("expected ',' or '}'", 'expected "," or "}}" {1}', ""),
    ("expected key", "expected a key or an item, indented as those above", ""),
    ("expected <block end>", "expected a key or an item, indented as those above", ""),
    ("unknown escape character", "a backslash and {0} stand for nothing in double quotes", _BACKSLASH),
    ("expected escape sequence", "an escape in double quotes is not finished", _BACKSLASH),
    ("invalid Unicode character", "an escape in double quotes names no character", _BACKSLASH),
    ("tag", "a YAML tag is not allowed here", 'put a text that begins with "!" in quotes'),
    ("directive", "a line that begins with % is not understood", ""),
    ("<document start>", "expected one document alone", ""),
)


def _explained(error: yaml.MarkedYAMLError, text: str) -> MalformedError:
    problem = error.problem or "it ends too early"
    if "unexpected end of stream" in problem and error.context_mark:
        return MalformedError(_place(error.context_mark), "a quote is opened here and never closed")
    mark, character = _culprit(error, text)
    if character == "\t":
        return MalformedError(mark, "a tab cannot indent in YAML; expected spaces", "replace the tab by spaces")
    for part, message, hint in _EXPLANATIONS:
        if part in problem:
            return MalformedError(mark, message.format(quoted(character), _opening(error)), hint)
    return MalformedError(mark, f"this is not valid YAML: {problem}")


def _culprit(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, str]:
    """The place of the mistake and the character there, which is "" at the end; both parsers made to agree."""
    where: Any = error.problem_mark or error.context_mark
    if where is None or where.index >= len(text):
        return _mark_after(text), ""
    mark, character = _place(where), text[where.index]
    if character == "\\":
        return Mark(mark.line, mark.column + 1), text[where.index + 1 :][:1]
    return mark, character


def _opening(error: yaml.MarkedYAMLError) -> str:
    where: Any = error.context_mark
    return f"for the bracket at {where.line + 1}:{where.column + 1}" if where else ""


def _place(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)

"""The kinds of value that a key can have. Each reads a node, and says in JSON Schema what it accepts."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from nucleo_cli.config.nodes import Entry, List, Map, Node, Scalar, Type, kind, matched, quoted, shown
from nucleo_cli.config.problems import Place

T = TypeVar("T")

TEXT: frozenset[Type] = frozenset({"text"})
TEXT_OR_WHOLE: frozenset[Type] = frozenset({"text", "int"})
TEXT_OR_NUMBER: frozenset[Type] = frozenset({"text", "int", "float"})
ANY_SCALAR: frozenset[Type] = frozenset({"text", "int", "float", "bool"})
WHOLE: frozenset[Type] = frozenset({"int"})

# Longer than any number that a key of ours can mean, and far from the length where int() refuses or grows slow.
_DIGITS = 15


class MisfitError(ValueError):
    """A value does not fit. `what` says why ("is taken twice"), where "must be …, got …" is not enough."""

    def __init__(self, what: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Kind(ABC, Generic[T]):
    """What a value may be."""

    @abstractmethod
    def read(self, node: Node, at: Place) -> T | None:
        """The value of `node`; None after its problem was noted at `at`."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """What is accepted, as JSON Schema draft 2020-12."""


@dataclass(frozen=True, eq=False, repr=False)
class Single(Kind[T]):
    """One text, number or boolean, made into a value by `parse`, which raises MisfitError.

    `expected` completes "must be …"; `hidden` values are never shown in a message.
    """

    expected: str
    parse: Callable[[str], T]
    shape: Mapping[str, Any]
    accepts: frozenset[Type] = TEXT
    hidden: bool = False
    hint: str = ""

    def read(self, node: Node, at: Place) -> T | None:
        try:
            if not isinstance(node, Scalar) or node.type not in self.accepts:
                raise MisfitError
            return self.parse(node.text)
        except MisfitError as wrong:
            got = kind(node) if self.hidden else shown(node)
            at.wrong(wrong.what or f"must be {self.expected}, got {got}", wrong.hint or self.hint)
            return None

    def schema(self) -> dict[str, Any]:
        return dict(self.shape)


def whole(minimum: int, maximum: int) -> Single[int]:
    """A whole number from `minimum` to `maximum`."""

    def parse(text: str) -> int:
        number = number_of(text)
        if number is None or not minimum <= number <= maximum:
            raise MisfitError
        return number

    shape = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return Single(f"a whole number from {minimum} to {maximum}", parse, shape, WHOLE)


def number_of(text: str) -> int | None:
    """The whole number that `text` writes in YAML 1.2; None when it is none or too long to mean anything."""
    if len(text) > _DIGITS:
        return None
    try:
        return int(text, 0)
    except ValueError:
        return None


def _boolean(text: str) -> bool:
    return text.lower() == "true"


BOOLEAN: Single[bool] = Single("true or false", _boolean, {"type": "boolean"}, frozenset({"bool"}))


def choice(*words: str) -> Single[str]:
    """One of some words."""
    expected = " or ".join(words)

    def parse(text: str) -> str:
        if text not in words:
            raise MisfitError(f"must be {expected}, got {quoted(text)}{did_you_mean(text, list(words))}")
        return text

    return Single(expected, parse, {"enum": list(words)})


@dataclass(frozen=True, eq=False, repr=False)
class Listed(Kind[tuple[T, ...]]):
    """A list of one kind. `rule` looks at one value among those before it, and raises MisfitError.

    One that is not `optional` may not be empty.
    """

    item: Kind[T]
    expected: str
    rule: Callable[[list[T], T], None]
    hint: str = ""
    optional: bool = True

    def read(self, node: Node, at: Place) -> tuple[T, ...] | None:
        if not isinstance(node, List):
            at.wrong(f"must be {self.expected}, got {shown(node)}", self.hint)
            return None
        if not (node.items or self.optional):
            at.wrong(f"must be {self.expected}, got an empty one", self.hint)
            return ()
        values: list[T] = []
        for index, item in enumerate(node.items):
            self._add(item, at.item(index, item.mark), values)
        return tuple(values)

    def _add(self, item: Node, at: Place, values: list[T]) -> None:
        value = self.item.read(item, at)
        if value is None:
            return
        try:
            self.rule(values, value)
        except MisfitError as wrong:
            at.wrong(wrong.what, wrong.hint)
        values.append(value)

    def schema(self) -> dict[str, Any]:
        least = {} if self.optional else {"minItems": 1}
        return {"type": "array", "items": self.item.schema(), "uniqueItems": True, **least}


@dataclass(frozen=True, eq=False, repr=False)
class Named(Kind[dict[str, T]]):
    """A mapping whose keys are the person's own names: `check` raises MisfitError for a name that cannot be."""

    expected: str
    name: str
    check: Callable[[str], None]
    value: Kind[T]
    pattern: str
    hidden: bool = False

    def read(self, node: Node, at: Place) -> dict[str, T] | None:
        if isinstance(node, Scalar) and node.type == "null":
            return {}
        if not isinstance(node, Map):
            at.wrong(f"must be {self.expected}, got {kind(node) if self.hidden else shown(node)}")
            return None
        values: dict[str, T] = {}
        for entry in node:
            # A whole `NAME=value` may stand where a name alone should.
            place = at.key(entry, _before_equals(entry.key) if self.hidden else None)
            self._check(entry.key, place)
            value = self.value.read(entry.node, place)
            if value is not None:
                values[entry.key] = value
        return values

    def _check(self, key: str, at: Place) -> None:
        try:
            self.check(key)
        except MisfitError as wrong:
            at.wrong(wrong.what or f"must be named by {self.name}", wrong.hint)

    def schema(self) -> dict[str, Any]:
        return {
            "type": ["object", "null"],
            "propertyNames": {"pattern": self.pattern},
            "additionalProperties": self.value.schema(),
        }


def _before_equals(key: str) -> str:
    name, equals, _ = key.partition("=")
    return name + equals + ("…" if equals else "")


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """A key of nucleo.yml, with what a person should know of it."""

    key: str
    kind: Kind[Any]
    description: str
    examples: tuple[Any, ...]
    default: Any = None

    def schema(self) -> dict[str, Any]:
        default = {} if self.default is None else {"default": self.default}
        return {"description": self.description, **self.kind.schema(), "examples": list(self.examples), **default}


@dataclass(frozen=True, eq=False, repr=False)
class Keyed(Kind[dict[str, Any]]):
    """A mapping whose keys are ours: an unknown one is a problem, and so are two spellings of one.

    `shorthand` names the field that a single value stands for: `scale: 3`. `elsewhere` says of keys that are known in
    another place why they are not in this one. `required` are the keys that may not be left out.
    """

    fields: tuple[Field, ...]
    expected: str = "a mapping"
    shorthand: str = ""
    elsewhere: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    required: tuple[str, ...] = ()

    def read(self, node: Node, at: Place) -> dict[str, Any] | None:
        if isinstance(node, Scalar) and node.type == "null":
            return {}
        if isinstance(node, Scalar) and self.shorthand:
            value = self.named(self.shorthand).kind.read(node, at)
            return None if value is None else {self.shorthand: value}
        if not isinstance(node, Map):
            at.wrong(f"must be {self.expected}, got {shown(node)}")
            return None
        values: dict[str, Any] = {}
        seen: dict[str, Entry] = {}
        for entry in node:
            self._entry(entry, at.key(entry), seen, values)
        for key in (each for each in self.required if each not in seen):
            at.wrong(f"must have the key {key}", self.named(key).description)
        return values

    def named(self, key: str) -> Field:
        return next(each for each in self.fields if each.key == key)

    def _entry(self, entry: Entry, at: Place, seen: dict[str, Entry], values: dict[str, Any]) -> None:
        key = matched(entry.key)
        if key in seen:
            first = seen[key]
            at.wrong(
                f"is the same key as {quoted(first.key)} at {first.mark.line}:{first.mark.column}", "keep one of them"
            )
            return
        seen[key] = entry
        known = next((each for each in self.fields if each.key == key), None)
        if known is None:
            self._unknown(key, at)
            return
        value = known.kind.read(entry.node, at)
        if value is not None:
            values[key] = value

    def _unknown(self, key: str, at: Place) -> None:
        if key in self.elsewhere:
            at.wrong(*self.elsewhere[key])
            return
        keys = [each.key for each in self.fields]
        at.wrong(f"is not a key here{did_you_mean(key, keys)}", f"the keys here are {', '.join(keys)}")

    def schema(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {
            "type": ["object", "null"],
            "properties": {each.key: each.schema() for each in self.fields},
            "additionalProperties": False,
            **({"required": list(self.required)} if self.required else {}),
        }
        return {"anyOf": [self.named(self.shorthand).kind.schema(), mapping]} if self.shorthand else mapping


def did_you_mean(word: str, words: list[str]) -> str:
    """`; did you mean "platform"?`, or nothing when no word is near."""
    from difflib import get_close_matches  # 5 ms that a correct file need not pay

    near = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""

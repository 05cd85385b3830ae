# ruff: noqa: E501, PT017 (one case a line; an error is one of two good ends)
"""YAML that anybody may have written: types, positions, bounds, messages. Both of PyYAML's parsers are held to it."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.config import reading
from nucleo_cli.config.nodes import List, Map, Mark, Node, Scalar, find, kind, quoted, shown
from nucleo_cli.config.reading import MalformedError, parse

LOADERS: list[Any] = [yaml.BaseLoader, yaml.CBaseLoader]


@pytest.fixture(autouse=True, params=LOADERS, ids=["python", "libyaml"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LOADER", request.param)


def plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        return (node.type, node.text)
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return {entry.key: plain(entry.node) for entry in node}


def malformed(text: str | bytes) -> tuple[int, int, str]:
    with pytest.raises(MalformedError) as caught:
        parse(text.encode() if isinstance(text, str) else text)
    line, column = caught.value.mark
    return line, column, caught.value.message


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("true", "bool"), ("True", "bool"), ("FALSE", "bool"),
        ("yes", "text"), ("no", "text"), ("on", "text"), ("off", "text"), ("y", "text"), ("tRUE", "text"),
        ("0", "int"), ("-12", "int"), ("+3", "int"), ("0x1F", "int"), ("0o17", "int"), ("9" * 5000, "int"),
        ("010", "text"), ("1_000", "text"), ("22:22", "text"), ("0b1", "text"), ("0X1F", "text"), ("-", "text"),
        ("1.10", "float"), (".5", "float"), ("1e3", "float"), ("-1.5E-3", "float"), (".inf", "float"), (".NaN", "float"),
        ("01.5", "text"), ("1.2.3", "text"), ("2026-11-23", "text"), ("2026-11-23T04:00:00Z", "text"), ("1e", "text"),
        ("~", "null"), ("null", "null"), ("NULL", "null"), ("nil", "text"), ("none", "text"),
        ('"true"', "text"), ("'1'", "text"), ('""', "text"), ("python:3.13", "text"), ("=", "text"),
    ],
)  # fmt: skip
def test_a_value_is_what_yaml_1_2_says(text: str, type: str) -> None:
    node = parse(f"a: {text}".encode()) if text != "-" else parse(b"a: '-'")
    entry = find(node, "a")
    assert entry is not None
    assert isinstance(entry.node, Scalar)
    assert entry.node.type == type
    assert entry.node.text == text.strip("\"'")


def test_everything_knows_its_place() -> None:
    node = parse(b"a: 1\nb:\n  - x\n  - {c: [y]}\n")
    assert isinstance(node, Map)
    b = find(node, "b")
    assert b is not None
    assert b.mark == Mark(2, 1)
    assert isinstance(b.node, List)
    first, second = b.node.items
    assert (first.mark, second.mark) == (Mark(3, 5), Mark(4, 5))
    c = find(second, "c")
    assert c is not None
    assert (c.mark, c.node.mark) == (Mark(4, 6), Mark(4, 9))


def test_columns_count_characters() -> None:
    assert malformed("{ü: ö, ü: 1}")[:2] == (1, 8)


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n", "\ufeff", "\ufeff# x"])
def test_nothing_is_null(text: str) -> None:
    assert plain(parse(text.encode())) == ("null", "")


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert plain(parse(b"\xef\xbb\xbfa: b")) == {"a": ("text", "b")}


def test_windows_line_ends() -> None:
    assert plain(parse(b"a: b\r\nc:\r\n  - d\r\n")) == {"a": ("text", "b"), "c": [("text", "d")]}


def test_aliases_are_followed() -> None:
    assert plain(parse(b"a: &x {k: v}\nb: *x\n")) == {"a": {"k": ("text", "v")}, "b": {"k": ("text", "v")}}


def test_an_anchor_may_be_given_again() -> None:
    assert plain(parse(b"[&a 1, *a, &a 2, *a]")) == [("int", "1"), ("int", "1"), ("int", "2"), ("int", "2")]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, '"a" is here twice; the first is at 1:1'),
        ('a: {x: 1, "x": 2}', 1, 11, '"x" is here twice; the first is at 1:5'),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here; expected one document alone"),
        ("a: !!python/object:os.system x", 1, 4, "a YAML tag is not allowed here"),
        ("a: !secret x", 1, 4, "a YAML tag is not allowed here"),
        ("a: ! x", 1, 4, "a YAML tag is not allowed here"),
        ("a: !x!y z", 1, 4, "a YAML tag is not allowed here"),
        ("a: &x {b: *x}", 1, 11, "an alias stands inside of the value that it names, which would have no end"),
        ("&x [*x]", 1, 5, "an alias stands inside of the value that it names, which would have no end"),
        ("a: *nowhere", 1, 4, 'the alias after "*" names no anchor that stands before it'),
        ("a: &x {k: v}\nb:\n  <<: *x", 3, 3, 'merge keys ("<<") are not supported'),
        ("? [a]\n: b", 1, 3, "a key must be a word, got a list or a mapping"),
        ("? {a: b}\n: c", 1, 3, "a key must be a word, got a list or a mapping"),
        ("? \n: c", 1, 2, 'a key is missing before ":"'),
        ("~: c", 1, 1, 'a key is missing before ":"'),
        ("a:\n\tb: 1", 2, 1, "a tab cannot indent in YAML; expected spaces"),
        ("a: @b", 1, 4, '"@" cannot begin a value'),
        ("a: `b`", 1, 4, '"`" cannot begin a value'),
        ("a: %b", 1, 4, '"%" cannot begin a value'),
        ("a: b: c", 1, 5, 'a second ":" on one line; expected one key and one value'),
        ('a: "b', 1, 4, "a quote is opened here and never closed"),
        ("a: 'b\nc: d\n", 1, 4, "a quote is opened here and never closed"),
        ("a: [1, 2", 1, 9, 'expected "," or "]" for the bracket at 1:4'),
        ("a: {b: 1", 1, 9, 'expected "," or "}" for the bracket at 1:4'),
        ("a: 1\n b: 2", 2, 3, 'a second ":" on one line; expected one key and one value'),
        ("a:\n    b: 1\n  c: 2", 3, 3, "expected a key or an item, indented as those above"),
        ("a: - b", 1, 4, 'a list item cannot stand here; expected "- " on a line of its own'),
        ('a: "\\q"', 1, 6, 'a backslash and "q" stand for nothing in double quotes'),
        ("a: \x07", 1, 4, "the control character U+0007 is not allowed in YAML"),
        ("a: 1\nb: \x1b[31m", 2, 4, "the control character U+001B is not allowed in YAML"),
        ('a: "\\0"', 1, 4, "a text holds an escape for a character that is not allowed (NUL or a surrogate)"),
    ],
)
def test_what_is_malformed_is_told_with_its_place(text: str, line: int, column: int, message: str) -> None:
    assert malformed(text) == (line, column, message)


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"a: 1\nb: \xff\n", 2, 4, "the byte 0xff is not UTF-8"),
        ("é: ".encode() + b"\xe9", 1, 4, "the byte 0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, "the file is UTF-16; expected UTF-8"),
        (b"a: \xed\xa0\x80", 1, 4, "the byte 0xed is not UTF-8"),
        (b"a" * (1024 * 1024 + 1), 1, 1, "the file is larger than 1 MiB"),
    ],
)
def test_what_is_no_text(data: bytes, line: int, column: int, message: str) -> None:
    assert malformed(data) == (line, column, message)


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 8))


def test_few_bytes_do_not_become_millions_of_values() -> None:
    assert len(BOMB) < 400
    assert malformed(BOMB)[2] == "there are more than 10,000 values, aliases counted as often as used"


def test_many_values_are_too_many() -> None:
    assert malformed("[" + "1," * 10_000 + "]")[2].startswith("there are more than 10,000 values")
    assert isinstance(parse(b"[" + b"1," * 9_999 + b"]"), List)


@pytest.mark.parametrize("text", ["[" * 2000, "{a: " * 2000, "- " * 2000 + "x", "? " * 2000 + "x"])
def test_depth_is_bounded(text: str) -> None:
    assert malformed(text)[2] == "lists and mappings nest more than 64 deep"


def test_depth_is_bounded_through_aliases() -> None:
    deep = "a: &a " + "[" * 40 + "]" * 40 + "\n"
    assert malformed(deep + "b: " + "[" * 30 + "*a" + "]" * 30)[2] == "lists and mappings nest more than 64 deep"
    assert isinstance(parse((deep + "b: " + "[" * 20 + "*a" + "]" * 20).encode()), Map)


@pytest.mark.parametrize(
    "text", ['"\\U99999999"', '"\\ud800"', '"\\uZZZZ"', '"\\x', "%FOO bar\n---\na: 1", "%YAML 9.9\n---\na: 1"]
)
def test_odd_escapes_and_directives_give_no_traceback(text: str) -> None:
    try:
        parse(text.encode())
    except MalformedError as error:
        assert error.message


@pytest.mark.parametrize(
    "secret", ["*hunter2", "!hunter2", "!hunter2!x y", "&hunter2", '"hunter2', "@hunter2", "[hunter2"]
)
def test_a_message_shows_nothing_of_a_value(secret: str) -> None:
    try:
        parse(f"env:\n  PASSWORD: {secret}\n".encode())
    except MalformedError as error:
        assert "hunter2" not in error.message + error.hint


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    try:
        parse(data)
    except MalformedError as error:
        assert error.mark >= (1, 1)
        assert error.message


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?,\n\t \\~<01u", max_size=60))
def test_any_punctuation_is_read_or_malformed(text: str) -> None:
    try:
        parse(text.encode())
    except MalformedError as error:
        assert error.mark >= (1, 1)
        assert error.message


@pytest.mark.parametrize(
    ("text", "got", "of_kind"),
    [
        ("eighty", '"eighty"', "text"),
        ('"a\\nb"', '"a\\nb"', "text"),
        ("12", "12", "a number"),
        ("9" * 5000, "a number of 5000 digits", "a number"),
        ("true", "true", "a boolean"),
        ("~", "nothing", "nothing"),
        ("[1]", "a list", "a list"),
        ("{a: 1}", "a mapping", "a mapping"),
    ],
)
def test_how_a_value_is_shown(text: str, got: str, of_kind: str) -> None:
    node = parse(text.encode())
    assert (shown(node), kind(node)) == (got, of_kind)


def test_a_quoted_text_is_one_short_line_that_prints() -> None:
    assert quoted("x" * 100) == '"' + "x" * 59 + '…"'
    assert quoted('say "hi"\\') == '"say \\"hi\\"\\\\"'
    assert quoted("a\u202eb\x1b\n") == '"a\\u202eb\\x1b\\n"'


def test_find_matches_keys_as_people_spell_them() -> None:
    node = parse(b"cmd:\n  pre-stop: a\n")
    entry = find(node, "cmd", "pre_stop")
    assert entry is not None
    assert entry.key == "pre-stop"
    assert find(node, "cmd", "start") is None
    assert find(node, "cmd", "pre_stop", "deeper") is None

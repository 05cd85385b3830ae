"""Foreign text never steers a person's terminal."""

import unicodedata

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.terminal.clean import clean

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOSTILE = st.text(
    st.one_of(
        st.characters(), st.sampled_from("\x1b\x9b\x9d\x90\x07\x9c\r\n\b\x0b\x0c\x7f[]?;0123456789mHJKP\\" + BIDI)
    )
)


@given(HOSTILE)
def test_no_control_character_is_left_but_the_tab(text: str) -> None:
    left = {character for character in clean(text) if unicodedata.category(character) == "Cc"}
    assert left <= {"\t"}


@given(HOSTILE)
def test_nothing_is_left_that_turns_the_reading_direction_or_breaks_the_line(text: str) -> None:
    assert not set(clean(text)) & set(BIDI + "\u2028\u2029")


@given(HOSTILE)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(HOSTILE)
def test_a_terminal_shows_it_without_moving_or_colouring(text: str) -> None:
    cleaned = clean(text).replace("\t", " ")
    screen = pyte.Screen(80, 4)
    pyte.Stream(screen).feed("first\r\n|" + cleaned[:70])  # a combining character needs one to stand on
    assert screen.display[0].rstrip() == "first"
    assert screen.title == ""
    assert all(
        cell.fg == cell.bg == "default" and not cell.bold for row in screen.buffer.values() for cell in row.values()
    )


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters=BIDI)))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x1b]52;c;Y2xpcGJvYXJk\x07", ""),
        ("\x1b]0;never ended", ""),
        ("\x1bcreset", "reset"),
        ("one\rtwo", "onetwo"),
        ("\x1b[", ""),
        ("a\tb", "a\tb"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("日本語 ✓ é", "日本語 ✓ é"),
    ],
)
def test_sequences_vanish_and_their_text_stays(text: str, shown: str) -> None:
    assert clean(text) == shown

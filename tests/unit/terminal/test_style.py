"""Colour is for terminals that want it."""

import io

import pytest

from nucleo_cli.terminal.style import Style


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colour() -> None:
    assert Style.of(Tty(), True).green("x") == "\x1b[32mx\x1b[0m"


def test_a_pipe_gets_none() -> None:
    assert Style.of(io.StringIO(), True).green("x") == "x"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_may_say_no(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert not Style.of(Tty(), True).on


def test_an_empty_no_color_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "xterm")
    assert Style.of(Tty(), True).on


def test_no_color_on_the_command_line_says_no() -> None:
    assert not Style.of(Tty(), False).on


def test_nothing_is_wrapped_around_nothing() -> None:
    assert Style(True).red("") == ""


@pytest.mark.parametrize("number", range(20))
def test_a_number_has_a_colour_of_its_own_for_ever(number: int) -> None:
    assert Style(True).color(number, "x") == Style(True).color(number + 6, "x")

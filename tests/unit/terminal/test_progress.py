"""What each event looks like off a TTY, on one, and with --quiet."""

import io
import time

import pyte
import pytest

from nucleo_cli.domain.events import Event, Notice, Output, PhaseEnded, PhaseStarted, PodChanged, Warned
from nucleo_cli.terminal.progress import Lines, Moving, Silent, line
from nucleo_cli.terminal.style import Style

PLAIN, COLOURED = Style(False), Style(True)
EVENTS: list[Event] = [
    PhaseStarted("build", "python 3.13"),
    Output("pip", "Collecting flask"),
    PhaseEnded("build", 1.25, detail="sha256:0123"),
    PhaseEnded("push", 0.04, skipped=True, detail="nothing new"),
    PodChanged("web", "shop-web-1", "Running", True),
    Notice("scale: 3, set by hand"),
    Warned("the work tree is dirty", "git commit"),
]


class Screen(io.StringIO):
    """A stream that says it is a terminal; what it was sent can be looked at as a person would see it."""

    def isatty(self) -> bool:
        return True

    def display(self) -> list[str]:
        screen = pyte.Screen(100, 20)
        pyte.Stream(screen).feed(self.getvalue().replace("\n", "\r\n"))
        return [row.rstrip() for row in screen.display if row.strip()]


def test_off_a_tty_each_event_is_a_line() -> None:
    stream = io.StringIO()
    lines = Lines(stream, PLAIN)
    for event in EVENTS:
        lines.show(event)
    lines.close()
    assert stream.getvalue() == (
        "  pip                 Collecting flask\n"
        "✓ build         1.2s  sha256:0123\n"
        "– push          0.0s  nothing new\n"
        "  web                 shop-web-1: Running\n"
        "  scale: 3, set by hand\n"
        "! the work tree is dirty\n"
        "  git commit\n"
    )


def test_quiet_shows_warnings_alone() -> None:
    stream = io.StringIO()
    for event in EVENTS:
        Silent(stream, PLAIN).show(event)
    assert stream.getvalue() == "! the work tree is dirty\n  git commit\n"


def test_the_start_of_a_phase_leaves_no_line() -> None:
    assert line(PhaseStarted("build", "python 3.13"), PLAIN) == ""


@pytest.mark.parametrize(
    "event",
    [
        PhaseEnded("build", 1, detail="\x1b[2Jx"),
        Output("pip", "\x1b[2Jx"),
        PodChanged("web", "pod", "\x1b[2Jx", False),
        Notice("\x1b[2Jx"),
        Warned("\x1b[2Jx", "\x1b[2Jy"),
    ],
)
def test_foreign_text_is_cleaned_in_every_event(event: Event) -> None:
    assert "\x1b" not in line(event, PLAIN)
    assert "x" in line(event, PLAIN)


@pytest.mark.parametrize("event", EVENTS)
def test_colour_changes_nothing_but_the_colour(event: Event) -> None:
    screen = Screen()
    screen.write(line(event, COLOURED))
    assert screen.display() == [row.rstrip() for row in line(event, PLAIN).splitlines()]


def test_on_a_tty_only_finished_phases_stay() -> None:
    screen = Screen()
    moving = Moving(screen, COLOURED)
    for event in EVENTS:
        moving.show(event)
    moving.close()
    assert screen.display() == [
        "✓ build         1.2s  sha256:0123",
        "– push          0.0s  nothing new",
        "  scale: 3, set by hand",
        "! the work tree is dirty",
        "  git commit",
    ]


def test_on_a_tty_markup_in_foreign_text_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    foreign = "[/red] [link=http://example.com]x[/] :warning:"
    screen = Screen()
    moving = Moving(screen, COLOURED)
    moving.show(PhaseStarted("build", ""))
    moving.show(Output("pip", foreign))
    until = time.monotonic() + 30  # it is drawn by a thread of its own, some times a second
    while not any(foreign in row for row in screen.display()) and time.monotonic() < until:
        time.sleep(0.02)
    assert any(foreign in row for row in screen.display())
    moving.close()


def test_a_reader_that_went_away_does_not_stop_the_work() -> None:
    class Closed(io.StringIO):
        def write(self, s: str) -> int:
            raise BrokenPipeError

    Lines(Closed(), PLAIN).show(Notice("text"))

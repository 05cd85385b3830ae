"""Colour, when it is wanted: a TTY, no NO_COLOR, no TERM=dumb, no --no-color. https://no-color.org"""

import os
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Style:
    """Wraps text in SGR codes, or leaves it as it is."""

    on: bool

    @staticmethod
    def of(stream: IO[str], color: bool) -> "Style":
        wanted = color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return Style(wanted and stream.isatty())

    def green(self, text: str) -> str:
        return self._wrap("32", text)

    def red(self, text: str) -> str:
        return self._wrap("31", text)

    def yellow(self, text: str) -> str:
        return self._wrap("33", text)

    def cyan(self, text: str) -> str:
        return self._wrap("36", text)

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        return self._wrap("2", text)

    def color(self, number: int, text: str) -> str:
        """One of the six bright colours by any number; stable for the same number."""
        return self._wrap(str(91 + number % 6), text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

"""This side of a remote command: its bytes in and out, raw keys, and the size of the window."""

import contextlib
import fcntl
import os
import signal
import struct
import sys
import termios
import tty
from collections.abc import Generator
from types import FrameType, TracebackType
from typing import IO

from nucleo_cli.terminal.terminal import Terminal


class Session:
    """What a remote command is connected to. `tty`: keys go over one by one, ^C too, and the window's size with them.

    A context manager: the terminal is as it was before, whatever happens.
    """

    def __init__(self, terminal: Terminal, *, tty: bool) -> None:
        self.tty = tty
        self.stdin: int | None = _descriptor(terminal.stdin)
        self.resized: int | None = None
        self._terminal = terminal
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Session":
        if self.tty and self.stdin is not None:
            self._stack.enter_context(_raw(self.stdin))
            self.resized = self._stack.enter_context(_window_changes())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def size(self) -> tuple[int, int]:
        """Columns and rows of the window."""
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(self.stdin or 0, termios.TIOCGWINSZ, b"\0" * 8))
        return columns or 80, rows or 24

    def out(self, data: bytes) -> None:
        _write(self._terminal.stdout, data)

    def err(self, data: bytes) -> None:
        _write(self._terminal.stderr, data)


class Collected(Session):
    """For --json: what the command prints is kept, to become part of one document."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal, tty=False)
        self._out = bytearray()
        self._err = bytearray()

    def out(self, data: bytes) -> None:
        self._out += data

    def err(self, data: bytes) -> None:
        self._err += data

    def document(self, code: int) -> dict[str, object]:
        """{"code", "stdout", "stderr"}."""
        return {
            "code": code,
            "stdout": self._out.decode("utf-8", "replace"),
            "stderr": self._err.decode("utf-8", "replace"),
        }


def is_interactive(terminal: Terminal) -> bool:
    """Whether a person is at both ends: keys come from a terminal and the output goes to one."""
    return terminal.interactive and terminal.stdout.isatty()


def _descriptor(stream: IO[str]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _write(stream: IO[str], data: bytes) -> None:
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(data.decode("utf-8", "replace"))
    else:
        buffer.write(data)
    stream.flush()


@contextlib.contextmanager
def _raw(descriptor: int) -> Generator[None]:
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        sys.stderr.flush()


@contextlib.contextmanager
def _window_changes() -> Generator[int]:
    """A file that has a byte to read whenever the window has changed its size."""
    read, write = os.pipe()
    os.set_blocking(write, False)

    def changed(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(write, b"w")

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield read
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(read)
        os.close(write)

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from nucleo_cli.adapters.channels import ERROR, STDERR, STDOUT, Channels
from nucleo_cli.errors import NotFound, NucleoError
from nucleo_cli.workflows.attach import Conversation, exit_code

TOKEN = "nucleo-1"


def frame(channel: int, data: bytes) -> bytes:
    return bytes([0x82, len(data) + 1, channel]) + data


class Side:
    """This side of a conversation."""

    def __init__(self, stdin: int | None = None) -> None:
        self.tty = False
        self.stdin = stdin
        self.resized: int | None = None
        self.shown: list[tuple[str, bytes]] = []

    def size(self) -> tuple[int, int]:
        return 80, 24

    def out(self, data: bytes) -> None:
        self.shown.append(("out", data))

    def err(self, data: bytes) -> None:
        self.shown.append(("err", data))


@pytest.fixture
def other() -> Iterator[tuple[Channels, socket.socket]]:
    mine, theirs = socket.socketpair()
    yield Channels(mine, "v5.channel.k8s.io"), theirs
    theirs.close()


def test_outputs_go_where_they_belong_and_the_status_is_kept(other: tuple[Channels, socket.socket]) -> None:
    channels, theirs = other
    theirs.sendall(frame(STDOUT, b"a") + frame(STDERR, b"b") + frame(ERROR, b'{"status":"Success"}') + bytes([0x88, 0]))
    side = Side()
    assert Conversation(channels, side).hold() == {"status": "Success"}
    assert side.shown == [("out", b"a"), ("err", b"b")]


def test_a_connection_that_breaks_has_no_status(other: tuple[Channels, socket.socket]) -> None:
    channels, theirs = other
    theirs.sendall(frame(STDOUT, b"half"))
    theirs.shutdown(socket.SHUT_RDWR)
    side = Side()
    conversation = Conversation(channels, side)
    assert conversation.hold() is None
    assert (side.shown, conversation.received) == ([("out", b"half")], 4)


def test_behind_a_gate_only_what_lies_between_the_marks_is_shown(other: tuple[Channels, socket.socket]) -> None:
    channels, theirs = other
    end = f"\x1e{TOKEN} 7\x1e".encode()
    theirs.sendall(frame(STDOUT, b"\x1e?\x1e") + frame(STDOUT, b"\x1e!\x1ehello") + frame(STDERR, b"oops" + end))
    theirs.sendall(frame(STDOUT, end))
    side = Side()
    conversation = Conversation(channels, side, TOKEN)
    conversation.hold()
    assert (side.shown, conversation.code) == ([("out", b"hello"), ("err", b"oops")], 7)


def test_the_end_of_the_input_is_passed_on(other: tuple[Channels, socket.socket]) -> None:
    channels, theirs = other
    read, write = os.pipe()
    os.write(write, b"text")
    os.close(write)
    theirs.sendall(frame(STDOUT, b"x"))
    side = Side(read)
    conversation = Conversation(channels, side)
    for _ in range(2):
        conversation._turn()  # pyright: ignore[reportPrivateUsage]
    channels.flush()
    sent = theirs.recv(1000)
    channels.close()
    os.close(read)
    assert len(sent) == (6 + 5) + (6 + 2), "a message of five bytes, and one of two that closes the channel"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"status": "Success"}, 0),
        ({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}, 3),
    ],
)
def test_exit_codes(status: dict[str, Any], code: int) -> None:
    assert exit_code(status) == code


def test_a_command_that_cannot_be_run() -> None:
    with pytest.raises(NotFound, match="no such program"):
        exit_code({"status": "Failure", "message": 'exec: "x": executable file not found in $PATH'})
    with pytest.raises(NucleoError, match="could not be run: no room"):
        exit_code({"status": "Failure", "message": "no room"})

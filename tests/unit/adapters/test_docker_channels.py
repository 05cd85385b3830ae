"""The engine's interactive exec: frames, a terminal, the end of the input."""

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from docker.errors import APIError
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.adapters.channels import RESIZE, STDERR, STDIN, STDOUT, wait
from nucleo_cli.adapters.docker_channels import ExecChannels


def frame(channel: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", channel, len(data)) + data


class FakeApi:
    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def exec_resize(self, id: str, height: int, width: int) -> None:
        self.sizes.append((width, height))
        if width == 1:
            raise APIError("gone")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        yield mine, theirs


def talk(mine: socket.socket, *, tty: bool = False, api: Any = None) -> ExecChannels:
    return ExecChannels(api or FakeApi(), "e1", mine, tty=tty)


def test_frames_are_taken_apart(ends: tuple[socket.socket, socket.socket]) -> None:
    channels = talk(ends[0])
    whole = frame(STDOUT, b"out") + frame(STDERR, b"err") + frame(STDOUT, b"rest")
    ends[1].sendall(whole[:-2])
    assert channels.receive() == [(STDOUT, b"out"), (STDERR, b"err")]
    assert not channels.pending
    ends[1].sendall(whole[-2:])
    ends[1].shutdown(socket.SHUT_WR)
    assert channels.receive() == [(STDOUT, b"rest")]
    assert channels.receive() == []
    assert not channels.open


def test_a_terminal_has_one_stream(ends: tuple[socket.socket, socket.socket]) -> None:
    channels = talk(ends[0], tty=True)
    assert channels.receive() == []
    ends[1].sendall(b"\x01\x00prompt$ ")
    assert wait(channels, [], 1) == {channels.fileno()}
    assert channels.receive() == [(STDOUT, b"\x01\x00prompt$ ")]


def test_the_end_of_the_input_comes_after_all_of_it(ends: tuple[socket.socket, socket.socket]) -> None:
    channels = talk(ends[0])
    data = b"x" * 3_000_000
    channels.send(STDIN, data)
    channels.end_input()
    got = bytearray()
    while part := ends[1].recv(1 << 20):
        got += part
        channels.flush()
    assert got == data
    assert channels.unsent == 0


def test_a_command_that_does_not_read_is_no_error(ends: tuple[socket.socket, socket.socket]) -> None:
    channels = talk(ends[0])
    ends[1].sendall(frame(STDOUT, b"done"))
    ends[1].close()
    channels.send(STDIN, b"more")
    channels.flush()
    assert channels.receive() == [(STDOUT, b"done")]


def test_the_size_of_the_window_is_told_and_may_come_too_late(ends: tuple[socket.socket, socket.socket]) -> None:
    api = FakeApi()
    channels = talk(ends[0], tty=True, api=api)
    channels.send(RESIZE, b'{"Width": 80, "Height": 24}')
    channels.send(RESIZE, b'{"Width": 1, "Height": 1}')
    assert api.sizes == [(80, 24), (1, 1)]


@given(st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=40)), max_size=8), st.integers(1, 9))
def test_frames_come_through_in_any_pieces(frames: list[tuple[int, bytes]], size: int) -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        channels, found = talk(mine), list[tuple[int, bytes]]()
        data = b"".join(frame(*one) for one in frames)
        for start in range(0, len(data), size):
            theirs.sendall(data[start : start + size])
            found += channels.receive()
        assert found == frames

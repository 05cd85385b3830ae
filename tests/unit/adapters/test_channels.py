import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.adapters.channels import STDERR, STDIN, STDOUT, Channels, wait
from nucleo_cli.errors import Unreachable


def frame(data: bytes, code: int = 2, final: bool = True) -> bytes:
    """A frame as servers send it: not masked."""
    size = len(data)
    head = bytes([code | (0x80 if final else 0)])
    if size < 126:
        return head + bytes([size]) + data
    if size < 1 << 16:
        return head + bytes([126]) + size.to_bytes(2, "big") + data
    return head + bytes([127]) + size.to_bytes(8, "big") + data


def unmasked(data: bytes) -> list[tuple[int, bytes]]:
    """The frames that a client sent: (opcode, data)."""
    found: list[tuple[int, bytes]] = []
    while data:
        size, at = data[1] & 0x7F, 2
        assert data[1] & 0x80, "clients have to mask"
        if size > 125:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at], "big")
        mask, body = data[at : at + 4], data[at + 4 : at + 4 + size]
        found.append((data[0] & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))))
        data = data[at + 4 + size :]
    return found


@pytest.fixture
def ends() -> Iterator[tuple[Channels, socket.socket]]:
    mine, theirs = socket.socketpair()
    channels = Channels(mine, "v5.channel.k8s.io")
    yield channels, theirs
    mine.close()
    theirs.close()


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(0, 2000), max_size=5))
def test_messages_do_not_depend_on_how_they_arrive(texts: list[bytes], cuts: list[int]) -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        channels = Channels(mine, None)
        stream = b"".join(frame(b"\x01" + text) for text in texts)
        found: list[tuple[int, bytes]] = []
        places = sorted(cut % (len(stream) + 1) for cut in cuts)
        for start, end in zip([0, *places], [*places, len(stream)], strict=True):
            theirs.sendall(stream[start:end])
            found += channels.receive()
    assert found == [(STDOUT, text) for text in texts if text]


def test_long_messages_and_those_in_parts(ends: tuple[Channels, socket.socket]) -> None:
    channels, theirs = ends
    theirs.sendall(frame(b"\x02" + b"x" * 40_000) + frame(b"\x01ab", final=False) + frame(b"cd", code=0))
    found: list[tuple[int, bytes]] = []
    while len(found) < 2:
        wait(channels, [], 5)
        found += channels.receive()
    assert found == [(STDERR, b"x" * 40_000), (STDOUT, b"abcd")]


def test_what_is_sent_is_masked_and_says_its_channel(ends: tuple[Channels, socket.socket]) -> None:
    channels, theirs = ends
    channels.send(STDIN, b"ls\n")
    channels.send(STDIN, b"y" * 200)
    channels.end_input()
    channels.flush()
    assert channels.unsent == 0
    assert unmasked(theirs.recv(65536)) == [(2, b"\x00ls\n"), (2, b"\x00" + b"y" * 200), (2, b"\xff\x00")]


def test_sending_never_waits_for_the_other_side(ends: tuple[Channels, socket.socket]) -> None:
    channels, _ = ends
    channels.send(STDIN, b"z" * 5_000_000)
    channels.flush()
    assert channels.unsent > 0


def test_a_ping_is_answered_and_a_goodbye_ends_it(ends: tuple[Channels, socket.socket]) -> None:
    channels, theirs = ends
    theirs.sendall(frame(b"hi", code=9) + frame(b"\x01last") + frame(b"\x03\xe8", code=8))
    assert channels.receive() == [(STDOUT, b"last")]
    assert not channels.open
    channels.flush()
    assert unmasked(theirs.recv(100)) == [(0xA, b"hi")]


def test_a_connection_that_is_gone(ends: tuple[Channels, socket.socket]) -> None:
    channels, theirs = ends
    theirs.close()
    assert channels.receive() == []
    assert not channels.open
    channels.send(STDIN, b"x")
    with pytest.raises(Unreachable):
        channels.flush()
    channels.close()


def test_everything_until_the_end_is_collected(ends: tuple[Channels, socket.socket]) -> None:
    channels, theirs = ends
    theirs.sendall(frame(b"\x01a") + frame(b"\x02b") + frame(b"\x01c") + frame(b"", code=8))
    assert channels.collect(5) == {STDOUT: b"ac", STDERR: b"b"}

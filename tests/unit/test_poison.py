"""The poisoned defaults of unit tests are poisonous."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nucleo_cli.domain import xdg


def test_nothing_can_be_written_below_the_home_folder() -> None:
    with pytest.raises(NotADirectoryError):
        (Path.home() / "file").write_text("")


@pytest.mark.parametrize("folder", [xdg.cache, xdg.config, xdg.state])
def test_no_xdg_folder_can_be_made(folder: Callable[[], Path]) -> None:
    with pytest.raises(NotADirectoryError):
        folder().mkdir(parents=True)


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.com", 443)])
def test_the_network_is_out_of_reach(address: tuple[str, int]) -> None:
    with pytest.raises(RuntimeError, match="give it a fake"):
        socket.create_connection(address)


def test_the_engine_of_this_machine_is_out_of_reach() -> None:
    with socket.socket(socket.AF_UNIX) as engine, pytest.raises(RuntimeError, match="give it a fake"):
        engine.connect("/var/run/docker.sock")


def test_loopback_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_a_home_of_its_own_can_be_asked_for(home: Path) -> None:
    xdg.state().mkdir(parents=True)
    assert xdg.state().is_relative_to(home)

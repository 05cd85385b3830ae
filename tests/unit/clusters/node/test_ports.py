"""Which ports a node gets."""

import socket
from collections.abc import Iterator

import pytest

from nucleo_cli.clusters.node import ports
from nucleo_cli.clusters.node.ports import Ports


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_listens_is_not_chosen(listening: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_PREFERRED", dict.fromkeys((ports.API, ports.REGISTRY, ports.HTTP), listening))
    chosen = ports.choose()
    assert listening not in (chosen.api, chosen.registry, chosen.http)


def test_a_promised_port_is_not_chosen() -> None:
    chosen = ports.choose({6443, 5000, 8080})
    assert not {6443, 5000, 8080} & {chosen.api, chosen.registry, chosen.http}


def test_bindings_are_on_loopback_and_are_read_back() -> None:
    chosen = Ports(6443, 5001, 8081)
    made = chosen.bindings()
    assert made == {
        "6443/tcp": ("127.0.0.1", 6443),
        "5000/tcp": ("127.0.0.1", 5001),
        "80/tcp": ("127.0.0.1", 8081),
    }
    listed = {inner: [{"HostIp": address, "HostPort": str(port)}] for inner, (address, port) in made.items()}
    assert ports.bound({"HostConfig": {"PortBindings": listed}}) == chosen

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
    inner = (ports.API, ports.REGISTRY, ports.HTTP, ports.HTTPS)
    monkeypatch.setattr(ports, "_PREFERRED", dict.fromkeys(inner, listening))
    chosen = ports.choose()
    assert listening not in (chosen.api, chosen.registry, chosen.http, chosen.https)


def test_a_promised_port_is_not_chosen() -> None:
    chosen = ports.choose({6443, 5000, 8080, 8443})
    assert not {6443, 5000, 8080, 8443} & {chosen.api, chosen.registry, chosen.http, chosen.https}


def test_bindings_are_on_loopback_and_are_read_back() -> None:
    chosen = Ports(6443, 5001, 8081, 8444)
    made = chosen.bindings()
    assert made == {
        "6443/tcp": ("127.0.0.1", 6443),
        "5000/tcp": ("127.0.0.1", 5001),
        "80/tcp": ("127.0.0.1", 8081),
        "443/tcp": ("127.0.0.1", 8444),
    }
    listed = {inner: [{"HostIp": address, "HostPort": str(port)}] for inner, (address, port) in made.items()}
    assert ports.bound({"HostConfig": {"PortBindings": listed}}) == chosen


def test_a_container_of_an_older_version_gets_a_port_for_https() -> None:
    made = Ports(6443, 5001, 8081, 8444).bindings()
    listed = {inner: [{"HostPort": str(port)}] for inner, (_, port) in made.items() if inner != "443/tcp"}
    kept = ports.bound({"HostConfig": {"PortBindings": listed}})
    assert kept == Ports(6443, 5001, 8081, 0)
    completed = ports.complete(kept, {8443})
    assert (completed.http, completed.https not in (0, 8443)) == (8081, True)
    assert ports.complete(completed) == completed

"""Who is behind an address."""

from ipaddress import ip_address

import pytest

from nucleo_cli.agent.names import Names, Peer
from nucleo_cli.agent.world import World
from tests.contract.network.frames import answer, wire
from tests.unit.agent.worlds import pod, service, world


def who(names: Names, address: str) -> Peer:
    return names.peer(ip_address(address))


@pytest.fixture
def names() -> Names:
    plain = pod("tool", "10.1.0.9", "")
    plain["metadata"]["labels"] = {}
    return Names(
        world(
            ("pods", pod("users-1", "10.1.0.5", "users")),
            ("pods", plain),
            ("services", service("people", "10.96.0.50", "users")),
            ("services", service("nobody", "10.96.0.51", "none")),
            ("nodes", {"metadata": {"name": "n"}, "status": {"addresses": [{"address": "192.0.2.7"}]}}),
        )
    )


@pytest.mark.parametrize(
    ("address", "kind", "name"),
    [
        ("10.1.0.5", "app", "shop/users"),
        ("10.96.0.50", "app", "shop/users"),
        ("10.1.0.9", "pod", "shop/tool"),
        ("10.96.0.51", "service", "shop/nobody"),
        ("192.0.2.7", "node", "node"),
        ("192.0.2.1", "node", "node"),
        ("203.0.113.9", "address", "203.0.113.9"),
    ],
)
def test_of_the_cluster(names: Names, address: str, kind: str, name: str) -> None:
    assert who(names, address)[:2] == (kind, name)


def test_a_service_tells_the_port_behind_its_own(names: Names) -> None:
    assert who(names, "10.96.0.50").target("TCP", 80) == 8080
    assert who(names, "10.96.0.50").target("TCP", 81) == who(names, "10.96.0.50").target("UDP", 80) == 0
    assert who(names, "10.1.0.5").target("TCP", 80) == 80


def test_a_pod_that_comes_with_the_address_of_another(names: Names) -> None:
    gone = pod("users-1", "10.1.0.5", "users")
    assert who(names, "10.1.0.5").name == "shop/users"
    names.world.take("pods", "DELETED", gone)
    assert who(names, "10.1.0.5").kind == "address"
    names.world.take("pods", "ADDED", pod("new-1", "10.1.0.5", "new"))
    assert who(names, "10.1.0.5").name == "shop/new"


def test_hosts_by_what_was_answered(names: Names) -> None:
    chain = [(b"", 5, 1, wire("edge.cdn.net")), (wire("edge.cdn.net"), 1, 1, bytes([198, 51, 100, 1]))]
    names.learn(answer("API.example.com", 9, [*chain, (b"", 28, 1, ip_address("2001:db8::1").packed)]))
    assert who(names, "198.51.100.1") == who(names, "2001:db8::1") == Peer("dns", "api.example.com")


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_an_answer_that_breaks_off_says_nothing_wrong(cut: int) -> None:
    names = Names(World("here"))
    names.learn(answer("api.example.com", 9, [(b"", 1, 1, bytes([198, 51, 100, 1]))] * 2)[:cut])
    assert who(names, "198.51.100.1").name in ("198.51.100.1", "api.example.com")

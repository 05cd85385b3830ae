"""An AppNetwork and the world make maps; the maps decide as the rules say."""

from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.agent import maps
from nucleo_cli.agent.maps import TCP, UDP, Direction
from nucleo_cli.agent.rules import Block, Maps, Opened, Ports, block_of, by_block, compiled, pod_number, policy_number
from tests.unit.agent.worlds import Json, network, pod, service, tcp, world

DNS = {
    "rule": "implied: kube-dns",
    "cidr": {"block": "10.96.0.10/32"},
    "ports": [{"protocol": "UDP", "first": 53, "last": 53}],
}
USERS = {"pods": {"namespace": "shop", "labels": {"nucleo.io/app": "users"}}}
WORLD: tuple[tuple[str, Json], ...] = (
    ("pods", pod("users-1", "10.1.0.5", "users")),
    ("pods", pod("users-2", "10.1.0.6", "users")),
    ("pods", pod("users-3", "10.1.0.7", "users", hostNetwork=True)),
    ("pods", pod("other", "10.1.0.8", "other")),
    ("pods", pod("elsewhere", "10.1.0.9", "users", "evil")),
    ("services", service("users", "10.96.0.50", "users")),
    ("services", service("other", "10.96.0.51", "other")),
    (
        "services",
        {"metadata": {"namespace": "default", "name": "kubernetes"}, "spec": {"clusterIP": "10.96.0.1", "ports": []}},
    ),
    (
        "endpointslices",
        {"metadata": {"namespace": "default", "name": "kubernetes"}, "endpoints": [{"addresses": ["192.0.2.9"]}]},
    ),
    ("nodes", {"metadata": {"name": "here"}, "status": {"addresses": [{"address": "192.0.2.1"}, {"address": "here"}]}}),
)


def decide(
    made: Maps, address: str, port: int, protocol: int = TCP, direction: Direction = Direction.OUT
) -> str | None:
    """What the kernel would find: the rule of the narrowest block and the narrowest range of ports."""
    found = _longest(made.peers, maps.peer(made.policy, direction, address))
    rule = (
        _longest(made.ports, maps.port_keys(int.from_bytes(found, "little"), protocol, port, port)[0])
        if found
        else None
    )
    return made.rule(int.from_bytes(rule, "little")) if rule else None


def _longest(entries: Any, key: bytes) -> bytes | None:
    """As a trie of prefixes does it: the first four bytes are the length, the rest is compared bit by bit."""

    def fits(entry: bytes) -> bool:
        length = int.from_bytes(entry[:4], "little")
        rest = 8 * len(key) - 32 - length
        return int.from_bytes(entry[4:], "big") >> rest == int.from_bytes(key[4:], "big") >> rest

    fitting = [entry for entry in entries if fits(entry)]
    return entries[max(fitting, key=lambda entry: int.from_bytes(entry[:4], "little"))] if fitting else None


def egress(*peers: Json) -> Maps:
    return compiled(network([*peers]), world(*WORLD))


def test_the_pods_of_an_app_and_its_service() -> None:
    made = egress({"rule": "app:users:8080", **USERS, "ports": [tcp(8080)]})
    assert decide(made, "10.1.0.5", 8080) == decide(made, "10.1.0.6", 8080) == "app:users:8080"
    assert decide(made, "10.96.0.50", 80) == "app:users:8080", "the Service's port leads to 8080"
    for address, port in (
        ("10.1.0.5", 80),
        ("10.96.0.50", 8080),
        ("10.1.0.7", 8080),
        ("10.1.0.8", 8080),
        ("10.1.0.9", 8080),
    ):
        assert decide(made, address, port) is None, address
    assert decide(made, "10.1.0.5", 8080, UDP) is None
    assert made.flags == maps.POLICY_CLOSED_OUT


def test_a_named_port_of_a_service() -> None:
    named = service("users", "10.96.0.50", "users", targetPort="http")
    made = compiled(network([{"rule": "r", **USERS, "ports": [tcp(8080)]}]), world(*WORLD[:2], ("services", named)))
    assert decide(made, "10.96.0.50", 80) == "r"


def test_no_ports_are_every_port() -> None:
    made = egress({"rule": "app:users", **USERS})
    assert decide(made, "10.1.0.5", 1) == decide(made, "10.96.0.50", 65535, UDP) == "app:users"


def test_a_service_by_its_own_port() -> None:
    made = egress({"rule": "service:users:80", "service": {"namespace": "shop", "name": "users"}, "ports": [tcp(80)]})
    assert decide(made, "10.96.0.50", 80) == "service:users:80"
    assert decide(made, "10.1.0.5", 8080) == "service:users:80"
    assert decide(made, "10.1.0.5", 80) is None
    assert not egress({"rule": "service:none", "service": {"namespace": "shop", "name": "none"}}).peers


def test_blocks_without_their_exceptions() -> None:
    wide = {"rule": "wide", "cidr": {"block": "10.0.0.0/8", "excluded": ["10.1.0.0/16"]}, "ports": [tcp(443)]}
    made = egress(wide, {"rule": "narrow", "cidr": {"block": "10.1.0.0/24"}, "ports": [tcp(80)]})
    assert decide(made, "10.2.0.1", 443) == "wide"
    assert decide(made, "10.1.9.1", 443) is None
    assert decide(made, "10.1.0.1", 443) is None
    assert decide(made, "10.1.0.1", 80) == "narrow"


def test_what_is_wide_holds_inside_of_what_is_narrow() -> None:
    made = egress(
        {"rule": "wide", "cidr": {"block": "0.0.0.0/0"}, "ports": [tcp(443)]},
        {"rule": "narrow", "cidr": {"block": "10.1.0.5/32"}, "ports": [tcp(5432)]},
    )
    assert (decide(made, "10.1.0.5", 443), decide(made, "10.1.0.5", 5432)) == ("wide", "narrow")
    assert decide(made, "2001:db8::1", 443) is None, "the other family is not meant"


def test_the_api_server_the_node_and_the_ingress() -> None:
    made = egress({"rule": "kube-api", "special": "kube-api"})
    assert decide(made, "10.96.0.1", 443) == decide(made, "192.0.2.9", 6443) == "kube-api"
    inbound = [{"rule": "node", "special": "node", "ports": [tcp(8080)]}, {"rule": "ingress", "special": "ingress"}]
    made = compiled(network(ingress=inbound), world(*WORLD))
    assert decide(made, "192.0.2.1", 8080, direction=Direction.IN) == "node"
    assert decide(made, "192.0.2.1", 9090, direction=Direction.IN) == "ingress"
    assert made.flags == maps.POLICY_CLOSED_IN


def dns(*hosts: str, ports: tuple[int, ...] = (443,)) -> list[Json]:
    return [
        {"rule": f"dns:{host}:{port}", "dns": {"name": host}, "ports": [tcp(port)]} for host in hosts for port in ports
    ]


def test_names_keep_their_index() -> None:
    first = compiled(network(dns("a.example", "b.example")), world())
    assert first.names == ("a.example", "b.example")
    second = compiled(network(dns("b.example")), world(), first.names)
    assert second.names == ("", "b.example")
    assert list(second.name_ports) == [maps.pair(first.policy, 1)]
    assert compiled(network(dns("c.example", "b.example")), world(), second.names).names == ("c.example", "b.example")


def test_two_rules_of_one_host_open_the_ports_of_both() -> None:
    made = compiled(network(dns("a.example", ports=(443, 8443))), world())
    ((_, of),) = made.name_ports.items()
    (both,) = compiled(network([{**dns("a.example")[0], "ports": [tcp(443), tcp(8443)]}]), world()).name_ports
    assert list(made.name_ports) == [both]
    opened = {made.rule(int.from_bytes(value, "little")) for key, value in made.ports.items() if maps.set_of(key) == of}
    assert opened == {"dns:a.example:443", "dns:a.example:8443"}


def test_no_more_hosts_than_there_is_room_for() -> None:
    many = [f"{each}.example" for each in range(maps.NAMES_PER_POLICY)]
    assert len(compiled(network(dns(*many)), world()).names) == maps.NAMES_PER_POLICY
    with pytest.raises(ValueError, match="65 hosts in one app's rules: at most 64"):
        compiled(network(dns(*many, "one-more.example")), world())


def test_modes_limits_and_open_directions() -> None:
    assert compiled(network(), world()).flags == 0
    assert compiled(network([], [], mode="Audit"), world()).flags == 7
    made = compiled(network(egressBytesPerSecond=8_000_000), world())
    assert (made.rate, made.burst) == (8_000_000, 1_000_000)
    assert compiled(network(egressBytesPerSecond=1), world()).burst == 131072


def test_the_first_of_two_rules_for_the_same_ports_is_named() -> None:
    made = egress({"rule": "one", **USERS, "ports": [tcp(8080)]}, {"rule": "two", **USERS, "ports": [tcp(8080)]})
    assert decide(made, "10.1.0.5", 8080) == "one"
    assert made.rule(0) is None
    assert made.rule(3) is None


def test_numbers_are_the_same_everywhere() -> None:
    assert policy_number("shop", "shop") == 4099106059
    assert policy_number("shop", "shop") != policy_number("shop", "shop2")
    assert pod_number("uid") > 0


@pytest.mark.parametrize("text", ["10.0.0.0/8", "2001:db8::/32", "10.1.2.3", "::1"])
def test_blocks_are_those_of_the_addresses(text: str) -> None:
    block = block_of(text)
    address = ip_address(text.partition("/")[0])
    mapped = address if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}")
    assert block.first == int(mapped)


def _block(bits: int, length: int) -> Block:
    return Block(bits << 124 >> (128 - length) << (128 - length), length)


_blocks = st.builds(_block, st.integers(0, 15), st.integers(0, 4))
_opened = st.builds(
    Opened,
    _blocks,
    st.integers(1, 3).map(lambda rule: (Ports(TCP, rule, rule, rule),)),
    st.lists(_blocks, max_size=2).map(tuple),
)


@given(st.lists(_opened, max_size=6), st.integers(0, 15))
def test_the_narrowest_block_has_all_that_is_open_in_it(opened: list[Opened], bits: int) -> None:
    address = Block(bits << 124, 128)
    wanted = {
        port
        for each in opened
        if address.within(each.block) and not any(address.within(out) for out in each.excluded)
        for port in each.ports
    }
    found = [block for block in by_block(opened) if address.within(block)]
    narrowest = max(found, key=lambda block: block.length, default=None)
    assert (by_block(opened)[narrowest] if narrowest else set()) == wanted


def test_all_pods_of_a_namespace() -> None:
    inbound: list[Json] = [{"rule": "ingress", "pods": {"namespace": "shop", "labels": {}}}]
    made = compiled(network(ingress=inbound), world(*WORLD))
    assert decide(made, "10.1.0.8", 8080, direction=Direction.IN) == "ingress"
    assert decide(made, "10.1.0.9", 8080, direction=Direction.IN) is None

"""An AppNetwork and the world → what the maps of the kernel have to hold for it. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, NamedTuple

from nucleo_cli.agent import maps
from nucleo_cli.agent.maps import Direction
from nucleo_cli.agent.world import Json, World, addresses, key, target_ports, virtual_addresses

_PROTOCOLS = {"TCP": maps.TCP, "UDP": maps.UDP}
_ALL_BITS = 128
_DEFAULT_BURST = 128 * 1024
_BURST_SECONDS = 8


class Ports(NamedTuple):
    """A range that a rule opens; `protocol` None: every port of every protocol."""

    protocol: int | None
    first: int
    last: int
    rule: int


class Block(NamedTuple):
    """A block of addresses as its first address and the length of its prefix; IPv4 in ::ffff:0:0/96."""

    first: int
    length: int

    def within(self, other: Block) -> bool:
        return self.length >= other.length and self.first >> (_ALL_BITS - other.length) == other.first >> (
            _ALL_BITS - other.length
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A block that a rule opens ports of, save for blocks inside it."""

    block: Block
    ports: tuple[Ports, ...]
    excluded: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Maps:
    """What the maps hold for one policy, as bytes by key; `names` are those of hosts, in the order of their index."""

    policy: int
    flags: int
    rate: int
    burst: int
    peers: Mapping[bytes, bytes]
    ports: Mapping[bytes, bytes]
    names: tuple[str, ...]
    name_ports: Mapping[bytes, bytes]
    rules: tuple[str, ...] = field(default=())

    def rule(self, number: int) -> str | None:
        """How nucleo.yml writes the rule of a record."""
        return self.rules[number - 1] if 0 < number <= len(self.rules) else None


def policy_number(namespace: str, name: str) -> int:
    """The same on every node and after every start, never 0: what is pinned in the kernel stays right."""
    return _hashed(f"{namespace}/{name}") or 1


def pod_number(uid: str) -> int:
    return _hashed(uid) or 1


def hosts(network: Json) -> list[str]:
    """The names that the rules have."""
    return [peer["dns"]["name"] for peer in network["spec"].get("egress", ()) if "dns" in peer]


def compiled(network: Json, world: World, known_names: tuple[str, ...] = ()) -> Maps:
    """The maps of an AppNetwork. `known_names` keep their index.

    ValueError for what the kernel's maps have no room for.
    """
    spec, policy = network["spec"], policy_number(*key(network))
    peers: dict[bytes, bytes] = {}
    ports: dict[bytes, bytes] = {}
    name_ports: dict[bytes, bytes] = {}
    rules: list[str] = []
    names = _places(known_names, hosts(network))
    flags = maps.POLICY_AUDIT if spec["mode"] == "Audit" else 0
    for direction, kind, flag in (
        (Direction.OUT, "egress", maps.POLICY_CLOSED_OUT),
        (Direction.IN, "ingress", maps.POLICY_CLOSED_IN),
    ):
        if kind not in spec:
            continue
        flags |= flag
        opened: list[Opened] = []
        named: dict[int, set[Ports]] = defaultdict(set)
        for peer in spec[kind]:
            if peer["rule"] not in rules:
                rules.append(peer["rule"])
            wanted = _ports(peer, rules.index(peer["rule"]) + 1)
            if "dns" in peer:
                named[names.index(peer["dns"]["name"])].update(wanted)
            else:
                opened += _opened(peer, wanted, world)
        for block, open_ports in by_block(opened).items():
            peers[_peer(policy, direction, block)] = _set(open_ports, ports)
        for index, open_ports in named.items():
            name_ports[maps.pair(policy, index)] = _set(open_ports, ports)
    rate = int(spec.get("egressBytesPerSecond", 0))
    burst = max(rate // _BURST_SECONDS, _DEFAULT_BURST) if rate else 0
    return Maps(policy, flags, rate, burst, peers, ports, tuple(names), name_ports, tuple(rules))


def _places(known: tuple[str, ...], wanted: list[str]) -> list[str]:
    """The hosts by their index; "" where there is none any more. New ones take the first free places."""
    names = [name if name in wanted else "" for name in known]
    for name in wanted:
        if name in names:
            continue
        if "" in names:
            names[names.index("")] = name
        else:
            names.append(name)
    if len(names) > maps.NAMES_PER_POLICY:
        raise ValueError(
            f"{len(set(wanted))} hosts in one app's rules: at most {maps.NAMES_PER_POLICY} can be enforced"
        )
    return names


def _opened(peer: Json, ports: tuple[Ports, ...], world: World) -> Iterator[Opened]:
    if "cidr" in peer:
        excluded = tuple(map(block_of, peer["cidr"].get("excluded", ())))
        yield Opened(block_of(peer["cidr"]["block"]), ports, excluded)
    elif "pods" in peer:
        pods = list(world.pods(peer["pods"]["namespace"], peer["pods"]["labels"]))
        for address in (one for pod in pods for one in addresses(pod)):
            yield Opened(block_of(address), ports)
        for service in world.services(peer["pods"]["namespace"], pods):
            yield from _of_service(service, _through(service, pods, ports))
    elif "service" in peer:
        yield from _service(peer["service"], ports, world)
    elif peer["special"] == "kube-api":
        yield from _kube_api(ports, world)
    else:
        found = world.node_addresses() if peer["special"] == "ingress" else world.here
        yield from (Opened(block_of(address), ports) for address in sorted(found))


def _through(service: Json, pods: list[Json], ports: tuple[Ports, ...]) -> tuple[Ports, ...]:
    """The ports of a Service behind which there are ports that a rule opens."""
    if any(each.protocol is None for each in ports):
        return ports
    return tuple(
        Ports(_PROTOCOLS[protocol], outer, outer, each.rule)
        for protocol, outer, inner in target_ports(service, pods)
        for each in ports
        if protocol in _PROTOCOLS and each.protocol == _PROTOCOLS[protocol] and each.first <= inner <= each.last
    )


def _of_service(service: Json, ports: tuple[Ports, ...]) -> Iterator[Opened]:
    for address in virtual_addresses(service) if ports else ():
        yield Opened(block_of(address), ports)


def _service(named: Json, ports: tuple[Ports, ...], world: World) -> Iterator[Opened]:
    """A Service by its own ports, and the pods behind those."""
    service = world.get("services", named["namespace"], named["name"])
    if service is None:
        return
    selector: Mapping[str, str] = service["spec"].get("selector") or {}
    pods = list(world.pods(named["namespace"], selector)) if selector else []
    outer: list[Ports] = []
    inner: list[Ports] = []
    for protocol, port, target in target_ports(service, pods):
        for each in ports:
            known = _PROTOCOLS.get(protocol)
            if known and each.protocol in (None, known) and each.first <= port <= each.last:
                outer.append(Ports(known, port, port, each.rule))
                inner.append(Ports(known, target, target, each.rule))
    yield from _of_service(service, tuple(outer))
    for address in (one for pod in pods for one in addresses(pod)):
        yield Opened(block_of(address), tuple(inner))


def _kube_api(ports: tuple[Ports, ...], world: World) -> Iterator[Opened]:
    service = world.get("services", "default", "kubernetes")
    if service is not None:
        yield from _of_service(service, ports)
    for each in world.of("endpointslices", "default"):
        for address in (one for endpoint in each.get("endpoints") or () for one in endpoint["addresses"]):
            yield Opened(block_of(address), ports)


def by_block(opened: Iterable[Opened]) -> dict[Block, frozenset[Ports]]:
    """For each block that anything says something about, all ports that are open in it: the kernel finds only the
    narrowest block of an address."""
    by_block: dict[Block, list[Opened]] = defaultdict(list)
    for each in opened:
        by_block[each.block].append(each)
    blocks = {*by_block, *(one for each in by_block.values() for said in each for one in said.excluded)}
    lengths = sorted({block.length for block in by_block})
    found: dict[Block, frozenset[Ports]] = {}
    for block in blocks:
        open_ports: set[Ports] = set()
        for length in lengths:
            if length > block.length:
                break
            for said in by_block.get(_widened(block, length), ()):
                if not any(block.within(excluded) for excluded in said.excluded):
                    open_ports.update(said.ports)
        found[block] = frozenset(open_ports)
    return found


def _widened(block: Block, length: int) -> Block:
    rest = _ALL_BITS - length
    return Block(block.first >> rest << rest, length)


def _set(open_ports: Set[Ports], into: dict[bytes, bytes]) -> bytes:
    """The number of a set of ports, whose entries are added. A set has the same number wherever it is used, so that a
    block goes from one set to another in one step."""
    ordered = sorted(open_ports, key=lambda each: (each.protocol or 0, each.first, each.last, each.rule))
    number = _hashed(repr([tuple(each) for each in ordered])) or 1
    for each in reversed(ordered):  # of two rules for the same ports the first is named
        for port in maps.port_keys(number, each.protocol, each.first, each.last):
            into[port] = maps.number(each.rule)
    return maps.number(number)


def _ports(peer: Mapping[str, Any], rule: int) -> tuple[Ports, ...]:
    if "ports" not in peer:
        return (Ports(None, 0, 65535, rule),)
    return tuple(Ports(_PROTOCOLS[each["protocol"]], each["first"], each["last"], rule) for each in peer["ports"])


def _peer(policy: int, direction: Direction, block: Block) -> bytes:
    return maps.peer_of(policy, direction, block.first.to_bytes(16, "big"), block.length)


def block_of(text: str) -> Block:
    """A block, or an address alone."""
    network = ip_network(text)
    if network.version == 6:
        return Block(int(network.network_address), network.prefixlen)
    return Block(0xFFFF << 32 | int(network.network_address), network.prefixlen + 96)


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

"""Who is behind an address: pods and Services of the cluster, and hosts by what resolvers have answered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from nucleo_cli.agent.world import Json, World, addresses, has_network, key, target_ports, virtual_addresses
from nucleo_cli.domain.documents import labels
from nucleo_cli.domain.labels import APP

_REMEMBERED = 20_000
_A, _AAAA, _CNAME = 1, 28, 5
_HEADER_BYTES = 12


class Peer(NamedTuple):
    """`kind` is app, service, pod, node, dns or address; `name` is how a rule would write it.

    `targets` are the ports that a rule would name, by protocol and port of a Service; None where it is no Service.
    """

    kind: str
    name: str
    targets: Mapping[tuple[str, int], int] | None = None

    def target(self, protocol: str, port: int) -> int:
        """The port that a rule would name; 0 where a Service has no such port."""
        return port if self.targets is None else self.targets.get((protocol, port), 0)


class Names:
    """Answers by name, for as long as they are remembered; the ones that were used last stay."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._hosts: OrderedDict[str, str] = OrderedDict()
        self._known: dict[str, Peer] = {}
        self._known_at = -1

    def learn(self, message: bytes) -> None:
        """Take in a resolver's answer (RFC 1035, 4.1); one that cannot be read says nothing."""
        try:
            asked, found = _answers(message)
        except (IndexError, ValueError):
            return
        for address in found:
            self._hosts[address] = asked
            self._hosts.move_to_end(address)
        while len(self._hosts) > _REMEMBERED:
            self._hosts.popitem(last=False)

    def peer(self, remote: IPv4Address | IPv6Address) -> Peer:
        if self._known_at != self.world.changes:
            self._known_at = self.world.changes
            self._known = dict(self._of_cluster())
        address = str(remote)
        if found := self._known.get(address):
            return found
        host = self._hosts.get(address)
        return Peer("dns", host) if host else Peer("address", address)

    def _of_cluster(self) -> Iterator[tuple[str, Peer]]:
        for address in self.world.node_addresses():
            yield address, Peer("node", "node")
        for service in self.world.of("services"):
            peer = self._service(service)
            yield from ((address, peer) for address in virtual_addresses(service))
        for pod in self.world.of("pods"):
            if has_network(pod):
                peer = _pod(pod)
                yield from ((address, peer) for address in addresses(pod))

    def _service(self, service: Json) -> Peer:
        """A Service that leads to one app is that app."""
        namespace, name = key(service)
        selector: Mapping[str, str] = service["spec"].get("selector") or {}
        behind = list(self.world.pods(namespace, selector)) if selector else []
        apps = {app for pod in behind if (app := labels(pod).get(APP))}
        if len(apps) != 1:
            ports = service["spec"].get("ports") or ()
            own = {(each.get("protocol", "TCP"), each["port"]): each["port"] for each in ports}
            return Peer("service", f"{namespace}/{name}", own)
        targets = {(protocol, outer): inner for protocol, outer, inner in target_ports(service, behind)}
        return Peer("app", f"{namespace}/{apps.pop()}", targets)


def _pod(pod: Json) -> Peer:
    namespace, name = key(pod)
    app = labels(pod).get(APP)
    return Peer("app", f"{namespace}/{app}") if app else Peer("pod", f"{namespace}/{name}")


def _answers(message: bytes) -> tuple[str, list[str]]:
    """The name that was asked for, and the addresses of the answer; those of a long one that were told."""
    asked, at = _name(message, _HEADER_BYTES)
    at += 4
    found: list[str] = []
    for _ in range(int.from_bytes(message[6:8], "big")):
        try:
            _, at = _name(message, at)
        except IndexError:
            break
        kind, size = int.from_bytes(message[at : at + 2], "big"), int.from_bytes(message[at + 8 : at + 10], "big")
        data = message[at + 10 : at + 10 + size]
        at += 10 + size
        if kind == _A and size == 4:
            found.append(str(IPv4Address(data)))
        elif kind == _AAAA and size == 16:
            found.append(str(IPv6Address(data)))
    return asked, found


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and where it ends; what a pointer leads to is of no interest here."""

    def labels_of() -> Iterator[str]:
        nonlocal at
        while size := message[at]:
            if size >= 0xC0:
                at += 1
                break
            yield message[at + 1 : at + 1 + size].decode("ascii").lower()
            at += size + 1
        at += 1

    return ".".join(labels_of()), at

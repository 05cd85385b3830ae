"""What the cluster is made of, as far as rules name it: pods, Services, nodes, and the rules themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

Json = Mapping[str, Any]

_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass
class World:
    """Objects of the API by kind ("pods", "services", …) and then by namespace and name.

    `here` are the addresses of this machine itself, `node` is its name.
    """

    node: str
    here: frozenset[str] = frozenset()
    objects: dict[str, dict[tuple[str, str], Json]] = field(default_factory=dict[str, dict[tuple[str, str], Json]])
    changes: int = 0

    def take(self, kind: str, event: str, found: Json) -> None:
        """An event of a watch: ADDED, MODIFIED or DELETED."""
        store = self.objects.setdefault(kind, {})
        self.changes += 1
        if event == "DELETED":
            store.pop(key(found), None)
        else:
            store[key(found)] = found

    def reset(self, kind: str, items: list[Json]) -> None:
        """All that there is of a kind."""
        self.objects[kind] = {key(each): each for each in items}
        self.changes += 1

    def of(self, kind: str, namespace: str | None = None) -> Iterator[Json]:
        for (where, _), each in list(self.objects.get(kind, {}).items()):
            if namespace is None or where == namespace:
                yield each

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        return self.objects.get(kind, {}).get((namespace, name))

    def pods(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Json]:
        """Those that have an address of their own."""
        return (each for each in self.of("pods", namespace) if has_network(each) and has(each, labels))

    def local_pods(self, network: Json) -> list[Json]:
        """The pods of this node that the rules hold for."""
        labels = network["spec"]["podSelector"]["matchLabels"]
        found = self.pods(key(network)[0], labels)
        return [each for each in found if each["spec"].get("nodeName") == self.node]

    def services(self, namespace: str, pods: list[Json]) -> Iterator[Json]:
        """The Services that lead to at least one of the pods."""
        for each in self.of("services", namespace):
            selector = each["spec"].get("selector")
            if selector and any(has(pod, selector) for pod in pods):
                yield each

    def node_addresses(self) -> frozenset[str]:
        """Of all nodes: a proxy that shares the network of one has them."""
        found = (one["address"] for each in self.of("nodes") for one in each.get("status", {}).get("addresses", ()))
        return self.here | frozenset(one for one in found if is_address(one))


def key(found: Json) -> tuple[str, str]:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def has(found: Json, labels: Mapping[str, str]) -> bool:
    own: Mapping[str, str] = found["metadata"].get("labels") or {}
    return all(own.get(name) == value for name, value in labels.items())


def has_network(pod: Json) -> bool:
    """Whether its network is its own, and in use."""
    return not pod["spec"].get("hostNetwork") and pod.get("status", {}).get("phase") not in _ENDED


def addresses(pod: Json) -> list[str]:
    return [one["ip"] for one in pod.get("status", {}).get("podIPs") or ()]


def virtual_addresses(service: Json) -> list[str]:
    spec = service["spec"]
    found = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
    outside = [one.get("ip", "") for one in service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()]
    return [one for one in (*found, *spec.get("externalIPs", ()), *outside) if is_address(one)]


def target_ports(service: Json, pods: list[Json]) -> Iterator[tuple[str, int, int]]:
    """Protocol, the Service's port, and the port of the pods behind it: one for each that a name stands for."""
    for each in service["spec"].get("ports") or ():
        target = each.get("targetPort", each["port"])
        protocol = each.get("protocol", "TCP")
        if isinstance(target, int):
            yield protocol, each["port"], target
            continue
        named = (one for pod in pods for container in pod["spec"]["containers"] for one in container.get("ports", ()))
        for port in {one["containerPort"] for one in named if one.get("name") == target}:
            yield protocol, each["port"], port


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

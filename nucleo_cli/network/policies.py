"""Rules → NetworkPolicy of Kubernetes itself.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ (Kubernetes 1.34). It allows by labels of pods
and by addresses. What comes from a pod's own node always passes, so that health checks need no rule.
"""

from nucleo_cli.domain.app import App
from nucleo_cli.domain.network import CidrPeer, Direction, IngressPeer, InternetPeer, PortRange
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.allowed import (
    ANY_ADDRESS,
    NOT_INTERNET,
    Allowed,
    AnyPeer,
    NodePeer,
    PodsPeer,
    allowed,
    hops,
    own_pods,
    pods_of,
)
from nucleo_cli.network.manifest import Json, manifest


def network_policies(app: App, settings: Settings) -> list[Json]:
    """The NetworkPolicy of the app; none where both directions are open. For rules that `check` has nothing against."""
    spec: Json = {"podSelector": {"matchLabels": own_pods(app).labels}, "policyTypes": []}
    sides: tuple[tuple[Direction, str], ...] = (("from", "Ingress"), ("to", "Egress"))
    for direction, kind in sides:
        if (flows := allowed(app, settings, direction)) is not None:
            spec["policyTypes"].append(kind)
            spec[kind.lower()] = [_entry(each, direction, app, settings) for each in flows if not _passes(each)]
    return [manifest(app, "networking.k8s.io/v1", "NetworkPolicy", spec)] if spec["policyTypes"] else []


def _passes(flow: Allowed) -> bool:
    return isinstance(flow.peer, NodePeer)


def _entry(flow: Allowed, direction: Direction, app: App, settings: Settings) -> Json:
    entry: Json = {direction: _peers(flow, app, settings)}
    if flow.ports:
        entry["ports"] = [_port(each) for each in flow.ports]
    return entry


def _port(port: PortRange) -> Json:
    found: Json = {"protocol": port.protocol, "port": port.first}
    return found if port.first == port.last else {**found, "endPort": port.last}


def _peers(flow: Allowed, app: App, settings: Settings) -> list[Json]:
    if pods := pods_of(flow.peer, app):
        return [_pods(pods)]
    match flow.peer:
        case CidrPeer(block, excluded):
            return [_block(block, excluded)]
        case InternetPeer():
            return [_block(block, excluded) for block, excluded in NOT_INTERNET.items()]
        case AnyPeer():
            return [_block(block) for block in ANY_ADDRESS]
        case IngressPeer():
            return [_hop(each) for each in hops(settings)]
        case _:
            raise AssertionError(f"{flow.text}: a NetworkPolicy has no such peer")


def _pods(pods: PodsPeer) -> Json:
    return {**_namespace(pods.namespace), "podSelector": {"matchLabels": pods.labels}}


def _namespace(name: str) -> Json:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _hop(hop: str) -> Json:
    return _block(hop) if "/" in hop else _namespace(hop)


def _block(block: str, excluded: tuple[str, ...] = ()) -> Json:
    return {"ipBlock": {"cidr": block, "except": list(excluded)} if excluded else {"cidr": block}}

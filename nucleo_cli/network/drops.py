"""What rules would do to flows that were seen: the question that is asked before they are in force. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network

from nucleo_cli.domain.app import App
from nucleo_cli.domain.flows import Flow
from nucleo_cli.domain.labels import APP
from nucleo_cli.domain.network import (
    AppPeer,
    CidrPeer,
    Direction,
    DnsPeer,
    IngressPeer,
    InternetPeer,
    KubeApiPeer,
    PortRange,
    ServicePeer,
)
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.allowed import (
    ANY_ADDRESS,
    NOT_INTERNET,
    AnyPeer,
    NodePeer,
    PodsPeer,
    allowed,
    app_pods,
    requests,
)

_API = "default/kubernetes"


def dropped(app: App, settings: Settings, flows: Iterable[Flow], behind: Mapping[str, str] = {}) -> Iterator[Flow]:
    """The flows that passed, and that the app's rules would not let pass; `behind` as in `would_allow`."""
    return (flow for flow in flows if flow.passed and not would_allow(app, settings, flow, behind))


def would_allow(app: App, settings: Settings, flow: Flow, behind: Mapping[str, str] = {}) -> bool:
    """Whether the app's rules let a flow pass.

    `behind` are the apps behind Services that rules name, both as NAMESPACE/NAME. Of other pods behind one only their
    namespace is known: those in the Service's own count as allowed.
    """
    direction: Direction = "from" if flow.direction == "in" else "to"
    rules = allowed(app, settings, direction)
    if rules is None:
        return True
    if direction == "from":
        rules += requests(app)
    return any(_fits(each.peer, each.ports, flow, app, behind) for each in rules)


def _fits(peer: object, ports: tuple[PortRange, ...], flow: Flow, app: App, behind: Mapping[str, str]) -> bool:
    return _is(peer, flow, app, behind) and (not ports or any(_has(each, flow, peer) for each in ports))


def _has(ports: PortRange, flow: Flow, peer: object) -> bool:
    """A rule for a Service names the Service's port, one for an app that of its pods."""
    port = flow.port if isinstance(peer, ServicePeer) else flow.target
    return ports.protocol == flow.protocol and ports.first <= port <= ports.last


def _is(peer: object, flow: Flow, app: App, behind: Mapping[str, str]) -> bool:
    match peer:
        case AppPeer():
            pods = app_pods(peer, app)
            return flow.kind == "app" and flow.peer == f"{pods.namespace}/{peer.name}"
        case PodsPeer(namespace, labels):
            return _is_pod(namespace, labels.get(APP), flow)
        case ServicePeer(name, namespace):
            service = f"{namespace or app.namespace}/{name}"
            in_its_namespace = flow.kind == "pod" and flow.peer.startswith(f"{namespace or app.namespace}/")
            return flow.peer in (service, behind.get(service)) or in_its_namespace
        case CidrPeer(block, excluded):
            return _in(flow.address, block) and not any(_in(flow.address, each) for each in excluded)
        case InternetPeer():
            inside = (each for blocks in NOT_INTERNET.values() for each in blocks)
            return any(_in(flow.address, each) for each in ANY_ADDRESS) and not any(
                _in(flow.address, each) for each in inside
            )
        case DnsPeer(name):
            same = flow.peer == name or (name.startswith("*.") and flow.peer.endswith(name[1:]))
            return flow.kind == "dns" and same
        case KubeApiPeer():
            return flow.peer == _API or flow.kind == "node"
        case IngressPeer() | NodePeer():
            return flow.kind in ("node", "pod")
        case AnyPeer():
            return True
        case _:
            raise AssertionError(peer)


def _is_pod(namespace: str, of_app: str | None, flow: Flow) -> bool:
    if of_app:
        return flow.kind == "app" and flow.peer == f"{namespace}/{of_app}"
    return flow.kind in ("app", "service", "pod") and flow.peer.startswith(f"{namespace}/")


def _in(address: str, block: str) -> bool:
    return ip_address(address) in ip_network(block)

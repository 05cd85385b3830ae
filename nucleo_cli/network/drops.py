"""What rules would do to flows that were seen: the question that is asked before they are in force. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network

from nucleo_cli.domain.app import App
from nucleo_cli.domain.flows import Flow
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


def dropped(app: App, settings: Settings, flows: Iterable[Flow]) -> Iterator[Flow]:
    """The flows that passed, and that the app's rules would not let pass."""
    for flow in flows:
        direction: Direction = "from" if flow.direction == "in" else "to"
        rules = allowed(app, settings, direction)
        if rules is None or not flow.passed:
            continue
        if direction == "from":
            rules += requests(app)
        if not any(_fits(each.peer, each.ports, flow, app) for each in rules):
            yield flow


def _fits(peer: object, ports: tuple[PortRange, ...], flow: Flow, app: App) -> bool:
    return _is(peer, flow, app) and (not ports or any(_has(each, flow, peer) for each in ports))


def _has(ports: PortRange, flow: Flow, peer: object) -> bool:
    """A rule for a Service names the Service's port, one for an app that of its pods."""
    port = flow.port if isinstance(peer, ServicePeer) else flow.target
    return ports.protocol == flow.protocol and ports.first <= port <= ports.last


def _is(peer: object, flow: Flow, app: App) -> bool:
    match peer:
        case AppPeer():
            pods = app_pods(peer, app)
            return flow.kind == "app" and flow.peer == f"{pods.namespace}/{peer.name}"
        case PodsPeer(namespace, _):
            return flow.kind in ("app", "service", "pod") and flow.peer.startswith(f"{namespace}/")
        case ServicePeer(name, namespace):
            # The pods behind it may be told by the name of their app.
            return flow.peer == f"{namespace or app.namespace}/{name}" or flow.kind == "app"
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


def _in(address: str, block: str) -> bool:
    return ip_address(address) in ip_network(block)

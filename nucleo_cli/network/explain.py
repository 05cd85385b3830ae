"""The rules as a table: who may reach the app, whom it may reach, why, and by which back end."""

from collections.abc import Iterator
from dataclasses import dataclass

from nucleo_cli.domain.app import App
from nucleo_cli.domain.network import (
    AppPeer,
    CidrPeer,
    Direction,
    DnsPeer,
    HttpRule,
    IngressPeer,
    InternetPeer,
    KubeApiPeer,
    PortRange,
    ServicePeer,
)
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.network.allowed import Allowed, AnyPeer, Implied, NodePeer, allowed, app_pods, hops, own_pods


@dataclass(frozen=True, slots=True)
class Row:
    """One allowed flow. `why` is a rule as it is written, or for an implied one the reason."""

    direction: Direction
    peer: str
    ports: str
    why: str
    implied: bool
    back_end: BackEnd


def explained(app: App, settings: Settings, back_end: BackEnd) -> tuple[Row, ...]:
    """A row for each flow that may pass; one for a direction as a whole that is open, or that nobody has a rule for."""
    return (*_rows(app, settings, back_end, "from"), *_rows(app, settings, back_end, "to"))


def _rows(app: App, settings: Settings, back_end: BackEnd, direction: Direction) -> Iterator[Row]:
    flows = allowed(app, settings, direction)
    if flows is None:
        yield Row(direction, "anybody", "every port", f"nothing is said of `{direction}`: it is open", True, back_end)
        return
    for each in flows:
        is_implied = isinstance(each, Implied)
        why = each.why if isinstance(each, Implied) else each.text
        yield Row(direction, _peer(each, app, settings), _ports(each.ports), why, is_implied, back_end)
    if not app.network.rules(direction) and not (direction == "from" and app.network.http):
        said = app.network.inbound if direction == "from" else app.network.outbound
        yield Row(
            direction, "nobody else", "", "default: deny" if said is None else f"{direction}: []", False, back_end
        )
    for each in app.network.http if direction == "from" else ():
        ports = f"{_ports(each.rule.ports)}, {_requests(each)}"
        yield Row(direction, _peer(each.rule, app, settings), ports, each.rule.text, False, back_end)


def _ports(ports: tuple[PortRange, ...]) -> str:
    return ", ".join(map(str, ports)) or "every port"


def _requests(rule: HttpRule) -> str:
    return f"{' or '.join(rule.methods) or 'any method'} of {' or '.join(rule.paths) or 'any path'}"


def _peer(flow: Allowed, app: App, settings: Settings) -> str:
    match flow.peer:
        case AppPeer():
            pods = app_pods(flow.peer, app)
            return f"app {flow.peer.name} in namespace {pods.namespace}"
        case ServicePeer(name, namespace):
            return f"Service {name} in namespace {namespace or app.namespace}"
        case CidrPeer(block, excluded):
            return f"{block} without {', '.join(excluded)}" if excluded else block
        case DnsPeer(name):
            return f"every name below {name[2:]}" if name.startswith("*.") else name
        case KubeApiPeer():
            return "the cluster's API server"
        case InternetPeer():
            return "every public address"
        case IngressPeer():
            return f"the ingress ({', '.join(known)})" if (known := hops(settings)) else "the ingress"
        case NodePeer():
            return "the node that the pod is on"
        case AnyPeer():
            return "anybody"
        case pods:
            return "the app itself" if pods == own_pods(app) else "the cluster's DNS"

"""Connections that show whether the rules are in force: some that they allow, and some that they do not. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nucleo_cli.domain.app import App
from nucleo_cli.domain.flows import Flow
from nucleo_cli.domain.network import AppPeer, DnsPeer, KubeApiPeer, PortRange, ServicePeer
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.allowed import Allowed, allowed, app_pods
from nucleo_cli.network.drops import dropped

# Of a block for documentation (RFC 5737): nobody is there, whatever the rules say.
NOWHERE = "192.0.2.1"
_API = "kubernetes.default.svc"
_OTHERS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody listens in the cluster: an address and port of a pod, and whose it is."""

    namespace: str
    app: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A TCP connection to open from inside the app. `why` is the rule that allows it, or that none does."""

    host: str
    port: int
    expected: bool
    why: str


@dataclass(frozen=True, slots=True)
class Untried:
    """A rule that leads to an app, and why there is nobody to connect to."""

    rule: str
    why: str


def trials(app: App, settings: Settings, places: Sequence[Place], behind: Mapping[str, str] = {}) -> list[Trial]:
    """What to try of the connections that go out; nothing where that direction is open.

    `behind` are the apps behind Services, as for `dropped`.
    """
    rules = allowed(app, settings, "to")
    if rules is None:
        return []
    found = [trial for rule in rules for trial in _allowed(rule, app, places)]
    if app.network.mode == "audit":  # all else is open, as it says
        return found
    others = _denied(app, settings, places, behind)
    return [*found, *(each for each in others if (each.host, each.port) not in _known(found))]


def untried(app: App, settings: Settings, places: Sequence[Place]) -> list[Untried]:
    """The rules that lead to apps of which nothing runs, or nothing with such a port: they may be written wrongly."""
    found: list[Untried] = []
    for rule in allowed(app, settings, "to") or ():
        if isinstance(rule.peer, AppPeer) and not list(_allowed(rule, app, places)):
            name = f"{app_pods(rule.peer, app).namespace}/{rule.peer.name}"
            ports = sorted({each.port for each in _there(rule.peer, app, places)})
            listens = f"listens on {', '.join(map(str, ports))}" if ports else "has no pod that runs"
            found.append(Untried(rule.text, f"{name} {listens}"))
    return found


def _there(peer: AppPeer, app: App, places: Sequence[Place]) -> list[Place]:
    namespace = app_pods(peer, app).namespace
    return [each for each in places if (each.namespace, each.app) == (namespace, peer.name)]


def _known(found: list[Trial]) -> set[tuple[str, int]]:
    return {(each.host, each.port) for each in found}


def _allowed(rule: Allowed, app: App, places: Sequence[Place]) -> Iterator[Trial]:
    """One connection for a rule; none for blocks of addresses, where nobody may be."""
    match rule.peer:
        case AppPeer():
            there = _there(rule.peer, app, places)
            place = next((each for each in there if _opens(rule.ports, each.port)), None)
            if place is not None:
                yield Trial(place.address, place.port, True, rule.text)
        case ServicePeer(name, namespace):
            if port := _first(rule.ports):
                yield Trial(f"{name}.{namespace or app.namespace}.svc", port, True, rule.text)
        case DnsPeer(name):
            port = _first(rule.ports)
            if port and not name.startswith("*."):
                yield Trial(name, port, True, rule.text)
        case KubeApiPeer():
            if _opens(rule.ports, 443):
                yield Trial(_API, 443, True, rule.text)
        case _:
            return


def _denied(app: App, settings: Settings, places: Sequence[Place], behind: Mapping[str, str]) -> Iterator[Trial]:
    """An address that nobody has, the API server, and some other apps: where no rule leads to them."""
    samples = [("address", NOWHERE, NOWHERE, 9), ("service", "default/kubernetes", _API, 443)]
    others: dict[tuple[str, str], Place] = {}
    for each in places:
        if (each.namespace, each.app) != (app.namespace, app.name):
            others.setdefault((each.namespace, each.app), each)
    samples += [("app", f"{each.namespace}/{each.app}", each.address, each.port) for each in others.values()][:_OTHERS]
    for kind, peer, host, port in samples:
        address = NOWHERE if host == _API else host
        flow = Flow("", "out", kind, peer, address, port, port, "TCP", "allowed", "", 0, 0, 1, 0, 0, 0, 0, 0, 0, None)
        if list(dropped(app, settings, [flow], behind)):
            yield Trial(host, port, False, f"no rule allows {app.name} to {peer}:{port}")


def _opens(ports: tuple[PortRange, ...], port: int) -> bool:
    return not ports or any(each.protocol == "TCP" and each.first <= port <= each.last for each in ports)


def _first(ports: tuple[PortRange, ...]) -> int | None:
    return next((each.first for each in ports if each.protocol == "TCP"), None)

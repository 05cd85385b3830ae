"""What each back end can enforce. What the cluster's cannot is refused: nothing is weakened silently."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal

from nucleo_cli.config.loading import place, shown
from nucleo_cli.config.nodes import quoted
from nucleo_cli.domain.app import App
from nucleo_cli.domain.network import (
    AppPeer,
    CidrPeer,
    DnsPeer,
    IngressPeer,
    InternetPeer,
    KubeApiPeer,
    PortRange,
    Rule,
    ServicePeer,
    written,
)
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.errors import ConfigInvalid
from nucleo_cli.network.allowed import NODES, Allowed, AnyPeer, allowed, hops, http_ports, pods_of
from nucleo_cli.network.manifest import Json

Item = Literal[
    "app", "service", "cidr", "dns", "kube-api", "ingress", "internet", "close", "http", "limits", "egress_ip", "audit"
]

_PLAIN: tuple[Item, ...] = ("close", "app", "cidr", "ingress", "internet")
_MORE: tuple[Item, ...] = ("service", "dns", "kube-api", "limits")
CAN: Mapping[BackEnd, frozenset[Item]] = {
    "networkpolicy": frozenset(_PLAIN),
    "cilium": frozenset((*_PLAIN, *_MORE, "http", "egress_ip")),
    "agent": frozenset((*_PLAIN, *_MORE, "audit")),
    "none": frozenset(),
}
# bpf_programs/maps.h, NAMES_PER_POLICY.
AGENT_HOSTS = 64
NAMES: Mapping[BackEnd, str] = {
    "networkpolicy": "NetworkPolicy",
    "cilium": "Cilium",
    "agent": "Nucleo's agent",
    "none": "no back end",
}

_ITEMS: Mapping[type, Item] = {
    AppPeer: "app",
    ServicePeer: "service",
    CidrPeer: "cidr",
    DnsPeer: "dns",
    KubeApiPeer: "kube-api",
    IngressPeer: "ingress",
    InternetPeer: "internet",
}

# Why a back end cannot.
_WHY: Mapping[tuple[BackEnd, Item], str] = {
    ("networkpolicy", "service"): "a NetworkPolicy allows pods by their labels, and knows no Services",
    ("networkpolicy", "dns"): "a NetworkPolicy allows addresses, and knows no names",
    ("networkpolicy", "kube-api"): "a NetworkPolicy does not know where the API server is",
    ("networkpolicy", "http"): "a NetworkPolicy sees connections, and no requests",
    ("networkpolicy", "limits"): "a NetworkPolicy allows or drops, and slows nothing down",
    ("networkpolicy", "egress_ip"): "a NetworkPolicy does not choose addresses",
    ("networkpolicy", "audit"): "a NetworkPolicy enforces, and counts nothing",
    ("cilium", "audit"): "Cilium audits all policies of a pod or none",
    ("agent", "http"): "Nucleo's agent sees packets, and no requests",
    ("agent", "egress_ip"): "Nucleo's agent does not choose addresses",
}
# What Cilium can do only where its chart was told to.
_SWITCHED_OFF: Mapping[Item, tuple[str, str]] = {
    "dns": ("Cilium's L7 proxy", "l7Proxy: true"),
    "http": ("Cilium's L7 proxy", "l7Proxy: true"),
    "limits": ("Cilium's bandwidth manager", "bandwidthManager.enabled: true"),
    "egress_ip": ("Cilium's egress gateway", "egressGateway.enabled: true"),
}
_NOTHING = "the cluster has nothing that enforces rules"
_INSTEAD: Mapping[Item, str] = {
    "service": "app:NAME or app:NAMESPACE/NAME allows the pods of an app",
    "dns": "cidr:BLOCK allows its addresses, internet:PORT every public one",
    "kube-api": "cidr:ADDRESS/32:PORT allows the API server's address",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the cluster's back end cannot enforce.

    `rule` is as written below `key` of `network`, `could` are the back ends that can.
    """

    key: str
    rule: str
    why: str
    hint: str = ""
    could: tuple[BackEnd, ...] = ()


def check(app: App, settings: Settings) -> tuple[Problem, ...]:
    """All that `settings.network` cannot enforce of the app's rules; empty where there is nothing to enforce."""
    if app.network.is_silent:
        return ()
    return (*_unable(app, settings), *_together(app, settings))


def refuse(app: App, settings: Settings) -> None:
    """Raises ConfigInvalid with every problem, and where in nucleo.yml it is."""
    if not (found := check(app, settings)):
        return
    problems = [_document(app, each) for each in found]
    lines = [f"{_at(each)}{each['message']}" for each in problems]
    hints = dict.fromkeys(each.hint for each in found if each.hint)
    raise ConfigInvalid("\n".join(lines), "\n".join(hints), {"problems": problems})


def _document(app: App, problem: Problem) -> Json:
    mark = place(app, problem.key, problem.rule)
    return {
        "file": shown(app.directory),
        "line": mark.line if mark else None,
        "column": mark.column if mark else None,
        "path": f"network.{problem.key}",
        "message": f"network.{problem.key} {quoted(problem.rule)}: {problem.why}",
        "hint": problem.hint,
        "could": list(problem.could),
    }


def _at(document: Json) -> str:
    return f"{document['file']}:{document['line']}:{document['column']}: " if document["line"] else ""


def _items(app: App) -> Iterator[tuple[Item, str, str]]:
    """Each thing that the app asks for, with its key in `network` and how nucleo.yml writes it."""
    network = app.network
    if network.mode == "audit":
        yield "audit", "mode", "audit"
    for key, rules in (("from", network.inbound), ("to", network.outbound)):
        for rule in rules or ():
            yield _ITEMS[type(rule.peer)], key, rule.text
    for each in network.http:
        yield "http", "http", each.rule.text
    for key, rules in (("from", network.inbound), ("to", network.outbound)):
        if rules == ():
            yield "close", key, "[]"
    if network.default == "deny":
        yield "close", "default", "deny"
    if network.limits.egress:
        yield "limits", "limits", "egress"
    if network.egress_ip:
        yield "egress_ip", "egress_ip", network.egress_ip


def _unable(app: App, settings: Settings) -> Iterator[Problem]:
    back_end = enforcing(settings)
    for item, key, text in _items(app):
        if item not in CAN[back_end]:
            could = able({item})
            hint = "; ".join(filter(None, (_INSTEAD.get(item, ""), _switch(could))))
            yield Problem(key, text, _WHY.get((back_end, item), _NOTHING), hint, could)
        elif item in settings.switched_off:
            what, value = _SWITCHED_OFF[item]
            yield Problem(
                key, text, f"{what} is switched off", f"{value} in the values of Cilium's chart switches it on"
            )


def able(items: set[Item]) -> tuple[BackEnd, ...]:
    """The back ends that can do all of it."""
    return tuple(back_end for back_end, can in CAN.items() if back_end != "none" and items <= can)


def _switch(could: tuple[BackEnd, ...]) -> str:
    return (
        f"{' and '.join(NAMES[each] for each in could)} could enforce it" if could else "no back end can do all of it"
    )


def enforcing(settings: Settings) -> BackEnd:
    if settings.network == "auto":
        raise AssertionError("the back end has to be found out before it is asked what it can do")
    return settings.network


def _together(app: App, settings: Settings) -> Iterator[Problem]:
    """What each alone could be enforced, and not beside the rest."""
    back_end, network = enforcing(settings), app.network
    named = next((each for each in network.outbound or () if isinstance(each.peer, DnsPeer)), None)
    if back_end == "cilium" and network.limits.egress and named:
        why = f'Cilium limits no pod whose names it follows, as "{named.text}" needs'
        yield Problem("limits", "egress", why, "leave one of them out; Nucleo's agent could do both", ("agent",))
    hosts = {each.peer.name for each in network.outbound or () if isinstance(each.peer, DnsPeer)}
    if back_end == "agent" and named and len(hosts) > AGENT_HOSTS:
        why = f"{len(hosts)} hosts, and Nucleo's agent follows {AGENT_HOSTS} of an app"
        yield Problem("to", named.text, why, "dns:*.DOMAIN allows all hosts of a domain", ("cilium",))
    for each in network.http:
        yield from _http(app, settings, each.rule)
    if back_end in ("networkpolicy", "cilium"):
        yield from _hop(app, settings, back_end)


def _http(app: App, settings: Settings, rule: Rule) -> Iterator[Problem]:
    ports = http_ports(rule, app.processes)
    if not ports:
        yield Problem("http", rule.text, "the app has no port that requests come to", 'ports: ["8080:80"]')
    if any(port.protocol == "UDP" for port in rule.ports):
        yield Problem("http", rule.text, "requests come over TCP", f"write {written(rule.peer)}:PORT")
    for other in allowed(app, settings, "from") or ():
        if _meet(other, rule, app) and _overlap(other.ports, ports):
            why = f'"{other.text}" lets every request in already, to port {", ".join(map(str, other.ports or ports))}'
            yield Problem("http", rule.text, why, "take that one out, or name other ports")


def _meet(flow: Allowed, rule: Rule, app: App) -> bool:
    """Whether a sender can be a peer of both."""
    one, other = pods_of(flow.peer, app) or flow.peer, pods_of(rule.peer, app) or rule.peer
    if isinstance(one, CidrPeer) and isinstance(other, CidrPeer):
        blocks = ip_network(one.block), ip_network(other.block)
        return blocks[0].version == blocks[1].version and blocks[0].overlaps(blocks[1])
    return isinstance(one, AnyPeer) or one == other


def _overlap(some: tuple[PortRange, ...], ports: tuple[PortRange, ...]) -> bool:
    return not some or any(
        a.protocol == b.protocol and a.first <= b.last and b.first <= a.last for a in some for b in ports
    )


def _hop(app: App, settings: Settings, back_end: BackEnd) -> Iterator[Problem]:
    """The ingress can be allowed only where it is known where its proxies are."""
    flows = (*(allowed(app, settings, "from") or ()), *(each.rule for each in app.network.http))
    flow = next((each for each in flows if isinstance(each.peer, IngressPeer)), None)
    known = hops(settings)
    setting = "nucleo cluster configure --ingress-from NAMESPACE"
    if flow is None or (back_end == "cilium" and settings.ingress_class == "cilium"):
        return
    if not known:
        why = "the cluster's settings do not say where the proxies of its ingress are"
        yield Problem("from", flow.text, why, f"{setting} names the namespace of their pods")
    elif NODES in known and back_end == "networkpolicy":
        why = "the proxies of the ingress are in the nodes' network, and a NetworkPolicy knows no nodes"
        yield Problem("from", flow.text, why, "nucleo cluster configure --ingress-from BLOCK of the nodes' addresses")

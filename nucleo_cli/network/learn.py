"""Rules that would allow what was seen: flows → lines for the section `network`. Pure."""

from collections.abc import Iterable
from ipaddress import ip_address

from nucleo_cli.domain.app import App, Target
from nucleo_cli.domain.flows import Flow
from nucleo_cli.domain.network import Direction
from nucleo_cli.network.trials import NOWHERE

_PORTS = {"TCP": "", "UDP": "/udp"}


def missing(app: App, flows: Iterable[Flow]) -> dict[Direction, list[str]]:
    """Rules that would allow the flows; sorted, by direction.

    Who scanned the app's ports, what has no ports, and a port that a Service does not have is not proposed: a rule for
    it is for people to write.
    """
    found: dict[Direction, set[str]] = {"from": set(), "to": set()}
    for flow in flows:
        if rule := rule_for(app, flow):
            found["from" if flow.direction == "in" else "to"].add(rule)
    return {direction: sorted(rules) for direction, rules in found.items()}


def rule_for(app: App, flow: Flow) -> str | None:
    """The narrowest rule that allows a flow; None where there is none to write."""
    if flow.protocol not in _PORTS or not flow.target or flow.address == NOWHERE:
        return None
    ports = f":{flow.target}{_PORTS[flow.protocol]}"
    if flow.kind == "app":
        return f"app:{_short(app, flow.peer)}{ports}"
    if flow.direction == "in":
        return f"ingress{ports}" if flow.kind == "node" else _block(flow, ports) if flow.kind == "address" else None
    if flow.kind == "service":
        namespace, _, name = flow.peer.partition("/")
        if flow.peer == "default/kubernetes":
            return f"kube-api{ports}"
        return f"service:{name if namespace == app.namespace else flow.peer}{ports}"
    if flow.kind == "dns":
        return f"dns:{flow.peer}{ports}"
    return _block(flow, ports) if flow.kind in ("address", "node") else None


def _short(app: App, peer: str) -> str:
    """The app alone where its namespace is the one that a rule takes it to be in."""
    namespace, _, name = peer.partition("/")
    return name if Target.named(name, app.environment).namespace == namespace else peer


def _block(flow: Flow, ports: str) -> str:
    if ip_address(flow.address).version == 6:
        return f"cidr:[{flow.address}/128]{ports}"
    return f"cidr:{flow.address}/32{ports}"

"""Rules → AppNetwork, the resource of Nucleo's own agent; chart_templates/agent/crds has its schema.

What is always allowed is in it too, so that the agent has to know no more than where a peer is.
"""

from dataclasses import replace

from nucleo_cli.domain.app import App
from nucleo_cli.domain.network import (
    CidrPeer,
    DnsPeer,
    IngressPeer,
    InternetPeer,
    KubeApiPeer,
    Limits,
    PortRange,
    ServicePeer,
)
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.allowed import (
    ANY_ADDRESS,
    NODES,
    NOT_INTERNET,
    Allowed,
    AnyPeer,
    NodePeer,
    allowed,
    hops,
    own_pods,
    pods_of,
    requests,
)
from nucleo_cli.network.manifest import Json, manifest

API = "nucleo.io/v1alpha1"
KIND = "AppNetwork"
_MODES = {"enforce": "Enforce", "audit": "Audit"}

# The agent's programs alone refuse this connection for want of permission; without them nobody listens there.
_HOLD = """\
export LC_ALL=C
tries=0
until [[ "$( (exec 3<>/dev/tcp/127.0.0.1/1) 2>&1 )" == *"Operation not permitted"* ]]; do
  tries=$((tries + 1))
  if [ "$tries" = 40 ]; then echo "waiting for the network rules of this pod"; fi
  sleep 0.05
done
"""


def app_network(app: App, settings: Settings) -> Json:
    """The AppNetwork of the app. For rules that `check` has nothing against."""
    spec: Json = {"mode": _MODES[app.network.mode], "podSelector": {"matchLabels": own_pods(app).labels}}
    inbound, outbound = allowed(app, settings, "from"), allowed(app, settings, "to")
    if inbound is not None:
        spec["ingress"] = [entry for flow in inbound for entry in _entries(flow, app, settings)]
    if outbound is not None:
        spec["egress"] = [entry for flow in outbound for entry in _entries(flow, app, settings)]
    if app.network.limits.egress:
        spec["egressBytesPerSecond"] = app.network.limits.egress
    return manifest(app, API, KIND, spec)


def watched(app: App, settings: Settings) -> Json:
    """The AppNetwork of an app whose rules another back end enforces: the agent reads them, and drops nothing by it.

    What it cannot do is said as far as it sees it, as nothing depends on it: rules for requests are rules for their
    connections; limits and an address of one's own are left out.
    """
    network = replace(app.network, mode="audit", limits=Limits())
    found = app_network(replace(app, network=network), settings)
    if "ingress" in found["spec"]:
        found["spec"]["ingress"] += [entry for rule in requests(app) for entry in _entries(rule, app, settings)]
    return found


def hold(app: App) -> list[str]:
    """The command that ends when the rules of its pod are attached; empty where nothing waits for them."""
    return ["/bin/bash", "-c", _HOLD] if app.network.mode == "enforce" else []


def _entries(flow: Allowed, app: App, settings: Settings) -> list[Json]:
    ports = {"ports": [_port(each) for each in flow.ports]} if flow.ports else {}
    return [{"rule": flow.text, **ports, **peer} for peer in _peers(flow, app, settings)]


def _port(port: PortRange) -> Json:
    return {"protocol": port.protocol, "first": port.first, "last": port.last}


def _peers(flow: Allowed, app: App, settings: Settings) -> list[Json]:
    if pods := pods_of(flow.peer, app):
        return [{"pods": {"namespace": pods.namespace, "labels": pods.labels}}]
    match flow.peer:
        case CidrPeer(block, excluded):
            return [_block(block, excluded)]
        case InternetPeer():
            return [_block(block, excluded) for block, excluded in NOT_INTERNET.items()]
        case AnyPeer():
            return [_block(block) for block in ANY_ADDRESS]
        case ServicePeer(name, namespace):
            return [{"service": {"namespace": namespace or app.namespace, "name": name}}]
        case DnsPeer(name):
            return [{"dns": {"name": name}}]
        case KubeApiPeer():
            return [{"special": "kube-api"}]
        case IngressPeer():
            return [{"special": "ingress"}, *(_hop(each) for each in hops(settings) if each != NODES)]
        case NodePeer():
            return [{"special": "node"}]
        case _:
            raise AssertionError(f"{flow.text}: an AppNetwork has no such peer")


def _hop(where: str) -> Json:
    """A block of addresses, or all pods of a namespace."""
    return _block(where) if "/" in where else {"pods": {"namespace": where, "labels": {}}}


def _block(block: str, excluded: tuple[str, ...] = ()) -> Json:
    return {"cidr": {"block": block, "excluded": list(excluded)}}

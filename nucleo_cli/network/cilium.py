"""Rules → CiliumNetworkPolicy, and CiliumEgressGatewayPolicy for an address of one's own.

https://docs.cilium.io/en/v1.20/security/policy/ and the checks of pkg/policy/api/rule_validation.go. An entry has one
kind of peer and at most 40 ports.
"""

import re

from nucleo_cli.domain import labels
from nucleo_cli.domain.app import App
from nucleo_cli.domain.network import (
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
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.allowed import (
    NODES,
    NOT_INTERNET,
    Allowed,
    AnyPeer,
    Implied,
    NodePeer,
    PodsPeer,
    allowed,
    hops,
    http_ports,
    own_pods,
    pods_of,
)
from nucleo_cli.network.manifest import Json, manifest

API = "cilium.io/v2"
# The node that has the address says so by this label.
EGRESS_IP_LABEL = "nucleo.io/egress-ip"
BANDWIDTH = "kubernetes.io/egress-bandwidth"
_MOST_PORTS = 40
_NAMESPACE = "k8s:io.kubernetes.pod.namespace"


def cilium_policies(app: App, settings: Settings) -> list[Json]:
    """The policies of the app. For rules that `check` has nothing against."""
    found: list[Json] = []
    inbound, outbound = allowed(app, settings, "from"), allowed(app, settings, "to")
    spec: Json = {"endpointSelector": {"matchLabels": _labels(own_pods(app))}}
    if inbound is not None:
        spec["ingress"] = [entry for flow in inbound for entry in _entries(flow, "from", app, settings)]
        spec["ingress"] += [entry for rule in app.network.http for entry in _requests(rule, app, settings)]
    if outbound is not None:
        by_name = any(isinstance(each.peer, DnsPeer) for each in outbound)
        spec["egress"] = [entry for flow in outbound for entry in _entries(flow, "to", app, settings, by_name)]
    if inbound is not None or outbound is not None:
        found.append(manifest(app, API, "CiliumNetworkPolicy", spec))
    if app.network.egress_ip:
        found.append(_egress_gateway(app, app.network.egress_ip))
    return found


def annotations(app: App) -> dict[str, str]:
    """What the app's pods are marked with: Cilium's bandwidth manager reads bits per second."""
    rate = app.network.limits.egress
    return {BANDWIDTH: str(rate * 8)} if rate else {}


def _entries(flow: Allowed, direction: Direction, app: App, settings: Settings, by_name: bool = False) -> list[Json]:
    ports = _to_ports(flow.ports)
    if by_name and isinstance(flow, Implied) and flow.name == "kube-dns":
        # toFQDNs knows the addresses of a name only from answers that Cilium's own proxy has seen.
        ports = [{**each, "rules": {"dns": [{"matchPattern": "*"}]}} for each in ports]
    return [{**peer, "toPorts": ports} if ports else peer for peer in _peers(flow, direction, app, settings)]


def _to_ports(ports: tuple[PortRange, ...]) -> list[Json]:
    listed = [_port(each) for each in ports]
    return [{"ports": listed[start : start + _MOST_PORTS]} for start in range(0, len(listed), _MOST_PORTS)]


def _port(port: PortRange) -> Json:
    found: Json = {"port": str(port.first), "protocol": port.protocol}
    return found if port.first == port.last else {**found, "endPort": port.last}


def _requests(rule: HttpRule, app: App, settings: Settings) -> list[Json]:
    """What lets in some requests and no others: each pair of a method and a path, as regular expressions."""
    methods = [{"method": each} for each in rule.methods] or [{}]
    paths = [{"path": _expression(each)} for each in rule.paths] or [{}]
    rules = {"http": [{**method, **path} for method in methods for path in paths]}
    ports = [{**each, "rules": rules} for each in _to_ports(http_ports(rule.rule, app.processes))]
    return [{**peer, "toPorts": ports} for peer in _peers(rule.rule, "from", app, settings)]


def _expression(path: str) -> str:
    """What matches a whole path; the query belongs to what Envoy compares."""
    plain = re.sub(r"([.+*?()\[\]{}|^$\\])", r"\\\1", path.removesuffix("*"))
    return f"{plain}.*" if path.endswith("*") else rf"{plain}(\?.*)?"


def _peers(flow: Allowed, direction: Direction, app: App, settings: Settings) -> list[Json]:
    """The peers of a flow, one kind to an entry."""
    if pods := pods_of(flow.peer, app):
        return [_endpoints(direction, pods)]
    match flow.peer:
        case CidrPeer(block, excluded):
            return [{f"{direction}CIDRSet": [_block(block, excluded)]}]
        case InternetPeer():
            return [{"toCIDRSet": [_block(block, excluded) for block, excluded in NOT_INTERNET.items()]}]
        case AnyPeer():
            return [{"fromEntities": ["all"]}]
        case NodePeer():
            return [{"fromEntities": ["host"]}]
        case IngressPeer():
            return [{"fromEntities": ["ingress"]}, *(_hop(each) for each in hops(settings))]
        case KubeApiPeer():
            return [{"toEntities": ["kube-apiserver"]}]
        case ServicePeer(name, namespace):
            service = {"serviceName": name, "namespace": namespace or app.namespace}
            return [{"toServices": [{"k8sService": service}]}]
        case DnsPeer(name):
            return [{"toFQDNs": [_name(name)]}]
        case _:
            raise AssertionError(f"{flow.text}: Cilium has no such peer")


def _endpoints(direction: Direction, pods: PodsPeer) -> Json:
    return {f"{direction}Endpoints": [{"matchLabels": {_NAMESPACE: pods.namespace, **_labels(pods)}}]}


def _labels(pods: PodsPeer) -> dict[str, str]:
    return {f"k8s:{key}": value for key, value in pods.labels.items()}


def _hop(hop: str) -> Json:
    if hop == NODES:
        return {"fromEntities": ["host", "remote-node"]}
    if "/" in hop:
        return {"fromCIDRSet": [_block(hop)]}
    return {"fromEndpoints": [{"matchLabels": {_NAMESPACE: hop}}]}


def _block(block: str, excluded: tuple[str, ...] = ()) -> Json:
    return {"cidr": block, "except": list(excluded)} if excluded else {"cidr": block}


def _name(name: str) -> Json:
    # Two asterisks are one label and more, one is a single label.
    return {"matchPattern": f"*{name}"} if name.startswith("*.") else {"matchName": name}


def _egress_gateway(app: App, address: str) -> Json:
    selector = {"io.kubernetes.pod.namespace": app.namespace, labels.APP: app.name}
    spec: Json = {
        "selectors": [{"podSelector": {"matchLabels": selector}}],
        "destinationCIDRs": ["0.0.0.0/0"],
        "egressGateway": {"nodeSelector": {"matchLabels": {EGRESS_IP_LABEL: address}}, "egressIP": address},
    }
    found = manifest(app, API, "CiliumEgressGatewayPolicy", spec)
    # It belongs to no namespace, and its name has to be the only one of the cluster.
    del found["metadata"]["namespace"]
    found["metadata"]["name"] = f"{app.namespace}.{app.name}"
    return found

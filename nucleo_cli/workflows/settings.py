"""The cluster's own settings: what the platform team wrote down, else what the cluster shows of itself."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.documents import annotations, labels, part, parts
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.errors import NotAllowed, NotFound, NucleoError

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

NAMESPACE = "nucleo-system"
NAME = "nucleo"
AGENT = "nucleo-agent"
OF_AGENT = f"app.kubernetes.io/name={AGENT}"
AGENT_API, CILIUM_API = "nucleo.io/v1alpha1", "cilium.io/v2"
# What of Cilium can be switched off: by which keys, and what holds where nothing is said.
_CILIUM_KEYS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "dns": (("enable-l7-proxy",), "true"),
    "http": (("enable-l7-proxy",), "true"),
    "limits": (("enable-bandwidth-manager",), "false"),
    "egress_ip": (("enable-egress-gateway", "enable-ipv4-egress-gateway"), "false"),
}
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def read_settings(cluster: "Cluster", *, to_push: bool = False) -> Settings:
    """The ConfigMap `nucleo` of nucleo-system; where it is missing or silent, found out from the cluster.

    With `to_push`, NotAllowed when it may not be read and no registry was found out either.
    """
    try:
        data: Mapping[str, str] = part(cluster.get(path("v1", "configmaps", NAMESPACE, NAME)), "data")
    except NotFound:
        return _found_out(cluster)
    except NotAllowed:
        found = _found_out(cluster)
        if to_push and not found.registry_push:
            raise
        return found
    return from_data(data)


def from_data(data: Mapping[str, str]) -> Settings:
    """Settings from the ConfigMap's data; NucleoError for a value that makes no sense."""
    routes = data.get("routes", "none")
    if routes not in ("gateway", "ingress", "none"):
        raise _nonsense("routes", routes, "gateway, ingress or none")
    network = data.get("network", "auto")
    if network not in ("auto", "networkpolicy", "cilium", "agent", "none"):
        raise _nonsense("network", network, "networkpolicy, cilium, agent, none or auto")
    return Settings(
        registry_push=data.get("registry-push", ""),
        registry_pull=data.get("registry-pull", "") or data.get("registry-push", ""),
        base_domain=data.get("base-domain", ""),
        http_port=_port(data, "http-port", "80"),
        routes=routes,
        gateway=data.get("gateway", ""),
        ingress_class=data.get("ingress-class", ""),
        platform_images=data.get("platform-images", ""),
        architectures=tuple(sorted(data.get("architectures", "").replace(",", " ").split())),
        sysctls=tuple(data.get("sysctls", "").replace(",", " ").split()),
        network=network,
        ingress_from=_ingress_from(data.get("ingress-from", "")),
        https_port=_port(data, "https-port", "443"),
        issuer=_one_of(data, "issuer", r"nucleo|(ClusterIssuer|Issuer)/[a-z0-9.-]+", "nucleo or ClusterIssuer/NAME"),
        dns=_one_of(
            data,
            "dns",
            r"external-dns|rfc2136|designate|hosts|lexicon:[a-z0-9]+",
            "external-dns, rfc2136, designate, hosts or lexicon:PROVIDER",
        ),
        dns_zones=tuple(each.rstrip(".").lower() for each in data.get("dns-zones", "").replace(",", " ").split()),
        edge_addresses=tuple(data.get("edge-addresses", "").replace(",", " ").split()),
    )


def _port(data: Mapping[str, str], key: str, default: str) -> int:
    port = data.get(key, default)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise _nonsense(key, port, "a port number")
    return int(port)


def _one_of(data: Mapping[str, str], key: str, pattern: str, expected: str) -> str:
    value = data.get(key, "")
    if value and not re.fullmatch(pattern, value):
        raise _nonsense(key, value, expected)
    return value


def with_back_end(cluster: "Cluster", settings: Settings) -> Settings:
    """The same settings, with what enforces rules if they do not say it, what of it is switched off, and whether the
    agent observes beside it."""
    if settings.network not in ("auto", "cilium"):
        return settings
    there = served(cluster)
    found = replace(settings, network=_back_end(there)) if settings.network == "auto" else settings
    if found.network != "cilium":
        return found
    return replace(found, switched_off=_switched_off(cluster), observed=AGENT_API in there)


def served(cluster: "Cluster") -> set[str]:
    """The APIs that the cluster has, as GROUP/VERSION."""
    groups = parts(cluster.get("/apis"), "groups")
    return {str(each.get("groupVersion")) for group in groups for each in parts(group, "versions")}


def _back_end(there: set[str]) -> BackEnd:
    """Cilium goes before the agent, which only observes beside it; every cluster takes a NetworkPolicy."""
    if CILIUM_API in there:
        return "cilium"
    return "agent" if AGENT_API in there else "networkpolicy"


def _switched_off(cluster: "Cluster") -> tuple[str, ...]:
    """By Cilium's own settings; where one may not look at them, everything counts as switched on."""
    try:
        data = part(cluster.get(path("v1", "configmaps", "kube-system", "cilium-config")), "data")
    except (NotFound, NotAllowed):
        return ()
    return tuple(
        item for item, (keys, default) in _CILIUM_KEYS.items() if "true" not in [data.get(key, default) for key in keys]
    )


def _ingress_from(text: str) -> tuple[str, ...]:
    from ipaddress import ip_network  # a cluster seldom says it

    found = tuple(text.replace(",", " ").split())
    for each in found:
        try:
            known = bool(ip_network(each)) if "/" in each else re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", each)
        except ValueError:
            known = False
        if not known:
            raise _nonsense("ingress-from", each, "namespaces, address blocks or nodes")
    return found


def _nonsense(key: str, value: str, expected: str) -> NucleoError:
    return NucleoError(
        f'the cluster\'s setting {key} must be {expected}, got "{value}"', f"nucleo cluster configure --{key} …"
    )


def _found_out(cluster: "Cluster") -> Settings:
    """kind and others publish their registry by KEP-1755; routes need an ingress class, and a domain of the team's."""
    registry = _local_registry(cluster)
    ingress_class = _ingress_class(cluster)
    return Settings(
        registry_push=registry,
        registry_pull=registry,
        architectures=node_architectures(cluster),
        routes="ingress" if ingress_class else "none",
        ingress_class=ingress_class,
    )


def node_architectures(cluster: "Cluster") -> tuple[str, ...]:
    """Those of the nodes; none where one may not look at them."""
    try:
        nodes = cluster.items(path("v1", "nodes"))
    except (NotFound, NotAllowed):
        return ()
    return tuple(sorted({found for node in nodes if (found := labels(node).get("kubernetes.io/arch"))}))


def _local_registry(cluster: "Cluster") -> str:
    try:
        found = cluster.get(path("v1", "configmaps", "kube-public", "local-registry-hosting"))
    except (NotFound, NotAllowed):
        return ""
    host = re.search(r'host:\s*"?([^"\s]+)', str(part(found, "data").get("localRegistryHosting.v1", "")))
    return host[1] if host else ""


def _ingress_class(cluster: "Cluster") -> str:
    try:
        classes = cluster.items(path("networking.k8s.io/v1", "ingressclasses"))
    except (NotFound, NotAllowed):
        return ""
    named = [_name_and_default(item) for item in classes]
    return next((name for name, default in named if default), named[0][0] if len(named) == 1 else "")


def _name_and_default(item: dict[str, Any]) -> tuple[str, bool]:
    return str(item["metadata"]["name"]), annotations(item).get(_DEFAULT_CLASS) == "true"

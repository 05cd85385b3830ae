"""What a cluster has at its edge: who serves the routes, and where the HTTPS of an app's own domains can be heard."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.charts.edge.endpoint import API as ENDPOINT
from nucleo_cli.domain.app import App
from nucleo_cli.domain.documents import Json, part, parts
from nucleo_cli.domain.settings import Controller, Listeners, Settings
from nucleo_cli.errors import NotAllowed, NotFound
from nucleo_cli.workflows.settings import served
from nucleo_cli.workflows.urls import GATEWAY, INGRESS

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster

# The names that controllers give themselves in their classes, by how they begin.
_CONTROLLERS: tuple[tuple[str, Controller], ...] = (
    ("traefik.io/", "traefik"),
    ("gateway.envoyproxy.io/", "envoy"),
    ("io.cilium/", "cilium"),
    ("cilium.io/", "cilium"),
    ("k8s.io/ingress-nginx", "nginx"),
    ("haproxy.org/", "haproxy"),
    ("haproxy-ingress.github.io/", "other"),
)


def with_edge(cluster: "Cluster", settings: Settings, app: App) -> Settings:
    """The same settings, with what serves the app's domains; nothing is asked for an app without any.

    Raises NotFound where the Gateway that the settings name is not there.
    """
    if not app.domains or settings.routes == "none":
        return settings
    found = _gateway(cluster, settings) if settings.routes == "gateway" else _ingress(cluster, settings)
    return replace(found, endpoints=settings.dns == "external-dns" and ENDPOINT in served(cluster))


def _gateway(cluster: "Cluster", settings: Settings) -> Settings:
    namespace, slash, name = settings.gateway.partition("/")
    if not slash:
        return settings
    try:
        gateway = cluster.get(path(GATEWAY, "gateways", namespace, name))
    except NotFound:
        raise NotFound(
            f"the cluster has no Gateway {settings.gateway}", "nucleo cluster configure --gateway NAMESPACE/NAME"
        ) from None
    wanted = str(part(gateway, "spec").get("gatewayClassName", ""))
    controller = _controller(cluster, path(GATEWAY, "gatewayclasses", None, wanted), "controllerName")
    heard = _listeners(gateway, controller)
    said = [str(each.get("value")) for each in parts(gateway, "status", "addresses")]
    addresses = settings.edge_addresses or tuple(said)
    return replace(settings, controller=controller, listeners=heard, gateway_class=wanted, edge_addresses=addresses)


def _listeners(gateway: Json, controller: Controller) -> Listeners:
    """Traefik serves every Gateway of its class at the same ports; others want a ListenerSet, if the Gateway allows."""
    allowed = part(gateway, "spec", "allowedListeners", "namespaces").get("from")
    if allowed in ("All", "Selector") and controller != "traefik":
        return "listenerset"
    return "gateway" if controller == "traefik" else "shared"


def _ingress(cluster: "Cluster", settings: Settings) -> Settings:
    if not settings.ingress_class:
        return settings
    where = path(INGRESS, "ingressclasses", None, settings.ingress_class)
    return replace(settings, controller=_controller(cluster, where, "controller"))


def _controller(cluster: "Cluster", where: str, key: str) -> Controller:
    try:
        said = str(part(cluster.get(where), "spec").get(key, ""))
    except (NotFound, NotAllowed):
        return "other"
    for begins, name in _CONTROLLERS:
        if said.startswith(begins):
            return name
    return "other"

"""How an app is reached: ports inside the cluster, ports on a load balancer, and its host names."""

from collections.abc import Sequence

from nucleo_cli.charts.edge import endpoint, gateway, ingress
from nucleo_cli.charts.edge.site import routed, site
from nucleo_cli.charts.shape import ExternalPortValues, PortValues, RouteValues, objects
from nucleo_cli.domain.app import App, Process
from nucleo_cli.domain.edge import Certificate
from nucleo_cli.domain.settings import Settings

__all__ = ["external_ports", "hosts", "ports", "routed", "routes", "url"]


def ports(process: Process) -> list[PortValues]:
    """The ports inside the cluster, each once, in the order of nucleo.yml: the first one is PORT."""
    routed = {port.internal for port in process.ports if port.is_route}
    numbers = dict.fromkeys(port.internal for port in process.ports)
    return [{"name": _name(number, number in routed), "port": number} for number in numbers]


def _name(number: int, routed: bool) -> str:
    return f"http-{number}" if routed else f"tcp-{number}"


def external_ports(process: Process) -> list[ExternalPortValues]:
    """The ports on a load balancer: those with an external number that no HTTP route serves."""
    return [
        {"name": f"tcp-{port.external}", "port": port.external, "target": port.internal}
        for port in process.ports
        if port.external is not None and not port.is_route
    ]


def hosts(app: App, settings: Settings) -> tuple[str, ...]:
    """The host names of the app's routes: NAME.BASE-DOMAIN, then its domains; empty when it has none."""
    found = site(app, settings)
    return found.hosts if found else ()


def url(app: App, settings: Settings) -> str | None:
    """Where a browser finds the app, or None when nothing of it is reachable over HTTP from outside."""
    names = hosts(app, settings)
    if not names:
        return None
    port = "" if settings.http_port == 80 else f":{settings.http_port}"
    return f"http://{names[0]}{port}"


def routes(app: App, settings: Settings, certificates: Sequence[Certificate] = ()) -> RouteValues:
    """The routes of the app, as whole manifests; kind none when there is nothing to route or no way to."""
    found = site(app, settings, certificates)
    if found is None or settings.routes == "none":
        return {"kind": "none", "hosts": []}
    made = gateway.objects(found) if settings.routes == "gateway" else ingress.objects(found)
    made += endpoint.objects(found)
    return {"kind": settings.routes, "hosts": list(found.hosts), "objects": objects(made)}

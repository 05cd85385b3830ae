"""How an app is reached: ports inside the cluster, ports on a load balancer, and one HTTP route."""

from nucleo_cli.charts.shape import ExternalPortValues, PortValues, RouteValues
from nucleo_cli.domain.app import App, Port, Process
from nucleo_cli.domain.settings import Settings


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


def routed(app: App) -> tuple[Process, Port] | None:
    """The process and the port behind the app's host names: external port 80, else 443; None: nothing is."""
    found = [(process, port) for process in app.processes for port in process.ports if port.is_route]
    return min(found, key=lambda each: each[1].external or 0, default=None)


def hosts(app: App, settings: Settings) -> tuple[str, ...]:
    """The host names of the app's HTTP route; empty when it has none or the cluster has no base domain."""
    if not settings.base_domain or _kind(settings) == "none" or routed(app) is None:
        return ()
    return (f"{app.name}.{settings.base_domain}",)


def url(app: App, settings: Settings) -> str | None:
    """Where a browser finds the app, or None when nothing of it is reachable over HTTP from outside."""
    names = hosts(app, settings)
    if not names:
        return None
    port = "" if settings.http_port == 80 else f":{settings.http_port}"
    return f"http://{names[0]}{port}"


def routes(app: App, settings: Settings) -> RouteValues:
    """The HTTP route of the app; kind none when there is nothing to route or no way to."""
    names, target = hosts(app, settings), routed(app)
    if not names or target is None:
        return {"kind": "none", "hosts": []}
    process, port = target
    found: RouteValues = {
        "kind": settings.routes,
        "hosts": list(names),
        "process": process.name,
        "port": port.internal,
    }
    if settings.routes == "gateway":
        namespace, _, name = settings.gateway.partition("/")
        found["gateway"] = {"namespace": namespace, "name": name}
    elif settings.ingress_class:
        found["ingressClass"] = settings.ingress_class
    return found


def _kind(settings: Settings) -> str:
    if settings.routes == "gateway" and "/" not in settings.gateway:
        return "none"
    return settings.routes

"""Routes by the Gateway API: HTTPRoutes, and listeners of the app's own.

https://gateway-api.sigs.k8s.io/reference/spec/

HTTP is heard by the cluster's Gateway. HTTPS of the app's domains is heard by listeners in the app's own namespace,
beside their certificates: a ListenerSet where the Gateway takes them, else a Gateway of the same class.
"""

from collections.abc import Iterator, Sequence

from nucleo_cli.charts.edge.site import Json, Site, manifest

API = "gateway.networking.k8s.io/v1"
# What one HTTPRoute and one set of listeners take at most.
MOST_HOSTS = 16
MOST_LISTENERS = 64


def objects(site: Site) -> list[Json]:
    """Every object of the app's routes."""
    return [*_open(site), *_listeners(site), *_secured(site)]


def _open(site: Site) -> Iterator[Json]:
    """What HTTP leads to: the app; for hosts with a certificate to HTTPS."""
    redirects = site.app.tls.redirect
    serving = site.plain if redirects else site.hosts
    for suffix, hosts in _chunks("", serving, MOST_HOSTS):
        yield _route(site, suffix, [_shared(site)], hosts, [_serve(site)])
    for suffix, hosts in _chunks("redirect", site.secure if redirects else (), MOST_HOSTS):
        yield _route(site, suffix, [_shared(site)], hosts, [_redirect(site)])


def _secured(site: Site) -> Iterator[Json]:
    """What HTTPS leads to; each listener is named, for only its own hosts are its business."""
    for suffix, hosts in _chunks("https", site.secure, MOST_HOSTS):
        parents = [_own(site, host) for host in hosts]
        yield _route(site, suffix, parents, hosts, [_serve(site, secure=True)])


def _route(site: Site, suffix: str, parents: list[Json], hosts: Sequence[str], rules: list[Json]) -> Json:
    return manifest(
        site, API, "HTTPRoute", {"parentRefs": parents, "hostnames": list(hosts), "rules": rules}, suffix=suffix
    )


def _serve(site: Site, *, secure: bool = False) -> Json:
    rule: Json = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": site.service, "port": site.port}],
    }
    if secure and site.app.tls.hsts is not None:
        header = {"name": "Strict-Transport-Security", "value": f"max-age={site.app.tls.hsts}"}
        rule["filters"] = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header]}}]
    return rule


def _redirect(site: Site) -> Json:
    to: Json = {"scheme": "https", "statusCode": 301}
    if site.settings.https_port != 443:
        to["port"] = site.settings.https_port
    return {"filters": [{"type": "RequestRedirect", "requestRedirect": to}]}


def _shared(site: Site) -> Json:
    namespace, _, name = site.settings.gateway.partition("/")
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name, "namespace": namespace}


def _own(site: Site, host: str) -> Json:
    kind = "ListenerSet" if site.settings.listeners == "listenerset" else "Gateway"
    group = "gateway.networking.k8s.io"
    return {
        "group": group,
        "kind": kind,
        "name": site.app.name,
        "namespace": site.app.namespace,
        "sectionName": _section(site, host),
    }


def _section(site: Site, host: str) -> str:
    return f"https-{site.secure.index(host)}"


def _listeners(site: Site) -> list[Json]:
    """The ListenerSet or the Gateway that hears HTTPS for the app's domains."""
    if not site.secure:
        return []
    heard = [_listener(site, host) for host in site.secure]
    marks = site.issuer_annotations
    if site.settings.listeners == "listenerset":
        parent = {key: value for key, value in _shared(site).items() if key != "group"}
        spec: Json = {"parentRef": {"group": "gateway.networking.k8s.io", **parent}, "listeners": heard}
        return [manifest(site, API, "ListenerSet", spec, annotations=marks)]
    spec = {"gatewayClassName": site.settings.gateway_class, "listeners": heard}
    return [manifest(site, API, "Gateway", spec, annotations=marks)]


def _listener(site: Site, host: str) -> Json:
    found = site.certificate(host)
    return {
        "name": _section(site, host),
        "hostname": host,
        "port": 443,
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": found.secret if found else ""}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }


def _chunks(suffix: str, hosts: Sequence[str], most: int) -> Iterator[tuple[str, Sequence[str]]]:
    """At most so many hosts at a time; from the second on the suffix has a number."""
    for number, begin in enumerate(range(0, len(hosts), most), 1):
        named = f"{suffix}-{number}" if suffix and number > 1 else f"{number}" if number > 1 else suffix
        yield named, hosts[begin : begin + most]

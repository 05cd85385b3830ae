"""Routes by Ingress (https://kubernetes.io/docs/reference/kubernetes-api/networking/ingress-v1/).

An Ingress says hosts, paths and certificates. What else there is, each controller says with annotations and
kinds of its own: a dialect.
"""

from collections.abc import Mapping, Sequence

from nucleo_cli.charts.edge import haproxy, nginx, traefik
from nucleo_cli.charts.edge.dialect import Dialect
from nucleo_cli.charts.edge.site import Json, Site, manifest

API = "networking.k8s.io/v1"
PLAIN = Dialect(frozenset())
DIALECTS: Mapping[str, Dialect] = {"traefik": traefik.DIALECT, "nginx": nginx.DIALECT, "haproxy": haproxy.DIALECT}


def dialect(site: Site) -> Dialect:
    """What the class's controller understands; the plain standard where it is not one that we know."""
    return DIALECTS.get(site.settings.controller, PLAIN)


def objects(site: Site) -> list[Json]:
    """Every object of the app's routes."""
    speaks = dialect(site)
    found = list(speaks.beside(site))
    if site.plain:
        found.append(_ingress(site, "", site.plain, speaks.plain(site)))
    if site.secure:
        found.append(_ingress(site, "https", site.secure, speaks.secure(site), secure=True))
    if site.secure and speaks.separate:
        found.append(_ingress(site, "redirect", site.secure, speaks.redirect(site)))
    return found


def _ingress(site: Site, suffix: str, hosts: Sequence[str], marks: Mapping[str, str], *, secure: bool = False) -> Json:
    spec: Json = {"rules": [_rule(site, host) for host in hosts]}
    if site.settings.ingress_class:
        spec["ingressClassName"] = site.settings.ingress_class
    if secure:
        named = {host: found.secret for host in hosts if (found := site.certificate(host))}
        spec["tls"] = [{"hosts": [host], "secretName": secret} for host, secret in named.items()]
        marks = {**marks, **site.issuer_annotations}
    return manifest(site, API, "Ingress", spec, suffix=suffix, annotations=marks)


def _rule(site: Site, host: str) -> Json:
    backend = {"service": {"name": site.service, "port": {"number": site.port}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}

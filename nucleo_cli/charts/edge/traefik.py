"""Traefik: its own kinds, which annotations of an Ingress name.

https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress/
"""

from collections.abc import Iterator, Mapping, Sequence

from nucleo_cli.charts.edge.dialect import Dialect
from nucleo_cli.charts.edge.site import Json, Site, manifest

API = "traefik.io/v1alpha1"
_ROUTER = "traefik.ingress.kubernetes.io/router"


def _secure(site: Site) -> Mapping[str, str]:
    return {
        f"{_ROUTER}.entrypoints": "websecure",
        f"{_ROUTER}.tls": "true",
        **_through(site, ["hsts"] if site.app.tls.hsts is not None else []),
    }


def _redirect(site: Site) -> Mapping[str, str]:
    return {f"{_ROUTER}.entrypoints": "web", **_through(site, ["redirect"] if site.app.tls.redirect else [])}


def _through(site: Site, middlewares: Sequence[str]) -> dict[str, str]:
    """The annotation that names the app's own middlewares."""
    named = [f"{site.app.namespace}-{site.app.name}-{each}@kubernetescrd" for each in middlewares]
    return {f"{_ROUTER}.middlewares": ",".join(named)} if named else {}


def _beside(site: Site) -> Iterator[Json]:
    if not site.secure:
        return
    if site.app.tls.redirect:
        to: Json = {"scheme": "https", "permanent": True}
        if site.settings.https_port != 443:
            to["port"] = str(site.settings.https_port)
        yield manifest(site, API, "Middleware", {"redirectScheme": to}, suffix="redirect")
    if site.app.tls.hsts is not None:
        yield manifest(site, API, "Middleware", {"headers": {"stsSeconds": site.app.tls.hsts}}, suffix="hsts")


DIALECT = Dialect(frozenset({"redirect", "hsts"}), secure=_secure, redirect=_redirect, beside=_beside, separate=True)

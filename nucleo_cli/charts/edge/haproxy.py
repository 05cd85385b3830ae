"""HAProxy's ingress controller (https://www.haproxy.com/documentation/kubernetes-ingress/ingress-configuration/)."""

from collections.abc import Mapping

from nucleo_cli.charts.edge.dialect import Dialect
from nucleo_cli.charts.edge.site import Site

_OWN = "haproxy.org"


def _secure(site: Site) -> Mapping[str, str]:
    found = {f"{_OWN}/ssl-redirect": str(site.app.tls.redirect).lower()}
    if site.app.tls.redirect and site.settings.https_port != 443:
        found[f"{_OWN}/ssl-redirect-port"] = str(site.settings.https_port)
    if site.app.tls.hsts is not None:
        found[f"{_OWN}/response-set-header"] = f'Strict-Transport-Security "max-age={site.app.tls.hsts}"'
    return found


DIALECT = Dialect(frozenset({"redirect", "hsts"}), secure=_secure)

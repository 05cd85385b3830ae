"""ingress-nginx (https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/)."""

from collections.abc import Mapping

from nucleo_cli.charts.edge.dialect import Dialect
from nucleo_cli.charts.edge.site import Site

_OWN = "nginx.ingress.kubernetes.io"


def _secure(site: Site) -> Mapping[str, str]:
    return {f"{_OWN}/ssl-redirect": str(site.app.tls.redirect).lower()}


DIALECT = Dialect(frozenset({"redirect"}), secure=_secure)

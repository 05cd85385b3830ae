"""Ingresses, in the dialects of their controllers."""

from dataclasses import replace
from typing import Any

import pytest

from nucleo_cli.charts.edge.ingress import objects
from nucleo_cli.charts.edge.site import site
from nucleo_cli.domain.app import App
from nucleo_cli.domain.edge import Certificate, Tls
from nucleo_cli.domain.settings import Controller, Settings

from .test_gateway import SHOP, SIGNED

Json = dict[str, Any]
INGRESS = Settings(base_domain="localhost", https_port=8443, routes="ingress", ingress_class="edge")


def made(controller: Controller, app: App = SHOP, certificates: tuple[Certificate, ...] = SIGNED) -> dict[str, Json]:
    found = site(app, replace(INGRESS, controller=controller), certificates)
    assert found is not None
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects(found)}


def annotations(found: Json) -> Json:
    return found["metadata"].get("annotations", {})


@pytest.mark.parametrize("controller", ["traefik", "nginx", "haproxy", "other"])
def test_hosts_and_certificates_are_the_standard(controller: Controller) -> None:
    found = made(controller)
    assert [each["host"] for each in found["Ingress/shop"]["spec"]["rules"]] == ["shop.localhost"]
    secure = found["Ingress/shop-https"]["spec"]
    assert [each["host"] for each in secure["rules"]] == ["shop.test", "*.shop.test"]
    assert secure["tls"][0] == {"hosts": ["shop.test"], "secretName": "shop-tls"}
    assert secure["ingressClassName"] == "edge"


def test_traefik_redirects_by_a_middleware_of_the_apps_own() -> None:
    found = made("traefik")
    assert found["Middleware/shop-redirect"]["spec"] == {
        "redirectScheme": {"scheme": "https", "permanent": True, "port": "8443"}
    }
    assert annotations(found["Ingress/shop-redirect"]) == {
        "traefik.ingress.kubernetes.io/router.entrypoints": "web",
        "traefik.ingress.kubernetes.io/router.middlewares": "shop-shop-redirect@kubernetescrd",
    }
    assert annotations(found["Ingress/shop-https"])["traefik.ingress.kubernetes.io/router.tls"] == "true"


def test_traefik_without_a_redirect_serves_http_too() -> None:
    found = made("traefik", replace(SHOP, tls=Tls(redirect=False)))
    assert "Middleware/shop-redirect" not in found
    assert "traefik.ingress.kubernetes.io/router.middlewares" not in annotations(found["Ingress/shop-redirect"])


def test_haproxy_redirects_to_the_outer_port_and_says_hsts() -> None:
    found = annotations(made("haproxy", replace(SHOP, tls=Tls(hsts=60)))["Ingress/shop-https"])
    assert found == {
        "haproxy.org/ssl-redirect": "true",
        "haproxy.org/ssl-redirect-port": "8443",
        "haproxy.org/response-set-header": 'Strict-Transport-Security "max-age=60"',
    }


def test_nginx_redirects() -> None:
    found = made("nginx", replace(SHOP, tls=Tls(redirect=False)))
    assert annotations(found["Ingress/shop-https"]) == {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}


def test_cert_manager_is_told_who_signs() -> None:
    found = made("nginx", certificates=(Certificate("shop-tls", SHOP.domains, "Issuer/own"),))
    assert annotations(found["Ingress/shop-https"])["cert-manager.io/issuer"] == "own"

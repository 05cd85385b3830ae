from typing import Any

from nucleo_cli.errors import Exit
from tests.unit.commands.observed import DEPLOYMENTS, Canned, answer, deployment

ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/shop"
INGRESS = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/shop"
SETTINGS = "/api/v1/namespaces/nucleo-system/configmaps/nucleo"


def cluster(**answers: Any) -> Canned:
    return Canned({SETTINGS: {"data": {"http-port": "8080"}}, **answers})


def test_the_url_of_a_gateway_route() -> None:
    told = answer(cluster(**{ROUTE: {"spec": {"hostnames": ["shop.localhost"]}}}), "open", "-a", "shop", "--json")
    assert told.json == {"url": "http://shop.localhost:8080"}


def test_the_url_of_an_ingress_with_a_certificate() -> None:
    ingress = {"spec": {"rules": [{"host": "shop.example.com"}], "tls": [{"hosts": ["shop.example.com"]}]}}
    assert answer(cluster(**{INGRESS: ingress}), "open", "-a", "shop").out == "https://shop.example.com\n"


def test_an_app_without_route_says_how_to_get_one() -> None:
    told = answer(cluster(**{DEPLOYMENTS: [deployment()]}), "open", "-a", "shop")
    assert told.code == Exit.NOT_FOUND
    assert "shop has no URL" in told.err
    assert "ports:" in told.err


def test_no_app_at_all() -> None:
    assert 'no app "shop"' in answer(cluster(**{DEPLOYMENTS: []}), "open", "-a", "shop").err

"""Ports inside, ports outside, host names."""

from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.charts.routes import external_ports, hosts, ports, routed, routes, url
from nucleo_cli.charts.shape import RouteValues
from nucleo_cli.domain.app import App, Port, Process
from nucleo_cli.domain.settings import Settings

Json = dict[str, Any]

INGRESS = Settings(base_domain="apps.example.com", routes="ingress", ingress_class="traefik")
GATEWAY = Settings(base_domain="localhost", http_port=8081, routes="gateway", gateway="traefik/web")


def app(*given: Port) -> App:
    return App("shop", Path(), "python", processes=(Process("web", ports=given),))


def test_every_port_is_open_inside_and_numbered_ones_on_a_load_balancer() -> None:
    process = Process("web", ports=(Port(8080, 80), Port(5000, 5432), Port(9090)))
    assert ports(process) == [
        {"name": "http-8080", "port": 8080},
        {"name": "tcp-5000", "port": 5000},
        {"name": "tcp-9090", "port": 9090},
    ]
    assert external_ports(process) == [{"name": "tcp-5432", "port": 5432, "target": 5000}]


def test_one_internal_port_with_two_external_numbers_is_one_port_inside() -> None:
    process = Process("web", ports=(Port(8080, 80), Port(8080, 443), Port(8080, 8000)))
    assert ports(process) == [{"name": "http-8080", "port": 8080}]
    assert external_ports(process) == [{"name": "tcp-8000", "port": 8000, "target": 8080}]


def test_names_of_the_largest_ports_fit_kubernetes() -> None:
    process = Process("web", ports=(Port(65535, 65534), Port(65533, 80)))
    named = [*ports(process), *external_ports(process)]
    assert all(len(port["name"]) <= 15 for port in named)


def test_port_80_goes_before_443() -> None:
    found = routed(app(Port(8443, 443), Port(8080, 80)))
    assert found is not None
    assert found[1] == Port(8080, 80)


@pytest.mark.parametrize(
    ("given", "settings", "expected"),
    [
        ((Port(8080, 80),), INGRESS, "http://shop.apps.example.com"),
        ((Port(8080, 443),), INGRESS, "http://shop.apps.example.com"),
        ((Port(8080, 80),), GATEWAY, "http://shop.localhost:8081"),
        ((Port(8080),), INGRESS, None),
        ((Port(8080, 8080),), INGRESS, None),
        ((), INGRESS, None),
        ((Port(8080, 80),), Settings(), None),
        ((Port(8080, 80),), Settings(routes="ingress"), None),
        ((Port(8080, 80),), Settings(base_domain="localhost", routes="none"), None),
        ((Port(8080, 80),), Settings(base_domain="localhost", routes="gateway", gateway=""), None),
    ],
)
def test_the_url_exists_when_a_route_does(given: tuple[Port, ...], settings: Settings, expected: str | None) -> None:
    shop = app(*given)
    assert url(shop, settings) == expected
    assert (routes(shop, settings)["kind"] != "none") == (expected is not None) == bool(hosts(shop, settings))


def test_a_route_on_a_gateway() -> None:
    found = routes(app(Port(8080, 80)), GATEWAY)
    assert (found["kind"], found["hosts"]) == ("gateway", ["shop.localhost"])
    (route,) = made(found)
    assert route["kind"] == "HTTPRoute"
    assert route["metadata"]["name"] == "shop"
    (parent,) = route["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("traefik", "web")
    assert route["spec"]["hostnames"] == ["shop.localhost"]
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "shop", "port": 8080}]


def test_a_route_by_ingress() -> None:
    (ingress,) = made(routes(app(Port(8080, 80)), Settings(base_domain="localhost", routes="ingress")))
    assert "ingressClassName" not in ingress["spec"]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "shop.localhost"
    assert rule["http"]["paths"][0]["backend"] == {"service": {"name": "shop", "port": {"number": 8080}}}
    (ingress,) = made(routes(app(Port(8080, 80)), INGRESS))
    assert ingress["spec"]["ingressClassName"] == "traefik"


def made(found: RouteValues) -> list[Json]:
    return [dict(each) for each in found.get("objects", [])]

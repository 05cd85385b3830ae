"""What serves the routes of a cluster, from its classes."""

from dataclasses import replace
from pathlib import Path

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import App
from nucleo_cli.domain.documents import Json
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotFound
from nucleo_cli.workflows.edge import with_edge
from nucleo_cli.workflows.urls import GATEWAY as GATEWAY_API
from nucleo_cli.workflows.urls import INGRESS as INGRESS_API

from .fake_cluster import FakeCluster

SHOP = App("shop", Path(), "python", domains=("shop.test",))
GATEWAY = Settings(base_domain="localhost", routes="gateway", gateway="edge/nucleo")
INGRESS = Settings(base_domain="localhost", routes="ingress", ingress_class="web")


def cluster(gateway: Json | None = None, controller: str = "", api: str = GATEWAY_API) -> FakeCluster:
    found = FakeCluster("edge")
    if gateway is not None:
        spec = {"gatewayClassName": "web", **gateway}
        found.create(path(GATEWAY_API, "gateways", "edge"), {"metadata": {"name": "nucleo"}, "spec": spec})
    if controller:
        plural, key = ("gatewayclasses", "controllerName") if api == GATEWAY_API else ("ingressclasses", "controller")
        found.create(path(api, plural), {"metadata": {"name": "web"}, "spec": {key: controller}})
    return found


ALLOWS = {"allowedListeners": {"namespaces": {"from": "All"}}}


@pytest.mark.parametrize(
    ("said", "gateway", "controller", "listeners"),
    [
        ("traefik.io/gateway-controller", {}, "traefik", "gateway"),
        ("traefik.io/gateway-controller", ALLOWS, "traefik", "gateway"),
        ("gateway.envoyproxy.io/gatewayclass-controller", ALLOWS, "envoy", "listenerset"),
        ("gateway.envoyproxy.io/gatewayclass-controller", {}, "envoy", "shared"),
        ("io.cilium/gateway-controller", {}, "cilium", "shared"),
        ("example.com/mine", {}, "other", "shared"),
    ],
)
def test_a_gateway_by_its_class(said: str, gateway: Json, controller: str, listeners: str) -> None:
    found = with_edge(cluster(gateway, said), GATEWAY, SHOP)
    assert (found.controller, found.listeners, found.gateway_class) == (controller, listeners, "web")


@pytest.mark.parametrize(
    ("said", "controller"),
    [
        ("traefik.io/ingress-controller", "traefik"),
        ("k8s.io/ingress-nginx", "nginx"),
        ("haproxy.org/ingress-controller/haproxy", "haproxy"),
        ("haproxy-ingress.github.io/controller", "other"),
    ],
)
def test_an_ingress_by_its_class(said: str, controller: str) -> None:
    assert with_edge(cluster(controller=said, api=INGRESS_API), INGRESS, SHOP).controller == controller


def test_a_gateway_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="no Gateway edge/nucleo"):
        with_edge(cluster(), GATEWAY, SHOP)


def test_nothing_is_asked_for_an_app_without_domains() -> None:
    assert with_edge(cluster(), GATEWAY, replace(SHOP, domains=())) == GATEWAY

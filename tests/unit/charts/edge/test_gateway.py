"""HTTPRoutes, and the listeners of an app's own domains."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from nucleo_cli.charts.edge.gateway import objects
from nucleo_cli.charts.edge.site import site
from nucleo_cli.domain.app import App, Port, Process
from nucleo_cli.domain.edge import Certificate, Tls
from nucleo_cli.domain.settings import Settings

Json = dict[str, Any]

SHOP = App(
    "shop",
    Path(),
    "python",
    namespace="shop",
    processes=(Process("web", ports=(Port(8080, 80),)),),
    domains=("shop.test", "*.shop.test"),
)
TRAEFIK = Settings(
    base_domain="localhost",
    http_port=8080,
    https_port=8443,
    routes="gateway",
    gateway="nucleo-system/nucleo",
    controller="traefik",
    listeners="gateway",
    gateway_class="traefik",
)
SIGNED = (Certificate("shop-tls", ("shop.test", "*.shop.test")),)


def made(app: App = SHOP, settings: Settings = TRAEFIK, certificates: tuple[Certificate, ...] = SIGNED) -> list[Json]:
    found = site(app, settings, certificates)
    assert found is not None
    return objects(found)


def named(objects: list[Json], kind: str, name: str) -> Json:
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found["spec"]


def test_without_a_certificate_every_host_is_served_over_http() -> None:
    (route,) = made(certificates=())
    assert route["spec"]["hostnames"] == ["shop.localhost", "shop.test", "*.shop.test"]


def test_a_domain_with_a_certificate_is_served_over_https_by_a_gateway_of_the_apps_own() -> None:
    found = made()
    gateway = named(found, "Gateway", "shop")
    assert gateway["gatewayClassName"] == "traefik"
    assert [(each["name"], each["hostname"], each["port"]) for each in gateway["listeners"]] == [
        ("https-0", "shop.test", 443),
        ("https-1", "*.shop.test", 443),
    ]
    assert gateway["listeners"][0]["tls"] == {"mode": "Terminate", "certificateRefs": [{"name": "shop-tls"}]}
    route = named(found, "HTTPRoute", "shop-https")
    assert [(each["kind"], each["name"], each["sectionName"]) for each in route["parentRefs"]] == [
        ("Gateway", "shop", "https-0"),
        ("Gateway", "shop", "https-1"),
    ]
    assert named(found, "HTTPRoute", "shop")["hostnames"] == ["shop.localhost"]


def test_http_leads_to_https_at_the_port_that_it_has() -> None:
    redirect = named(made(), "HTTPRoute", "shop-redirect")
    assert redirect["hostnames"] == ["shop.test", "*.shop.test"]
    (rule,) = redirect["rules"]
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301, "port": 8443}
    (rule,) = named(made(settings=replace(TRAEFIK, https_port=443)), "HTTPRoute", "shop-redirect")["rules"]
    assert "port" not in rule["filters"][0]["requestRedirect"]


def test_without_a_redirect_both_serve() -> None:
    found = made(replace(SHOP, tls=Tls(redirect=False)))
    assert named(found, "HTTPRoute", "shop")["hostnames"] == ["shop.localhost", "shop.test", "*.shop.test"]
    assert not [each for each in found if each["metadata"]["name"] == "shop-redirect"]


def test_hsts_is_said_over_https_alone() -> None:
    found = made(replace(SHOP, tls=Tls(hsts=60)))
    (rule,) = named(found, "HTTPRoute", "shop-https")["rules"]
    assert rule["filters"][0]["responseHeaderModifier"]["set"] == [
        {"name": "Strict-Transport-Security", "value": "max-age=60"}
    ]
    assert "filters" not in named(found, "HTTPRoute", "shop")["rules"][0]


def test_a_listener_set_where_the_gateway_takes_one() -> None:
    found = made(settings=replace(TRAEFIK, listeners="listenerset", gateway_class="envoy"))
    listeners = named(found, "ListenerSet", "shop")
    assert listeners["parentRef"]["name"] == "nucleo"
    assert named(found, "HTTPRoute", "shop-https")["parentRefs"][0]["kind"] == "ListenerSet"


def test_cert_manager_is_told_who_signs() -> None:
    found = made(certificates=(Certificate("shop-tls", SHOP.domains, "ClusterIssuer/le"),))
    (gateway,) = (each for each in found if each["kind"] == "Gateway")
    assert gateway["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "le"}


def test_more_hosts_than_a_route_takes() -> None:
    domains = tuple(f"h{number}.shop.test" for number in range(20))
    found = made(replace(SHOP, domains=domains), certificates=(Certificate("shop-tls", domains),))
    routes = [each for each in found if each["kind"] == "HTTPRoute"]
    assert all(len(each["spec"]["hostnames"]) <= 16 for each in routes)
    served = [host for each in routes if "https" in each["metadata"]["name"] for host in each["spec"]["hostnames"]]
    assert tuple(served) == domains
    assert len({each["metadata"]["name"] for each in routes}) == len(routes)

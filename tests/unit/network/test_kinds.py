# ruff: noqa: E501 (one kind a line or two)
"""Each kind of rule: its exact NetworkPolicy, CiliumNetworkPolicy and AppNetwork entries."""

import pytest

from nucleo_cli.config.rules import parse_rule
from nucleo_cli.domain.network import Direction, Network
from nucleo_cli.network.allowed import NOT_INTERNET
from nucleo_cli.network.cilium import cilium_policies
from nucleo_cli.network.policies import network_policies
from nucleo_cli.network.resource import app_network

from .conftest import Json, cluster, shop

V4, V6 = (list(each) for each in NOT_INTERNET.values())


def pods(namespace: str, app: str) -> Json:
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": {"nucleo.io/app": app}},
    }


def endpoints(namespace: str, app: str) -> list[Json]:
    return [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": namespace, "k8s:nucleo.io/app": app}}]


def agents(namespace: str, app: str) -> Json:
    return {"namespace": namespace, "labels": {"nucleo.io/app": app}}


# The rule; the entry of each back end, None where it has none; the AppNetwork's peers without the rule's text.
KINDS: list[tuple[Direction, str, Json | None, list[Json], list[Json]]] = [
    ("from", "app:web",
     {"from": [pods("web-staging", "web")]},
     [{"fromEndpoints": endpoints("web-staging", "web")}],
     [{"pods": agents("web-staging", "web")}]),
    ("from", "app:billing/invoices:8080",
     {"from": [pods("billing", "invoices")], "ports": [{"protocol": "TCP", "port": 8080}]},
     [{"fromEndpoints": endpoints("billing", "invoices"), "toPorts": [{"ports": [{"port": "8080", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 8080, "last": 8080}], "pods": agents("billing", "invoices")}]),
    ("from", "app:shop:9090",
     {"from": [pods("shop-staging", "shop")], "ports": [{"protocol": "TCP", "port": 9090}]},
     [{"fromEndpoints": endpoints("shop-staging", "shop"), "toPorts": [{"ports": [{"port": "9090", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 9090, "last": 9090}], "pods": agents("shop-staging", "shop")}]),
    ("from", "cidr:10.0.0.0/8:5432",
     {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"protocol": "TCP", "port": 5432}]},
     [{"fromCIDRSet": [{"cidr": "10.0.0.0/8"}], "toPorts": [{"ports": [{"port": "5432", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 5432, "last": 5432}], "cidr": {"block": "10.0.0.0/8", "excluded": []}}]),
    ("from", "ingress",
     {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}]},
     [{"fromEntities": ["ingress"]}, {"fromEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "gateways"}}]}],
     [{"special": "ingress"}, {"pods": {"namespace": "gateways", "labels": {}}}]),
    ("to", "app:users:8000-8010",
     {"to": [pods("users-staging", "users")], "ports": [{"protocol": "TCP", "port": 8000, "endPort": 8010}]},
     [{"toEndpoints": endpoints("users-staging", "users"), "toPorts": [{"ports": [{"port": "8000", "protocol": "TCP", "endPort": 8010}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 8000, "last": 8010}], "pods": agents("users-staging", "users")}]),
    ("to", "app:ns/users:80,53/udp",
     {"to": [pods("ns", "users")], "ports": [{"protocol": "TCP", "port": 80}, {"protocol": "UDP", "port": 53}]},
     [{"toEndpoints": endpoints("ns", "users"), "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}, {"port": "53", "protocol": "UDP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 80, "last": 80}, {"protocol": "UDP", "first": 53, "last": 53}], "pods": agents("ns", "users")}]),
    ("to", "service:kafka/broker:9092",
     None,
     [{"toServices": [{"k8sService": {"serviceName": "broker", "namespace": "kafka"}}], "toPorts": [{"ports": [{"port": "9092", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 9092, "last": 9092}], "service": {"namespace": "kafka", "name": "broker"}}]),
    ("to", "service:db",
     None,
     [{"toServices": [{"k8sService": {"serviceName": "db", "namespace": "shop-staging"}}]}],
     [{"service": {"namespace": "shop-staging", "name": "db"}}]),
    ("to", "cidr:[2001:db8::/32!2001:db8:1::/48]:443",
     {"to": [{"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}}], "ports": [{"protocol": "TCP", "port": 443}]},
     [{"toCIDRSet": [{"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}], "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 443, "last": 443}], "cidr": {"block": "2001:db8::/32", "excluded": ["2001:db8:1::/48"]}}]),
    ("to", "dns:api.stripe.com:443",
     None,
     [{"toFQDNs": [{"matchName": "api.stripe.com"}], "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 443, "last": 443}], "dns": {"name": "api.stripe.com"}}]),
    ("to", "dns:*.example.com:123/udp",
     None,
     [{"toFQDNs": [{"matchPattern": "**.example.com"}], "toPorts": [{"ports": [{"port": "123", "protocol": "UDP"}]}]}],
     [{"ports": [{"protocol": "UDP", "first": 123, "last": 123}], "dns": {"name": "*.example.com"}}]),
    ("to", "kube-api",
     None,
     [{"toEntities": ["kube-apiserver"]}],
     [{"special": "kube-api"}]),
    ("to", "internet:443",
     {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": V4}}, {"ipBlock": {"cidr": "::/0", "except": V6}}], "ports": [{"protocol": "TCP", "port": 443}]},
     [{"toCIDRSet": [{"cidr": "0.0.0.0/0", "except": V4}, {"cidr": "::/0", "except": V6}], "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}],
     [{"ports": [{"protocol": "TCP", "first": 443, "last": 443}], "cidr": {"block": block, "excluded": excluded}} for block, excluded in (("0.0.0.0/0", V4), ("::/0", V6))]),
]  # fmt: skip

SIDES = {"from": "ingress", "to": "egress"}


@pytest.mark.parametrize(("direction", "text", "policy", "cilium", "agent"), KINDS, ids=[each[1] for each in KINDS])
def test_each_kind_of_rule(
    direction: Direction, text: str, policy: Json | None, cilium: list[Json], agent: list[Json]
) -> None:
    rule = parse_rule(text, direction)
    network = Network(inbound=(rule,)) if direction == "from" else Network(outbound=(rule,))
    app, side = shop(network, environment="staging"), SIDES[direction]

    resource = app_network(app, cluster("agent"))["spec"][side]
    assert [each for each in resource if not each["rule"].startswith("implied")] == [
        {"rule": text, **each} for each in agent
    ]
    (found,) = cilium_policies(app, cluster("cilium"))
    assert found["spec"][side][-len(cilium) :] == cilium
    if policy is not None:
        (found,) = network_policies(app, cluster("networkpolicy"))
        assert found["spec"][side][-1] == policy
    other = {"ingress", "egress"} - {side}
    assert not other & found["spec"].keys()

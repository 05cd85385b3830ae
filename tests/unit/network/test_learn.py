"""Flows become the narrowest rules that allow them."""

from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.domain.app import App
from nucleo_cli.domain.flows import Flow
from nucleo_cli.network.learn import missing, rule_for

APP = App("shop", Path(), "python", namespace="shop")


def flow(**say: Any) -> Flow:
    base: dict[str, Any] = {
        "pod": "shop-1",
        "direction": "out",
        "kind": "address",
        "peer": "203.0.113.9",
        "address": "203.0.113.9",
        "port": 443,
        "protocol": "TCP",
        "verdict": "denied",
        "rule": "",
        "first": 1.0,
        "last": 2.0,
        "connections": 1,
        "packets_out": 0,
        "bytes_out": 0,
        "packets_in": 0,
        "bytes_in": 0,
        "retransmits": 0,
        "resets": 0,
        "rtt_us": None,
    }
    return Flow.read({"target": say.get("port", 443), **base, **say})


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({}, "cidr:203.0.113.9/32:443"),
        ({"address": "2001:db8::1", "peer": "2001:db8::1"}, "cidr:[2001:db8::1/128]:443"),
        ({"kind": "app", "peer": "users/users", "port": 80, "target": 8080}, "app:users:8080"),
        ({"kind": "app", "peer": "billing/invoices", "target": 8080}, "app:billing/invoices:8080"),
        ({"kind": "service", "peer": "shop/db", "port": 5432}, "service:db:5432"),
        ({"kind": "service", "peer": "kafka/broker", "port": 9092}, "service:kafka/broker:9092"),
        ({"kind": "service", "peer": "default/kubernetes"}, "kube-api:443"),
        ({"kind": "dns", "peer": "ntp.example.com", "port": 123, "protocol": "UDP"}, "dns:ntp.example.com:123/udp"),
        ({"kind": "app", "peer": "web/web", "direction": "in", "port": 8080}, "app:web:8080"),
        ({"kind": "node", "peer": "node", "direction": "in", "port": 8080}, "ingress:8080"),
        ({"kind": "dns", "peer": "x.example", "direction": "in"}, None),
        ({"protocol": "ICMP", "port": 0}, None),
        ({"kind": "pod", "peer": "shop/tool"}, None),
        ({"kind": "app", "peer": "users/users", "port": 80, "target": 0}, None),
        ({"address": "192.0.2.1", "peer": "192.0.2.1", "port": 9}, None),
    ],
)
def test_the_narrowest_rule(said: dict[str, Any], rule: str | None) -> None:
    assert rule_for(APP, flow(**said)) == rule


def test_one_rule_for_many_flows() -> None:
    seen = [flow(kind="app", peer="users/users", target=8080) for _ in range(3)]
    seen += [flow(kind="app", peer="web/web", direction="in", target=8080), flow(protocol="ICMP", port=0)]
    assert missing(APP, seen) == {"from": ["app:web:8080"], "to": ["app:users:8080"]}

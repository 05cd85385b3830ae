"""Which of the flows that were seen new rules would drop."""

from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.config import load
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.drops import dropped
from tests.unit.network.test_learn import flow

SETTINGS = Settings(network="agent")


def drops(tmp_path: Path, rules: str, **said: Any) -> bool:
    (tmp_path / "nucleo.yml").write_text(f"name: shop\nplatform: python\nnetwork: {{{rules}}}\n", "utf-8")
    return bool(list(dropped(load(tmp_path, None), SETTINGS, [flow(**{"verdict": "allowed", **said})])))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ('from: ["app:web"]', {}),
        ('to: ["app:users:8080"]', {"kind": "app", "peer": "users/users", "port": 80, "target": 8080}),
        ('to: ["cidr:203.0.113.0/24:443"]', {}),
        ("to: [internet]", {"address": "93.184.215.14"}),
        ('to: ["dns:*.example.com:443"]', {"kind": "dns", "peer": "api.example.com"}),
        ('to: ["service:db:5432"]', {"kind": "service", "peer": "shop/db", "port": 5432}),
        ("to: [kube-api]", {"kind": "service", "peer": "default/kubernetes"}),
        ("to: []", {"kind": "service", "peer": "kube-system/kube-dns", "port": 53, "protocol": "UDP"}),
        ("to: []", {"kind": "app", "peer": "shop/shop", "port": 8080}),
        ("from: []", {"kind": "node", "peer": "node", "direction": "in", "port": 8080}),
        ("to: []", {"verdict": "denied"}),
        ("to: []", {"verdict": "undecided", "packets_out": 3}),
        (
            'http: [{from: "app:web", methods: [GET]}]',
            {"kind": "app", "peer": "web/web", "direction": "in", "port": 8080},
        ),
    ],
)
def test_what_would_pass(tmp_path: Path, rules: str, said: dict[str, Any]) -> None:
    assert not drops(tmp_path, rules, **said)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("to: []", {}),
        ("to: []", {"verdict": "audited"}),
        ("to: []", {"verdict": "undecided", "packets_out": 3, "packets_in": 3}),
        (
            'http: [{from: "app:web", methods: [GET]}]',
            {"kind": "app", "peer": "web/web", "direction": "in", "port": 9999},
        ),
        ('to: ["app:users:8080"]', {"kind": "app", "peer": "users/users", "port": 81}),
        ('to: ["app:users:8080"]', {"kind": "app", "peer": "evil/users", "target": 8080}),
        ('to: ["cidr:203.0.113.0/24:80"]', {}),
        ('to: ["cidr:203.0.113.0/24!203.0.113.9/32"]', {}),
        ("to: [internet]", {"address": "10.1.2.3"}),
        ('to: ["dns:*.example.com:443"]', {"kind": "dns", "peer": "example.com"}),
        ('to: ["dns:api.example.com:123/udp"]', {"kind": "dns", "peer": "api.example.com", "port": 123}),
        ("from: []", {"kind": "app", "peer": "web/web", "direction": "in", "port": 8080}),
        ("from: []", {"kind": "node", "peer": "node", "direction": "in", "port": 9090}),
        ("default: deny", {}),
    ],
)
def test_what_would_be_dropped(tmp_path: Path, rules: str, said: dict[str, Any]) -> None:
    assert drops(tmp_path, rules, **said)


@pytest.mark.parametrize(
    ("said", "drops"),
    [
        ({"kind": "app", "peer": "shop/postgres", "port": 5432}, False),
        ({"kind": "app", "peer": "shop/other", "port": 5432}, True),
        ({"kind": "app", "peer": "shop/postgres", "port": 80}, True),
        ({"kind": "pod", "peer": "shop/db-0", "port": 5432}, False),
        ({"kind": "pod", "peer": "other/db-0", "port": 5432}, True),
    ],
)
def test_whom_a_rule_for_a_service_leads_to(tmp_path: Path, said: dict[str, Any], drops: bool) -> None:
    (tmp_path / "nucleo.yml").write_text('name: shop\nplatform: python\nnetwork: {to: ["service:db:5432"]}\n')
    seen = [flow(**{"verdict": "allowed", **said})]
    assert bool(list(dropped(load(tmp_path, None), SETTINGS, seen, {"shop/db": "shop/postgres"}))) == drops

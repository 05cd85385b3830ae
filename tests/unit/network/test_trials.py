"""Which connections show whether the rules are in force."""

from pathlib import Path

from nucleo_cli.config import load
from nucleo_cli.domain.settings import Settings
from nucleo_cli.network.trials import Place, Trial, Untried, trials, untried

SETTINGS = Settings(network="agent")
PLACES = [
    Place("users", "users", "10.1.0.5", 8080),
    Place("users", "users", "10.1.0.6", 8080),
    Place("other", "other", "10.1.0.7", 9090),
    Place("shop", "shop", "10.1.0.8", 8080),
]


def tried(tmp_path: Path, rules: str) -> list[Trial]:
    (tmp_path / "nucleo.yml").write_text(f"name: shop\nplatform: python\nnetwork: {{{rules}}}\n", "utf-8")
    return trials(load(tmp_path, None), SETTINGS, PLACES)


def test_what_is_open_has_nothing_to_try(tmp_path: Path) -> None:
    assert tried(tmp_path, "from: [ingress]") == []


def test_a_connection_for_each_rule_and_some_that_no_rule_allows(tmp_path: Path) -> None:
    rules = 'to: ["app:users:8080", "dns:api.example.com:443", "service:db:5432", "kube-api", "internet"]'
    assert tried(tmp_path, rules) == [
        Trial("10.1.0.5", 8080, True, "app:users:8080"),
        Trial("api.example.com", 443, True, "dns:api.example.com:443"),
        Trial("db.shop.svc", 5432, True, "service:db:5432"),
        Trial("kubernetes.default.svc", 443, True, "kube-api"),
        Trial("10.1.0.7", 9090, False, "no rule allows shop to other/other:9090"),
    ]


def test_closed_altogether(tmp_path: Path) -> None:
    found = tried(tmp_path, "to: []")
    assert not any(each.expected for each in found)
    assert [each.host for each in found] == ["192.0.2.1", "kubernetes.default.svc", "10.1.0.5", "10.1.0.7"]


def test_what_is_only_watched_is_open(tmp_path: Path) -> None:
    assert tried(tmp_path, "mode: audit, to: []") == []


def test_names_and_ports_that_say_too_little_are_not_tried(tmp_path: Path) -> None:
    found = tried(tmp_path, 'to: ["dns:*.example.com:443", "app:users:9", "cidr:10.0.0.0/8", "service:db"]')
    assert not any(each.expected for each in found)


def test_rules_that_lead_to_nobody_are_named(tmp_path: Path) -> None:
    (tmp_path / "nucleo.yml").write_text(
        'name: shop\nplatform: python\nnetwork: {to: ["app:users:80", "app:users:8080", "app:gone", "service:db"]}\n'
    )
    assert untried(load(tmp_path, None), SETTINGS, PLACES) == [
        Untried("app:users:80", "users/users listens on 8080"),
        Untried("app:gone", "gone/gone has no pod that runs"),
    ]

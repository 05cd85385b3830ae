"""Rules are added where they belong, and all else stays."""

from pathlib import Path

import pytest

from nucleo_cli.config import load
from nucleo_cli.config.editing import with_rules

HEAD = "name: shop\nplatform: python  # as always\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '\nnetwork:\n  to: ["app:users:8080"]\n'),
        ("network: {mode: audit}\n", 'network: {mode: audit, to: ["app:users:8080"]}\n'),
        ("network:\n  mode: audit  # for now\n", 'network:\n  to: ["app:users:8080"]\n  mode: audit  # for now\n'),
        ("network:\n  to: []\n", 'network:\n  to: ["app:users:8080"]\n'),
        ("network:\n  to: [internet]  # all\n", 'network:\n  to: [internet, "app:users:8080"]  # all\n'),
        ("network:\n  to: [\n    internet,\n  ]\n", 'network:\n  to: [\n    internet, "app:users:8080"]\n'),
        (
            "network:\n  to:\n  - internet  # all\nports: []\n",
            'network:\n  to:\n  - internet  # all\n  - "app:users:8080"\nports: []\n',
        ),
        (
            "network:\n  to:\n    - internet\n    # the last\n",
            'network:\n  to:\n    - internet\n    - "app:users:8080"\n    # the last\n',
        ),
        ('network:\n  from: ["app:web"]\n', 'network:\n  to: ["app:users:8080"]\n  from: ["app:web"]\n'),
    ],
)
def test_a_rule_is_added(tmp_path: Path, before: str, after: str) -> None:
    found = with_rules(HEAD + before, {"from": [], "to": ["app:users:8080"]})
    assert found == HEAD + after
    (tmp_path / "nucleo.yml").write_text(found, "utf-8")
    assert "app:users:8080" in [rule.text for rule in load(tmp_path, None).network.outbound or ()]


def test_both_directions(tmp_path: Path) -> None:
    found = with_rules(HEAD, {"from": ["app:web:80"], "to": ["internet:443", "kube-api"]})
    assert found.endswith('network:\n  to: ["internet:443", "kube-api"]\n  from: ["app:web:80"]\n')


def test_an_environment_that_has_its_own(tmp_path: Path) -> None:
    text = HEAD + "network: {to: []}\nenvironments:\n  production:\n    network: {to: [internet]}\n  staging: {}\n"
    of_production = with_rules(text, {"to": ["kube-api"]}, "production")
    assert 'production:\n    network: {to: [internet, "kube-api"]}' in of_production
    of_staging = with_rules(text, {"to": ["kube-api"]}, "staging")
    assert 'network: {to: ["kube-api"]}\nenvironments' in of_staging


def test_a_file_without_an_end_of_line() -> None:
    text = HEAD + "network:\n  to:\n  - internet"
    assert with_rules(text, {"to": ["kube-api"]}) == text + '\n  - "kube-api"'

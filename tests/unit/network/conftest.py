"""Apps with rules, and clusters that enforce them."""

from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.config.rules import parse_rule
from nucleo_cli.domain.app import App, Port, Process
from nucleo_cli.domain.network import HttpRule, Network, Rule
from nucleo_cli.domain.settings import BackEnd, Settings

Json = dict[str, Any]

WEB = Process("web", ports=(Port(8080, 80), Port(9090)))
WORKER = Process("worker")


def inbound(*texts: str) -> tuple[Rule, ...]:
    return tuple(parse_rule(text, "from") for text in texts)


def outbound(*texts: str) -> tuple[Rule, ...]:
    return tuple(parse_rule(text, "to") for text in texts)


def requests(text: str, *, methods: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> HttpRule:
    return HttpRule(parse_rule(text, "from"), methods, paths)


def shop(network: Network | None = None, *processes: Process, environment: str | None = None) -> App:
    namespace = f"shop-{environment}" if environment else "shop"
    return App(
        "shop",
        Path(),
        "python",
        environment=environment,
        namespace=namespace,
        processes=processes or (WEB, WORKER),
        network=network or Network(),
    )


def cluster(back_end: BackEnd) -> Settings:
    return Settings(base_domain="example.com", routes="gateway", gateway="gateways/web", network=back_end)


@pytest.fixture(params=["networkpolicy", "cilium", "agent"])
def back_end(request: pytest.FixtureRequest) -> BackEnd:
    return request.param

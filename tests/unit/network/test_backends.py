"""What the cluster's back end cannot enforce is refused, with the back ends that could."""

from dataclasses import replace
from typing import get_args

import pytest

from nucleo_cli.domain.app import Process
from nucleo_cli.domain.network import Limits, Network
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.errors import ConfigInvalid, Exit
from nucleo_cli.network.backends import CAN, Item, Problem, able, check, refuse

from .conftest import cluster, inbound, outbound, requests, shop

EVERYTHING = Network(
    mode="audit",
    inbound=inbound("ingress", "app:web", "cidr:10.0.0.0/8"),
    outbound=outbound("app:users", "service:db", "dns:a.example:443", "kube-api", "internet:443"),
    http=(requests("app:reports", methods=("GET",)),),
    limits=Limits(125),
    egress_ip="203.0.113.7",
)


def refused(network: Network, back_end: BackEnd) -> list[str]:
    return [each.rule for each in check(shop(network), cluster(back_end))]


def test_the_table_knows_every_item() -> None:
    assert frozenset[str]().union(*CAN.values()) == set(get_args(Item))


@pytest.mark.parametrize(
    ("back_end", "expected"),
    [
        (
            "networkpolicy",
            [
                *("mode: audit", "service:db", "dns:a.example:443", "kube-api", "http: app:reports"),
                *("limits.egress", "egress_ip: 203.0.113.7"),
            ],
        ),
        ("cilium", ["mode: audit", "limits.egress"]),
        ("agent", ["http: app:reports", "egress_ip: 203.0.113.7"]),
        ("none", ["network"]),
    ],
)
def test_what_each_back_end_cannot(back_end: BackEnd, expected: list[str]) -> None:
    assert refused(EVERYTHING, back_end) == expected


@pytest.mark.parametrize("back_end", ["networkpolicy", "cilium", "agent", "none"])
def test_nothing_is_refused_of_an_app_that_says_nothing(back_end: BackEnd) -> None:
    assert check(shop(Network(mode="audit")), cluster(back_end)) == ()


def test_a_refusal_names_the_rule_why_and_what_could() -> None:
    app = shop(Network(outbound=outbound("dns:a.example:443")))
    assert check(app, cluster("networkpolicy")) == (
        Problem(
            "dns:a.example:443",
            "a NetworkPolicy allows addresses, and knows no names",
            "cidr:BLOCK allows its addresses, internet:PORT every public one; "
            "Cilium and Nucleo's agent could enforce it",
            ("cilium", "agent"),
        ),
    )


def test_a_refusal_ends_with_the_code_of_an_invalid_file() -> None:
    app = shop(Network(outbound=outbound("dns:a.example", "kube-api")))
    with pytest.raises(ConfigInvalid) as caught:
        refuse(app, cluster("networkpolicy"))
    assert caught.value.exit == Exit.CONFIG
    assert caught.value.message == (
        "network: dns:a.example: a NetworkPolicy allows addresses, and knows no names\n"
        "network: kube-api: a NetworkPolicy does not know where the API server is"
    )
    assert [each["could"] for each in caught.value.details["problems"]] == [["cilium", "agent"]] * 2
    refuse(app, cluster("agent"))


def test_what_is_possible_alone_and_not_together() -> None:
    both = Network(outbound=outbound("dns:a.example"), limits=Limits(125))
    assert refused(both, "cilium") == ["limits.egress"]
    assert refused(both, "agent") == []
    assert refused(replace(both, outbound=outbound("internet")), "cilium") == []
    assert able({"audit", "http"}) == ()


def test_requests_that_a_rule_lets_in_already_are_not_limited() -> None:
    rule = requests("app:web:8080", methods=("GET",))
    assert refused(Network(inbound=inbound("app:web:8080-8090"), http=(rule,)), "cilium") == ["http: app:web:8080"]
    assert refused(Network(inbound=inbound("app:web"), http=(rule,)), "cilium") == ["http: app:web:8080"]
    assert refused(Network(inbound=inbound("app:web:9090"), http=(rule,)), "cilium") == []


def test_requests_need_a_port_of_tcp() -> None:
    without = shop(Network(http=(requests("app:web", methods=("GET",)),)), Process("web"))
    assert [each.why for each in check(without, cluster("cilium"))] == ["the app has no port that requests come to"]
    udp = Network(http=(requests("app:web:53/udp", methods=("GET",)),))
    assert refused(udp, "cilium") == ["http: app:web:53/udp"]


NOWHERE = Settings(base_domain="example.com", routes="ingress", ingress_class="nginx")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (replace(NOWHERE, network="networkpolicy"), ["implied: ingress"]),
        (replace(NOWHERE, network="cilium"), ["implied: ingress"]),
        (replace(NOWHERE, network="cilium", ingress_class="cilium"), []),
        (replace(NOWHERE, network="agent"), []),
        (replace(NOWHERE, network="networkpolicy", ingress_from=("nginx",)), []),
        (replace(NOWHERE, network="networkpolicy", ingress_from=("nodes",)), ["implied: ingress"]),
        (replace(NOWHERE, network="cilium", ingress_from=("nodes",)), []),
        (replace(NOWHERE, network="networkpolicy", routes="none"), []),
        (cluster("networkpolicy"), []),
    ],
)
def test_the_ingress_is_allowed_only_where_it_is_known(settings: Settings, expected: list[str]) -> None:
    app = shop(Network(inbound=()))
    assert [each.rule for each in check(app, settings)] == expected
    assert check(shop(Network(outbound=())), settings) == ()

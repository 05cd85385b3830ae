"""What the cluster's back end cannot enforce is refused, with the back ends that could."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from nucleo_cli import config
from nucleo_cli.domain.app import Port, Process
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


def refused(network: Network, back_end: BackEnd, *processes: Process) -> list[tuple[str, str]]:
    return [(each.key, each.rule) for each in check(shop(network, *processes), cluster(back_end))]


def test_the_table_knows_every_item() -> None:
    assert frozenset[str]().union(*CAN.values()) == set(get_args(Item))


ALL = [
    ("mode", "audit"),
    ("from", "ingress"),
    ("from", "app:web"),
    ("from", "cidr:10.0.0.0/8"),
    ("to", "app:users"),
    ("to", "service:db"),
    ("to", "dns:a.example:443"),
    ("to", "kube-api"),
    ("to", "internet:443"),
    ("http", "app:reports"),
    ("limits", "egress"),
    ("egress_ip", "203.0.113.7"),
]
BEYOND_NETWORK_POLICY = [ALL[0], *ALL[5:8], *ALL[9:]]


@pytest.mark.parametrize(
    ("back_end", "expected"),
    [
        ("networkpolicy", BEYOND_NETWORK_POLICY),
        ("cilium", [("mode", "audit"), ("limits", "egress")]),
        ("agent", [("http", "app:reports"), ("egress_ip", "203.0.113.7")]),
        ("none", ALL),
    ],
)
def test_what_each_back_end_cannot(back_end: BackEnd, expected: list[tuple[str, str]]) -> None:
    assert refused(EVERYTHING, back_end) == expected


def test_where_nothing_enforces_rules_nothing_can_be_closed() -> None:
    assert refused(Network(inbound=()), "none") == [("from", "[]")]
    assert refused(Network(outbound=(), default="deny"), "none") == [("to", "[]"), ("default", "deny")]


@pytest.mark.parametrize("back_end", ["networkpolicy", "cilium", "agent", "none"])
def test_nothing_is_refused_of_an_app_that_says_nothing(back_end: BackEnd) -> None:
    assert check(shop(Network(mode="audit")), cluster(back_end)) == ()


def test_a_refusal_names_the_rule_why_and_what_could() -> None:
    app = shop(Network(outbound=outbound("dns:a.example:443")))
    assert check(app, cluster("networkpolicy")) == (
        Problem(
            "to",
            "dns:a.example:443",
            "a NetworkPolicy allows addresses, and knows no names",
            "cidr:BLOCK allows its addresses, internet:PORT every public one; "
            "Cilium and Nucleo's agent could enforce it",
            ("cilium", "agent"),
        ),
    )


FILE = """\
platform: python
network:
  to: ["app:users", "dns:a.example"]
  http:
    - {from: "app:reports", methods: [GET]}
environments:
  staging:
    network: {to: [kube-api], limits: {egress: 1M}}
  closed:
    network: {default: deny, http: [{from: "app:a", methods: [GET]}]}
"""


@pytest.mark.parametrize(
    ("environment", "back_end", "expected"),
    [
        (
            None,
            "networkpolicy",
            [
                '3:21: network.to "dns:a.example": a NetworkPolicy allows addresses, and knows no names',
                '5:7: network.http "app:reports": a NetworkPolicy sees connections, and no requests',
            ],
        ),
        (
            "staging",
            "networkpolicy",
            [
                '8:20: network.to "kube-api": a NetworkPolicy does not know where the API server is',
                '5:7: network.http "app:reports": a NetworkPolicy sees connections, and no requests',
                '8:31: network.limits "egress": a NetworkPolicy allows or drops, and slows nothing down',
            ],
        ),
        ("closed", "agent", ['10:37: network.http "app:a": Nucleo\'s agent sees packets, and no requests']),
    ],
)
def test_a_refusal_says_where_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None, back_end: BackEnd, expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nucleo.yml").write_text(FILE)
    app = config.load(tmp_path, environment)
    with pytest.raises(ConfigInvalid) as caught:
        refuse(app, cluster(back_end))
    assert caught.value.exit == Exit.CONFIG
    assert caught.value.message.splitlines() == [f"nucleo.yml:{line}" for line in expected]
    problem = caught.value.details["problems"][0]
    assert problem["message"] == expected[0].split(": ", 1)[1]
    assert f"nucleo.yml:{problem['line']}:{problem['column']}: {problem['message']}" == f"nucleo.yml:{expected[0]}"
    assert set(problem["could"]) <= {"networkpolicy", "cilium", "agent"}


def test_an_app_without_its_file_is_refused_all_the_same() -> None:
    with pytest.raises(ConfigInvalid, match=r'^network\.to "kube-api": a NetworkPolicy does not know'):
        refuse(shop(Network(outbound=outbound("kube-api"))), cluster("networkpolicy"))


def test_what_is_possible_alone_and_not_together() -> None:
    both = Network(outbound=outbound("dns:a.example"), limits=Limits(125))
    assert refused(both, "cilium") == [("limits", "egress")]
    assert refused(both, "agent") == []
    assert refused(replace(both, outbound=outbound("internet")), "cilium") == []
    assert able({"audit", "http"}) == ()


def test_what_is_switched_off_is_refused() -> None:
    app = shop(replace(EVERYTHING, mode="enforce", limits=Limits()))
    settings = replace(cluster("cilium"), switched_off=("dns", "http", "limits", "egress_ip"))
    proxy = ("Cilium's L7 proxy is switched off", "l7Proxy: true in the values of Cilium's chart switches it on")
    gateway = "egressGateway.enabled: true in the values of Cilium's chart switches it on"
    assert [(each.key, each.why, each.hint) for each in check(app, settings)] == [
        ("to", *proxy),
        ("http", *proxy),
        ("egress_ip", "Cilium's egress gateway is switched off", gateway),
    ]


def http(text: str, *others: str) -> Network:
    return Network(inbound=inbound(*others), http=(requests(text, methods=("GET",)),))


BALANCED = Process("web", ports=(Port(8080, 80), Port(5000, 5432)))


@pytest.mark.parametrize(
    ("network", "process", "expected"),
    [
        (http("app:web:8080", "app:web:8080-8090"), BALANCED, True),
        (http("app:web:8080", "app:web"), BALANCED, True),
        (http("app:web", "app:web/web:8080"), Process("web", ports=(Port(8080),)), True),
        (http("app:web:8080", "app:web:9090"), BALANCED, False),
        (http("app:web:8080", "app:other"), BALANCED, False),
        (http("cidr:10.1.0.0/16:8080", "cidr:10.0.0.0/8"), BALANCED, True),
        (http("cidr:10.1.0.0/16:8080", "cidr:11.0.0.0/8"), BALANCED, False),
        (http("cidr:10.1.0.0/16:8080", "cidr:[2001:db8::/32]"), BALANCED, False),
        (http("ingress:8080", "ingress:9090"), BALANCED, False),
        (http("ingress", "ingress:8080"), Process("web", ports=(Port(8080),)), True),
        (http("app:shop:8080"), BALANCED, True),
        (http("app:web:5000"), BALANCED, True),
        (http("app:web"), BALANCED, True),
    ],
)
def test_requests_that_come_in_already_cannot_be_limited(network: Network, process: Process, expected: bool) -> None:
    assert refused(network, "cilium", process) == ([("http", network.http[0].rule.text)] if expected else [])


def test_requests_need_a_port_of_tcp() -> None:
    without = shop(http("app:web"), Process("web"))
    assert [each.why for each in check(without, cluster("cilium"))] == ["the app has no port that requests come to"]
    assert refused(http("app:web:53/udp"), "cilium") == [("http", "app:web:53/udp")]


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


def test_more_hosts_than_the_agent_follows() -> None:
    hosts = [f"dns:{each}.example:443" for each in range(65)]
    assert refused(Network(outbound=outbound(*hosts[1:])), "agent") == []
    assert refused(Network(outbound=outbound(*hosts[1:], "dns:1.example:80")), "agent") == []
    assert refused(Network(outbound=outbound(*hosts)), "agent") == [("to", "dns:0.example:443")]
    assert refused(Network(outbound=outbound(*hosts)), "cilium") == []

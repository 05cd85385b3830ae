"""The rules as a table for people."""

from nucleo_cli.domain.app import Port, Process
from nucleo_cli.domain.network import Network
from nucleo_cli.network.explain import explained

from .conftest import cluster, inbound, outbound, requests, shop

WEB = Process("web", ports=(Port(8080, 80), Port(5000, 5432)))


def rows(network: Network) -> list[tuple[str, str, str, str, bool]]:
    found = explained(shop(network, WEB), cluster("cilium"), "cilium")
    assert {each.back_end for each in found} == {"cilium"}
    return [(each.direction, each.peer, each.ports, each.why, each.implied) for each in found]


def test_what_is_open_is_said() -> None:
    assert rows(Network()) == [
        ("from", "anybody", "every port", "nothing is said of `from`: it is open", True),
        ("to", "anybody", "every port", "nothing is said of `to`: it is open", True),
    ]


def test_every_kind_of_peer_in_words() -> None:
    texts = ("app:users:80,90-99", "service:db", "cidr:10.0.0.0/8!10.1.0.0/16", "dns:a.b", "dns:*.a.b", "kube-api")
    network = Network(
        inbound=inbound("ingress:5000", "app:billing/invoices"),
        outbound=outbound(*texts, "internet:53/udp"),
        http=(requests("app:reports", methods=("GET",)), requests("app:crawler:8080", paths=("/a", "/b/*"))),
    )
    own = "the processes of an app may talk to each other"
    assert rows(network) == [
        ("from", "the app itself", "every port", own, True),
        ("from", "the node that the pod is on", "8080", "the node asks each process whether it is well", True),
        ("from", "the ingress (gateways)", "8080", "external 80 and 443 are served at the app's host names", True),
        ("from", "anybody", "5000", "other external ports are open to the clients of a load balancer", True),
        ("from", "the ingress (gateways)", "5000", "ingress:5000", False),
        ("from", "app invoices in namespace billing", "every port", "app:billing/invoices", False),
        ("from", "app reports in namespace reports", "every port, GET of any path", "app:reports", False),
        ("from", "app crawler in namespace crawler", "8080, any method of /a or /b/*", "app:crawler:8080", False),
        ("to", "the app itself", "every port", own, True),
        ("to", "the cluster's DNS", "53/udp, 53", "names are looked up at the cluster's DNS", True),
        ("to", "app users in namespace users", "80, 90-99", "app:users:80,90-99", False),
        ("to", "Service db in namespace shop", "every port", "service:db", False),
        ("to", "10.0.0.0/8 without 10.1.0.0/16", "every port", "cidr:10.0.0.0/8!10.1.0.0/16", False),
        ("to", "a.b", "every port", "dns:a.b", False),
        ("to", "every name below a.b", "every port", "dns:*.a.b", False),
        ("to", "the cluster's API server", "every port", "kube-api", False),
        ("to", "every public address", "53/udp", "internet:53/udp", False),
    ]


def test_a_direction_that_nobody_has_a_rule_for() -> None:
    assert rows(Network(outbound=()))[-1] == ("to", "nobody else", "", "to: []", False)
    assert [each[:2] for each in rows(Network(default="deny")) if each[3] == "default: deny"] == [
        ("from", "nobody else"),
        ("to", "nobody else"),
    ]

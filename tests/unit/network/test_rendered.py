"""Whole objects: what is always allowed, what is left out, and what goes into a release."""

import subprocess
from dataclasses import replace
from typing import cast

import pytest
import yaml
from jsonschema import Draft202012Validator

from nucleo_cli import assets
from nucleo_cli.charts.values import values
from nucleo_cli.domain.app import Port, Process
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.network import Limits, Network
from nucleo_cli.domain.release import Facts
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.errors import ConfigInvalid
from nucleo_cli.network.cilium import cilium_policies
from nucleo_cli.network.manifest import where
from nucleo_cli.network.policies import network_policies
from nucleo_cli.network.rendered import Rendered, rendered
from nucleo_cli.network.resource import app_network, hold

from .conftest import Json, cluster, inbound, outbound, requests, shop

METADATA = {
    "name": "shop",
    "namespace": "shop",
    "labels": {
        "app.kubernetes.io/name": "shop",
        "app.kubernetes.io/instance": "shop",
        "app.kubernetes.io/managed-by": "Helm",
        "nucleo.io/app": "shop",
    },
}
CLOSED = Network(inbound=(), outbound=())
BALANCED = Process("web", ports=(Port(8080, 80), Port(5000, 5432)))


def test_a_closed_network_policy() -> None:
    own = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
        "podSelector": {"matchLabels": {"nucleo.io/app": "shop"}},
    }
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    gateways = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}
    anywhere = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
    assert network_policies(shop(CLOSED, BALANCED), cluster("networkpolicy")) == [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": METADATA,
            "spec": {
                "podSelector": {"matchLabels": {"nucleo.io/app": "shop"}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {"from": [own]},
                    {"from": [gateways], "ports": [{"protocol": "TCP", "port": 8080}]},
                    {"from": anywhere, "ports": [{"protocol": "TCP", "port": 5000}]},
                ],
                "egress": [
                    {"to": [own]},
                    {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
                ],
            },
        }
    ]


def own_endpoints(side: str) -> Json:
    own = {"k8s:io.kubernetes.pod.namespace": "shop", "k8s:nucleo.io/app": "shop"}
    return {f"{side}Endpoints": [{"matchLabels": own}]}


def to_ports(*ports: int) -> list[Json]:
    return [{"ports": [{"port": str(port), "protocol": "TCP"} for port in ports]}]


DNS_ENDPOINTS = [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}}]
DNS_PORTS = [{"port": "53", "protocol": "UDP"}, {"port": "53", "protocol": "TCP"}]


def test_a_closed_cilium_policy() -> None:
    gateways = [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "gateways"}}]
    assert cilium_policies(shop(CLOSED, BALANCED), cluster("cilium")) == [
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": METADATA,
            "spec": {
                "endpointSelector": {"matchLabels": {"k8s:nucleo.io/app": "shop"}},
                "ingress": [
                    own_endpoints("from"),
                    {"fromEntities": ["host"], "toPorts": to_ports(8080)},
                    {"fromEntities": ["ingress"], "toPorts": to_ports(8080)},
                    {"fromEndpoints": gateways, "toPorts": to_ports(8080)},
                    {"fromEntities": ["all"], "toPorts": to_ports(5000)},
                ],
                "egress": [own_endpoints("to"), {"toEndpoints": DNS_ENDPOINTS, "toPorts": [{"ports": DNS_PORTS}]}],
            },
        }
    ]


def test_cilium_learns_addresses_of_names_from_the_clusters_dns() -> None:
    app = shop(Network(outbound=outbound("dns:api.stripe.com:443")))
    (policy,) = cilium_policies(app, cluster("cilium"))
    seen = [{"ports": DNS_PORTS, "rules": {"dns": [{"matchPattern": "*"}]}}]
    assert {"toEndpoints": DNS_ENDPOINTS, "toPorts": seen} in policy["spec"]["egress"]


def test_requests_on_cilium() -> None:
    rule = requests("app:reports", methods=("GET", "HEAD"), paths=("/api/*", "/v1.0/(x)"))
    (policy,) = cilium_policies(shop(Network(http=(rule,))), cluster("cilium"))
    reports = {"k8s:io.kubernetes.pod.namespace": "reports", "k8s:nucleo.io/app": "reports"}
    exact = r"/v1\.0/\(x\)(\?.*)?"
    assert policy["spec"]["ingress"][-1] == {
        "fromEndpoints": [{"matchLabels": reports}],
        "toPorts": [
            {
                **to_ports(8080, 9090)[0],
                "rules": {
                    "http": [
                        {"method": "GET", "path": "/api/.*"},
                        {"method": "GET", "path": exact},
                        {"method": "HEAD", "path": "/api/.*"},
                        {"method": "HEAD", "path": exact},
                    ]
                },
            }
        ],
    }


def test_the_ingress_has_no_other_requests_than_those_that_are_said() -> None:
    rule = requests("ingress:8080", paths=("/public/*",))
    (policy,) = cilium_policies(shop(Network(http=(rule,))), cluster("cilium"))
    ingress = [each for each in policy["spec"]["ingress"] if each.get("fromEntities") == ["ingress"]]
    assert [each["toPorts"][0]["rules"] for each in ingress] == [{"http": [{"path": "/public/.*"}]}]


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        ("nodes", {"fromEntities": ["host", "remote-node"]}),
        ("10.9.0.0/24", {"fromCIDRSet": [{"cidr": "10.9.0.0/24"}]}),
        ("traefik", {"fromEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "traefik"}}]}),
    ],
)
def test_where_the_proxies_of_the_ingress_are(hop: str, expected: Json) -> None:
    settings = replace(cluster("cilium"), ingress_from=(hop,))
    (policy,) = cilium_policies(shop(Network(inbound=inbound("ingress:9090"))), settings)
    assert policy["spec"]["ingress"][-1] == {**expected, "toPorts": to_ports(9090)}


def test_an_address_of_ones_own_on_cilium() -> None:
    assert cilium_policies(shop(Network(egress_ip="203.0.113.7")), cluster("cilium")) == [
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumEgressGatewayPolicy",
            "metadata": {"name": "shop.shop", "labels": METADATA["labels"]},
            "spec": {
                "selectors": [
                    {"podSelector": {"matchLabels": {"io.kubernetes.pod.namespace": "shop", "nucleo.io/app": "shop"}}}
                ],
                "destinationCIDRs": ["0.0.0.0/0"],
                "egressGateway": {
                    "nodeSelector": {"matchLabels": {"nucleo.io/egress-ip": "203.0.113.7"}},
                    "egressIP": "203.0.113.7",
                },
            },
        }
    ]


@pytest.mark.parametrize(
    ("back_end", "network", "path"),
    [
        ("networkpolicy", CLOSED, "networking.k8s.io/v1/namespaces/shop/networkpolicies/shop"),
        ("agent", CLOSED, "nucleo.io/v1alpha1/namespaces/shop/appnetworks/shop"),
        ("cilium", CLOSED, "cilium.io/v2/namespaces/shop/ciliumnetworkpolicies/shop"),
        ("cilium", Network(egress_ip="203.0.113.7"), "cilium.io/v2/ciliumegressgatewaypolicies/shop.shop"),
    ],
)
def test_where_the_api_has_it(back_end: BackEnd, network: Network, path: str) -> None:
    (found,) = rendered(shop(network), cluster(back_end)).objects
    assert where(found) == f"/apis/{path}"


def test_no_more_ports_to_an_entry_than_cilium_takes() -> None:
    ports = ",".join(str(port) for port in range(1, 82))
    (policy,) = cilium_policies(shop(Network(outbound=outbound(f"app:users:{ports}"))), cluster("cilium"))
    assert [len(each["ports"]) for each in policy["spec"]["egress"][-1]["toPorts"]] == [40, 40, 1]


def test_a_closed_app_network() -> None:
    own = {"rule": "implied: own processes", "pods": {"namespace": "shop", "labels": {"nucleo.io/app": "shop"}}}
    dns = {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    web = [{"protocol": "TCP", "first": 8080, "last": 8080}]
    balanced = {"rule": "implied: load balancer", "ports": [{"protocol": "TCP", "first": 5000, "last": 5000}]}
    both = [{"protocol": protocol, "first": 53, "last": 53} for protocol in ("UDP", "TCP")]
    app = shop(replace(CLOSED, mode="audit", limits=Limits(1_250_000)), BALANCED)
    assert app_network(app, cluster("agent")) == {
        "apiVersion": "nucleo.io/v1alpha1",
        "kind": "AppNetwork",
        "metadata": METADATA,
        "spec": {
            "mode": "Audit",
            "podSelector": {"matchLabels": {"nucleo.io/app": "shop"}},
            "ingress": [
                own,
                {"rule": "implied: health checks", "ports": web, "special": "node"},
                {"rule": "implied: ingress", "ports": web, "special": "ingress"},
                {"rule": "implied: ingress", "ports": web, "pods": {"namespace": "gateways", "labels": {}}},
                {**balanced, "cidr": {"block": "0.0.0.0/0", "excluded": []}},
                {**balanced, "cidr": {"block": "::/0", "excluded": []}},
            ],
            "egress": [own, {"rule": "implied: kube-dns", "ports": both, "pods": dns}],
            "egressBytesPerSecond": 1_250_000,
        },
    }


def schema() -> Json:
    """The CRD's own schema, as far as JSON Schema goes."""
    text = (assets.folder("chart_templates") / "agent" / "crds" / "appnetworks.yaml").read_text()
    return yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def strict(node: Json) -> Json:
    """The same schema, where a field that it does not know is refused, as the API server warns of one."""
    found = {key: strict(cast(Json, value)) if isinstance(value, dict) else value for key, value in node.items()}
    if found.get("type") == "object" and "properties" in found:
        return {**found, "additionalProperties": False}
    return found


def test_the_crd_takes_every_kind_of_rule() -> None:
    texts = ("app:a:1-2", "service:b/c:53/udp", "cidr:10.0.0.0/8!10.1.0.0/16", "cidr:[2001:db8::/32]", "dns:*.a.b")
    network = Network(
        inbound=inbound("ingress", "app:a", "cidr:10.0.0.0/8:22"), outbound=outbound(*texts, "kube-api", "internet:443")
    )
    found = app_network(shop(replace(network, limits=Limits(125)), BALANCED), cluster("agent"))
    rules = schema()
    Draft202012Validator.check_schema(rules)
    metadata = rules["properties"].pop("metadata")
    assert metadata == {"type": "object"}
    spec = strict(rules["properties"]["spec"])
    errors = [error.message for error in Draft202012Validator(spec).iter_errors(found["spec"])]  # pyright: ignore
    assert errors == []


def test_nothing_is_written_where_nothing_is_said(back_end: BackEnd) -> None:
    assert rendered(shop(Network(mode="audit")), cluster(back_end)) == Rendered()


def test_an_open_direction_is_left_out(back_end: BackEnd) -> None:
    (found,) = rendered(shop(Network(outbound=())), cluster(back_end)).objects
    assert "ingress" not in found["spec"]
    assert found["spec"]["egress"]
    (found,) = rendered(shop(Network(outbound=(), default="deny")), cluster(back_end)).objects
    assert found["spec"]["ingress"]


def test_what_a_back_end_cannot_is_in_no_release() -> None:
    with pytest.raises(ConfigInvalid):
        rendered(shop(Network(outbound=outbound("dns:a.example"))), cluster("networkpolicy"))


def test_only_an_enforcing_agent_is_waited_for() -> None:
    assert rendered(shop(CLOSED), cluster("agent")).hold == hold(shop(CLOSED))
    assert rendered(shop(replace(CLOSED, mode="audit")), cluster("agent")).hold == []
    assert rendered(shop(CLOSED), cluster("cilium")).hold == []


def test_beside_cilium_the_agent_is_told_what_to_watch() -> None:
    """Nothing of what it cannot do is lost to it: requests are connections to their ports."""
    rule = requests("app:reports:8080", methods=("GET",))
    network = Network(http=(rule,), outbound=(), limits=Limits(1_250_000), egress_ip="203.0.113.7")
    beside = replace(cluster("cilium"), observed=True)
    *policies, watched = rendered(shop(network), beside).objects
    assert policies == rendered(shop(network), cluster("cilium")).objects
    assert rendered(shop(network), beside).hold == []
    reports = {"namespace": "reports", "labels": {"nucleo.io/app": "reports"}}
    ports = [{"protocol": "TCP", "first": 8080, "last": 8080}]
    assert watched["spec"]["ingress"][-1] == {"rule": "app:reports:8080", "ports": ports, "pods": reports}
    assert [each["rule"] for each in watched["spec"]["egress"]] == ["implied: own processes", "implied: kube-dns"]
    assert watched["spec"].keys() == {"mode", "podSelector", "ingress", "egress"}
    assert watched["spec"]["mode"] == "Audit"


def test_cilium_reads_the_limit_from_the_pods() -> None:
    found = rendered(shop(Network(limits=Limits(1_250_000))), cluster("cilium"))
    assert (found.objects, found.annotations) == ([], {"kubernetes.io/egress-bandwidth": "10000000"})


def test_what_a_release_is_given() -> None:
    image, facts = Image("r.example/shop", f"sha256:{'a' * 64}"), Facts("0.1.0", "1f2e", "python 3.13")
    made = values(shop(CLOSED), image, facts, cluster("agent"))["network"]
    assert [each["kind"] for each in made["objects"]] == ["AppNetwork"]
    assert made.get("hold") == hold(shop(CLOSED))
    assert "annotations" not in made
    limited = values(shop(Network(limits=Limits(125))), image, facts, cluster("cilium"))["network"]
    assert limited == {"objects": [], "annotations": {"kubernetes.io/egress-bandwidth": "1000"}}
    assert values(shop(), image, facts, Settings())["network"] == {"objects": []}


def test_a_pod_waits_for_a_refusal_and_for_nothing_less() -> None:
    # Here nothing is attached: the connection is refused by the kernel, because nobody listens.
    command = hold(shop(CLOSED))
    assert command[:2] == ["/bin/bash", "-c"]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(command, timeout=0.3, check=False)
    denied = command[2].replace("exec 3<>/dev/tcp/127.0.0.1/1", 'echo "connect: Operation not permitted" >&2')
    done = subprocess.run(["bash", "-c", denied], timeout=60, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    hurried = command[2].replace("sleep 0.05", '[ "$tries" -lt 45 ] || exit')
    done = subprocess.run(["bash", "-c", hurried], timeout=60, check=False, capture_output=True, text=True)
    assert done.stdout == "waiting for the network rules of this pod\n"

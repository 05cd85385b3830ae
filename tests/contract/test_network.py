"""The rules of an app, judged by a real API server: by Kubernetes' own schema, by Cilium's CRDs, and by ours."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from nucleo_cli import assets
from nucleo_cli.adapters.helm import Helm, find
from nucleo_cli.adapters.kubernetes import Cluster, path
from nucleo_cli.charts.shape import plain
from nucleo_cli.charts.values import values
from nucleo_cli.config.rules import parse_rule
from nucleo_cli.domain.app import App, Port, Process
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.documents import parts
from nucleo_cli.domain.network import HttpRule, Limits, Network, Rule
from nucleo_cli.domain.release import Facts
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.errors import NotFound, NucleoError
from nucleo_cli.network.resource import hold
from nucleo_cli.workflows.settings import with_back_end
from tests import cilium

Json = dict[str, Any]

CHARTS = assets.folder("chart_templates")
CRDS = path("apiextensions.k8s.io/v1", "customresourcedefinitions")
IMAGE = Image("127.0.0.1:5000/shop", f"sha256:{'a' * 64}")
FACTS = Facts("0.1.0", "1f2e", "python 3.13")
WEB = Process("web", ports=(Port(8080, 80), Port(5000, 5432), Port(9090)))
PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "CiliumNetworkPolicy": "ciliumnetworkpolicies",
    "CiliumEgressGatewayPolicy": "ciliumegressgatewaypolicies",
    "AppNetwork": "appnetworks",
}


def inbound(*texts: str) -> tuple[Rule, ...]:
    return tuple(parse_rule(text, "from") for text in texts)


def outbound(*texts: str) -> tuple[Rule, ...]:
    return tuple(parse_rule(text, "to") for text in texts)


def requests(text: str, *given: str) -> HttpRule:
    return HttpRule(parse_rule(text, "from"), ("GET", "M-SEARCH"), given)


ADDRESSES = ("cidr:10.0.0.0/8!10.1.0.0/16:5432", "cidr:[2001:db8::/32]:443,53/udp", "cidr:203.0.113.7/32")
FROM = inbound("ingress:9090", "app:web", "app:billing/invoices:8000-8010", *ADDRESSES)
PLAIN = Network(inbound=FROM, outbound=outbound("app:users", "app:shop/users:1-65535/udp", *ADDRESSES, "internet:443"))
OUTSIDE = outbound(
    "service:broker", "service:kafka/broker:9092", "dns:api.example.com:443", "dns:*.example.com", "kube-api"
)
MANY = ",".join(str(port) for port in range(1, 100))

CASES: dict[str, tuple[BackEnd, Network]] = {
    "closed, NetworkPolicy": ("networkpolicy", Network(default="deny")),
    "closed, Cilium": ("cilium", Network(default="deny")),
    "closed, agent": ("agent", Network(default="deny")),
    "inbound alone": ("cilium", Network(inbound=())),
    "outbound alone": ("agent", Network(outbound=())),
    "all that a NetworkPolicy can": ("networkpolicy", PLAIN),
    "all that Cilium can": (
        "cilium",
        replace(
            PLAIN,
            outbound=(*(PLAIN.outbound or ()), *OUTSIDE),
            http=(
                requests("app:reports:8080", "/api/*", "/v1.0/(x)"),
                requests("app:crawler:8000-8010", "/robots.txt"),
            ),
            egress_ip="203.0.113.7",
        ),
    ),
    "all that the agent can": (
        "agent",
        replace(PLAIN, mode="audit", outbound=(*(PLAIN.outbound or ()), *OUTSIDE), limits=Limits(1_250_000)),
    ),
    "the agent enforces": ("agent", replace(PLAIN, limits=Limits(125_000_000_000_000))),
    "many ports, NetworkPolicy": ("networkpolicy", Network(outbound=outbound(f"app:users:{MANY}"))),
    "many ports, Cilium": ("cilium", Network(outbound=outbound(f"app:users:{MANY}"))),
    "many ports, agent": ("agent", Network(outbound=outbound(f"app:users:{MANY}"))),
}


def shop(network: Network, namespace: str) -> App:
    return App("shop", Path(), "python", namespace=namespace, processes=(WEB,), network=network)


def settings(back_end: BackEnd) -> Settings:
    """Of a cluster where the agent observes beside Cilium."""
    beside = back_end == "cilium"
    return Settings(
        base_domain="example.com", routes="gateway", gateway="traefik/web", network=back_end, observed=beside
    )


@pytest.fixture(scope="module")
def own_crd() -> Json:
    return yaml.safe_load((CHARTS / "agent" / "crds" / "appnetworks.yaml").read_text())


@pytest.fixture(scope="module")
def registered(api: Cluster, own_crd: Json) -> Iterator[list[Json]]:
    """All CRDs on the cluster; those that were not there before are removed in the end."""
    made: list[str] = []
    crds = (*cilium.crds(), own_crd)
    try:
        for name, crd in ((each["metadata"]["name"], each) for each in crds):
            try:
                api.get(f"{CRDS}/{name}")
            except NotFound:
                made.append(name)
                api.create(CRDS, crd, fieldValidation="Strict")
        yield [_established(api, each["metadata"]["name"]) for each in crds]
    finally:
        for name in made:
            api.delete(f"{CRDS}/{name}")


def _established(api: Cluster, name: str) -> Json:
    """The CRD, once its resources are served."""
    until = time.monotonic() + 60
    while True:
        found = api.get(f"{CRDS}/{name}")
        conditions = {each["type"]: each["status"] for each in parts(found, "status", "conditions")}
        if conditions.get("Established") == "True" and _is_served(api, found):
            return found
        assert time.monotonic() < until, conditions
        time.sleep(0.1)


def _is_served(api: Cluster, crd: Json) -> bool:
    spec = crd["spec"]
    try:
        api.get(path(f"{spec['group']}/{spec['versions'][0]['name']}", spec["names"]["plural"]))
    except NotFound:
        return False
    return True


def create(api: Cluster, document: Json, namespace: str) -> Json:
    """As the API server would store it; unknown fields are an error."""
    where = path(document["apiVersion"], PLURALS[document["kind"]], document["metadata"].get("namespace") and namespace)
    return api.create(where, document, dryRun="All", fieldValidation="Strict")


Rendered = Callable[[BackEnd, Network], list[Json]]


@pytest.fixture(scope="module")
def rendered(namespaces: Callable[..., str]) -> Rendered:
    """The objects of the rules as helm writes them, all in one namespace of the tests' own."""
    namespace = namespaces()

    def rendered(back_end: BackEnd, network: Network) -> list[Json]:
        app = shop(network, namespace)
        given = plain(values(app, IMAGE, FACTS, settings(back_end)))
        documents = yaml.safe_load_all(Helm(find()).template("shop", CHARTS / "app", namespace, given))
        return [each for each in documents if each and each["kind"] in PLURALS]

    return rendered


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", CASES)
def test_the_api_server_takes_every_object(api: Cluster, rendered: Rendered, name: str) -> None:
    documents = rendered(*CASES[name])
    assert documents
    for document in documents:
        stored = create(api, document, document["metadata"].get("namespace", ""))
        # Nothing was dropped, and nothing turned into something else on its way through helm and the API server.
        assert stored["spec"].items() >= document["spec"].items()
        assert stored["metadata"]["labels"] == document["metadata"]["labels"]


def test_the_crds_are_what_the_back_end_is_found_out_by(api: Cluster, registered: list[Json]) -> None:
    assert {each["spec"]["group"] for each in registered} == {"cilium.io", "nucleo.io"}
    assert with_back_end(api, Settings()).network == "cilium"


PEER = {"rule": "app:a", "pods": {"namespace": "a", "labels": {"nucleo.io/app": "a"}}}
DNS = {"rule": "dns:a.example", "dns": {"name": "a.example"}}
PORT = {"protocol": "TCP", "first": 80, "last": 80}


REFUSED: list[tuple[Json, str]] = [
    ({"mode": "Off"}, "Unsupported value"),
    ({"podSelector": None}, "podSelector"),
    ({"egress": [{"rule": "app:a"}]}, "exactly one of"),
    ({"egress": [{**PEER, **DNS}]}, "exactly one of"),
    ({"egress": [{"pods": PEER["pods"]}]}, "rule"),
    ({"egress": [{**PEER, "ports": []}]}, "at least 1 items"),
    ({"egress": [{**PEER, "ports": [{**PORT, "first": 81}]}]}, "last must not be lower than first"),
    ({"egress": [{**PEER, "ports": [{**PORT, "last": 65_536}]}]}, "65535"),
    ({"egress": [{**PEER, "ports": [{**PORT, "protocol": "SCTP"}]}]}, "Unsupported value"),
    ({"egress": [{"rule": "ingress", "special": "ingress"}]}, "only kube-api is called"),
    ({"ingress": [DNS]}, "has an address, and no name"),
    ({"egress": [{"rule": "x", "cidr": {"block": "10.0.0.0"}}]}, "block"),
    ({"egress": [{"rule": "x", "dns": {"name": "a..b"}}]}, "name"),
    ({"egressBytesPerSecond": 0}, "greater than or equal to 1"),
    ({"ports": [80]}, "unknown field"),
]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_our_crd_refuses_what_the_agent_does_not_know(
    api: Cluster, rendered: Rendered, change: Json, said: str
) -> None:
    (document,) = rendered("agent", Network(default="deny"))
    with pytest.raises(NucleoError) as raised:
        create(api, {**document, "spec": {**document["spec"], **change}}, document["metadata"]["namespace"])
    assert said in raised.value.message


@pytest.mark.usefixtures("registered")
def test_the_status_of_an_app_network_is_its_own(api: Cluster, rendered: Rendered) -> None:
    (document,) = rendered("agent", Network(default="deny"))
    where = path(document["apiVersion"], "appnetworks", document["metadata"]["namespace"])
    api.create(where, document)
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Attached",
        "message": "2 pods",
        "lastTransitionTime": "2026-11-23T00:00:00Z",
    }
    status = {"observedGeneration": 1, "pods": 2, "conditions": [condition]}
    api.patch(f"{where}/shop/status", {"status": status, "spec": {"mode": "Audit"}})
    found = api.get(f"{where}/shop")
    assert (found["status"], found["spec"]["mode"], found["metadata"]["generation"]) == (status, "Enforce", 1)
    api.delete(f"{where}/shop")


def pod_template(app: App, back_end: BackEnd) -> Json:
    """What the app's pods are made of, as helm writes it."""
    given = plain(values(app, IMAGE, FACTS, settings(back_end)))
    documents: list[Json] = list(
        yaml.safe_load_all(Helm(find()).template("shop", CHARTS / "app", app.namespace, given))
    )
    (found,) = (each for each in documents if each and each["kind"] == "Deployment")
    return found["spec"]["template"]


def test_the_pods_of_an_app_wait_for_the_agent(api: Cluster, namespaces: Callable[..., str]) -> None:
    namespace = namespaces({"pod-security.kubernetes.io/enforce": "restricted"})
    app = shop(Network(default="deny"), namespace)
    spec: Json = {**pod_template(app, "agent")["spec"], "serviceAccountName": "default"}
    (first,) = spec["initContainers"]
    assert (first["name"], first["image"]) == ("network", IMAGE.reference)
    assert [word.replace("$$", "$") for word in first["command"]] == hold(app)
    pod = {"metadata": {"name": "pod"}, "spec": spec}
    api.create(path("v1", "pods", namespace), pod, dryRun="All", fieldValidation="Strict")


def test_a_limit_is_an_annotation_of_the_pods_on_cilium() -> None:
    template = pod_template(shop(Network(limits=Limits(1_250_000)), "shop"), "cilium")
    assert template["metadata"]["annotations"] == {"kubernetes.io/egress-bandwidth": "10000000"}
    assert "initContainers" not in template["spec"]

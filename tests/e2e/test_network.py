"""Two apps and the rules between them: denied, seen, learned, allowed, and asked about before they are taken away."""

import errno
import json

import pytest

from tests.e2e.api import Api
from tests.e2e.checker import ask, eventually
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import Sample
from tests.installed import Nucleo

# Prints what an address and port answer to a connection: "open", or the errno.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    print("open")
except OSError as error:
    print(error.errno)
"""
# Sends five megabytes at once.
FLOOD = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(4000):
    out.sendto(bytes(1250), (sys.argv[1], 9999))
"""
EPERM = str(errno.EPERM)
# Python's own, of a connection that nothing answers.
TIMED_OUT = "None"


@pytest.fixture(scope="module")
def agent(nucleo: Nucleo) -> None:
    nucleo("network", "install", "--json", timeout=600).expect(0)


@pytest.fixture(scope="module")
def users(agent: None, app_factory: AppFactory) -> Sample:
    made = app_factory("users")
    made.deploy()
    return made


@pytest.fixture(scope="module")
def shop(agent: None, app_factory: AppFactory) -> Sample:
    return app_factory("shop")


def connect(app: Sample, other: Sample, port: int = 8080) -> str:
    """From inside of the app, to the other's Service."""
    host = f"{other.name}.{other.namespace}.svc"
    return app("exec", "--no-tty", "--", "python3", "-c", CONNECT, host, str(port)).expect(0).stdout.strip()


def test_what_no_rule_allows_is_denied_seen_learned_and_then_allowed(shop: Sample, users: Sample, api: Api) -> None:
    shop.configure("network: {to: []}")
    shop.deploy()
    assert connect(shop, users) == EPERM
    peer = f"{users.namespace}/{users.name}"

    def dropped() -> list[dict[str, object]]:
        lines = shop("network", "flows", "--dropped", "--json").expect(0).stdout.splitlines()
        return [each for each in map(json.loads, lines) if each["peer"] == peer]

    flow = eventually("the agent tells of it", dropped, 20)[0]
    assert (flow["verdict"], flow["target"], flow["rule"]) == ("denied", 8080, "")
    shown = shop("network", "flows", "--dropped").expect(0).stdout
    assert f"no rule allows {shop.name} to {peer}:8080" in shown
    proposed = shop("network", "learn").expect(0).stdout
    assert f'+network: {{to: ["app:{users.name}:8080"]}}' in proposed.splitlines()
    shop("network", "learn", "--write").expect(0)
    shop.deploy()
    assert connect(shop, users) == "open"
    assert shop("network", "learn").expect(0).stdout == ""
    where = f"/apis/nucleo.io/v1alpha1/namespaces/{shop.namespace}/appnetworks/{shop.name}"
    eventually("one pod is under the rules", lambda: api.get(where)["status"]["pods"] == 1, 30)


def test_the_rules_are_tried_from_inside(shop: Sample, users: Sample) -> None:
    shop.configure(f'network: {{to: ["app:{users.name}:8080"]}}')
    shop.deploy()
    tried = shop("network", "test", "--json").expect(0).json["trials"]
    results = {each["why"]: (each["result"], each["as_expected"]) for each in tried}
    assert results[f"app:{users.name}:8080"] == ("open", True)
    assert [each["result"] for each in tried if not each["expected"]] == ["denied"] * (len(tried) - 1)
    shop.configure("network: {to: []}")
    different = shop("network", "test", "--json")
    assert different.code == 10, "nucleo.yml says less than what is deployed"


def test_a_deploy_that_would_cut_off_what_was_seen_asks_first(shop: Sample, users: Sample) -> None:
    shop.configure(f'network: {{to: ["app:{users.name}:8080"]}}')
    shop.deploy()
    assert connect(shop, users) == "open"
    shop.configure("network: {to: []}")

    def refused() -> bool:
        return shop("deploy", "--json").code == 10

    # What was just seen is told a moment later.
    eventually("the deploy stops", refused, 20)
    document = shop("deploy", "--json").expect(10).json
    assert document["code"] == "would-drop"
    assert f"{shop.name} to {users.namespace}/{users.name}:8080" in document["error"]
    assert f"app:{users.name}:8080" in document["hint"]
    assert connect(shop, users) == "open"
    shop("deploy", "--accept-drops").expect(0)
    assert connect(shop, users) == EPERM


def test_audit_lets_pass_and_tells(shop: Sample, users: Sample) -> None:
    shop.configure("network: {mode: audit, to: []}")
    shop.deploy()
    assert connect(shop, users) == "open"

    def audited() -> bool:
        lines = shop("network", "flows", "--dropped", "--json", "--since", "1m").expect(0).stdout.splitlines()
        return any(json.loads(each)["verdict"] == "audited" for each in lines)

    eventually("the agent tells of it", audited, 20)
    rules = shop("network", "explain", "--json").expect(0).json
    assert rules["mode"] == "audit"
    assert {row["back_end"] for row in rules["rules"]} == {"agent"}


@pytest.mark.parametrize(
    ("rule", "opened", "closed"),
    [
        pytest.param("app:{namespace}/{name}:8080", {"service", "pod"}, {"api"}, id="app"),
        pytest.param("service:{namespace}/{name}:8080", {"service", "pod"}, {"api"}, id="service"),
        pytest.param("cidr:{pod}/32:8080", {"pod"}, {"service", "api"}, id="cidr"),
        pytest.param("kube-api", {"api"}, {"service", "pod"}, id="kube-api"),
    ],
)
def test_each_kind_of_rule(
    shop: Sample, users: Sample, api: Api, rule: str, opened: set[str], closed: set[str]
) -> None:
    """To another namespace, through a Service, by an address; hosts are in tests/contract/network."""
    (pod,) = api.items(f"/api/v1/namespaces/{users.namespace}/pods", labelSelector=f"nucleo.io/app={users.name}")
    service = api.get(f"/api/v1/namespaces/{users.namespace}/services/{users.name}")
    ways = {
        "service": (service["spec"]["clusterIP"], "8080"),
        "pod": (pod["status"]["podIP"], "8080"),
        "api": ("kubernetes.default.svc", "443"),
    }
    text = rule.format(name=users.name, namespace=users.namespace, pod=pod["status"]["podIP"])
    shop.configure(f'network: {{to: ["{text}"]}}')
    shop("deploy", "--accept-drops").expect(0)

    def said(way: str) -> str:
        return shop("exec", "--no-tty", "--", "python3", "-c", CONNECT, *ways[way]).expect(0).stdout.strip()

    expected = {**dict.fromkeys(opened, "open"), **dict.fromkeys(closed, EPERM)}
    assert {way: said(way) for way in ways} == expected


def test_who_may_come_in(shop: Sample, users: Sample) -> None:
    """The ingress always may, to a port that `ports` gives it; an app whom no rule names hears nothing."""
    shop.configure("")
    shop("deploy", "--accept-drops").expect(0)
    users.configure("network: {from: []}")
    users("deploy", "--accept-drops").expect(0)
    assert connect(shop, users) == TIMED_OUT
    eventually("the ingress is let in", lambda: ask(users.url).good)
    users.configure(f'network: {{from: ["app:{shop.namespace}/{shop.name}:8080"]}}')
    users.deploy()
    assert connect(shop, users) == "open"
    users.configure("")
    users("deploy", "--accept-drops").expect(0)


def test_what_leaves_too_fast_is_dropped_and_told(shop: Sample, users: Sample, api: Api) -> None:
    shop.configure("network: {limits: {egress: 1M}}")
    shop.deploy()
    (pod,) = api.items(f"/api/v1/namespaces/{users.namespace}/pods", labelSelector=f"nucleo.io/app={users.name}")
    shop("exec", "--no-tty", "--", "python3", "-c", FLOOD, pod["status"]["podIP"]).expect(0)

    def verdicts() -> set[str]:
        lines = shop("network", "flows", "--json", "--since", "1m").expect(0).stdout.splitlines()
        return {each["verdict"] for each in map(json.loads, lines) if each["port"] == 9999 and each["packets_out"]}

    eventually("some of it passed, and some did not", lambda: verdicts() == {"allowed", "limited"}, 20)

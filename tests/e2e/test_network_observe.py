"""The agent beside Cilium, as far as the cluster can tell: its resources are registered, and nothing enforces them."""

import json
from collections.abc import Iterator

import pytest

from tests import cilium
from tests.e2e.api import Api, Json
from tests.e2e.checker import eventually
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import Sample
from tests.installed import CONTEXT, Nucleo, Result

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SETTINGS = "/api/v1/namespaces/nucleo-system/configmaps/nucleo"
DAEMON_SET = "/apis/apps/v1/namespaces/nucleo-system/daemonsets/nucleo-agent"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 8080), timeout=5); print('open')"


@pytest.fixture(scope="module")
def beside_cilium(cluster: str, nucleo: Nucleo, api: Api) -> Iterator[None]:
    """What the cluster is told of Cilium; it is as before afterwards."""
    before = api.get(SETTINGS)["data"].get("network", "auto")
    made: list[str] = []
    try:
        for crd in cilium.crds():
            name = crd["metadata"]["name"]
            if not api.get(f"{CRDS}/{name}"):
                api.create(CRDS, crd)
                made.append(name)
        for name in made:
            eventually(f"{name} is served", lambda name=name: _is_established(api.get(f"{CRDS}/{name}")))
        nucleo("cluster", "configure", "--network", "cilium").expect(0)
        yield
    finally:
        nucleo("cluster", "configure", "--network", before).expect(0)
        for name in made:
            api.delete(f"{CRDS}/{name}")
        eventually("Cilium is gone", lambda: not any(api.get(f"{CRDS}/{name}") for name in made))


def _is_established(crd: Json) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


@pytest.fixture(scope="module")
def installed(beside_cilium: None, nucleo: Nucleo, api: Api) -> Iterator[Result]:
    """The agent; it is gone afterwards."""
    yield nucleo("network", "install", "--json").expect(0)
    if api.get(f"{CRDS}/appnetworks.nucleo.io"):
        nucleo("network", "uninstall", "--confirm", CONTEXT).expect(0)


@pytest.fixture(scope="module")
def users(installed: Result, app_factory: AppFactory) -> Sample:
    made = app_factory("users")
    made.deploy()
    return made


@pytest.fixture(scope="module")
def shop(users: Sample, app_factory: AppFactory) -> Sample:
    made = app_factory("shop")
    made.configure("network: {to: []}")
    made.deploy()
    return made


def test_it_is_installed_to_observe(installed: Result, nucleo: Nucleo, api: Api) -> None:
    assert installed.json["observes"] is True
    assert "; Cilium enforces" in installed.stderr
    before = api.get(DAEMON_SET)["metadata"]["generation"]
    assert nucleo("network", "install", "--json").expect(0).json == installed.json
    assert api.get(DAEMON_SET)["metadata"]["generation"] == before


def test_what_no_rule_allows_is_seen_and_not_stopped(shop: Sample, users: Sample, api: Api) -> None:
    where = f"/apis/nucleo.io/v1alpha1/namespaces/{shop.namespace}/appnetworks/{shop.name}"
    eventually("one pod is watched", lambda: api.get(where).get("status", {}).get("pods") == 1, 30)
    host = f"{users.name}.{users.namespace}.svc"
    assert shop("exec", "--no-tty", "--", "python3", "-c", CONNECT, host).expect(0).stdout == "open\n"
    peer = f"{users.namespace}/{users.name}"

    def seen() -> list[Json]:
        lines = shop("network", "flows", "--dropped", "--json").expect(0).stdout.splitlines()
        return [each for each in map(json.loads, lines) if each["peer"] == peer]

    flow = eventually("the agent tells of it", seen, 20)[0]
    assert (flow["verdict"], flow["target"], flow["rule"]) == ("undecided", 8080, "")
    shown = shop("network", "flows", "--dropped").expect(0).stdout
    assert f"no rule allows {shop.name} to {peer}:8080, Cilium decides" in shown
    assert f'"app:{users.name}:8080"' in shop("network", "learn").expect(0).stdout


def test_the_rules_are_ciliums(shop: Sample, api: Api) -> None:
    where = f"/apis/cilium.io/v2/namespaces/{shop.namespace}/ciliumnetworkpolicies/{shop.name}"
    assert api.get(where)["spec"]["egress"]
    rules = shop("network", "explain", "--json").expect(0).json["rules"]
    assert {row["back_end"] for row in rules} == {"cilium"}


def test_it_goes_and_no_app_is_said_to_be_open(shop: Sample, nucleo: Nucleo, api: Api) -> None:
    done = nucleo("network", "uninstall", "--confirm", CONTEXT, "--json").expect(0)
    assert done.json["apps"] == []
    assert not api.get(DAEMON_SET)


def test_without_it_the_app_is_deployed_and_destroyed_as_ever(shop: Sample) -> None:
    """The kind of an object of its release is gone."""
    shop.say("two")
    shop.deploy()
    shop("destroy", "--confirm", shop.name).expect(0)

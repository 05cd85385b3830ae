"""The cluster's own settings, written down or found out."""

from typing import Literal

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.settings import BackEnd, Settings
from nucleo_cli.errors import NotAllowed, NucleoError, Unreachable
from nucleo_cli.workflows.settings import from_data, read_settings, with_back_end
from tests.unit.workflows.fake_cluster import FakeCluster

DEFAULT = {"ingressclass.kubernetes.io/is-default-class": "true"}


def with_settings(data: dict[str, str] | None) -> FakeCluster:
    cluster = FakeCluster("nucleo-system", "kube-public")
    cluster.create(path("v1", "configmaps", "nucleo-system"), {"metadata": {"name": "nucleo"}, "data": data})
    return cluster


def test_everything_is_read() -> None:
    cluster = with_settings(
        {
            "registry-push": "localhost:5000",
            "registry-pull": "registry:5000",
            "base-domain": "localhost",
            "http-port": "8080",
            "routes": "gateway",
            "gateway": "infra/web",
            "ingress-class": "traefik",
            "platform-images": "r.example/platforms",
            "architectures": "arm64,amd64",
            "sysctls": "net.core.somaxconn, net.ipv4.* kernel.shm*",
            "network": "cilium",
            "ingress-from": "traefik, 10.9.0.0/24 nodes",
        }
    )
    assert read_settings(cluster) == Settings(
        "localhost:5000",
        "registry:5000",
        "localhost",
        8080,
        "gateway",
        "infra/web",
        "traefik",
        "r.example/platforms",
        ("amd64", "arm64"),
        ("net.core.somaxconn", "net.ipv4.*", "kernel.shm*"),
        "cilium",
        ("traefik", "10.9.0.0/24", "nodes"),
    )


@pytest.mark.parametrize("data", [{}, None])
def test_nothing_written_is_the_default(data: dict[str, str] | None) -> None:
    assert read_settings(with_settings(data)) == Settings()


def test_nodes_pull_where_this_machine_pushes_unless_told_otherwise() -> None:
    assert from_data({"registry-push": "r.example"}).registry_pull == "r.example"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("routes", "both"),
        ("http-port", "eighty"),
        ("http-port", "-1"),
        ("http-port", "²"),
        ("http-port", ""),
        ("http-port", "0"),
        ("http-port", "65536"),
        ("http-port", "9" * 5000),
        ("network", "calico"),
        ("ingress-from", "Traefik"),
        ("ingress-from", "10.9.0.1/24"),
    ],
)
def test_a_value_that_makes_no_sense_names_its_key(key: str, value: str) -> None:
    with pytest.raises(NucleoError, match=f"the cluster's setting {key} must be") as caught:
        from_data({key: value})
    assert f"nucleo cluster configure --{key}" in caught.value.hint


KEP_1755 = 'host: "localhost:5001"\nhelp: "https://kind.sigs.k8s.io/docs/user/local-registry/"\n'


def test_what_the_cluster_shows_of_itself() -> None:
    cluster = FakeCluster("kube-public")
    hosting = {"metadata": {"name": "local-registry-hosting"}, "data": {"localRegistryHosting.v1": KEP_1755}}
    cluster.create(path("v1", "configmaps", "kube-public"), hosting)
    cluster.create(path("networking.k8s.io/v1", "ingressclasses"), {"metadata": {"name": "nginx"}})
    found = read_settings(cluster)
    assert (found.registry_push, found.registry_pull) == ("localhost:5001", "localhost:5001")
    assert (found.routes, found.ingress_class, found.base_domain) == ("ingress", "nginx", "")


CLASSES: list[tuple[list[tuple[str, dict[str, str]]], str]] = [
    ([], ""),
    ([("one", {})], "one"),
    ([("one", {}), ("two", {})], ""),
    ([("one", {}), ("two", DEFAULT)], "two"),
    ([("one", {"ingressclass.kubernetes.io/is-default-class": "false"}), ("two", {})], ""),
]


@pytest.mark.parametrize(("classes", "chosen"), CLASSES)
def test_which_ingress_class(classes: list[tuple[str, dict[str, str]]], chosen: str) -> None:
    cluster = FakeCluster()
    for name, notes in classes:
        body = {"metadata": {"name": name, "annotations": notes}}
        cluster.create(path("networking.k8s.io/v1", "ingressclasses"), body)
    assert read_settings(cluster).ingress_class == chosen


def test_a_person_who_may_see_nothing_gets_the_defaults() -> None:
    cluster = with_settings({"registry-push": "r.example"})
    cluster.refuse("GET", "", NotAllowed("forbidden"))
    assert read_settings(cluster) == Settings()


def test_no_answer_is_no_default() -> None:
    cluster = with_settings({})
    cluster.refuse("GET", "configmaps", Unreachable("no answer"))
    with pytest.raises(Unreachable):
        read_settings(cluster)


@pytest.mark.parametrize(
    ("said", "served", "expected", "observed", "sees_flows"),
    [
        ("auto", (), "networkpolicy", False, False),
        ("auto", ("nucleo.io/v1alpha1",), "agent", False, True),
        ("auto", ("cilium.io/v2alpha1",), "networkpolicy", False, False),
        ("auto", ("cilium.io/v2",), "cilium", False, False),
        ("auto", ("cilium.io/v2", "nucleo.io/v1alpha1"), "cilium", True, True),
        ("cilium", ("nucleo.io/v1alpha1",), "cilium", True, True),
        ("networkpolicy", ("cilium.io/v2", "nucleo.io/v1alpha1"), "networkpolicy", False, False),
    ],
)
def test_what_enforces_rules_and_what_observes_is_found_out(
    said: BackEnd | Literal["auto"], served: tuple[str, ...], expected: str, observed: bool, sees_flows: bool
) -> None:
    cluster = FakeCluster()
    cluster.served += served
    found = with_back_end(cluster, Settings(network=said))
    assert (found.network, found.observed, found.sees_flows) == (expected, observed, sees_flows)


def test_what_is_said_to_enforce_rules_needs_no_question() -> None:
    cluster = FakeCluster()
    assert with_back_end(cluster, Settings(network="none")).network == "none"
    assert cluster.requests == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, ("limits", "egress_ip")),
        ({"enable-l7-proxy": "false"}, ("dns", "http", "limits", "egress_ip")),
        ({"enable-bandwidth-manager": "true", "enable-egress-gateway": "true"}, ()),
        ({"enable-bandwidth-manager": "true", "enable-ipv4-egress-gateway": "true"}, ()),
    ],
)
def test_what_of_cilium_is_switched_off(data: dict[str, str], expected: tuple[str, ...]) -> None:
    cluster = FakeCluster("kube-system")
    cluster.create(path("v1", "configmaps", "kube-system"), {"metadata": {"name": "cilium-config"}, "data": data})
    assert with_back_end(cluster, Settings(network="cilium")).switched_off == expected
    assert with_back_end(cluster, Settings(network="agent")).switched_off == ()


def test_ciliums_settings_that_one_may_not_see_count_as_switched_on() -> None:
    cluster = FakeCluster("kube-system")
    cluster.refuse("GET", "cilium-config", NotAllowed("forbidden"))
    assert with_back_end(cluster, Settings(network="cilium")).switched_off == ()

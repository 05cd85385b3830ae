"""The cluster's own settings are written whole or not at all."""

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.errors import NucleoError
from nucleo_cli.workflows.configure import configure
from tests.unit.workflows.fake_cluster import FakeCluster

WHERE = path("v1", "configmaps", "nucleo-system", "nucleo")


def test_what_is_missing_is_made() -> None:
    cluster = FakeCluster()
    settings = configure(cluster, {"registry-push": "r.example.com/apps"})
    assert settings.registry_pull == "r.example.com/apps"
    assert cluster.get(WHERE)["data"] == {"registry-push": "r.example.com/apps"}


def test_the_nodes_architectures_are_written_down_unless_somebody_says_them() -> None:
    cluster = FakeCluster("nucleo-system")
    for name, architecture in (("a", "arm64"), ("b", "amd64"), ("c", "amd64")):
        cluster.create(
            path("v1", "nodes"), {"metadata": {"name": name, "labels": {"kubernetes.io/arch": architecture}}}
        )
    assert configure(cluster, {"registry-push": "r"}).architectures == ("amd64", "arm64")
    assert configure(cluster, {"architectures": "arm64"}).architectures == ("arm64",)
    assert configure(cluster, {"registry-push": "s"}).architectures == ("arm64",)


def test_other_keys_stay_and_an_empty_value_takes_one_away() -> None:
    cluster = FakeCluster("nucleo-system")
    configure(cluster, {"registry-push": "r", "base-domain": "example.com"})
    settings = configure(cluster, {"base-domain": "", "routes": "ingress"})
    assert (settings.registry_push, settings.base_domain, settings.routes) == ("r", "", "ingress")
    assert cluster.get(WHERE)["data"] == {"registry-push": "r", "routes": "ingress"}


def test_the_same_again_writes_nothing() -> None:
    cluster = FakeCluster("nucleo-system")
    configure(cluster, {"registry-push": "r"})
    before = list(cluster.requests)
    configure(cluster, {"registry-push": "r"})
    assert {method for method, _ in cluster.requests[len(before) :]} == {"GET"}


@pytest.mark.parametrize("changes", [{"routes": "tunnel"}, {"http-port": "eighty"}])
def test_nonsense_is_refused_before_anything_is_written(changes: dict[str, str]) -> None:
    cluster = FakeCluster("nucleo-system")
    configure(cluster, {"registry-push": "r"})
    with pytest.raises(NucleoError, match=next(iter(changes))):
        configure(cluster, changes)
    assert cluster.get(WHERE)["data"] == {"registry-push": "r"}

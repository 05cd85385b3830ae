"""Secrets as objects: named by content, immutable, and gone when no release names them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleo_cli.domain.app import Target
from nucleo_cli.domain.release import DEPLOYED
from nucleo_cli.errors import NotFound
from nucleo_cli.workflows.history import read_history
from nucleo_cli.workflows.secrets import (
    Staged,
    collect,
    delete_secret,
    drop_staged,
    read_secret,
    read_staged,
    write_secret,
    write_staged,
)
from tests.unit.workflows.fake_cluster import FakeCluster
from tests.unit.workflows.fake_helm import FakeHelm

TARGET = Target("shop", "shop")
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
VALUES = st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"])), max_size=4)


@settings(max_examples=30)
@given(VALUES)
def test_what_is_written_is_read(secrets: dict[str, str]) -> None:
    cluster = FakeCluster("shop")
    made = write_secret(cluster, TARGET, secrets)
    assert read_secret(cluster, TARGET, made["name"]) == secrets
    assert made["keys"] == sorted(secrets)
    assert write_secret(cluster, TARGET, dict(reversed(secrets.items()))) == made


@settings(max_examples=30)
@given(VALUES, VALUES)
def test_names_differ_as_contents_do(one: dict[str, str], two: dict[str, str]) -> None:
    cluster = FakeCluster("shop")
    names = write_secret(cluster, TARGET, one)["name"], write_secret(cluster, TARGET, two)["name"]
    assert (names[0] == names[1]) == (one == two)


@settings(max_examples=30)
@given(VALUES, VALUES)
def test_what_is_staged_is_read_and_forgotten(config: dict[str, str], secrets: dict[str, str]) -> None:
    cluster = FakeCluster("shop")
    assert read_staged(cluster, TARGET) is None
    write_staged(cluster, TARGET, Staged({"OLD": "1"}, {"OLD": "2"}))
    write_staged(cluster, TARGET, Staged(config, secrets))
    assert read_staged(cluster, TARGET) == Staged(config, secrets)
    drop_staged(cluster, TARGET)
    drop_staged(cluster, TARGET)
    assert read_staged(cluster, TARGET) is None


def test_no_secrets_need_no_object(cluster: FakeCluster) -> None:
    assert write_secret(cluster, TARGET, {}) == {"name": "", "keys": []}
    assert read_secret(cluster, TARGET, "") == {}
    assert cluster.requests == []


def test_one_that_is_gone_is_told(cluster: FakeCluster) -> None:
    with pytest.raises(NotFound):
        read_secret(cluster, TARGET, "shop-config-1")
    delete_secret(cluster, TARGET, "shop-config-1")


def test_only_those_that_no_release_names_are_collected(cluster: FakeCluster, helm: FakeHelm) -> None:
    named, unnamed = write_secret(cluster, TARGET, {"A": "1"}), write_secret(cluster, TARGET, {"A": "2"})
    other = write_secret(cluster, Target("other", "shop"), {"A": "3"})
    write_staged(cluster, TARGET, Staged({"A": "1"}))
    cluster.create(
        "/api/v1/namespaces/shop/secrets", {"metadata": {"name": "not-ours", "labels": {"nucleo.io/app": "shop"}}}
    )
    helm.record("shop", "shop", 1, DEPLOYED, {"secret": dict(named)})
    collect(cluster, read_history(cluster, TARGET))
    left = cluster.names("secrets")
    assert unnamed["name"] not in left
    assert {named["name"], other["name"], "shop-staged", "not-ours", "sh.helm.release.v1.shop.v1"} == set(left)

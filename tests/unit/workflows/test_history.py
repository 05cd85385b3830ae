"""The releases of an app: which one counts, and how a killed deploy's are closed."""

from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.release import DEPLOYED, FAILED, PENDING, SUPERSEDED
from nucleo_cli.errors import Conflict, NotFound, Unreachable
from nucleo_cli.workflows.history import (
    History,
    document,
    is_healthy,
    mark_failed,
    mark_healthy,
    read_history,
    recover,
)
from tests.unit.workflows.fake_cluster import FakeCluster
from tests.unit.workflows.fake_helm import FakeHelm, claims


def releases(cluster: FakeCluster, helm: FakeHelm, target: Target, *statuses: str) -> History:
    """A history of these statuses, numbered from 1; `deployed!` and `superseded!` were seen healthy."""
    for version, status in enumerate(statuses, 1):
        given = {"labels": {"nucleo.io/healthy": str(version)}} if status.endswith("!") else {}
        helm.record(target.app, target.namespace, version, status.rstrip("!"), {"n": version}, **given)
    return read_history(cluster, target)


def versions(*found: Any) -> list[int | None]:
    return [each.version if each else None for each in found]


@pytest.mark.parametrize(
    ("statuses", "current", "good"),
    [
        ((), None, None),
        (("deployed!",), 1, 1),
        (("deployed",), 1, None),
        (("superseded!", "deployed!"), 2, 2),
        (("superseded!", "deployed"), 2, 1),
        (("deployed!", "failed"), 1, 1),
        (("failed!",), None, None),
        (("superseded!", "failed", "deployed!", "failed"), 3, 3),
        # helm was killed between the two writes that end an upgrade: what ran until then still counts.
        (("superseded!", "superseded!", "failed"), 2, 2),
        (("superseded", "pending-upgrade"), 1, None),
    ],
)
def test_which_release_counts(
    cluster: FakeCluster, helm: FakeHelm, target: Target, statuses: tuple[str, ...], current: int | None, good: int
) -> None:
    history = releases(cluster, helm, target, *statuses)
    assert versions(history.current, history.good) == [current, good]


def test_releases_are_in_the_order_of_their_numbers(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    for version in (10, 9, 11, 2):
        helm.record("shop", "shop", version, SUPERSEDED, {})
    assert versions(*read_history(cluster, target).revisions) == [2, 9, 10, 11]


def test_another_app_of_the_namespace_has_its_own(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    helm.record("other", "shop", 1, DEPLOYED, {})
    assert read_history(cluster, target).revisions == ()


def test_an_unknown_release_names_the_kept_ones(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    history = releases(cluster, helm, target, SUPERSEDED, DEPLOYED)
    assert history.version(1).version == 1
    with pytest.raises(NotFound, match='"shop" has no release 7; it has 1, 2'):
        history.version(7)
    with pytest.raises(NotFound, match="it has none"):
        History(target, ()).version(1)


def test_an_app_that_is_not_there(cluster: FakeCluster, target: Target) -> None:
    with pytest.raises(NotFound, match='no app "shop" is deployed in namespace "shop"') as caught:
        read_history(cluster, target).running()
    assert "nucleo deploy" in caught.value.hint


def test_healthy_is_said_of_one_revision_alone(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    helm.record("shop", "shop", 1, SUPERSEDED, {}, labels={"nucleo.io/healthy": "1"})
    helm.record("shop", "shop", 2, DEPLOYED, {}, labels={"nucleo.io/healthy": "1"})  # as helm copies labels forward
    first, second = read_history(cluster, target).revisions
    assert is_healthy(first)
    assert not is_healthy(second)
    mark_healthy(cluster, target, 2)
    assert all(map(is_healthy, read_history(cluster, target).revisions))


def test_a_failed_one_is_not_healthy_whatever_its_label(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    (found,) = releases(cluster, helm, target, "deployed!").revisions
    assert is_healthy(found)
    mark_failed(cluster, target, 1, "rollout failed: it exits at once")
    (found,) = read_history(cluster, target).revisions
    assert (found.status, found.description) == (FAILED, "rollout failed: it exits at once")
    assert not is_healthy(found)
    assert found.values == {"n": 1}
    assert claims(cluster.all("secrets")[0]) == (FAILED, FAILED)


@pytest.mark.parametrize("status", sorted(PENDING))
def test_what_a_killed_deploy_left_is_closed(cluster: FakeCluster, helm: FakeHelm, target: Target, status: str) -> None:
    history = recover(cluster, releases(cluster, helm, target, "deployed!", status, status))
    assert [each.status for each in history.revisions] == [DEPLOYED, FAILED, FAILED]
    assert history.revisions[-1].description == "the deploy was killed"
    assert versions(history.current, history.good) == [1, 1]


def test_nothing_pending_costs_no_request(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    history = releases(cluster, helm, target, "deployed!", FAILED)
    cluster.requests.clear()
    assert recover(cluster, history) is history
    assert cluster.requests == []


def test_reading_never_closes_anything(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    releases(cluster, helm, target, "deployed!", "pending-upgrade")
    cluster.requests.clear()
    assert read_history(cluster, target).revisions[-1].pending
    assert cluster.writes() == []


def test_a_conflict_is_read_again(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    releases(cluster, helm, target, DEPLOYED)
    cluster.refuse("PUT", "secrets", Conflict("the object has been modified"), times=3)
    mark_failed(cluster, target, 1, "why")
    assert read_history(cluster, target).revisions[0].description == "why"


def test_conflicts_without_end_are_told(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    releases(cluster, helm, target, DEPLOYED)
    cluster.refuse("PUT", "secrets", Conflict("the object has been modified"))
    with pytest.raises(Conflict):
        mark_failed(cluster, target, 1, "why")


def test_no_connection_is_told(cluster: FakeCluster, target: Target) -> None:
    cluster.refuse("GET", "secrets", Unreachable("no answer"))
    with pytest.raises(Unreachable):
        read_history(cluster, target)


def test_the_document_is_newest_first_and_has_every_field(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    helm.record("shop", "shop", 1, SUPERSEDED, {"replicaCount": 1}, description="by helm itself")
    facts = {"image": "r/shop@sha256:1", "commit": "c0ffee", "user": "mika"}
    helm.record("shop", "shop", 2, DEPLOYED, {"nucleo": facts}, description="deploy c0ffee")
    assert document(read_history(cluster, target)) == {
        "app": "shop",
        "releases": [
            {
                "version": 2,
                "status": "deployed",
                "created": "2026-01-02T03:04:05Z",
                "description": "deploy c0ffee",
                "image": "r/shop@sha256:1",
                "commit": "c0ffee",
                "user": "mika",
            },
            {
                "version": 1,
                "status": "superseded",
                "created": "2026-01-02T03:04:05Z",
                "description": "by helm itself",
                "image": None,
                "commit": None,
                "user": None,
            },
        ],
    }


def test_the_record_is_found_by_its_path(cluster: FakeCluster, helm: FakeHelm, target: Target) -> None:
    releases(cluster, helm, target, DEPLOYED)
    cluster.requests.clear()
    mark_healthy(cluster, target, 1)
    assert cluster.writes() == [("PATCH", path("v1", "secrets", "shop", "sh.helm.release.v1.shop.v1"))]

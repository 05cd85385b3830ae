"""Watching a release become healthy."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json
from nucleo_cli.domain.events import PodChanged
from nucleo_cli.errors import Locked, NotAllowed, NucleoError, RolloutFailed, TimedOut, Unreachable
from nucleo_cli.workflows import rollout
from nucleo_cli.workflows.rollout import is_complete, roll_out
from tests.unit.workflows.fake_cluster import CRASH, HANG, Controller, FakeCluster, merged, waiting
from tests.unit.workflows.fake_helm import FakeHelm
from tests.unit.workflows.steps import Ran, attempt
from tests.unit.workflows.test_diagnosis import TCP

WEB = path("apps/v1", "deployments", "shop", "shop-web")
DONE: Json = {
    "metadata": {"generation": 2},
    "spec": {"replicas": 3},
    "status": {
        "observedGeneration": 2,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    },
}


@pytest.mark.parametrize(
    ("change", "complete"),
    [
        ({}, True),
        ({"metadata": {"generation": 3}}, False),
        ({"status": {"updatedReplicas": 2}}, False),
        ({"status": {"replicas": 4}}, False),
        ({"status": {"availableReplicas": None}}, False),
        ({"status": None}, False),
        ({"spec": {"replicas": None}, "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}}, True),
        ({"spec": {"replicas": 0}}, False),
        (
            {"spec": {"replicas": 0}, "status": {"replicas": 0, "updatedReplicas": None, "availableReplicas": None}},
            True,
        ),
    ],
)
def test_complete_is_newest_template_all_pods_and_nothing_older(change: Json, complete: bool) -> None:
    assert is_complete(merged(DONE, change)) is complete


class Shop:
    """An app that is released and watched."""

    def __init__(self, cluster: FakeCluster, helm: FakeHelm, controller: Controller, target: Target) -> None:
        self.cluster, self.helm, self.controller, self.target = cluster, helm, controller, target

    def release(self, mark: str, **processes: Json) -> None:
        port = {"ports": [{"name": "http-8080", "port": 8080}]}
        values = {"image": {"repository": "r/shop", "digest": mark}, "processes": processes or {"web": port}}
        self.helm.upgrade("shop", Path(), "shop", values)

    def watch(self, timeout: float | None = None, lease: Any = None) -> Ran:
        return attempt(roll_out(self.cluster, self.target, timeout, lease))

    def pods(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.cluster.all("pods")]

    def heal(self) -> None:
        """The nodes bring every pod up."""
        self.controller.fates.clear()
        for deployment in self.cluster.all("deployments"):
            name = deployment["metadata"]["name"]
            self.controller.roll_out(path("apps/v1", "deployments", "shop", name), deployment)


@pytest.fixture
def shop(cluster: FakeCluster, helm: FakeHelm, controller: Controller, target: Target) -> Shop:
    return Shop(cluster, helm, controller, target)


def failure(ran: Ran) -> RolloutFailed:
    assert isinstance(ran.error, RolloutFailed), ran
    return ran.error


def test_a_healthy_release(shop: Shop) -> None:
    shop.release("one", web={"replicas": 2}, worker={"replicas": 3})
    ran = shop.watch()
    assert ran.result.pods == {"web": 2, "worker": 3}
    assert ran.result.total == 5
    seen = [event for event in ran.events if isinstance(event, PodChanged)]
    assert sorted(event.process for event in seen) == ["web", "web", "worker", "worker", "worker"]
    assert {(event.status, event.ready) for event in seen} == {("Ready", True)}


def test_a_pod_is_shown_when_it_changes_and_not_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.controller.fates["one"] = waiting("ContainerCreating")
    shop.release("one")
    work = roll_out(shop.cluster, shop.target)
    first = next(work)
    monkeypatch.setattr(rollout, "_TICK_SECONDS", 10)
    shop.heal()
    rest = attempt(work)
    seen = [event.status for event in (first, *rest.events) if isinstance(event, PodChanged)]
    # The Deployment's own news may come first: it is complete then, and nothing more is shown.
    assert seen in (["ContainerCreating"], ["ContainerCreating", "Ready"])
    assert rest.result.pods == {"web": 1}


def test_a_crash_ends_it_at_once_with_the_log_of_the_dead_container(shop: Shop) -> None:
    shop.controller.fates["bad"] = waiting("CrashLoopBackOff", exitCode=127)
    shop.release("bad")
    (pod,) = shop.pods()
    shop.cluster.logs[(pod, True)] = "starting\n/bin/sh: gunicorn: not found\n"
    shop.cluster.logs[(pod, False)] = ""
    error = failure(shop.watch())
    assert error.message == f"{pod}: its start command was not found (exit code 127)"
    assert error.details == {
        "reason": "CrashLoopBackOff",
        "pod": pod,
        "log": ["starting", "/bin/sh: gunicorn: not found"],
    }


def test_the_other_log_when_the_right_one_is_empty_or_gone(shop: Shop) -> None:
    shop.controller.fates["bad"] = CRASH
    shop.release("bad")
    shop.cluster.logs[(shop.pods()[0], False)] = "only this\n"
    assert failure(shop.watch()).details["log"] == ["only this"]


def test_bytes_that_are_no_text_do_not_hide_the_failure(shop: Shop) -> None:
    shop.controller.fates["bad"] = CRASH
    shop.release("bad")
    shop.cluster.logs[(shop.pods()[0], True)] = "half a \udcff".encode("utf-8", "surrogateescape").decode("latin-1")
    assert len(failure(shop.watch()).details["log"]) == 1


def test_without_a_log_the_failure_is_still_told(shop: Shop) -> None:
    shop.controller.fates["bad"] = CRASH
    shop.release("bad")
    shop.cluster.refuse("GET", "/log$", NotAllowed("forbidden"))
    assert failure(shop.watch()).details["log"] == []


def test_pods_of_the_old_release_are_never_blamed(shop: Shop) -> None:
    shop.controller.fates["old"] = CRASH
    shop.release("old")
    assert shop.pods()
    shop.controller.fates["new"] = waiting("ContainerCreating")
    shop.release("new")
    work = roll_out(shop.cluster, shop.target)
    first = next(work)
    assert isinstance(first, PodChanged)
    assert first.status == "ContainerCreating"
    assert "CrashLoopBackOff" in str(shop.cluster.all("pods"))
    shop.heal()
    assert attempt(work).result.total == 1


@pytest.mark.usefixtures("impatient")
def test_nor_are_they_when_the_time_is_over(shop: Shop) -> None:
    shop.controller.fates["old"] = CRASH
    shop.release("old")
    shop.controller.fates["new"] = waiting("ContainerCreating")
    shop.release("new")
    old = shop.pods()[0]
    for pod in (old, *shop.pods()):
        # The old pod was made last, as happens when a node is lost in the middle of a rollout.
        made = "2030-01-01T00:00:00Z" if pod == old else "2026-01-01T00:00:00Z"
        shop.cluster.patch(path("v1", "pods", "shop", pod), {"metadata": {"creationTimestamp": made}})
    assert old not in failure(shop.watch()).message


def test_a_pod_that_is_being_deleted_is_not_blamed(shop: Shop) -> None:
    shop.release("one")
    (pod,) = shop.pods()
    where = path("v1", "pods", "shop", pod)
    shop.cluster.patch(where, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": CRASH})
    ran = shop.watch()
    assert (ran.error, ran.events) == (None, [])


REFUSED: Json = {
    "type": "ReplicaFailure",
    "status": "True",
    "reason": "FailedCreate",
    "message": "exceeded quota: small",
}


def test_a_cluster_that_refuses_the_pods(shop: Shop) -> None:
    shop.controller.fates["bad"] = HANG
    shop.release("bad")
    shop.cluster.patch(WEB, {"status": {"conditions": [REFUSED]}})
    error = failure(shop.watch())
    assert error.message == "the cluster refuses its pods: exceeded quota: small"
    assert error.details == {"reason": "FailedCreate", "pod": None, "log": []}


@pytest.mark.usefixtures("impatient")
def test_what_was_refused_to_the_release_before_does_not_count(shop: Shop) -> None:
    shop.controller.fates["bad"] = HANG
    shop.release("bad")
    shop.cluster.patch(WEB, {"status": {"conditions": [REFUSED], "observedGeneration": 0}, "metadata": {"x": "1"}})
    shop.cluster.controllers.clear()
    shop.cluster.patch(WEB, {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})
    assert "refuses" not in failure(shop.watch()).message


UNSCHEDULABLE: Json = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}],
}


@pytest.mark.parametrize("created", ["2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"])
@pytest.mark.usefixtures("impatient")
def test_no_room_is_told_after_its_grace_whatever_the_clocks_say(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, created: str
) -> None:
    shop.controller.fates["big"] = UNSCHEDULABLE
    shop.release("big")
    where = path("v1", "pods", "shop", shop.pods()[0])
    shop.cluster.patch(where, {"metadata": {"creationTimestamp": created}})
    assert failure(shop.watch()).details["reason"] == "NotReady"
    monkeypatch.setattr("nucleo_cli.workflows.diagnosis.UNSCHEDULABLE_SECONDS", 0.001)
    assert failure(shop.watch(timeout=10)).details["reason"] == "Unschedulable"


HELD: Json = {
    "phase": "Pending",
    "initContainerStatuses": [{"name": "network", "restartCount": 0, "state": {"running": {}}}],
    "containerStatuses": [{"name": "web", "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}],
}


def test_rules_that_nobody_attaches(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "_RULES_SECONDS", 0.001)
    monkeypatch.setattr(rollout, "_TICK_SECONDS", 0.005)
    shop.controller.fates["bad"] = HELD
    shop.release("bad")
    shop.cluster.logs[(shop.pods()[0], False)] = "waiting for the network rules of this pod\n"
    error = failure(shop.watch(timeout=5))
    assert error.message == (
        f"{shop.pods()[0]}: its network rules are not attached: Nucleo's agent on its node does not answer"
    )
    assert error.details["log"] == ["waiting for the network rules of this pod"]


@pytest.fixture
def curious(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods that are not ready are looked into at once."""
    monkeypatch.setattr(rollout, "_LOOK_INSIDE_SECONDS", 0.001)
    monkeypatch.setattr(rollout, "_TICK_SECONDS", 0.005)


@pytest.mark.usefixtures("impatient")
class TestLookingInside:
    @pytest.mark.parametrize(
        ("table", "reason"),
        [(TCP, "WrongPort"), (TCP.replace("00000000:1F40", "0100007F:1F90"), "LoopbackOnly")],
    )
    def test_an_app_that_listens_somewhere_else(self, shop: Shop, curious: None, table: str, reason: str) -> None:
        shop.controller.fates["bad"] = HANG
        shop.cluster.tables = table
        shop.release("bad")
        shop.cluster.logs[(shop.pods()[0], False)] = "listening\n"
        error = failure(shop.watch(timeout=5))
        assert error.details["reason"] == reason
        assert error.details["log"] == ["listening"]
        # One look is not enough: a debugger's port may be open before the app's own.
        assert len([request for request in shop.cluster.requests if request[0] == "EXEC"]) >= 2

    @pytest.mark.parametrize("tables", ["", "nonsense", NotAllowed("forbidden"), TCP.replace(":1F40", ":1F90")])
    def test_nothing_certain_is_waited_for(self, shop: Shop, curious: None, tables: str | NucleoError) -> None:
        shop.controller.fates["bad"] = HANG
        shop.cluster.tables = tables
        shop.release("bad")
        assert failure(shop.watch()).details["reason"] == "NotReady"

    def test_a_process_without_ports_is_left_alone(self, shop: Shop, curious: None) -> None:
        shop.controller.fates["bad"] = HANG
        shop.cluster.tables = TCP
        shop.release("bad", worker={})
        assert failure(shop.watch()).details["reason"] == "NotReady"
        assert not [request for request in shop.cluster.requests if request[0] == "EXEC"]

    def test_in_the_end_it_is_said_that_nothing_listens(self, shop: Shop) -> None:
        shop.controller.fates["bad"] = HANG
        shop.release("bad")
        (pod,) = shop.pods()
        assert failure(shop.watch()).message == f"{pod}: nothing listens on port 8080 after 0.05 s"


class TestTheTimeIsOver:
    def test_the_apps_own_time(self, shop: Shop, impatient: None) -> None:
        shop.controller.fates["slow"] = waiting("ContainerCreating")
        shop.release("slow")
        error = failure(shop.watch())
        assert error.message.endswith("it is not ready after 0.05 s")
        assert "--timeout" in error.hint
        assert error.exit == 5

    def test_the_time_given_by_the_person(self, shop: Shop, impatient: None) -> None:
        shop.controller.fates["slow"] = waiting("ContainerCreating")
        shop.release("slow")
        ran = shop.watch(timeout=0.02)
        assert isinstance(ran.error, TimedOut)
        assert ran.error.exit == 11
        assert "after 0.02 s" in ran.error.message

    def test_without_any_pod(self, shop: Shop, impatient: None) -> None:
        assert failure(shop.watch()).message == "it is not healthy after 0.05 s"


def test_a_lost_lock_ends_it(shop: Shop) -> None:
    class Lost:
        def check(self) -> None:
            raise Locked("lost")

    shop.release("one")
    assert isinstance(shop.watch(lease=Lost()).error, Locked)


TOO_OLD: Json = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}


@pytest.mark.parametrize("broken", [TOO_OLD, Unreachable("the connection broke while reading")])
@pytest.mark.parametrize("count", [1, 10])
def test_a_watch_that_breaks_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch, broken: Any, count: int) -> None:
    monkeypatch.setattr(rollout, "_RETRY_SECONDS", 0)
    shop.controller.fates["one"] = waiting("ContainerCreating")
    shop.release("one")
    work = roll_out(shop.cluster, shop.target)
    shop.cluster.broken_watches = [broken] * count
    next(work)
    shop.heal()
    assert attempt(work).result.pods == {"web": 1}


def test_a_watch_that_stays_broken_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "_RETRY_SECONDS", 0)
    shop.controller.fates["one"] = HANG
    shop.release("one")
    work = roll_out(shop.cluster, shop.target)
    shop.cluster.broken_watches = [Unreachable("no answer")] * 1_000_000
    next(work)
    monkeypatch.setattr(rollout, "DEADLINE_SECONDS", 0.02)
    assert isinstance(attempt(work).error, Unreachable)


def test_a_right_that_is_missing_is_told(shop: Shop) -> None:
    shop.cluster.refuse("GET", "replicasets", NotAllowed("replicasets is forbidden"))
    assert isinstance(shop.watch().error, NotAllowed)


def gone(name: str) -> Callable[[], bool]:
    return lambda: not [thread for thread in threading.enumerate() if thread.name == name]


def test_its_threads_end_with_it(shop: Shop) -> None:
    shop.release("one")
    shop.watch()
    deadline = time.monotonic() + 10
    while not all(gone(f"watch {kind}")() for kind in ("pods", "deployments", "replicasets")):
        assert time.monotonic() < deadline
        time.sleep(0.001)

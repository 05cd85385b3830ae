"""One deploy at a time: who gets the lock, who keeps it, and who takes it over."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.errors import Exit, Locked, NotAllowed, NotFound, NucleoError, Unreachable
from nucleo_cli.workflows import lease
from nucleo_cli.workflows.lease import TTL_SECONDS, HeldLease, Holder, acquire
from tests.unit.workflows.fake_cluster import LEASES, FakeCluster, later
from tests.unit.workflows.steps import attempt, run

WHERE = path(LEASES, "leases", "shop", "nucleo-shop")


def held_by(cluster: FakeCluster, process: str, name: str = "mika@elsewhere (pid 7)") -> None:
    """A Lease that somebody took just now."""
    body: dict[str, Any] = {
        "metadata": {"name": "nucleo-shop", "annotations": {"nucleo.io/process": process}},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": TTL_SECONDS},
    }
    cluster.create(path(LEASES, "leases", "shop"), body)


def holder(cluster: FakeCluster) -> str:
    return str(cluster.objects[WHERE]["spec"]["holderIdentity"])


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> list[float]:
    """Seconds slept; nobody waits, only the server's clock moves."""
    spent: list[float] = []

    def sleep(seconds: float) -> None:
        spent.append(seconds)
        assert len(spent) < 200, "it waits for ever"
        later(cluster, seconds)

    monkeypatch.setattr(lease.time, "sleep", sleep)
    return spent


def test_it_is_taken_and_given_back(cluster: FakeCluster, target: Target) -> None:
    with run(acquire(cluster, target)) as held:
        held.check()
        assert holder(cluster) == Holder.me().name
        assert f"(pid {lease.os.getpid()})" in holder(cluster)
    assert cluster.names("leases") == []


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_it_is_given_back_after_an_error(cluster: FakeCluster, target: Target, error: BaseException) -> None:
    with pytest.raises(type(error)), run(acquire(cluster, target)):
        raise error
    assert cluster.names("leases") == []


def test_giving_it_back_never_hides_what_went_wrong(cluster: FakeCluster, target: Target) -> None:
    cluster.refuse("DELETE", "leases", Unreachable("gone"))
    with pytest.raises(ValueError, match="the real error"), run(acquire(cluster, target)):
        raise ValueError("the real error")


def test_a_living_holder_is_named(cluster: FakeCluster, target: Target) -> None:
    held_by(cluster, "otherboot:pid:[1]:7/99")
    with pytest.raises(Locked, match=r"mika@elsewhere \(pid 7\) is at work on \"shop\"") as caught:
        run(acquire(cluster, target))
    assert caught.value.exit == Exit.LOCKED == 9
    assert "--wait-lock" in caught.value.hint
    assert caught.value.details == {"holder": "mika@elsewhere (pid 7)", "seconds_since_renewal": 0}


def test_this_very_process_is_a_living_holder(cluster: FakeCluster, target: Target) -> None:
    with run(acquire(cluster, target)), pytest.raises(Locked):
        run(acquire(cluster, target))


def test_two_apps_of_a_namespace_do_not_wait_for_each_other(cluster: FakeCluster, target: Target) -> None:
    with run(acquire(cluster, target)), run(acquire(cluster, Target("other", "shop"))):
        assert sorted(cluster.names("leases")) == ["nucleo-other", "nucleo-shop"]


@pytest.mark.parametrize("end", ["gone", "1"])
def test_a_holder_that_died_on_this_machine_is_replaced_at_once(
    cluster: FakeCluster, target: Target, slept: list[float], end: str
) -> None:
    machine = Holder.me().process.rpartition(":")[0]
    dead = f"{machine}:4194305/{end}" if end == "gone" else f"{machine}:{lease.os.getpid()}/{end}"
    if end == "gone":
        dead = f"{machine}:4194305/12345"
    held_by(cluster, dead)
    with run(acquire(cluster, target)):
        assert holder(cluster) == Holder.me().name
    assert slept == []


@pytest.mark.parametrize(
    "machine",
    ["", "otherboot:pid:[4026531836]", "{boot}:pid:[1]", "otherboot:{namespace}", "no colon at all"],
)
def test_a_process_of_another_machine_boot_or_container_is_never_called_dead(
    cluster: FakeCluster, target: Target, machine: str
) -> None:
    boot, _, namespace = Holder.me().process.rpartition(":")[0].partition(":")
    held_by(cluster, machine.format(boot=boot, namespace=namespace) + ":4194305/12345")
    with pytest.raises(Locked):
        run(acquire(cluster, target))


@pytest.mark.parametrize("process", ["", ":", "::/", "x", "a:b:c/d", ":-1/5"])
def test_an_annotation_that_makes_no_sense_proves_nothing(cluster: FakeCluster, target: Target, process: str) -> None:
    held_by(cluster, process)
    with pytest.raises(Locked):
        run(acquire(cluster, target))


@pytest.mark.parametrize("skew", [-7200.0, 0.0, 7200.0])
def test_a_silent_holder_is_replaced_by_the_servers_clock(
    cluster: FakeCluster, target: Target, slept: list[float], skew: float
) -> None:
    cluster.now += timedelta(seconds=skew)
    held_by(cluster, "otherboot:pid:[1]:7/99")
    with pytest.raises(Locked):
        run(acquire(cluster, target))
    later(cluster, TTL_SECONDS + 2)
    with run(acquire(cluster, target)):
        assert holder(cluster) == Holder.me().name
    assert slept == []


def test_a_holder_that_missed_a_renewal_is_waited_for_until_it_is_certain(
    cluster: FakeCluster, target: Target, slept: list[float]
) -> None:
    held_by(cluster, "otherboot:pid:[1]:7/99")
    later(cluster, 15)
    ran = attempt(acquire(cluster, target))
    assert ran.notices == ["waiting for mika@elsewhere (pid 7)"]
    assert isinstance(ran.result, HeldLease)
    assert 15 <= sum(slept) <= 18


def test_with_wait_lock_a_living_holder_is_waited_for(
    cluster: FakeCluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(cluster, "otherboot:pid:[1]:7/99")
    renewals = iter(range(60))

    def sleep(seconds: float) -> None:
        later(cluster, seconds)
        if next(renewals, None) is not None:
            cluster.patch(WHERE, {"spec": {"renewTime": "now"}})
        elif WHERE in cluster.objects:
            cluster.delete(WHERE)

    monkeypatch.setattr(lease.time, "sleep", sleep)
    ran = attempt(acquire(cluster, target, wait=True))
    assert ran.notices == ["waiting for mika@elsewhere (pid 7)"]
    assert holder(cluster) == Holder.me().name


def test_of_two_who_take_over_at_once_one_wins(
    cluster: FakeCluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(cluster, "otherboot:pid:[1]:7/99")
    later(cluster, TTL_SECONDS + 2)
    silence = lease._silence  # pyright: ignore[reportPrivateUsage]

    def meanwhile(asked: Any, found: dict[str, Any]) -> float:
        answer = silence(asked, found)
        cluster.patch(WHERE, {"spec": {"holderIdentity": "the faster one"}})
        return answer

    monkeypatch.setattr(lease, "_silence", meanwhile)
    with pytest.raises(Locked, match="the faster one"):
        run(acquire(cluster, target))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.001)


def renewed(cluster: FakeCluster) -> None:
    """Waits until the Lease was written again."""
    before = cluster.objects[WHERE]["metadata"]["resourceVersion"]
    with cluster.changed:
        assert cluster.changed.wait_for(lambda: cluster.objects[WHERE]["metadata"]["resourceVersion"] != before, 10)


def lost(held: HeldLease) -> str:
    """Waits until the holder notices that it holds nothing any more; what it says."""
    for thread in threading.enumerate():
        if thread.name == "lease":
            thread.join(10)
    with pytest.raises(Locked) as caught:
        held.check()
    return caught.value.message


@pytest.mark.usefixtures("hurried")
class TestWhileItIsHeld:
    def test_it_is_renewed(self, cluster: FakeCluster, target: Target) -> None:
        with run(acquire(cluster, target)) as held:
            renewed(cluster)
            renewed(cluster)
            held.check()

    def test_a_foreign_change_of_the_object_is_no_loss(self, cluster: FakeCluster, target: Target) -> None:
        with run(acquire(cluster, target)) as held:
            cluster.patch(WHERE, {"metadata": {"annotations": {"seen": "by a curious tool"}}})
            renewed(cluster)
            renewed(cluster)
            held.check()
        assert cluster.names("leases") == []

    def test_a_short_outage_is_no_loss(self, cluster: FakeCluster, target: Target) -> None:
        with run(acquire(cluster, target)) as held:
            cluster.refuse("PATCH", "leases", Unreachable("no answer"), times=3)
            renewed(cluster)
            held.check()

    def test_the_loser_of_a_take_over_stops(self, cluster: FakeCluster, target: Target) -> None:
        with run(acquire(cluster, target)) as held:
            found = cluster.get(WHERE)
            spec = {"holderIdentity": "another one", "acquireTime": "later"}
            cluster.replace(WHERE, {**found, "metadata": {**found["metadata"], "resourceVersion": None}, "spec": spec})
            assert "somebody else has taken it over" in lost(held)
        # It must not give back what is another one's now.
        assert holder(cluster) == "another one"

    def test_a_lease_that_was_deleted_is_lost(self, cluster: FakeCluster, target: Target) -> None:
        with run(acquire(cluster, target)) as held:
            cluster.delete(WHERE)
            assert "lost" in lost(held)

    def test_a_lock_that_could_not_be_renewed_in_time_is_lost(
        self, cluster: FakeCluster, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cluster.refuse("PATCH", "leases", Unreachable("no answer"))
        with run(acquire(cluster, target)) as held:
            now = lease.time.monotonic() + TTL_SECONDS + 1
            monkeypatch.setattr(lease.time, "monotonic", lambda: now)
            with pytest.raises(Locked, match="could not be renewed in time") as caught:
                held.check()
            assert "nucleo releases" in caught.value.hint
            monkeypatch.undo()


class TestTheNamespace:
    def test_it_is_made_when_it_is_missing(self, target: Target) -> None:
        empty = FakeCluster()
        with run(acquire(empty, target)):
            assert empty.all("namespaces")[0]["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "nucleo"}
        assert empty.names("leases") == []

    def test_who_may_not_make_it_is_told_so(self, target: Target) -> None:
        empty = FakeCluster()
        empty.refuse("POST", "/namespaces$", NotAllowed("forbidden"))
        with pytest.raises(NotAllowed, match='"shop" does not exist, and you may not create it') as caught:
            run(acquire(empty, target))
        assert "administrators" in caught.value.hint
        assert caught.value.exit == 7

    def test_of_two_first_deploys_the_slower_one_sees_the_lock(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        empty = FakeCluster()
        create = empty.create

        def slower(where: str, body: dict[str, Any], **query: Any) -> dict[str, Any]:
            if where == path("v1", "namespaces"):
                create(where, {"metadata": {"name": "shop"}})
                held_by(empty, "otherboot:pid:[1]:7/99")
            return create(where, body, **query)

        def held_by(cluster: FakeCluster, process: str) -> None:
            body = {
                "metadata": {"name": "nucleo-shop", "annotations": {"nucleo.io/process": process}},
                "spec": {"holderIdentity": "the faster one"},
            }
            create(path(LEASES, "leases", "shop"), body)

        monkeypatch.setattr(empty, "create", slower)
        with pytest.raises(Locked, match="the faster one"):
            run(acquire(empty, target))

    def test_it_is_not_made_for_an_app_that_has_to_be_there_already(self, target: Target) -> None:
        empty = FakeCluster()
        with pytest.raises(NotFound, match='no app "shop" is deployed in namespace "shop"'):
            run(acquire(empty, target, create=False))
        assert empty.names("namespaces") == []


def _ending(cluster: FakeCluster, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the namespace refuse new objects `times` times, as one does while it is being removed."""
    create, refusals = cluster.create, iter(range(times))

    def refuse(where: str, body: dict[str, Any], **query: Any) -> dict[str, Any]:
        if next(refusals, None) is not None:
            raise NotAllowed('leases "x" is forbidden: unable to create new content because it is being terminated')
        return create(where, body, **query)

    monkeypatch.setattr(cluster, "create", refuse)


def test_a_namespace_that_is_just_being_removed_is_waited_for(
    cluster: FakeCluster, target: Target, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ending(cluster, 3, monkeypatch)
    with run(acquire(cluster, target)):
        assert len(slept) == 3


def test_a_namespace_that_never_goes_away_is_an_error(
    cluster: FakeCluster, target: Target, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "ENDING_SECONDS", -1.0)
    _ending(cluster, 100, monkeypatch)
    with pytest.raises(NucleoError, match="still being removed"):
        run(acquire(cluster, target))
    assert slept == []

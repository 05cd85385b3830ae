"""Changing what runs: whatever goes wrong, and whoever interrupts it, one healthy release serves in the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import Target
from nucleo_cli.domain.documents import Json
from nucleo_cli.domain.events import PhaseEnded, PhaseStarted
from nucleo_cli.domain.release import DEPLOYED, FAILED, SUPERSEDED, Revision
from nucleo_cli.errors import Exit, Interrupted, Locked, NucleoError, RolloutFailed, Unreachable
from nucleo_cli.workflows.history import is_healthy, read_history, recover
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.release import Change, change, resume
from nucleo_cli.workflows.tools import Tools
from tests.unit.workflows.fake_cluster import CRASH, Controller, FakeCluster
from tests.unit.workflows.fake_helm import FakeHelm, claims
from tests.unit.workflows.steps import Ran, attempt, run


def values(mark: str) -> Json:
    """Values whose pods can be told by `mark`."""
    return {"image": {"repository": "r/shop", "digest": mark}, "processes": {"web": {}}}


class Shop:
    """An app, and ways to change it."""

    def __init__(self, tools: Tools, helm: FakeHelm, cluster: FakeCluster, target: Target) -> None:
        self.tools, self.helm, self.cluster, self.target = tools, helm, cluster, target

    def change(
        self,
        mark: str,
        stop_at: int | None = None,
        stop: BaseException | None = None,
        spoil: Callable[[Any], None] | None = None,
    ) -> Ran:
        def write() -> None:
            self.helm.upgrade("shop", Path(), "shop", values(mark))

        def work() -> Any:
            with (yield from acquire(self.cluster, self.target)) as lease:
                if spoil:
                    spoil(lease)
                history = recover(self.cluster, read_history(self.cluster, self.target))
                return (yield from change(Change(self.tools, self.target, lease, history), write, "about"))

        return attempt(work(), stop_at, stop)

    def resume(self) -> Ran:
        def work() -> Any:
            with (yield from acquire(self.cluster, self.target)) as lease:
                history = read_history(self.cluster, self.target)
                return (yield from resume(Change(self.tools, self.target, lease, history), history.running()))

        return attempt(work())

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return read_history(self.cluster, self.target).revisions

    @property
    def statuses(self) -> list[str]:
        return [each.status for each in self.revisions]

    @property
    def serving(self) -> str:
        """The mark of what the Deployment runs; "" when there is none."""
        found = self.cluster.all("deployments")
        return found[0]["spec"]["template"]["spec"]["containers"][0]["image"].partition("@")[2] if found else ""

    def check(self) -> None:
        """What holds after anything at all: nothing locked, nothing pending, one release at most is deployed."""
        assert self.cluster.names("leases") == []
        assert not any(each.pending for each in self.revisions)
        assert self.statuses.count(DEPLOYED) <= 1
        assert all(status == label for status, label in map(claims, self.cluster.all("secrets")))


@pytest.fixture
def shop(tools: Tools, helm: FakeHelm, cluster: FakeCluster, target: Target) -> Shop:
    return Shop(tools, helm, cluster, target)


def test_a_good_change(shop: Shop) -> None:
    ran = shop.change("one")
    assert ran.result.version == 1
    assert [type(event) for event in ran.events if isinstance(event, PhaseStarted | PhaseEnded)] == [
        PhaseStarted,
        PhaseEnded,
        PhaseStarted,
        PhaseEnded,
    ]
    assert [event.detail for event in ran.events if isinstance(event, PhaseEnded)] == ["release 1", "1 ready"]
    assert is_healthy(shop.revisions[0])
    shop.check()


def test_one_after_the_other(shop: Shop) -> None:
    for mark in ("one", "two", "three"):
        assert shop.change(mark).error is None
    assert shop.statuses == [SUPERSEDED, SUPERSEDED, DEPLOYED]
    assert all(map(is_healthy, shop.revisions))
    shop.check()


def test_a_bad_release_gives_way_to_the_last_good_one(shop: Shop, controller: Controller) -> None:
    shop.change("one")
    shop.change("two")
    controller.fates["bad"] = CRASH
    ran = shop.change("bad")
    assert isinstance(ran.error, RolloutFailed)
    assert ran.error.exit == Exit.ROLLOUT
    assert ran.notices == ["release 2 serves again, as release 4"]
    assert shop.serving == "two"
    assert shop.statuses == [SUPERSEDED, SUPERSEDED, FAILED, DEPLOYED]
    assert shop.revisions[2].description.startswith("rollout failed: shop-web-")
    assert [is_healthy(each) for each in shop.revisions] == [True, True, False, True]
    shop.check()


def test_bad_releases_one_after_the_other_always_lead_back(shop: Shop, controller: Controller) -> None:
    controller.fates["bad"] = CRASH
    shop.change("one")
    for number in range(3):
        assert isinstance(shop.change(f"bad {number}").error, RolloutFailed)
    assert shop.serving == "one"
    assert shop.change("two").error is None
    assert shop.serving == "two"
    shop.check()


def test_a_first_release_that_fails_is_removed(shop: Shop, controller: Controller) -> None:
    controller.fates["bad"] = CRASH
    ran = shop.change("bad")
    assert isinstance(ran.error, RolloutFailed)
    assert ran.notices == ["no release was ever healthy, so this one was removed"]
    assert shop.revisions == ()
    assert shop.cluster.names("deployments") == shop.cluster.names("pods") == []
    assert shop.change("one").result.version == 1
    shop.check()


@pytest.mark.parametrize("trouble", ["fail", "die", "die late"])
def test_when_helm_fails_the_last_good_release_stays(shop: Shop, trouble: str) -> None:
    shop.change("one")
    shop.helm.trouble = [trouble]
    ran = shop.change("two")
    assert isinstance(ran.error, NucleoError)
    assert "helm failed" in ran.error.message
    assert shop.serving == "one"
    assert shop.statuses == [SUPERSEDED, FAILED, DEPLOYED]
    assert "failed: helm failed" in shop.revisions[1].description
    assert shop.change("two").error is None
    shop.check()


@pytest.mark.parametrize("trouble", ["fail", "die", "die late"])
def test_when_helm_fails_at_the_first_release_nothing_stays(shop: Shop, trouble: str) -> None:
    shop.helm.trouble = [trouble]
    assert isinstance(shop.change("one").error, NucleoError)
    assert shop.revisions == ()
    assert shop.serving == ""
    assert shop.change("one").error is None
    shop.check()


@pytest.mark.parametrize("before", [[], ["one"]])
def test_helm_saying_that_all_is_well_is_not_believed(shop: Shop, before: list[str]) -> None:
    for mark in before:
        shop.change(mark)
    shop.helm.trouble = ["nothing"]
    ran = shop.change("two")
    assert isinstance(ran.error, NucleoError)
    assert "the cluster has no new release" in ran.error.message
    assert len(shop.revisions) == len(before)
    shop.check()


def test_a_refused_change_touches_nothing(shop: Shop) -> None:
    shop.change("one")
    before = shop.cluster.all("secrets")
    shop.helm.trouble = ["refuse"]
    ran = shop.change("two")
    assert isinstance(ran.error, NucleoError)
    assert ran.notices == []
    assert shop.cluster.all("secrets") == before
    assert [call[0] for call in shop.helm.calls] == ["upgrade", "upgrade"]
    shop.check()


class TestAReleaseThatNobodySawHealthy:
    """Made by helm alone: it may well serve, so it is never removed because something after it fails."""

    @pytest.fixture
    def by_helm(self, shop: Shop) -> Shop:
        shop.helm.upgrade("shop", Path(), "shop", values("by helm"))
        return shop

    def test_it_is_what_a_failed_change_goes_back_to(self, by_helm: Shop, controller: Controller) -> None:
        controller.fates["bad"] = CRASH
        assert isinstance(by_helm.change("bad").error, RolloutFailed)
        assert by_helm.serving == "by helm"
        assert by_helm.statuses == [SUPERSEDED, FAILED, DEPLOYED]
        by_helm.check()

    @pytest.mark.parametrize("trouble", ["refuse", "nothing"])
    def test_a_change_that_wrote_nothing_leaves_it(self, by_helm: Shop, trouble: str) -> None:
        by_helm.helm.trouble = [trouble]
        assert isinstance(by_helm.change("two").error, NucleoError)
        assert by_helm.serving == "by helm"
        assert by_helm.statuses == [DEPLOYED]

    def test_an_interruption_before_the_first_write_leaves_it(self, by_helm: Shop) -> None:
        by_helm.change("two", 0, Interrupted(Exit.INTERRUPTED))
        assert by_helm.serving == "by helm"
        assert by_helm.statuses == [DEPLOYED]


class TestInterrupted:
    @pytest.mark.parametrize("code", [Exit.INTERRUPTED, Exit.TERMINATED])
    @pytest.mark.parametrize("position", range(6))
    def test_at_any_event_of_a_change(self, shop: Shop, position: int, code: Exit) -> None:
        shop.change("one")
        ran = shop.change("two", position, Interrupted(code))
        if ran.error is None:
            assert position >= 5
            assert shop.serving == "two"
        else:
            assert isinstance(ran.error, Interrupted)
            assert ran.error.exit == code
            assert shop.serving == "one"
            assert ran.error.restored == ("release 1 serves again, as release 3" if position else "")
        assert len([each for each in shop.revisions if each.status == DEPLOYED and is_healthy(each)]) == 1
        shop.check()
        assert shop.change("two").error is None

    @pytest.mark.parametrize("position", range(6))
    def test_at_any_event_of_a_first_release(self, shop: Shop, position: int) -> None:
        ran = shop.change("one", position, Interrupted(Exit.INTERRUPTED))
        assert (shop.serving, len(shop.revisions)) == (("one", 1) if ran.error is None else ("", 0))
        shop.check()
        assert shop.change("one").error is None

    @pytest.mark.parametrize("position", range(12))
    def test_while_the_last_good_release_is_put_back(self, shop: Shop, controller: Controller, position: int) -> None:
        controller.fates["bad"] = CRASH
        shop.change("one")
        ran = shop.change("bad", position, Interrupted(Exit.INTERRUPTED))
        assert isinstance(ran.error, Interrupted | RolloutFailed)
        assert shop.serving == "one"
        shop.check()
        assert shop.change("two").error is None
        assert shop.serving == "two"

    def test_while_helm_is_at_work(self, shop: Shop) -> None:
        shop.change("one")
        shop.helm.trouble = [Interrupted(Exit.INTERRUPTED)]
        ran = shop.change("two")
        assert isinstance(ran.error, Interrupted)
        assert ran.error.restored == "release 1 serves again, as release 3"
        assert shop.serving == "one"
        assert shop.revisions[1].description == "interrupted"
        shop.check()


class TestWhenPuttingBackFails:
    def test_the_first_error_stays_and_a_warning_is_added(self, shop: Shop, controller: Controller) -> None:
        controller.fates["bad"] = CRASH
        shop.change("one")
        shop.helm.trouble = ["", "refuse"]
        ran = shop.change("bad")
        assert isinstance(ran.error, RolloutFailed)
        assert ran.warnings == ["the last good release could not be put back: helm failed: refused"]
        assert ran.notices == []

    def test_the_next_change_makes_up_for_it(self, shop: Shop, controller: Controller) -> None:
        controller.fates["bad"] = CRASH
        shop.change("one")
        shop.helm.trouble = ["", "die late"]
        shop.change("bad")
        assert shop.cluster.names("leases") == []
        assert isinstance(shop.change("bad").error, RolloutFailed)
        assert shop.serving == "one"
        assert shop.change("two").error is None
        shop.check()

    def test_a_cluster_that_is_gone(self, shop: Shop) -> None:
        shop.change("one")

        def cut(_: Any) -> None:
            shop.cluster.refuse("GET", "deployments", Unreachable("no answer"))
            shop.cluster.refuse("DELETE", "leases", Unreachable("no answer"))

        ran = shop.change("two", spoil=cut)
        assert isinstance(ran.error, Unreachable)
        assert ran.notices == ["release 1 was put back as release 3; it is not healthy yet"]


@pytest.mark.parametrize("position", ["before", "during"])
def test_who_lost_the_lock_touches_nothing_more(shop: Shop, controller: Controller, position: str) -> None:
    controller.fates["bad"] = CRASH
    shop.change("one")
    calls = len(shop.helm.calls)

    def lose(lease: Any) -> None:
        answers = iter([] if position == "before" else [None])

        def check() -> None:
            if next(answers, "lost") == "lost":
                raise Locked("the lock was lost")

        lease.check = check

    ran = shop.change("bad", spoil=lose)
    assert isinstance(ran.error, Locked)
    assert len(shop.helm.calls) - calls == (0 if position == "before" else 1)


class TestResume:
    def test_a_release_that_was_not_seen_healthy(self, shop: Shop) -> None:
        shop.change("one")
        shop.helm.upgrade("shop", Path(), "shop", values("two"))
        assert not is_healthy(shop.revisions[-1])
        assert shop.resume().result.version == 2
        assert is_healthy(shop.revisions[-1])
        shop.check()

    def test_a_bad_one_gives_way(self, shop: Shop, controller: Controller) -> None:
        controller.fates["bad"] = CRASH
        shop.change("one")
        shop.helm.upgrade("shop", Path(), "shop", values("bad"))
        ran = shop.resume()
        assert isinstance(ran.error, RolloutFailed)
        assert shop.serving == "one"
        assert shop.statuses == [SUPERSEDED, FAILED, DEPLOYED]
        shop.check()

    def test_a_bad_first_one_is_removed(self, shop: Shop, controller: Controller) -> None:
        controller.fates["bad"] = CRASH
        shop.helm.upgrade("shop", Path(), "shop", values("bad"))
        assert isinstance(shop.resume().error, RolloutFailed)
        assert shop.revisions == ()
        shop.check()


def test_a_process_scaled_to_zero_is_no_failure(shop: Shop) -> None:
    def write() -> None:
        stopped = {**values("one"), "processes": {"web": {"replicas": 0}}}
        shop.helm.upgrade("shop", Path(), "shop", stopped)

    with run(acquire(shop.cluster, shop.target)) as lease:
        history = read_history(shop.cluster, shop.target)
        ran = attempt(change(Change(shop.tools, shop.target, lease, history), write, "about"))
    assert ran.error is None
    last = ran.events[-1]
    assert isinstance(last, PhaseEnded)
    assert last.detail == "no pods: scaled to zero"


def test_the_history_that_helm_keeps_short_still_leads_back(shop: Shop, controller: Controller) -> None:
    controller.fates["bad"] = CRASH
    shop.helm.keep = 3
    shop.change("one")
    for number in range(4):
        shop.change(f"bad {number}")
    assert shop.serving == "one"
    assert len(shop.revisions) == 3
    assert path("v1", "secrets", "shop", "sh.helm.release.v1.shop.v1") not in shop.cluster.objects
    shop.check()

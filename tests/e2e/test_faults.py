"""A deploy that is killed, interrupted or raced at any of its steps keeps its promises: those of checker.py."""

import time
from contextlib import ExitStack
from itertools import count
from secrets import token_hex

import pytest

from tests.e2e.api import Api
from tests.e2e.checker import Probe, check, eventually, no_orphans, serves, settled, unharmed
from tests.e2e.conftest import AppFactory, Faulty
from tests.e2e.sample import Sample
from tests.installed import Result

# Where to hit, and how many seconds later: so that it also lands inside of a step, or while helm is at work.
EVERYWHERE = [
    ("PhaseStarted:check", 0.3),
    ("PhaseEnded:check", 0.0),
    ("PhaseStarted:build", 0.0),
    ("PhaseStarted:build", 0.7),
    ("PhaseStarted:push", 0.05),
    ("PhaseEnded:push", 0.0),
    ("PhaseStarted:release", 0.0),
    ("PhaseStarted:release", 0.15),
    ("PhaseStarted:release", 0.3),
    ("PhaseEnded:release", 0.0),
    ("PodChanged", 0.0),
    ("PodChanged#2", 0.0),
    ("PhaseEnded:rollout", 0.0),
]
# Where a person would press ^C.
IN_BETWEEN = [
    ("PhaseStarted:build", 0.7),
    ("PhaseStarted:push", 0.0),
    ("PhaseStarted:release", 0.15),
    ("PodChanged", 0.1),
]
SIGNALS = [("INT", 130), ("TERM", 143), ("HUP", 130)]

_numbers = count(1)


@pytest.fixture(scope="module")
def shared(app_factory: AppFactory) -> Sample:
    made = app_factory("victim")
    made.deploy()
    made.keep_secret("API_KEY", f"canary-{token_hex()}")
    return made


@pytest.fixture
def victim(shared: Sample) -> Sample:
    """The app that all of this happens to; each test finds it deployed, whatever the one before did."""
    shared.ensure()
    return shared


@pytest.fixture
def edited(victim: Sample) -> tuple[Sample, str]:
    """The app with an edit, and what it answered before. Its one build step has to run again, too."""
    before = victim.answer
    number = next(_numbers)
    victim.say(f"edit-{number}")
    victim.write("requirements.txt", f"# {token_hex()}\n")
    return victim, before


@pytest.mark.parametrize(("point", "delay"), EVERYWHERE)
def test_killed_at_any_step_the_same_command_finishes_the_work(
    edited: tuple[Sample, str], api: Api, faulty: Faulty, point: str, delay: float
) -> None:
    app, before = edited
    with Probe(app.url) as probe:
        killed: Result = faulty(app, point, "KILL", "deploy", delay=delay)
        assert killed.code in ((-9, 0) if delay else (-9,)), killed
        check(app, api, probe, {before, app.answer})


@pytest.mark.parametrize(("signal", "code"), SIGNALS)
@pytest.mark.parametrize(("point", "delay"), IN_BETWEEN)
def test_interrupted_it_puts_the_old_release_back_and_says_so(
    edited: tuple[Sample, str], api: Api, faulty: Faulty, point: str, delay: float, signal: str, code: int
) -> None:
    app, before = edited
    with Probe(app.url) as probe:
        stopped: Result = faulty(app, point, signal, "deploy", "--json", delay=delay).expect(code)
        assert stopped.json["code"] == "interrupted"
        assert "Traceback" not in stopped.stderr
        serves(probe.url, before)
        no_orphans(app, api)
        check(app, api, probe, {before, app.answer})


def test_interrupted_twice_it_ends_at_once_and_says_how_to_go_on(
    edited: tuple[Sample, str], api: Api, faulty: Faulty
) -> None:
    app, before = edited
    with Probe(app.url) as probe:
        stopped = faulty(app, "PodChanged", "INT,INT", "deploy", delay=0.05).expect(130)
        assert "run the same command again" in stopped.stderr
        check(app, api, probe, {before, app.answer})


def test_a_first_deploy_that_is_interrupted_leaves_nothing(app_factory: AppFactory, api: Api, faulty: Faulty) -> None:
    app = app_factory("first")
    faulty(app, "PodChanged", "INT", "deploy", delay=0.1).expect(130)
    assert not api.revisions(app.namespace, app.name)
    assert not api.items(f"/apis/apps/v1/namespaces/{app.namespace}/deployments")
    settled(app, api, app.deploy())


def test_a_first_deploy_that_is_killed_is_finished_by_the_next(
    app_factory: AppFactory, api: Api, faulty: Faulty
) -> None:
    app = app_factory("first")
    faulty(app, "PodChanged", "KILL", "deploy").expect(-9)
    result = app.deploy()
    settled(app, api, result)
    serves(result.json["url"], "one")


@pytest.mark.parametrize("point", ["PhaseStarted:release", "PodChanged"])
def test_a_rollback_that_is_killed_is_finished_by_the_next(
    victim: Sample, api: Api, faulty: Faulty, point: str
) -> None:
    before = victim.answer
    victim.say(f"{before}-next")
    target = victim.deploy().json["release"] - 1
    with Probe(victim.url) as probe:
        faulty(victim, point, "KILL", "rollback", str(target)).expect(-9)
        done = victim("rollback", str(target), "--json").expect(0)
        serves(probe.url, before)
    unharmed(victim, api, probe)
    settled(victim, api, done)


class TestLock:
    def held(self, app: Sample, api: Api) -> None:
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{app.namespace}/leases"
        eventually("the lock is taken", lambda: api.items(leases))

    def test_a_second_deploy_says_who_is_at_work(self, edited: tuple[Sample, str], api: Api) -> None:
        app, _ = edited
        with app.nucleo.start("deploy", "-C", str(app.directory), "--json") as first:
            self.held(app, api)
            second = app("deploy", "--json").expect(9)
            done = app.nucleo.end(first).expect(0)
        assert second.json["code"] == "locked"
        assert f"pid {first.pid}" in second.json["error"]
        assert "--wait-lock" in second.json["hint"]
        settled(app, api, done)

    def test_a_second_deploy_may_wait(self, edited: tuple[Sample, str], api: Api) -> None:
        app, _ = edited
        with app.nucleo.start("deploy", "-C", str(app.directory), "--json") as first:
            self.held(app, api)
            second = app("deploy", "--wait-lock", "--json").expect(0)
            app.nucleo.end(first).expect(0)
        assert second.json["changed"] is False
        assert "waiting for" in second.stderr

    def test_of_ten_deploys_at_once_one_wins_and_the_others_say_so(self, edited: tuple[Sample, str], api: Api) -> None:
        app, before = edited
        with Probe(app.url) as probe, ExitStack() as running:
            argv = ("deploy", "-C", str(app.directory), "--json")
            started = [running.enter_context(app.nucleo.start(*argv)) for _ in range(10)]
            ended = [app.nucleo.end(each) for each in started]
            codes = sorted(each.code for each in ended)
            assert set(codes) <= {0, 9}, "\n".join(map(str, ended))
            assert 0 in codes
            assert all(each.json["code"] == "locked" for each in ended if each.code == 9)
            assert sum(each.json["changed"] for each in ended if each.code == 0) == 1
            check(app, api, probe, {before, app.answer})

    def test_a_lock_whose_holder_died_elsewhere_is_free_when_its_time_is_over(self, victim: Sample, api: Api) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{victim.namespace}/leases"
        spec = {"holderIdentity": "bob@laptop", "leaseDurationSeconds": 30, "acquireTime": now, "renewTime": now}
        api.create(leases, {"metadata": {"name": f"nucleo-{victim.name}"}, "spec": spec})
        locked = victim("deploy", "--json").expect(9)
        assert "bob@laptop" in locked.json["error"]
        victim("deploy", "--wait-lock", "--json").expect(0)
        assert not api.items(leases)

"""Apps that do not start: the cause is in the last lines, and the release before serves all the time."""

import pytest

from tests.e2e.api import Api
from tests.e2e.checker import Probe, check, engine, serves, settled
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import APP, Sample

HUNGRY = APP.replace('print("serving", flush=True)', 'print("eating", flush=True); x = b"x" * (1 << 30)')
SILENT = "import time\nprint('waiting for nothing', flush=True)\ntime.sleep(3600)\n"

# What app.py is, lines of nucleo.yml, and what the failure says.
BAD_APPS: dict[str, tuple[str, list[str], str]] = {
    "exits at once": ("import sys\nprint('no database', flush=True)\nsys.exit(3)\n", [], "code 3"),
    "ends well at once": ("print('done', flush=True)\n", [], "has to keep running"),
    "a syntax error": ("def broken(:\n", [], "code 1"),
    "never listens": (SILENT, [], "listen"),
    "listens on another port": (APP.replace('int(os.environ["PORT"])', "9999"), [], "9999"),
    "listens on loopback alone": (APP.replace('("", int', '("127.0.0.1", int'), [], "0.0.0.0"),
    "eats all memory": (HUNGRY, ["resources: {memory: 64Mi}"], "memory"),
    "has a probe that never succeeds": (APP, ["health: {path: /nowhere}"], "/nowhere"),
    "has a command that is not there": (APP, ["cmd: {start: no-such-program --now}"], "not found"),
    "asks for more than any node has": (APP, ["resources: {cpu: 500}"], "no node has room"),
}


@pytest.fixture(scope="module")
def shared(app_factory: AppFactory) -> Sample:
    made = app_factory("good")
    made.deploy()
    return made


@pytest.fixture
def good(shared: Sample) -> Sample:
    """The app that serves, before its next release turns out bad."""
    shared.ensure()
    return shared


@pytest.mark.parametrize("case", BAD_APPS)
def test_a_bad_release_is_diagnosed_and_the_old_one_serves(good: Sample, api: Api, case: str) -> None:
    program, lines, told = BAD_APPS[case]
    good.write("app.py", program)
    good.configure(*lines)
    with Probe(good.url) as probe:
        failed = good("deploy", "--json", "--timeout", "20s")
        assert failed.code in (5, 11), failed
        document = failed.json
        assert document["code"] in ("rollout-failed", "timed-out")
        assert told in f"{document['error']} {document['hint']} {document['details']}"
        assert document["hint"]
        serves(good.url, good.answer)
        before = good.answer
        good.configure()
        good.say(f"after {case}")
        check(good, api, probe, {before, good.answer})


def test_the_last_lines_of_its_log_are_shown(good: Sample) -> None:
    good.write("app.py", "import sys\nprint('no database at db:5432', flush=True)\nsys.exit(3)\n")
    result = good("deploy").expect(5)
    assert "| no database at db:5432" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint:")
    assert result.stdout == ""


def test_a_first_release_that_is_bad_leaves_nothing_running(app_factory: AppFactory, api: Api) -> None:
    app = app_factory("bad")
    app.write("app.py", "raise SystemExit(3)\n")
    app("deploy", "--json").expect(5)
    assert not api.items(f"/apis/apps/v1/namespaces/{app.namespace}/deployments")
    app.say("one")
    settled(app, api, app.deploy())
    serves(app.url, "one")


def test_a_pre_stop_hook_that_fails_stops_no_release(good: Sample, api: Api) -> None:
    good.configure("cmd: {start: python app.py, pre_stop: exit 7}")
    good.deploy()
    before = good.answer
    with Probe(good.url) as probe:
        good.say("after the hook")
        check(good, api, probe, {before, good.answer})


class TestBuild:
    def test_requirements_that_cannot_be_resolved_fail_the_build(self, good: Sample) -> None:
        good.write("requirements.txt", "flask==0.0.0.1\n")
        result = good("deploy", "--json").expect(4)
        assert result.json["code"] == "build-failed"
        assert "flask" in str(result.json)
        assert not engine("GET", '/containers/json?all=1&filters={"label":["io.nucleo.role=build"]}')
        serves(good.url, good.answer)

    def test_requirements_that_contradict_each_other_fail_the_build(self, good: Sample) -> None:
        good.write("requirements.txt", "werkzeug==3.0.0\nwerkzeug==3.0.1\n")
        result = good("build", "--json").expect(4)
        assert "werkzeug" in str(result.json)

    def test_a_malformed_requirements_file_fails_the_build(self, good: Sample) -> None:
        good.write("requirements.txt", b"flask==\xff\xfe\n")
        result = good("build", "--json")
        assert result.code == 4, result
        assert "Traceback" not in result.stderr

    def test_build_prints_the_digest_alone(self, good: Sample) -> None:
        result = good("build").expect(0)
        assert result.stdout.strip().rpartition("@")[2].startswith("sha256:")
        assert len(result.stdout.splitlines()) == 1

    def test_the_same_tree_is_the_same_image(self, good: Sample) -> None:
        digests = {good("build", *flags).expect(0).stdout for flags in ((), ("--no-cache",))}
        assert len(digests) == 1

    def test_plan_runs_nothing_and_says_why(self, good: Sample) -> None:
        document = good("plan", "--json").expect(0).json
        assert document["platform"] == "python"
        assert set(document) >= {"platform", "version", "reasons", "steps", "start"}
        assert all(set(step) >= {"name", "command", "inputs", "cached"} for step in document["steps"])

"""nucleo deploy: what it prints and how it ends."""

from pathlib import Path

import pytest

from tests.unit.commands.fake_program import Program
from tests.unit.workflows.fake_cluster import CRASH
from tests.unit.workflows.shop import Shop, make_shop, mark


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return make_shop(tmp_path, monkeypatch)


def test_the_url_is_the_data_and_the_rest_is_progress(app: Shop) -> None:
    done = Program(app)("deploy")
    assert (done.code, done.out) == (0, "http://shop.apps.example\n")
    for phase in ("check", "build", "release", "rollout"):
        assert f"✓ {phase}" in done.err
    assert "shop runs release 1 after" in done.err


def test_for_machines(app: Shop) -> None:
    document = Program(app)("deploy", "--json").json
    assert set(document) == {
        *("app", "environment", "namespace", "release", "image"),
        *("commit", "dirty", "url", "changed", "phases", "steps"),
    }


def test_again_it_says_that_there_is_nothing_to_do(app: Shop) -> None:
    Program(app)("deploy")
    done = Program(app, idle=True)("deploy")
    assert (done.code, done.out) == (0, "http://shop.apps.example\n")
    assert "shop already runs this, as release 1" in done.err


def test_quiet_prints_the_url_alone(app: Shop) -> None:
    assert Program(app)("deploy", "-q") == (0, "http://shop.apps.example\n", "")


def test_a_failure_ends_with_the_log_one_hint_and_what_serves_now(app: Shop) -> None:
    Program(app)("deploy")
    app.controller.fates[mark("bad")] = CRASH
    app.write("app.py", "bad")
    done = Program(app)("deploy")
    assert (done.code, done.out) == (5, "")
    assert "release 1 serves again, as release 3" in done.err
    assert "error: shop-web-" in done.err
    assert done.err.count("hint:") == 1


def test_a_failure_for_machines(app: Shop) -> None:
    app.controller.fates[mark("one")] = CRASH
    done = Program(app)("deploy", "--json")
    assert done.code == 5
    assert done.json["code"] == "rollout-failed"
    assert done.json["details"]["reason"] == "CrashLoopBackOff"


def test_no_nucleo_yml(app: Shop) -> None:
    (app.folder / "nucleo.yml").unlink()
    app.cluster.requests.clear()
    done = Program(app)("deploy", "--json")
    assert (done.code, done.json["code"]) == (3, "config-invalid")
    assert app.cluster.requests == []


def test_another_app_than_that_of_the_folder(app: Shop) -> None:
    done = Program(app)("deploy", "-C", str(app.folder), "-a", "other")
    assert done.code == 2
    assert 'is about "shop", not "other"' in done.err

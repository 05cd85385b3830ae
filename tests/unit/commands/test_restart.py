"""nucleo restart."""

from pathlib import Path

import pytest

from tests.unit.commands.fake_program import Program
from tests.unit.workflows.fake_cluster import CRASH
from tests.unit.workflows.shop import Shop, make_shop


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    found = make_shop(tmp_path, monkeypatch)
    found.deploy()
    return found


def test_every_pod_is_replaced(app: Shop) -> None:
    before = app.cluster.names("pods")
    done = Program(app, idle=True)("restart")
    assert (done.code, done.out) == (0, "")
    assert "✓ restart" in done.err
    assert app.cluster.names("pods") != before


def test_for_machines(app: Shop) -> None:
    done = Program(app, idle=True)("restart", "web", "--json")
    assert done.json == {"app": "shop", "processes": [{"name": "web", "ready": 1}]}


def test_when_the_new_pods_fail(app: Shop) -> None:
    before = app.cluster.names("pods")
    app.controller.fates["restartedAt"] = CRASH
    assert Program(app, idle=True)("restart").code == 5
    assert app.cluster.names("pods") == before


def test_a_process_that_does_not_exist(app: Shop) -> None:
    done = Program(app, idle=True)("restart", "wrok", "--json")
    assert (done.code, done.json["code"]) == (6, "not-found")

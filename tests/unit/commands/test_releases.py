"""nucleo releases."""

from pathlib import Path

import pytest

from nucleo_cli.domain.build import GitFacts
from nucleo_cli.errors import NotAllowed
from tests.unit.commands.fake_program import Program
from tests.unit.workflows.shop import Shop, make_shop


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    found = make_shop(tmp_path, monkeypatch)
    found.commit(monkeypatch, GitFacts("c0ffee" + "0" * 34, False, 0, user="Mika"))
    return found


def test_a_table_newest_first(app: Shop) -> None:
    app.deploy()
    app.write("app.py", "two")
    app.deploy()
    head, second, first = Program(app, idle=True)("releases").out.splitlines()
    assert head.split() == ["RELEASE", "STATUS", "CREATED", "COMMIT", "USER", "DESCRIPTION"]
    assert second.split()[:2] == ["2", "deployed"]
    assert first.split()[:2] == ["1", "superseded"]
    assert "c0ffee00" in second
    assert "Mika" in second


def test_for_machines(app: Shop) -> None:
    app.deploy()
    (release,) = Program(app, idle=True)("releases", "--json").json["releases"]
    assert set(release) == {"version", "status", "created", "description", "image", "commit", "user"}


def test_it_writes_nothing_not_even_a_lock(app: Shop) -> None:
    app.deploy()
    app.cluster.requests.clear()
    Program(app, idle=True)("releases")
    assert [method for method, _ in app.cluster.requests] == ["GET"]


def test_an_app_that_is_not_there(app: Shop) -> None:
    done = Program(app, idle=True)("releases", "--json")
    assert (done.code, done.json["code"]) == (6, "not-found")


def test_a_right_that_is_missing(app: Shop) -> None:
    app.cluster.refuse("GET", "secrets", NotAllowed("secrets is forbidden"))
    assert Program(app, idle=True)("releases").code == 7


def test_control_characters_in_a_description_do_not_reach_the_terminal(app: Shop) -> None:
    app.deploy()
    app.helm.record("shop", "shop", 2, "failed", {}, description="\x1b[31mred\x07")
    assert "\x1b" not in Program(app, idle=True)("releases").out

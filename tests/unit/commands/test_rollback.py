"""nucleo rollback: what it prints and how it ends."""

from pathlib import Path

import pytest

from tests.unit.commands.fake_program import Program
from tests.unit.workflows.shop import Shop, make_shop


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    found = make_shop(tmp_path, monkeypatch)
    for text in ("one", "two"):
        found.write("app.py", text)
        found.deploy()
    return found


def test_it_says_what_runs_now_and_how_to_undo_it(app: Shop) -> None:
    done = Program(app)("rollback")
    assert (done.code, done.out) == (0, "")
    assert "shop runs release 3, a copy of release 1" in done.err
    assert "nucleo rollback 2 undoes this" in done.err


def test_for_machines(app: Shop) -> None:
    done = Program(app)("rollback", "1", "--json")
    assert done.json == {
        "app": "shop",
        "release": 3,
        "rolled_back_to": 1,
        "image": app.revisions[0].image,
        "commit": None,
    }


def test_without_the_folder(app: Shop, tmp_path: Path) -> None:
    assert Program(app)("rollback", "-C", str(tmp_path), "-a", "shop").code == 0


@pytest.mark.parametrize(("release", "code"), [("9", 6), ("0", 2), ("x", 2), ("-1", 2)])
def test_a_release_that_is_none(app: Shop, release: str, code: int) -> None:
    done = Program(app)("rollback", release)
    assert (done.code, done.out) == (code, "")
    assert len(app.revisions) == 2

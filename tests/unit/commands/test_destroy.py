"""nucleo destroy: never without the app's name."""

from pathlib import Path

import pytest

from tests.unit.commands.fake_program import Program
from tests.unit.workflows.shop import Shop, make_shop


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    found = make_shop(tmp_path, monkeypatch)
    found.deploy()
    found.cluster.requests.clear()
    return found


@pytest.mark.parametrize("words", [[], ["--json"], ["--confirm", "other"], ["--no-input"]])
def test_without_the_right_name_nothing_is_asked_of_the_cluster(app: Shop, words: list[str]) -> None:
    assert Program(app)("destroy", *words).code == 2
    assert app.cluster.requests == []


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "SHOP\n"])
def test_a_person_who_types_something_else(app: Shop, typed: str) -> None:
    done = Program(app)("destroy", typed=typed)
    assert done.code == 2
    assert 'from cluster "test", for good' in done.err
    assert app.cluster.requests == []


def test_with_the_name_everything_goes(app: Shop) -> None:
    done = Program(app)("destroy", "--confirm", "shop", "--json")
    assert done.json == {"app": "shop", "namespace": "shop", "namespace_removed": True}
    assert app.cluster.names("deployments") == app.cluster.names("secrets") == []


def test_a_person_types_it(app: Shop) -> None:
    done = Program(app)("destroy", typed="shop\n")
    assert (done.code, done.out) == (0, "")
    assert "shop is gone" in done.err


def test_an_app_that_is_not_there(app: Shop) -> None:
    Program(app)("destroy", "--confirm", "shop")
    assert Program(app)("destroy", "--confirm", "shop").code == 6

"""nucleo scale: words, confirmation, and what the next deploy will do to it."""

from pathlib import Path

import pytest

from tests.unit.commands.fake_program import Program
from tests.unit.workflows.shop import Shop, make_shop


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    found = make_shop(tmp_path, monkeypatch)
    found.deploy()
    return found


def replicas(app: Shop) -> int:
    return app.cluster.all("deployments")[0]["spec"]["replicas"]


@pytest.mark.parametrize("word", ["3", "web=3"])
def test_a_number_alone_is_about_web(app: Shop, word: str) -> None:
    done = Program(app, idle=True)("scale", word, "--json")
    assert done.json == {"app": "shop", "processes": [{"name": "web", "replicas": 3, "previous": 1}]}
    assert replicas(app) == 3


@pytest.mark.parametrize("word", ["", "x", "web=", "=3", "web=-1", "1.5", "²", "web=²", "9" * 5000])
def test_what_is_no_number(app: Shop, word: str) -> None:
    done = Program(app, idle=True)("scale", word)
    assert (done.code, done.out) == (2, "")
    assert "does not say how many" in done.err
    assert replicas(app) == 1


def test_stopping_a_process_needs_a_confirmation(app: Shop) -> None:
    nucleo = Program(app, idle=True)
    done = nucleo("scale", "0", "--json")
    assert done.code == 2
    assert done.json["hint"] == "add --confirm shop"
    assert nucleo("scale", "0", "--confirm", "other").code == 2
    assert nucleo("scale", "0", typed="no\n").code == 2
    assert replicas(app) == 1
    assert nucleo("scale", "0", "--confirm", "shop").code == 0
    assert replicas(app) == 0
    assert nucleo("scale", "1").code == 0


def test_a_person_confirms_by_the_name(app: Shop) -> None:
    done = Program(app, idle=True)("scale", "0", typed="shop\n")
    assert done.code == 0
    assert 'This stops web of "shop".' in done.err


def test_an_unknown_process(app: Shop) -> None:
    assert Program(app, idle=True)("scale", "worker=1").code == 6


def test_what_nucleo_yml_will_undo_is_said(app: Shop) -> None:
    app.scale("2")
    app.deploy()
    nucleo = Program(app, idle=True)
    assert "nucleo.yml says 2 for web: the next deploy sets that again" in nucleo("scale", "5").err
    assert "nucleo.yml says" not in nucleo("scale", "2").err

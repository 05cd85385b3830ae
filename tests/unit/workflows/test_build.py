"""nucleo plan: what is shown, with and without a registry to ask."""

from pathlib import Path
from typing import Any, NoReturn

import pytest

from nucleo_cli.commands.plan import render
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import GitFacts, Image
from nucleo_cli.domain.events import StepEnded
from nucleo_cli.errors import BuildFailed, Unreachable
from nucleo_cli.terminal.style import Style
from nucleo_cli.workflows.build import Built, Planned, plan


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "requirements.txt").write_text("flask\n")
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    return App("shop", tmp_path, "python")


def offline() -> NoReturn:
    raise Unreachable("no cluster")


def test_without_a_cluster_it_is_not_known_what_was_built(app: App) -> None:
    document = plan(offline, app).document()
    assert document["platform"] == "python"
    assert document["start"].startswith("gunicorn app:app ")
    assert [(step["name"], step["inputs"], step["cached"]) for step in document["steps"]] == [
        ("dependencies", ["requirements.txt"], None)
    ]
    assert document["warnings"][0].startswith("flask in requirements.txt")
    assert {"choice": "pip", "because": "from requirements.txt"} in document["reasons"]


def test_a_tree_that_cannot_be_planned_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed):
        plan(offline, App("shop", tmp_path, "python"))


@pytest.mark.parametrize(("cached", "word"), [(True, "built before"), (False, "would run"), (None, "")])
def test_people_see_each_choice_beside_its_reason(app: App, cached: bool | None, word: str) -> None:
    planned = plan(offline, app)
    text = render(Planned(planned.plan, (cached,)), Style(on=False))
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "python 3.13"
    assert f"dependencies  {word}".rstrip() in lines
    assert "start  Flask, app in app.py" in lines


def test_terminal_sequences_of_a_repository_do_not_reach_the_terminal(app: App) -> None:
    (app.directory / "Procfile").write_text("web: \x1b]0;owned\x07python app.py\n")
    planned = plan(offline, app)
    assert "\x1b" not in render(planned, Style(on=False))


@pytest.mark.parametrize(
    ("commit", "expected"),
    [(None, {"commit": None, "dirty": False}), (GitFacts("c0ffee", True, 1), {"commit": "c0ffee", "dirty": True})],
)
def test_the_document_of_a_build(app: App, commit: GitFacts | None, expected: dict[str, Any]) -> None:
    built = Built(
        app,
        Image("registry/shop", "sha256:1", ("amd64",)),
        commit,
        (StepEnded("dependencies", 1.23456), StepEnded("x", 0, True)),
    )
    assert built.document() == {
        "app": "shop",
        "image": "registry/shop@sha256:1",
        "digest": "sha256:1",
        "architectures": ["amd64"],
        "steps": [
            {"name": "dependencies", "seconds": 1.235, "cached": False},
            {"name": "x", "seconds": 0, "cached": True},
        ],
        **expected,
    }

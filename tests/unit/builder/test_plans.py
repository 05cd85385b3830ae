"""The plan of an app and the hash of its inputs."""

import dataclasses
from pathlib import Path

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.plans import architectures, inputs_hash, plan_app
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.app import App, Build, Process
from nucleo_cli.domain.build import Reason
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import BuildFailed


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "requirements.txt").write_text("flask==3.1.3\n")
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    return App("shop", tmp_path, "python")


def test_the_web_process_may_say_how_to_start(app: App) -> None:
    processes = (Process("worker", start="celery"), Process("web", start="python app.py"))
    found = plan_app(dataclasses.replace(app, processes=processes), read_source(app.directory))
    assert found.start == "python app.py"


def test_the_version_may_be_in_nucleo_yml(app: App) -> None:
    assert plan_app(dataclasses.replace(app, platform_version="3.11"), read_source(app.directory)).version == "3.11"


def test_the_inputs_hash_sees_tree_plan_platform_and_name(app: App) -> None:
    source = read_source(app.directory)
    plan = plan_app(app, source)
    hashes = [
        inputs_hash(app, source, plan, ("amd64",)),
        inputs_hash(app, source, plan, ("arm64",)),
        inputs_hash(app, source, dataclasses.replace(plan, start="other"), ("amd64",)),
        inputs_hash(app, source, dataclasses.replace(plan, version="3.11"), ("amd64",)),
        inputs_hash(dataclasses.replace(app, name="other"), source, plan, ("amd64",)),
    ]
    (app.directory / "app.py").write_text("changed")
    hashes.append(inputs_hash(app, read_source(app.directory), plan, ("amd64",)))
    assert len(set(hashes)) == len(hashes)
    assert inputs_hash(app, source, dataclasses.replace(plan, reasons=(), warnings=("x",)), ("amd64",)) == hashes[0]


def test_the_procfile_says_how_to_start_unless_nucleo_yml_does(app: App) -> None:
    (app.directory / "Procfile").write_text("# ours\nweb: python app.py\nworker: celery\n")
    found = plan_app(app, read_source(app.directory))
    assert found.start == "python app.py"
    assert found.reasons[-1].because == "from Procfile"
    assert "only web is run, not worker" in found.warnings[-1]
    own = dataclasses.replace(app, processes=(Process("web", start="gunicorn app:app"),))
    assert plan_app(own, read_source(app.directory)).start == "gunicorn app:app"


def test_a_file_of_the_tree_is_found_by_the_shell(app: App) -> None:
    (app.directory / "run.sh").write_text("#!/bin/sh\n")
    own = dataclasses.replace(app, processes=(Process("web", start="run.sh now"),))
    assert plan_app(own, read_source(app.directory)).start == "./run.sh now"


def test_packages_are_choices_too(app: App) -> None:
    own = dataclasses.replace(app, build=Build(apt=("ffmpeg",)))
    assert Reason("apt: ffmpeg", "from nucleo.yml") in plan_app(own, read_source(app.directory)).reasons


@pytest.mark.parametrize(
    ("cross", "wanted", "nodes", "built"),
    [
        (True, (), (), ("amd64",)),
        (True, (), ("amd64", "arm64"), ("amd64", "arm64")),
        (True, ("arm64",), ("amd64", "arm64"), ("arm64",)),
        (False, (), ("amd64", "arm64"), ("amd64",)),
        (False, (), (), ("amd64",)),
        (False, ("amd64",), ("arm64",), ("amd64",)),
    ],
)
def test_which_architectures(
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    cross: bool,
    wanted: tuple[str, ...],
    nodes: tuple[str, ...],
    built: tuple[str, ...],
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    platform = dataclasses.replace(platforms.load("python"), cross=cross)
    own = dataclasses.replace(app, build=Build(architectures=wanted))
    assert architectures(own, Settings(architectures=nodes), platform) == built


@pytest.mark.parametrize(("wanted", "nodes"), [((), ("arm64",)), (("arm64",), ()), (("amd64", "arm64"), ())])
def test_a_machine_that_cannot_build_for_the_nodes(
    app: App, monkeypatch: pytest.MonkeyPatch, wanted: tuple[str, ...], nodes: tuple[str, ...]
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    own = dataclasses.replace(app, build=Build(architectures=wanted))
    with pytest.raises(BuildFailed, match="which is amd64; wanted is"):
        architectures(own, Settings(architectures=nodes), platforms.load("python"))

"""The plan of an app and the hash of its inputs."""

import dataclasses
from pathlib import Path

import pytest

from nucleo_cli.builder.plans import inputs_hash, plan_app
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.app import App, Process


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
        inputs_hash(app, source, plan, "amd64"),
        inputs_hash(app, source, plan, "arm64"),
        inputs_hash(app, source, dataclasses.replace(plan, start="other"), "amd64"),
        inputs_hash(app, source, dataclasses.replace(plan, version="3.11"), "amd64"),
        inputs_hash(dataclasses.replace(app, name="other"), source, plan, "amd64"),
    ]
    (app.directory / "app.py").write_text("changed")
    hashes.append(inputs_hash(app, read_source(app.directory), plan, "amd64"))
    assert len(set(hashes)) == len(hashes)
    assert inputs_hash(app, source, dataclasses.replace(plan, reasons=(), warnings=("x",)), "amd64") == hashes[0]

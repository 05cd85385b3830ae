"""A command that is a script of the repository: there, regular, executable, inside."""

import os
from pathlib import Path

import pytest

from nucleo_cli import config
from nucleo_cli.config.scripts import script_of
from nucleo_cli.errors import ConfigInvalid

from .conftest import Problems, Write


@pytest.fixture
def start(repository: Path) -> Path:
    script = repository / "nucleo" / "start.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return script


TEXT = "platform: python\ncmd: {start: nucleo/start.sh}"


@pytest.mark.parametrize(
    "command", ["nucleo/start.sh", "./nucleo/start.sh --port 1", "A=b C=d/e nucleo/start.sh", "'nucleo/start.sh' x"]
)
def test_a_script_that_is_there(write: Write, start: Path, command: str) -> None:
    app = config.load(write(f'platform: python\ncmd: {{start: "{command}"}}'))
    assert app.processes[0].start == command


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("gunicorn app:app", None),
        ("/usr/bin/env python", None),
        ("$HOME/x", None),
        ("~/x", None),
        ("python a/b.py", None),
        ("A=b/c", None),
        ("./run", "./run"),
        ("../run", "../run"),
        ("A=1 a/b c/d", "a/b"),
        ("sh -c 'a/b'", None),
    ],
)
def test_which_command_is_a_script(command: str, script: str | None) -> None:
    assert script_of(command) == script


def test_a_block_of_lines_loses_its_end(write: Write) -> None:
    app = config.load(write("platform: python\ncmd:\n  start: |\n    gunicorn app:app\n"))
    assert app.processes[0].start == "gunicorn app:app"


def test_a_script_that_does_not_exist(problems: Problems) -> None:
    assert problems(TEXT) == ['2:7: cmd.start names "nucleo/start.sh", which does not exist']


def test_a_script_that_is_not_executable(write: Write, start: Path) -> None:
    start.chmod(0o644)
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write(TEXT))
    assert caught.value.message == 'nucleo.yml:2:7: cmd.start names "nucleo/start.sh", which is not executable'
    assert caught.value.hint == ("chmod +x nucleo/start.sh, and for git: git update-index --chmod=+x nucleo/start.sh")


def test_a_script_that_is_a_folder(problems: Problems, start: Path) -> None:
    start.unlink()
    start.mkdir()
    assert problems(TEXT) == ['2:7: cmd.start names "nucleo/start.sh", which is a folder']


def test_a_script_that_is_a_pipe(problems: Problems, start: Path) -> None:
    start.unlink()
    os.mkfifo(start)
    assert problems(TEXT) == ['2:7: cmd.start names "nucleo/start.sh", which is not a regular file']


@pytest.mark.parametrize("command", ["../start.sh", "nucleo/../../start.sh", "../shop2/x"])
def test_a_script_outside_of_the_repository(problems: Problems, start: Path, command: str) -> None:
    (start.parent.parent.parent / "start.sh").write_text("")
    (problem,) = problems(f"platform: python\ncmd: {{start: {command}}}")
    assert problem == f'2:7: cmd.start names "{command}", which lies outside of the repository'


def test_a_link_that_leads_out_of_the_repository(problems: Problems, start: Path) -> None:
    outside = start.parent.parent.parent / "outside.sh"
    start.rename(outside)
    start.symlink_to(outside)
    assert problems(TEXT) == ['2:7: cmd.start names "nucleo/start.sh", which lies outside of the repository']


def test_a_link_that_stays_inside(write: Write, start: Path) -> None:
    start.rename(start.with_name("real.sh"))
    start.symlink_to("real.sh")
    assert config.load(write(TEXT)).processes[0].start == "nucleo/start.sh"


def test_links_in_a_circle(problems: Problems, start: Path) -> None:
    start.unlink()
    start.symlink_to("start.sh")
    assert problems(TEXT) == ['2:7: cmd.start names "nucleo/start.sh", which cannot be read']


def test_a_path_below_a_file(problems: Problems, start: Path) -> None:
    (problem,) = problems("platform: python\ncmd: {start: nucleo/start.sh/x}")
    assert problem == '2:7: cmd.start names "nucleo/start.sh/x", which cannot be read'


def test_a_name_longer_than_names_can_be(problems: Problems) -> None:
    (problem,) = problems(f"platform: python\ncmd: {{start: a/{'b' * 5000}}}")
    assert problem.endswith("which cannot be read")


def test_a_quote_that_is_never_closed(problems: Problems) -> None:
    assert problems('platform: python\ncmd: {start: "sh -c \'x"}') == [
        "2:7: cmd.start has a quote that is opened and never closed"
    ]


def test_scripts_of_environments_are_checked_too(problems: Problems) -> None:
    text = "platform: python\nenvironments: {prod: {cmd: {pre_stop: a/b}}}"
    assert problems(text) == ['2:29: environments.prod.cmd.pre_stop names "a/b", which does not exist']


def test_a_command_is_not_endless(problems: Problems) -> None:
    assert problems(f"platform: python\ncmd: {{start: {'a' * 8193}}}") == [
        "2:7: cmd.start must be at most 8192 characters, got 8193"
    ]

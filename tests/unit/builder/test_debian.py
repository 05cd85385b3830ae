"""Platform images from Debian packages: the command, and what happens when it cannot run."""

from pathlib import Path

import pytest

from nucleo_cli.builder import debian, platforms
from nucleo_cli.builder.host import Host
from nucleo_cli.domain.build import Platform
from nucleo_cli.domain.events import Output
from nucleo_cli.errors import BuildFailed

PYTHON = platforms.load("python")


def test_the_command_of_a_run_image(tmp_path: Path) -> None:
    command = debian.command(PYTHON, "3.13", "run", tmp_path / "x.tar")
    assert command[0] == "mmdebstrap"
    assert command[-2:] == ["trixie", str(tmp_path / "x.tar")]
    assert "--include=python3,ca-certificates,tzdata,media-types,libpq5" in command
    assert not any("setup.sh" in part for part in command)


def test_the_build_image_has_more(tmp_path: Path) -> None:
    command = debian.command(PYTHON, "3.11", "build", tmp_path / "x.tar")
    assert command[-2] == "bookworm"
    assert any("build-essential" in part for part in command)
    assert any("/run/nucleo/setup.sh" in part for part in command)
    assert any('chown 1000:1000 "$1/cache"' in part for part in command)


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = folder / "mmdebstrap"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)

    def command(platform: Platform, version: str, role: debian.Role, target: Path) -> list[str]:
        return [str(program), str(target)]

    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(debian, "command", command)


def test_secrets_are_in_files_and_variables_not_in_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(
        tmp_path,
        monkeypatch,
        'echo "$UV_INDEX_X_PASSWORD"; cat "$NUCLEO_SETUP/netrc" "$NUCLEO_SETUP/setup.sh"; touch "$1"',
    )
    host = Host({"UV_INDEX_X_PASSWORD": "variable"}, {"netrc": b"file\n"})
    events = list(debian.make(PYTHON, "3.13", "build", tmp_path / "x.tar", host))
    assert [event.text for event in events if isinstance(event, Output)][:2] == ["variable", "file"]
    assert any(f"uv=={PYTHON.tools['uv']}" in event.text for event in events if isinstance(event, Output))


def test_without_the_program_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="mmdebstrap is missing") as caught:
        list(debian.make(PYTHON, "3.13", "run", tmp_path / "x.tar", Host()))
    assert "sudo apt-get install mmdebstrap" in caught.value.hint


def test_a_failure_leaves_no_half_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'echo half > "$1"; echo "E: no mirror"; exit 1')
    with pytest.raises(BuildFailed, match="could not be made") as caught:
        list(debian.make(PYTHON, "3.13", "run", tmp_path / "x.tar", Host()))
    assert caught.value.details["output"] == ["E: no mirror"]
    assert not (tmp_path / "x.tar").exists()


def test_whoever_stops_listening_stops_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'echo half > "$1"; echo started; exec sleep 600')
    work = debian.make(PYTHON, "3.13", "run", tmp_path / "x.tar", Host())
    assert next(work) == Output("debian", "started")
    work.close()
    assert not (tmp_path / "x.tar").exists()

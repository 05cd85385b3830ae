"""The base of platform images: the command that makes it, and what happens when it cannot run."""

from pathlib import Path

import pytest

from nucleo_cli.builder import debian
from nucleo_cli.builder.host import Host
from nucleo_cli.domain.events import Output
from nucleo_cli.errors import BuildFailed


def test_the_command_names_suite_architecture_and_packages(tmp_path: Path) -> None:
    command = debian.base_command("trixie", "arm64", tmp_path / "x.tar")
    assert command[0] == "mmdebstrap"
    assert command[-2:] == ["trixie", str(tmp_path / "x.tar")]
    assert "--architectures=arm64" in command
    assert "--include=ca-certificates,tzdata" in command


def test_packages_are_installed_without_what_they_only_recommend() -> None:
    script = debian.install_script(["ffmpeg", "libpq5"])
    assert "--no-install-recommends install -- ffmpeg libpq5" in script
    assert debian.install_script([]) == ""


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = folder / "mmdebstrap"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)

    def command(suite: str, architecture: str, target: Path) -> list[str]:
        return [str(program), str(target)]

    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(debian, "base_command", command)


def make(target: Path, host: Host | None = None) -> list[str]:
    events = debian.make_base("trixie", "amd64", target, host or Host())
    return [event.text for event in events if isinstance(event, Output)]


def test_secrets_are_in_variables_not_in_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'echo "$HTTPS_PROXY $*"; touch "$1"')
    target = tmp_path / "x.tar"
    assert make(target, Host({"HTTPS_PROXY": "http://me:secret@proxy"})) == [f"http://me:secret@proxy {target}"]


def test_without_the_program_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="mmdebstrap is missing") as caught:
        make(tmp_path / "x.tar")
    assert "sudo apt-get install mmdebstrap" in caught.value.hint


def test_a_failure_leaves_no_half_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'echo half > "$1"; echo "E: no mirror"; exit 1')
    with pytest.raises(BuildFailed, match="could not be made") as caught:
        make(tmp_path / "x.tar")
    assert caught.value.details["output"] == ["E: no mirror"]
    assert not (tmp_path / "x.tar").exists()


def test_whoever_stops_listening_stops_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'echo half > "$1"; echo started; exec sleep 600')
    work = debian.make_base("trixie", "amd64", tmp_path / "x.tar", Host())
    assert next(work) == Output("debian", "started")
    work.close()
    assert not (tmp_path / "x.tar").exists()

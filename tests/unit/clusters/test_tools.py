"""Programs kept in the cache: whole, or not there at all."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from nucleo_cli.clusters import programs, tools
from nucleo_cli.domain import xdg
from nucleo_cli.domain.events import Output, PhaseEnded, PhaseStarted, Work
from nucleo_cli.errors import NucleoError
from tests.unit.clusters.fake_engine import drain


def made(content: str) -> Callable[[Path], Work[None]]:
    def build(folder: Path) -> Work[None]:
        yield Output("make", "working")
        (folder / "tool").write_text(content)

    return build


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a folder of the test's own alone."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_program_is_built_once(home: Path) -> None:
    events, tool = drain(tools.cached("tool", "1.0", made("first")))
    assert [type(event) for event in events] == [PhaseStarted, Output, PhaseEnded]
    assert tool == xdg.cache() / "bin" / "tool-1.0" / "tool"
    assert drain(tools.cached("tool", "1.0", made("second"))) == ([], tool)
    assert tool.read_text() == "first"


def test_another_version_is_another_program(home: Path) -> None:
    _, old = drain(tools.cached("tool", "1.0", made("old")))
    _, new = drain(tools.cached("tool", "1.1", made("new")))
    assert (old.read_text(), new.read_text()) == ("old", "new")


def test_a_build_that_is_broken_off_leaves_nothing(home: Path) -> None:
    work = tools.cached("tool", "1.0", made("never"))
    next(work)
    next(work)
    work.close()
    assert list((xdg.cache() / "bin").iterdir()) == []


def test_a_build_that_fails_leaves_nothing(home: Path) -> None:
    def build(folder: Path) -> Work[None]:
        (folder / "tool").write_text("half")
        yield from ()
        raise NucleoError("no")

    with pytest.raises(NucleoError):
        drain(tools.cached("tool", "1.0", build))
    assert list((xdg.cache() / "bin").iterdir()) == []


def test_output_is_yielded_line_by_line(tmp_path: Path) -> None:
    talker = program(tmp_path, "talker", "echo one; echo two >&2")
    events, _ = drain(programs.run([str(talker)]))
    assert events == [Output("talker", "one"), Output("talker", "two")]


def test_a_failure_carries_the_last_lines(tmp_path: Path) -> None:
    failing = program(tmp_path, "failing", "echo reason; exit 3")
    with pytest.raises(NucleoError, match="code 3: reason") as caught:
        drain(programs.run([str(failing)]))
    assert caught.value.details["output"] == ["reason"]


def test_the_program_dies_with_its_generator(tmp_path: Path) -> None:
    endless = program(tmp_path, "endless", "echo $$; exec sleep 1000")
    work = programs.run([str(endless)])
    said = next(work)
    assert isinstance(said, Output)
    work.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.text), 0)


def test_all_missing_programs_are_named_at_once(path: Path) -> None:
    program(path, "there", "")
    with pytest.raises(NucleoError, match="needs alpha, beta") as caught:
        programs.require({"beta": "b-package", "alpha": "a-package", "there": "t"}, "Building")
    assert caught.value.hint == "sudo apt-get install a-package b-package"


@pytest.mark.parametrize("version", ["v3.18.0+g1", "v3.22.1", "v4.0.0"])
def test_a_helm_on_path_is_used(path: Path, version: str) -> None:
    own = program(path, "helm", f"echo {version}")
    assert drain(tools.helm()) == ([], own)


@pytest.mark.parametrize("said", ["v3.17.4", "v2.0.0", "nonsense"])
def test_an_old_helm_is_not_used(path: Path, home: Path, said: str) -> None:
    program(path, "helm", f"echo {said}")
    with pytest.raises(NucleoError, match="needs go"):
        drain(tools.helm())


def test_a_helm_in_the_cache_needs_no_compiler(path: Path, home: Path) -> None:
    kept = xdg.cache() / "bin" / f"helm-{tools.HELM}" / "helm"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert drain(tools.helm()) == ([], kept)


@pytest.mark.parametrize(("said", "fine"), [("go1.21.0", True), ("go1.26.3", True), ("go1.19.8", False), ("", False)])
def test_go_must_know_toolchains(path: Path, said: str, fine: bool) -> None:
    program(path, "go", f"echo {said}")
    if fine:
        tools.require_go()
    else:
        with pytest.raises(NucleoError, match=r"1\.21 or later"):
            tools.require_go()

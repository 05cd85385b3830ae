"""The agent's process, as far as it goes without a kernel to change."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nucleo_cli.agent import __main__ as program
from nucleo_cli.agent import node


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Options that lead to folders of the test's own."""
    return ["--bpf", str(tmp_path), "--cgroups", str(tmp_path), "--ready", str(tmp_path / "ready")]


def test_it_has_to_know_its_node(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("NODE_NAME", raising=False)
    with pytest.raises(SystemExit):
        program.main(["run"])
    assert "$NODE_NAME" in capsys.readouterr().err


def test_without_a_bpf_file_system_it_is_not_ready(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ready").touch()
    assert program.main(["run", "--node", "a", *words]) == 1
    assert capsys.readouterr().err == f"error: there is no BPF file system at {tmp_path}\n"
    assert not (tmp_path / "ready").exists()


def test_removing_takes_all_that_is_pinned(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "has_bpf_file_system", Path.is_dir)
    (tmp_path / "nucleo" / "links" / "uid").mkdir(parents=True)
    (tmp_path / "nucleo" / "links" / "uid" / "pod_egress").touch()
    (tmp_path / "other").touch()
    assert program.main(["remove", *words]) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["other"]
    assert program.main(["remove", *words]) == 0


def test_preparing_mounts_only_what_is_missing(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted: list[Path] = []

    def has(folder: Path) -> bool:
        return folder in mounted

    monkeypatch.setattr(node, "has_bpf_file_system", has)
    monkeypatch.setattr(node, "mount_bpf_file_system", mounted.append)
    assert program.main(["prepare", *words]) == program.main(["prepare", *words]) == 0
    assert mounted == [tmp_path]


def test_it_ends_at_once_when_it_is_asked_to(words: list[str], tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "nucleo_cli.agent", "remove", "--stay", *words]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[3]) as process:
        while not (tmp_path / "ready").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        assert process.wait(30) == 0

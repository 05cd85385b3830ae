"""The git adapter against the real program."""

import subprocess
from pathlib import Path

import pytest

from nucleo_cli.adapters.git import facts


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "app.py").write_text("1")
    (tmp_path / "other.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one", "--date", "2026-01-02T03:04:05Z")
    return tmp_path


def test_the_facts_of_a_commit(repository: Path) -> None:
    found = facts(repository)
    assert found is not None
    assert found.sha == git(repository, "rev-parse", "HEAD")
    assert found.time == int(git(repository, "log", "-1", "--format=%ct"))
    assert (found.user, found.email) == ("Ada", "ada@example.com")
    assert not found.dirty


def test_only_the_apps_own_folder_makes_it_dirty(repository: Path) -> None:
    (repository / "other.py").write_text("2")
    outside = facts(repository / "shop")
    (repository / "shop" / "new.py").write_text("1")
    inside = facts(repository / "shop")
    assert outside is not None
    assert inside is not None
    assert (outside.dirty, inside.dirty) == (False, True)


def test_before_a_first_commit_there_is_nothing_to_know(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert facts(tmp_path) is None


def test_a_program_that_the_repository_names_is_not_run(repository: Path) -> None:
    git(repository, "config", "core.fsmonitor", f"touch {repository}/hacked; false")
    facts(repository)
    assert not (repository / "hacked").exists()

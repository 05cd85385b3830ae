"""What git knows of a tree, without a repository to ask; the contract tests have one."""

from pathlib import Path

from nucleo_cli.adapters.git import facts


def test_outside_of_a_repository_git_knows_nothing(tmp_path: Path) -> None:
    assert facts(tmp_path) is None
    assert facts(tmp_path / "none") is None


def test_a_broken_repository_is_none(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("nonsense")
    assert facts(tmp_path) is None

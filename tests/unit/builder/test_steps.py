"""The keys of steps: all that decides a layer, and nothing else."""

import dataclasses
from pathlib import Path

import pytest

from nucleo_cli.builder import steps
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Step

FIRST = Step("dependencies", "install", "/app/.venv", "why", inputs=("requirements.txt",), env={"A": "1"})
SECOND = Step("static", "collect", "/app/static", "why", inputs=("app.py",))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("flask")
    (tmp_path / "app.py").write_text("1")
    return tmp_path


def keys(tree: Path, *plan: Step, digest: str = "sha256:1", arch: str = "amd64", **indexes: str) -> tuple[str, ...]:
    return steps.keys(plan or (FIRST, SECOND), read_source(tree), digest, arch, indexes)


def test_each_part_of_a_step_counts(tree: Path) -> None:
    others = [
        keys(tree),
        keys(tree, dataclasses.replace(FIRST, command="other")),
        keys(tree, dataclasses.replace(FIRST, output="/other")),
        keys(tree, dataclasses.replace(FIRST, env={"A": "2"})),
        keys(tree, dataclasses.replace(FIRST, files={"/tmp/r": "flask"})),
        keys(tree, dataclasses.replace(FIRST, inputs=())),
        keys(tree, digest="sha256:2"),
        keys(tree, arch="arm64"),
        keys(tree, UV_DEFAULT_INDEX="https://pypi.corp/simple"),
    ]
    assert len({found[0] for found in others}) == len(others)


def test_words_for_people_do_not_count(tree: Path) -> None:
    assert keys(tree, dataclasses.replace(FIRST, name="deps", reason="because")) == keys(tree, FIRST)


def test_a_step_depends_on_the_ones_before_it(tree: Path) -> None:
    before = keys(tree)
    (tree / "requirements.txt").write_text("flask==3")
    after = keys(tree)
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_step_does_not_depend_on_what_it_does_not_read(tree: Path) -> None:
    before = keys(tree)
    (tree / "app.py").write_text("2")
    after = keys(tree)
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_the_lock_hash_is_that_of_the_inputs(tree: Path) -> None:
    before = steps.lock_hash(read_source(tree), FIRST)
    (tree / "app.py").write_text("2")
    assert steps.lock_hash(read_source(tree), FIRST) == before
    (tree / "requirements.txt").write_text("flask==3")
    assert steps.lock_hash(read_source(tree), FIRST) != before

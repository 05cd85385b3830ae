"""The keys of steps: all that decides a layer, and nothing else."""

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nucleo_cli.builder import steps
from nucleo_cli.builder.images import Layer
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Step

FIRST = Step("dependencies", "install", "/app/.venv", "why", inputs=("requirements.txt",), env={"A": "1"})
SECOND = Step("static", "collect", "/app/static", "why", inputs=("app.py",), after=("dependencies",))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("flask")
    (tmp_path / "app.py").write_text("1")
    return tmp_path


def keys(tree: Path, *plan: Step, digest: str = "sha256:1", arch: str = "amd64", **env: str) -> tuple[str, ...]:
    return tuple(steps.keys(plan or (FIRST, SECOND), read_source(tree), digest, arch, env).values())


def test_each_part_of_a_step_counts(tree: Path) -> None:
    others = [
        keys(tree),
        keys(tree, dataclasses.replace(FIRST, command="other")),
        keys(tree, dataclasses.replace(FIRST, output="/other")),
        keys(tree, dataclasses.replace(FIRST, env={"A": "2"})),
        keys(tree, dataclasses.replace(FIRST, files={"/tmp/r": "flask"})),
        keys(tree, dataclasses.replace(FIRST, inputs=())),
        keys(tree, dataclasses.replace(FIRST, exclude=("/app/.venv/x",))),
        keys(tree, dataclasses.replace(FIRST, changed_only=True)),
        keys(tree, digest="sha256:2"),
        keys(tree, arch="arm64"),
        keys(tree, UV_DEFAULT_INDEX="https://pypi.corp/simple"),
    ]
    assert len({found[0] for found in others}) == len(others)


def test_words_for_people_do_not_count(tree: Path) -> None:
    assert keys(tree, dataclasses.replace(FIRST, name="deps", reason="because")) == keys(tree, FIRST)


def test_a_step_that_is_the_same_everywhere_does_not_ask_for_the_architecture(tree: Path) -> None:
    once = dataclasses.replace(FIRST, once=True)
    assert keys(tree, once, arch="arm64") == keys(tree, once, arch="amd64")


def test_what_a_step_sees_is_what_it_names_and_what_that_needs() -> None:
    third = Step("third", "x", "/x", "why", after=("static",))
    other = Step("other", "x", "/o", "why")
    plan = (FIRST, other, SECOND, third)
    assert steps.before(third, plan) == (FIRST, SECOND)
    assert steps.before(other, plan) == ()


def test_a_step_depends_on_the_ones_it_names(tree: Path) -> None:
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
    before = steps.lock_hash(read_source(tree), FIRST.inputs)
    (tree / "app.py").write_text("2")
    assert steps.lock_hash(read_source(tree), FIRST.inputs) == before
    (tree / "requirements.txt").write_text("flask==3")
    assert steps.lock_hash(read_source(tree), FIRST.inputs) != before


class FakeRegistry:
    """Keeps manifests by tag; has every blob."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, Any]] = {}

    def repository(self, *parts: str) -> str:
        return "/".join(parts)

    def upload(self, *_: object) -> None:
        pass

    def has_blob(self, name: str, digest: str) -> bool:
        return True

    def put_manifest(self, name: str, tag: str, raw: bytes) -> str:
        self.tags[tag] = json.loads(raw)
        return "sha256:m"

    def manifest(self, name: str, tag: str) -> Any:
        return SimpleNamespace(body=self.tags[tag]) if tag in self.tags else None


TRACED = Step("static", "collect", "/app/static", "why", inputs=("app.py", "requirements.txt"), traced=True)
MADE = Layer("sha256:packed", 1, "sha256:plain")


def found(registry: Any, tree: Path, step: Step = TRACED) -> Layer | None:
    return steps.lookup(registry, read_source(tree), step, keys(tree, step)[0])


def stored(registry: Any, tree: Path, step: Step = TRACED, layer: Layer = MADE, unread: Collection[str] = ()) -> None:
    steps.store(registry, read_source(tree), step, keys(tree, step)[0], layer, "amd64", unread)


@pytest.mark.parametrize("step", [FIRST, TRACED])
def test_what_was_made_is_found_until_an_input_changes(tree: Path, step: Step) -> None:
    registry = FakeRegistry()
    assert found(registry, tree, step) is None
    stored(registry, tree, step)
    assert found(registry, tree, step) == MADE
    (tree / "requirements.txt").write_text("flask==3")
    assert found(registry, tree, step) is None


def test_what_a_traced_step_did_not_read_may_change(tree: Path) -> None:
    registry = FakeRegistry()
    stored(registry, tree, unread={"app.py", "elsewhere.py"})
    (tree / "app.py").write_text("2")
    assert found(registry, tree) == MADE
    (tree / "requirements.txt").write_text("flask==3")
    assert found(registry, tree) is None


def test_a_traced_step_that_reads_other_files_is_another_one(tree: Path) -> None:
    registry, other = FakeRegistry(), dataclasses.replace(MADE, digest="sha256:other")
    stored(registry, tree, unread={"app.py"})
    (tree / "requirements.txt").write_text("flask==3")
    stored(registry, tree, layer=other)
    assert found(registry, tree) == other
    (tree / "app.py").write_text("2")
    assert found(registry, tree) is None


def test_a_new_file_is_seen_by_a_traced_step(tree: Path) -> None:
    more = dataclasses.replace(TRACED, inputs=(*TRACED.inputs, "new.py"))
    before = keys(tree, TRACED)
    (tree / "new.py").write_text("")
    assert keys(tree, more) != before


def test_steps_after_a_traced_one_depend_on_all_that_it_could_read(tree: Path) -> None:
    last = Step("last", "x", "/x", "why", after=("static",))
    before = keys(tree, TRACED, last)
    (tree / "app.py").write_text("2")
    after = keys(tree, TRACED, last)
    assert before[0] == after[0]
    assert before[1] != after[1]

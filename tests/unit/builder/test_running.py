"""Steps side by side: who waits for whom, what each container sees, and what is left when one of them fails."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from nucleo_cli.builder import running, steps
from nucleo_cli.builder.container import Packed, StepFailed
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.images import Base, Layer
from nucleo_cli.builder.running import Run, Workshop
from nucleo_cli.builder.source import Source
from nucleo_cli.domain.build import Platform, PlatformVersion, Step
from nucleo_cli.domain.events import Event, Output, StepEnded, Warned, Work
from nucleo_cli.errors import BuildFailed, NucleoError

PLATFORM = Platform(
    "x", "1", ("x",), {"1": PlatformVersion("trixie")}, {}, caches=("/cache",), cache_damage="checksum mismatch"
)
SOURCE = Source(Path(), [])


class FakeRegistry:
    def __init__(self) -> None:
        self.stored: list[str] = []

    def repository(self, *parts: str) -> str:
        return "/".join(parts)

    def reference(self, repository: str, digest: str) -> str:
        return f"{repository}@{digest}"

    def has_blob(self, repository: str, digest: str) -> bool:
        return False

    def blob(self, repository: str, digest: str) -> Iterator[bytes]:
        return iter([digest.encode()])

    def upload(self, repository: str, digest: str, size: int, content: Any) -> None:
        pass

    def put_manifest(self, repository: str, reference: str, raw: bytes) -> str:
        self.stored.append(reference)
        return "sha256:m"


@dataclass
class FakeEngine:
    """`fail` says how often a step fails, printing `words`; the steps of `meeting` wait for each other."""

    fail: dict[str, int] = field(default_factory=dict[str, int])
    words: str = ""
    meeting: tuple[str, ...] = ()
    opened: list["FakeContainer"] = field(default_factory=list["FakeContainer"])
    emptied: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    broken: bool = False

    def __post_init__(self) -> None:
        self.barrier = threading.Barrier(max(1, len(self.meeting)))

    def containers(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        return []

    def create_volume(self, name: str, labels: dict[str, str]) -> None:
        pass

    def has_image(self, reference: str) -> bool:
        return reference in self.kept or not reference.startswith("nucleo-steps:")

    def images(self, labels: dict[str, str]) -> list[str]:
        assert labels == {"io.nucleo.role": "steps", "io.nucleo.app": "shop"}
        return list(reversed(self.kept))

    def remove_image(self, reference: str) -> None:
        self.kept.remove(reference)


class FakeContainer:
    """Notes what it was given and what it ran."""

    def __init__(self, engine: FakeEngine, image: str) -> None:
        self.engine = engine
        self.seen: list[str] = ["kept"] if image else []
        self.closed = False

    def __enter__(self) -> "FakeContainer":
        if self.engine.broken and self.seen:
            raise NucleoError("no such layer")
        self.engine.opened.append(self)
        return self

    def __exit__(self, *_failure: object) -> None:
        self.closed = True

    def put(self, source: Source, paths: Iterable[str]) -> None:
        pass

    def restore(self, content: Iterable[bytes]) -> None:
        self.seen.append(b"".join(content).decode())

    def keep(self, reference: str) -> None:
        self.engine.kept.append(reference)

    def dismiss(self) -> None:
        self.closed = True

    def run(self, step: Step, architecture: str) -> Work[Packed]:
        if step.name in self.engine.meeting:
            self.engine.barrier.wait(timeout=20)
        yield Output(step.name, f"{step.name} {architecture}")
        if self.engine.fail.get(step.name, 0) > 0:
            self.engine.fail[step.name] -= 1
            raise StepFailed(step, 1, (self.engine.words,))
        self.seen.append(step.name)
        return Packed(Layer(f"sha256:{step.name}", 1, f"sha256:{step.name}"), f"/tmp/{step.name}")

    def empty(self, folders: Iterable[str]) -> None:
        self.engine.emptied += folders

    def content(self, packed: Packed) -> Iterator[bytes]:
        return iter([b"x"])


class Shop(Workshop):
    """A workshop with fake containers."""

    def open(self, image: str = "") -> Any:
        return FakeContainer(cast("FakeEngine", self.engine), image)


def step(name: str, *after: str, once: bool = False) -> Step:
    return Step(name, name, f"/{name}", "why", after=after, once=once)


def a_run(*plan: Step, made: tuple[str, ...] = (), architecture: str = "amd64") -> Run:
    keys = steps.keys(plan, SOURCE, "sha256:b", architecture, {})
    return Run(plan, architecture, keys, {name: Layer(f"sha256:{name}", 1, "sha256:x") for name in made})


def begin(engine: FakeEngine, *runs: Run) -> Work[list[dict[str, Layer]]]:
    base, registry = Base("b", "sha256:b", ()), cast("Any", FakeRegistry())
    shop = Shop("shop", SOURCE, PLATFORM, Host(), cast("Any", engine), registry, base, True, "trixie")
    return running.run(shop, runs)


def follow(engine: FakeEngine, *runs: Run) -> tuple[list[Event], list[dict[str, Layer]]]:
    work = begin(engine, *runs)
    events: list[Event] = []
    try:
        while True:
            events.append(next(work))
    except StopIteration as end:
        return events, end.value


def test_steps_that_need_each_other_share_a_container() -> None:
    engine = FakeEngine()
    _, layers = follow(engine, a_run(step("one"), step("two", "one"), step("three", "two", "one")))
    assert [container.seen for container in engine.opened] == [["one", "two", "three"]]
    assert list(layers[0]) == ["one", "two", "three"]


def test_steps_that_do_not_run_at_the_same_time() -> None:
    engine = FakeEngine(meeting=("one", "two"))
    follow(engine, a_run(step("one"), step("two")))
    assert sorted(container.seen for container in engine.opened) == [["one"], ["two"]]


def test_a_step_gets_the_output_of_another_line() -> None:
    engine = FakeEngine()
    follow(engine, a_run(step("one"), step("two"), step("three", "one", "two")))
    assert len(engine.opened) == 3
    assert ["sha256:one", "sha256:two", "three"] in [container.seen for container in engine.opened]


def test_what_was_made_before_is_put_back_and_not_made_again() -> None:
    engine = FakeEngine()
    events, layers = follow(engine, a_run(step("one"), step("two", "one"), made=("one",)))
    assert [container.seen for container in engine.opened] == [["sha256:one", "two"]]
    assert [(event.name, event.cached) for event in events if isinstance(event, StepEnded)] == [
        ("one", True),
        ("two", False),
    ]
    assert layers[0]["one"].digest == "sha256:one"


def test_the_engine_keeps_what_cached_steps_have_made() -> None:
    engine = FakeEngine()
    run = a_run(step("one"), step("two", "one"), made=("one",))
    for _ in range(2):
        follow(engine, run)
    assert [container.seen for container in engine.opened] == [["sha256:one", "two"], ["kept", "two"]]
    engine.broken = True
    follow(engine, run)
    assert engine.opened[-1].seen == ["sha256:one", "two"]
    assert len(engine.kept) == 1


def test_the_engine_keeps_a_few_images_of_an_app() -> None:
    engine = FakeEngine(kept=["nucleo-steps:1", "nucleo-steps:2", "nucleo-steps:3"])
    follow(engine, a_run(step("one"), step("two", "one"), made=("one",)))
    assert len(engine.kept) == 3
    assert engine.kept[:2] == ["nucleo-steps:2", "nucleo-steps:3"]


def test_nothing_is_kept_of_steps_that_just_ran() -> None:
    engine = FakeEngine()
    follow(engine, a_run(step("one"), step("other"), step("two", "one", "other"), made=("other",)))
    assert engine.kept == []


def test_what_is_the_same_for_every_architecture_is_made_once() -> None:
    engine = FakeEngine()
    plan = (step("pages", once=True), step("compile"))
    _, layers = follow(engine, a_run(*plan), a_run(*plan, architecture="arm64"))
    assert sorted(name for container in engine.opened for name in container.seen) == ["compile", "compile", "pages"]
    assert layers[0]["pages"] == layers[1]["pages"]


def test_a_failure_ends_the_others_and_leaves_no_container() -> None:
    engine = FakeEngine(fail={"two": 1})
    with pytest.raises(BuildFailed, match="'two' failed") as caught:
        follow(engine, a_run(step("one"), step("two"), step("three", "one", "two")))
    assert "nucleo build --shell two" in caught.value.hint
    assert all(container.closed for container in engine.opened)
    assert not any("three" in container.seen for container in engine.opened)


def test_a_damaged_cache_is_emptied_and_the_step_runs_once_more() -> None:
    engine = FakeEngine(fail={"one": 1}, words="checksum mismatch")
    events, layers = follow(engine, a_run(step("one")))
    assert engine.emptied == ["/cache"]
    assert any(isinstance(event, Warned) and "emptied" in event.text for event in events)
    assert layers[0]["one"].digest == "sha256:one"


def test_a_cache_is_blamed_once() -> None:
    engine = FakeEngine(fail={"one": 2}, words="checksum mismatch")
    with pytest.raises(BuildFailed, match="'one' failed"):
        follow(engine, a_run(step("one")))
    assert len(engine.opened) == 2


def test_whoever_stops_listening_stops_the_build() -> None:
    engine = FakeEngine()
    work = begin(engine, a_run(step("one"), step("two", "one")))
    next(work)
    work.close()
    assert all(container.closed for container in engine.opened)

"""The build container: output lines, what a failure means, whose containers are removed."""

import dataclasses
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.builder import container, platforms
from nucleo_cli.builder.container import BuildContainer
from nucleo_cli.builder.host import Host
from nucleo_cli.domain.build import Step
from nucleo_cli.errors import BuildFailed, NotFound

PYTHON = platforms.load("python")
STEP = Step("dependencies", "uv pip install", "/app/.venv", "requirements.txt states them", files={"/tmp/r": "x"})


class FakeExecution:
    def __init__(self, code: int, output: list[bytes]) -> None:
        self.code = code
        self._output = output

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter([("stdout", chunk) for chunk in self._output])


class FakeEngine:
    """Remembers what it was asked for; `answers` are the results of exec, in order."""

    def __init__(self, *answers: FakeExecution, existing: list[dict[str, Any]] | None = None) -> None:
        self._answers = iter(answers)
        self._existing = existing or []
        self.calls: list[tuple[Any, ...]] = []
        self.created: dict[str, Any] = {}

    def containers(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        return self._existing

    def create_container(self, image: str, **options: Any) -> str:
        self.created = {"image": image, **options}
        return "c1"

    def start(self, container: str) -> None:
        self.calls.append(("start", container))

    def put_archive(self, container: str, path: str, data: Any) -> None:
        self.calls.append(("put", container, path))

    def exec(self, container: str, command: list[str], **options: Any) -> FakeExecution:
        self.calls.append(("exec", command, options))
        return next(self._answers)

    def remove_container(self, container: str, *, force: bool = True) -> None:
        self.calls.append(("remove", container))


def opened(engine: FakeEngine, host: Host | None = None, caches: bool = True) -> BuildContainer:
    return BuildContainer(engine, "image@sha256:1", "shop", PYTHON, host or Host(), caches)  # type: ignore[arg-type]


def test_the_container_is_removed_in_the_end() -> None:
    engine = FakeEngine()
    with pytest.raises(KeyboardInterrupt), opened(engine):
        raise KeyboardInterrupt
    assert engine.calls[-1] == ("remove", "c1")
    assert engine.created["user"] == "1000:1000"
    assert engine.created["volumes"] == {"nucleo-cache-python-cache": "/cache"}
    assert engine.created["labels"]["io.nucleo.role"] == "build"
    assert "env" not in engine.created


def test_a_container_that_does_not_start_is_removed_too() -> None:
    class Broken(FakeEngine):
        def start(self, container: str) -> None:
            raise NotFound("gone")

    engine = Broken()
    with pytest.raises(NotFound), opened(engine):
        pass
    assert engine.calls == [("remove", "c1")]


def test_without_caches_there_are_no_volumes() -> None:
    engine = FakeEngine()
    with opened(engine, caches=False):
        assert engine.created["volumes"] == {}


def test_a_proxy_on_this_machine_shares_its_network() -> None:
    engine = FakeEngine()
    with opened(engine, Host({"HTTP_PROXY": "http://127.0.0.1:3128"})):
        assert engine.created["network_mode"] == "host"


def test_a_step_sees_the_machines_settings_and_its_own() -> None:
    engine = FakeEngine(FakeExecution(0, [b"one\ntw", b"o\n"]))
    step = dataclasses.replace(STEP, env={"UV_NO_PROGRESS": "1"})
    with opened(engine, Host({"HTTP_PROXY": "http://proxy"})) as build:
        assert [line.text for line in build.run(step)] == ["one", "two"]
    _, command, options = next(call for call in engine.calls if call[0] == "exec")
    assert command[-1] == "uv pip install"
    assert options["env"] == {
        "SOURCE_DATE_EPOCH": "315532801",
        "HOME": "/tmp",
        "HTTP_PROXY": "http://proxy",
        "UV_NO_PROGRESS": "1",
    }


def test_a_failed_step_shows_its_last_lines() -> None:
    engine = FakeEngine(FakeExecution(3, [b"".join(b"%d\n" % number for number in range(100))]))
    with pytest.raises(BuildFailed, match="'dependencies' failed with exit code 3") as caught, opened(engine) as build:
        list(build.run(STEP))
    assert caught.value.details["output"] == [str(number) for number in range(60, 100)]
    assert caught.value.details["reason"] == "requirements.txt states them"


def test_a_layer_is_what_the_container_says() -> None:
    engine = FakeEngine(FakeExecution(0, [b"aa\nbb\n12\n"]))
    with opened(engine) as build:
        layer, path = build.pack(STEP)
    assert (layer.digest, layer.diff_id, layer.size) == ("sha256:bb", "sha256:aa", 12)
    assert path.startswith("/tmp/")


def test_a_step_that_makes_nothing_is_told_so() -> None:
    engine = FakeEngine(FakeExecution(2, [b"tar: app/.venv: Cannot stat\n"]))
    with pytest.raises(BuildFailed, match=r"left nothing at /app/\.venv"), opened(engine) as build:
        build.pack(STEP)


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("  × No solution found when resolving dependencies:", "The requirements cannot be resolved"),
        ("Because x was not found in the package registry", "A package that the requirements name does not exist"),
        ("error: Failed to fetch: `https://pypi.org/simple/x/`", "The package index does not answer"),
        ("fatal error: mysql.h: No such file or directory", "A package has to be compiled, and that failed"),
    ],
)
def test_a_platform_explains_its_tools(printed: str, message: str) -> None:
    found = container.failure(STEP, 1, ["noise", printed], PYTHON)
    assert found.message == message
    assert found.hint


def test_a_step_that_was_killed_is_told_from_one_that_failed() -> None:
    assert "killed" in container.failure(STEP, 137, [], PYTHON).message


# Output


def test_lines_of_output() -> None:
    assert list(container.lines([b"a\r\nb\rc", b"d\n", b"\xff\n", b"end"])) == ["a", "b", "cd", "�", "end"]


def test_a_line_without_end_is_cut() -> None:
    assert max(len(line) for line in container.lines([b"x" * 1_000_000, b"\n"])) == 4000


@given(st.lists(st.binary(max_size=20)))
def test_nothing_that_is_printed_is_an_error(chunks: list[bytes]) -> None:
    assert all("\n" not in line for line in container.lines(chunks))


# Whose containers


@pytest.mark.parametrize(
    ("state", "owner", "removed"),
    [
        ("running", f"{socket.gethostname()}/4194303/1", True),
        ("running", f"{socket.gethostname()}/{os.getpid()}/1", True),
        ("running", container.owner(), False),
        ("running", "another-machine/1/1", False),
        ("running", "", False),
        ("created", container.owner(), False),
        ("exited", "another-machine/1/1", True),
    ],
    ids=["dead", "number used again", "alive", "elsewhere", "nobody's", "alive, not started", "ended elsewhere"],
)
def test_only_the_containers_of_dead_builds_are_removed(state: str, owner: str, removed: bool) -> None:
    engine = FakeEngine(existing=[{"Id": "old", "State": state, "Labels": {"io.nucleo.owner": owner}}])
    container.sweep(engine)  # type: ignore[arg-type]
    assert engine.calls == ([("remove", "old")] if removed else [])

"""The build container: output lines, what a failure means, whose containers are removed."""

import dataclasses
import io
import os
import socket
import tarfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.builder import container, platforms
from nucleo_cli.builder.container import BuildContainer, Packed, StepFailed, damaged, explained
from nucleo_cli.builder.host import Host
from nucleo_cli.builder.images import Layer
from nucleo_cli.domain.build import Failure, Step
from nucleo_cli.errors import BuildFailed, Exit, Interrupted, NotFound

PYTHON = platforms.load("python")
STEP = Step("dependencies", "uv pip install", "/app/.venv", "requirements.txt states them", files={"/tmp/r": "x"})
WHY = "The step dependencies runs because requirements.txt states them"
ALONE = f"{WHY}; to try it alone: nucleo build --shell dependencies"


UNPACKED, RAN, LAYER = b"unpacked\n", b"ran\n", b"aa\nbb\n12\nbGF5ZXI=\n"


class FakeExecution:
    """What a step says is its `output`; `told` is what the script around it says."""

    def __init__(self, code: int, output: list[bytes], told: bytes = b"") -> None:
        self.code = code
        self._chunks = [*(("stdout", chunk) for chunk in output), ("stderr", told)]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._chunks)


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
        with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as tar:
            self.calls.append(("put", container, path, tar.getnames()))

    def exec(self, container: str, command: list[str], **options: Any) -> FakeExecution:
        self.calls.append(("exec", command, options))
        return next(self._answers)

    @contextmanager
    def talk(self, container: str, command: list[str], **options: Any) -> Generator[str]:
        self.calls.append(("talk", command, options))
        yield "talk"

    def commit(self, container: str, reference: str, labels: dict[str, str]) -> None:
        self.calls.append(("commit", container, reference, labels))

    def hold(self, container: str) -> Callable[[], None]:
        self.calls.append(("hold", container))
        return lambda: self.calls.append(("let go", container))

    def remove_container(self, container: str, *, force: bool = True) -> None:
        self.calls.append(("remove", container))


def opened(engine: FakeEngine, host: Host | None = None, **options: Any) -> BuildContainer:
    return BuildContainer(engine, "image@sha256:1", host or Host(), **options)  # type: ignore[arg-type]


def failed(code: int, *printed: str) -> StepFailed:
    return StepFailed(STEP, code, printed)


def test_the_container_is_removed_in_the_end() -> None:
    engine = FakeEngine()
    with pytest.raises(KeyboardInterrupt), opened(engine, volumes={"nucleo-cache-python-cache": "/cache"}):
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
    assert engine.calls == [("hold", "c1"), ("let go", "c1"), ("remove", "c1")]


def test_a_signal_in_the_middle_of_the_removal_leaves_no_container() -> None:
    class Interrupting(FakeEngine):
        def remove_container(self, container: str, *, force: bool = True) -> None:
            super().remove_container(container, force=force)
            if self.calls.count(("remove", "c1")) == 1:
                raise Interrupted(Exit.TERMINATED)

    engine = Interrupting()
    with pytest.raises(Interrupted), opened(engine):
        pass
    assert engine.calls.count(("remove", "c1")) == 2


def test_a_proxy_on_this_machine_shares_its_network() -> None:
    engine = FakeEngine()
    with opened(engine, Host({"HTTP_PROXY": "http://127.0.0.1:3128"})):
        assert engine.created["network_mode"] == "host"


def ran(build: BuildContainer, step: Step = STEP, architecture: str = "amd64") -> tuple[list[str], Packed]:
    work, printed = build.run(step, architecture), list[str]()
    try:
        while True:
            printed.append(next(work).text)
    except StopIteration as end:
        return printed, end.value


def test_a_step_sees_the_machines_settings_and_its_own() -> None:
    engine = FakeEngine(FakeExecution(0, [b"one\ntw", b"o\n"], UNPACKED + RAN + LAYER))
    step = dataclasses.replace(STEP, env={"UV_NO_PROGRESS": "1"})
    with opened(engine, Host({"HTTP_PROXY": "http://proxy"})) as build:
        assert ran(build, step, "arm64")[0] == ["one", "two"]
    _, command, options = next(call for call in engine.calls if call[0] == "exec")
    assert "\nuv pip install\n" in command[-1]
    assert options["env"] == {
        "SOURCE_DATE_EPOCH": "315532801",
        "HOME": "/tmp",
        "NUCLEO_ARCH": "arm64",
        "HTTP_PROXY": "http://proxy",
        "UV_NO_PROGRESS": "1",
    }


def test_a_failed_step_shows_its_last_lines() -> None:
    lines = [b"".join(b"%d\n" % number for number in range(100))]
    engine = FakeEngine(FakeExecution(3, lines, UNPACKED))
    with pytest.raises(BuildFailed, match="'dependencies' failed with exit code 3") as caught, opened(engine) as build:
        ran(build)
    assert caught.value.details["output"] == [str(number) for number in range(60, 100)]
    assert caught.value.details["reason"] == "requirements.txt states them"


def test_all_that_a_step_needs_comes_in_one_piece_and_in_order() -> None:
    engine = FakeEngine(FakeExecution(0, [], UNPACKED + RAN + LAYER))
    with opened(engine, Host(files={"netrc": b"secret", "config/uv/uv.toml": b""})) as build:
        build.restore([b"lay", b"er"])
        ran(build)
    (names,) = [call[3] for call in engine.calls if call[0] == "put"]
    assert names == [
        "run/nucleo",
        "run/nucleo/config",
        "run/nucleo/config/uv",
        "run/nucleo/config/uv/uv.toml",
        "run/nucleo/netrc",
        "tmp/.nucleo-brought-0001.gz",
        "app",
        "tmp/.nucleo-brought-0002",
    ]
    assert engine.calls[-3][2]["user"] == "1000:1000"


def test_what_cannot_be_put_back_is_told() -> None:
    engine = FakeEngine(FakeExecution(2, [b"tar: no room\n"]))
    build = opened(engine)
    build.restore([b"layer"])
    with pytest.raises(BuildFailed, match="could not be unpacked") as caught, build:
        ran(build)
    assert caught.value.details["output"] == ["tar: no room"]
    full = BuildFailed(caught.value.message, "", {"output": ["tar: x: Cannot write: No space left on device"]})
    assert explained(full, STEP, PYTHON, "trixie").message == "The container engine's disk is full"


def test_a_layer_is_what_the_container_says() -> None:
    engine = FakeEngine(FakeExecution(0, [], UNPACKED + RAN + LAYER))
    with opened(engine) as build:
        _, packed = ran(build)
    assert packed.layer == Layer("sha256:bb", 12, "sha256:aa")
    assert packed.path.startswith("/tmp/")
    assert list(build.content(packed)) == [b"layer"]


def test_a_large_layer_stays_in_the_container() -> None:
    told = UNPACKED + RAN + LAYER.replace(b"bGF5ZXI=", b"")
    engine = FakeEngine(FakeExecution(0, [], told), FakeExecution(0, [b"la", b"yer"]))
    with opened(engine) as build:
        _, packed = ran(build)
        assert list(build.content(packed)) == [b"la", b"yer"]
    assert ("exec", ["cat", "--", packed.path], {"user": "1000:1000"}) in engine.calls


def test_a_step_that_makes_nothing_is_told_so() -> None:
    engine = FakeEngine(FakeExecution(2, [b"tar: app/.venv: Cannot stat\n"], UNPACKED + RAN))
    with pytest.raises(BuildFailed, match=r"left nothing at /app/\.venv"), opened(engine) as build:
        ran(build)


def test_what_is_kept_has_no_secret() -> None:
    engine = FakeEngine(FakeExecution(0, []), FakeExecution(0, [], UNPACKED + RAN + LAYER))
    with opened(engine, Host({"TOKEN": "secret"}, {"netrc": b"secret"}), app="shop") as build:
        build.restore([b"layer"])
        build.keep("nucleo-steps:1")
        ran(build)
    put, unpack, commit, again, *_ = engine.calls[2:]
    assert put[3] == ["tmp/.nucleo-brought-0001.gz", "app"]
    assert "env" not in unpack[2]
    labels = {"io.nucleo.role": "steps", "io.nucleo.app": "shop", "io.nucleo.owner": ""}
    assert commit == ("commit", "c1", "nucleo-steps:1", labels)
    assert "run/nucleo/netrc" in again[3]


def test_a_container_that_nobody_needs_ends_by_itself() -> None:
    engine = FakeEngine()
    build = opened(engine)
    build.__enter__()
    build.dismiss()
    assert engine.created["auto_remove"]
    assert engine.created["stdin_open"]
    assert engine.calls == [("hold", "c1"), ("start", "c1"), ("let go", "c1")]


def test_a_secret_that_a_step_prints_is_not_shown() -> None:
    engine = FakeEngine(FakeExecution(1, [b"token hunter22\n"], UNPACKED))
    printed: list[str] = []
    with pytest.raises(StepFailed) as caught, opened(engine, Host(secrets=("hunter22",))) as build:
        printed += (line.text for line in build.run(STEP, "amd64"))
    assert caught.value.printed == ("token ***",)


def test_a_shell_is_where_the_step_would_be() -> None:
    engine, step = FakeEngine(FakeExecution(0, []), FakeExecution(0, [])), dataclasses.replace(STEP, env={"A": "b"})
    with opened(engine, workdir="/app/api") as build:
        assert build.leave_script(step) == "bash /run/nucleo/step"
        for tty in (True, False):
            with build.talk(step, "amd64", tty=tty) as talk:
                assert talk == "talk"
    first, second = (call for call in engine.calls if call[0] == "talk")
    assert [first[1], second[1]] == [["/bin/bash", "--norc", "-i"], ["/bin/bash"]]
    assert (second[2]["workdir"], second[2]["user"], second[2]["env"]["A"]) == ("/app/api", "1000:1000", "b")


# What a failure means


def test_a_platform_explains_its_tools() -> None:
    known = Failure(r"(?P<name>\w+) was not found", "There is no package {name}{other}", "Correct {name}")
    platform = dataclasses.replace(PYTHON, failures=(Failure("never", "x", "x"), known, Failure("flask", "x", "x")))
    found = explained(failed(1, "noise", "flask was not found"), STEP, platform, "trixie")
    assert found.message == "There is no package flask{other}"
    assert found.hint == f"Correct flask\n{ALONE}"
    assert found.details["output"] == ["noise", "flask was not found"]


def test_what_is_missing_comes_before_all_that_a_platform_knows() -> None:
    lines = ["x.c:1:10: fatal error: mysql.h: No such file or directory", *["noise"] * 100, "Failed to build x"]
    found = explained(failed(1, *lines), STEP, PYTHON, "trixie")
    assert found.message == "The step 'dependencies' needs mysql.h, which the build image does not have"
    assert found.hint == f"Add to nucleo.yml:  apt: [libmariadb-dev]\n{ALONE}"
    assert len(found.details["output"]) == 40


def test_what_a_configure_script_looked_for_is_the_last_guess() -> None:
    found = explained(failed(2, "checking for sqlite3.h... no"), STEP, PYTHON, "trixie")
    assert found.message == "The step 'dependencies' failed with exit code 2; it may need sqlite3.h"
    assert found.hint.startswith("Add to nucleo.yml:  apt: [libsqlite3-dev]\n")


def test_nothing_known_is_said_with_the_step_its_reason_and_the_next_command() -> None:
    found = explained(failed(2, "strange"), STEP, PYTHON, "trixie")
    assert (found.message, found.hint) == ("The step 'dependencies' failed with exit code 2", ALONE)


def test_the_name_of_a_step_may_have_spaces() -> None:
    step = dataclasses.replace(STEP, name="build dependencies")
    assert explained(StepFailed(step, 1, ()), step, PYTHON, "trixie").hint.endswith("--shell 'build dependencies'")


def test_a_full_disk_is_nobodys_missing_package() -> None:
    found = explained(failed(2, "x.c: fatal error: error writing to y.s: No space left on device"), STEP, PYTHON, "x")
    assert found.message == "The container engine's disk is full"
    left_nothing = BuildFailed("The step left nothing", "", {"output": ["gzip: stdout: No space left on device"]})
    assert explained(left_nothing, STEP, PYTHON, "trixie").message == found.message


def test_a_step_that_was_killed_is_told_from_one_that_failed() -> None:
    assert "killed" in explained(failed(137), STEP, PYTHON, "trixie").message


def test_a_damaged_cache_is_recognised_in_all_that_was_printed() -> None:
    platform = dataclasses.replace(PYTHON, cache_damage="checksum of .* is wrong")
    lines = ["the checksum of x is wrong", *["noise"] * 100]
    assert damaged(failed(1, *lines), platform)
    assert damaged(failed(1, "write: No space left on device"), PYTHON)
    assert not damaged(failed(1, "no such package"), platform)


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

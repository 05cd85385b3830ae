"""nucleo build --shell: the step, what is said, and that nothing is left."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from nucleo_cli.adapters.channels import STDOUT
from nucleo_cli.builder import build as builder
from nucleo_cli.domain.app import App
from nucleo_cli.domain.build import Plan, Step
from nucleo_cli.domain.events import Notice, Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import Exit, Interrupted, NotFound
from nucleo_cli.workflows import build_shell
from nucleo_cli.workflows.build_shell import BuildShell, find_step

STEPS = (Step("dependencies", "uv sync", "/app/.venv", "uv.lock is there"), Step("assets", "make", "/app/static", ""))
PLAN = Plan("python", "3.13", "run", steps=STEPS)


class FakeChannels:
    """A command that says something and ends."""

    def __init__(self) -> None:
        self.open = True
        self.half_close = True
        self.pending = True
        self.unsent = 0

    def fileno(self) -> int:
        return 0

    def receive(self) -> list[tuple[int, bytes]]:
        self.open = False
        return [(STDOUT, b"hello")]

    def flush(self) -> None: ...

    def close(self) -> None: ...


class FakeContainer:
    def __init__(self) -> None:
        self.removed = False

    def __exit__(self, *_failure: object) -> None:
        self.removed = True

    def leave_script(self, step: Step) -> str:
        return f"bash {step.name}"

    @contextmanager
    def talk(self, step: Step, architecture: str, *, tty: bool) -> Generator[Any]:
        yield SimpleNamespace(channels=FakeChannels(), code=7)


class Side:
    tty = False
    stdin = None
    resized = None

    def __init__(self) -> None:
        self.said = b""

    def out(self, data: bytes) -> None:
        self.said += data


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> FakeContainer:
    found = FakeContainer()

    def container_for(*arguments: object) -> Work[FakeContainer]:
        assert arguments[-1] == STEPS[0]
        yield Notice("making")
        return found

    monkeypatch.setattr(builder, "container_for", container_for)
    monkeypatch.setattr(build_shell, "plan_app", Mock(return_value=PLAN))
    monkeypatch.setattr(build_shell, "registry_settings", Mock(return_value=Settings()))
    return found


def shell(folder: Path, step: str = "dependencies") -> BuildShell:
    tools: Any = Mock()
    return BuildShell(tools, App("shop", folder, "python"), step)


def test_it_says_how_to_run_the_command_and_gives_the_shells_code(container: FakeContainer, tmp_path: Path) -> None:
    side: Any = Side()
    with shell(tmp_path) as opened:
        events = list(opened.start())
        assert opened.talk(side) == 7
        assert not container.removed
    assert events[-1] == Notice("dependencies runs because uv.lock is there; here its command is: bash dependencies")
    assert side.said == b"hello"
    assert container.removed


def test_a_signal_leaves_no_container(container: FakeContainer, tmp_path: Path) -> None:
    opened = shell(tmp_path)
    list(opened.start())
    with pytest.raises(Interrupted), opened:
        raise Interrupted(Exit.TERMINATED)
    assert container.removed


def test_a_step_that_does_not_exist(container: FakeContainer, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match='the build has no step "deps"') as caught:
        shell(tmp_path, "deps")
    assert caught.value.hint == "Steps: dependencies, assets"
    with pytest.raises(NotFound) as caught:
        find_step(Plan("static", "1", ""), "x")
    assert caught.value.hint == "The platform static needs no step for this app"

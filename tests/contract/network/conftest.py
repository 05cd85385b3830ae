"""The compiled programs, and a piece of this machine to try them on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nucleo_cli.agent.enforcer import Enforcer
from tests.contract.network.pods import Pod, bpf_file_system, cabled, compile_programs


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_programs(tmp_path_factory.mktemp("bpf"))


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Path]:
    with bpf_file_system(tmp_path / "bpf") as folder:
        yield folder


@pytest.fixture
def pods() -> Iterator[tuple[Pod, Pod]]:
    with cabled() as both:
        yield both


@pytest.fixture
def begin(compiled: Path, pins: Path) -> Iterator[Callable[..., Enforcer]]:
    """What an agent does at its start, on these pins: `programs` are other ones than those of this version."""
    with ExitStack() as ends:

        def one(programs: Path = compiled) -> Enforcer:
            made = Enforcer(programs, pins / "nucleo")
            ends.callback(made.close)
            return made

        yield one


@pytest.fixture
def enforcer(begin: Callable[..., Enforcer]) -> Enforcer:
    return begin()

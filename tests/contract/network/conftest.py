"""The compiled programs, and a piece of this machine to try them on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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

"""Fixtures: a repository with a nucleo.yml, and what is wrong with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nucleo_cli import config
from nucleo_cli.errors import ConfigInvalid

Write = Callable[[str | bytes], Path]
Problems = Callable[[str | bytes], list[str]]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder named shop, which is also where the person stands."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def write(repository: Path) -> Write:
    """Writes nucleo.yml and gives the folder."""

    def write(text: str | bytes) -> Path:
        (repository / "nucleo.yml").write_bytes(text.encode() if isinstance(text, str) else text)
        return repository

    return write


@pytest.fixture
def problems(write: Write) -> Problems:
    """The lines that say what is wrong with a nucleo.yml, without the file's name."""

    def problems(text: str | bytes) -> list[str]:
        with pytest.raises(ConfigInvalid) as caught:
            config.load(write(text))
        return [line.removeprefix("nucleo.yml:") for line in caught.value.message.splitlines()]

    return problems

"""The agent's image, made by the real engine and run by it."""

from collections.abc import Iterator

import pytest

from nucleo_cli.adapters.docker import Engine
from nucleo_cli.adapters.registry import Registry
from nucleo_cli.builder import agent
from nucleo_cli.domain.build import Image
from nucleo_cli.domain.events import Work
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NucleoError
from tests.contract.conftest import RegistryServer

# docker-py leaves the socket of a finished exec to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def finished(work: Work[tuple[Image, bool]]) -> tuple[Image, bool]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = Engine()
    found.ping()
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(registry: RegistryServer) -> Iterator[Registry]:
    found = Registry(registry.address)
    yield found
    found.close()


@pytest.fixture(scope="module")
def built(registry: RegistryServer, engine: Engine, client: Registry) -> Iterator[Image]:
    settings = Settings(registry_push=registry.address)
    image, _ = finished(agent.build(settings, lambda: engine, client))
    engine.pull(image.reference)
    yield image
    engine.remove_image(image.reference)


def code(engine: Engine, image: Image, *command: str) -> int:
    """How a program of the image ends."""
    made = engine.create_container(image.reference, entrypoint=list(command), command=[])
    try:
        engine.start(made)
        return engine.wait(made)
    finally:
        engine.remove_container(made)


def test_what_is_there_is_not_made_again(registry: RegistryServer, client: Registry, built: Image) -> None:
    def unwanted() -> Engine:
        raise AssertionError("no container is needed")

    settings = Settings(registry_push=registry.address)
    assert finished(agent.build(settings, unwanted, client)) == (built, False)


def test_its_modules_and_libraries_load(engine: Engine, built: Image) -> None:
    names = [name for name in agent.modules() if not name.endswith((".__main__", ".channels"))]
    script = f"import {', '.join(names)}; nucleo_cli.agent.libbpf._library(); import ssl; ssl.create_default_context()"
    assert code(engine, built, "/usr/bin/python3", "-c", script) == 0


def test_it_begins_with_the_agent(engine: Engine, built: Image) -> None:
    assert code(engine, built, *agent.COMMAND, "--help") == 0
    assert code(engine, built, *agent.COMMAND, "remove", "--bpf", "/nowhere") == 0


def test_each_compiled_program_is_in_it(engine: Engine, built: Image) -> None:
    check = "import pathlib, sys; sys.exit(len(list(pathlib.Path('/usr/lib/nucleo').rglob('*.bpf.o'))))"
    assert code(engine, built, "/usr/bin/python3", "-c", check) == len(
        [name for name in agent.files() if name.endswith(".bpf.o")]
    )


@pytest.mark.parametrize("program", ["/bin/sh", "/bin/bash", "/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/perl"])
def test_there_is_no_shell_and_no_package_manager(engine: Engine, built: Image, program: str) -> None:
    with pytest.raises(NucleoError):
        code(engine, built, program)

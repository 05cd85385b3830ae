"""Apps to deploy, and the two outsiders: the API as others see it, and the program with a fault in it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import sample
from tests.e2e.api import Api
from tests.e2e.sample import Sample
from tests.installed import KUBECONFIG, Nucleo, Result

AppFactory = Callable[..., Sample]
Faulty = Callable[..., Result]


@pytest.fixture(scope="session")
def api(cluster: str) -> Iterator[Api]:
    """The API server of the test cluster."""
    api = Api(KUBECONFIG, cluster)
    yield api
    api.close()


@pytest.fixture(scope="module")
def app_factory(api: Api, nucleo: Nucleo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppFactory]:
    """Makes apps, each in a repository and a namespace of its own; removes them when the module is over."""
    made: list[Sample] = []

    def make(name: str = "sample") -> Sample:
        made.append(sample.make(tmp_path_factory.mktemp(name), nucleo, name))
        return made[-1]

    yield make
    for each in made:
        # Without waiting for their pods: `nucleo destroy` has tests of its own.
        api.delete(f"/api/v1/namespaces/{each.namespace}")


@pytest.fixture(scope="module")
def deployed(app_factory: AppFactory) -> Sample:
    """An app that runs, shared by the tests of a module."""
    made = app_factory()
    made.deploy()
    return made


@pytest.fixture(scope="session")
def faulty(nucleo: Nucleo) -> Faulty:
    """Runs the program with a fault: `faulty(app, "PhaseStarted:build", "KILL", "deploy", …)`; see failpoint.py."""
    failpoint = str(Path(__file__).parent / "failpoint.py")

    def run(app: Sample, point: str, signals: str, command: str, *argv: str, delay: float = 0.0) -> Result:
        fault = [point, signals, *([f"+{delay}"] if delay else []), "--"]
        program = Nucleo(nucleo.env, (sys.executable, failpoint, *fault), nucleo.runs)
        return program(command, "-C", str(app.directory), *argv)

    return run

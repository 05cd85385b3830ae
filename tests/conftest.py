"""What every test shares: hypothesis without clocks, a git that knows who commits, the program and its cluster."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.installed import CLUSTER, CONTEXT, GIVEN, HOME, Nucleo

# A busy machine is slow, and that says nothing about the code.
settings.register_profile("nucleo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nucleo")

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> None:
    """No option, choice or repository of the person who runs the tests reaches them, nor what runs them ignores."""
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        # In the background of a script, or under nohup, they are ignored, and so they would be in every program.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)
    for name in list(os.environ):
        if name.startswith(("NUCLEO_", "GIT_")) and name not in (
            "NUCLEO_KEEP",
            "NUCLEO_TEST_CONTEXT",
            "GIT_SSL_CAINFO",
        ):
            del os.environ[name]
    os.environ.update(GIT)


@pytest.fixture(scope="session")
def nucleo() -> Nucleo:
    """The installed program, with settings and a kubeconfig of the tests' own."""
    HOME.mkdir(parents=True, exist_ok=True)
    return Nucleo()


@pytest.fixture(scope="session")
def cluster(nucleo: Nucleo) -> Iterator[str]:
    """The context of a cluster of the tests' own, or the given one; NUCLEO_KEEP=1 leaves it running in the end."""
    if GIVEN:
        yield CONTEXT
        return
    nucleo("cluster", "up", "--name", CLUSTER, timeout=3600).expect(0)
    yield CONTEXT
    if os.environ.get("NUCLEO_KEEP") != "1":
        nucleo("cluster", "down", "--name", CLUSTER).expect(0)
        shutil.rmtree(HOME)

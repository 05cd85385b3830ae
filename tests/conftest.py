"""What every test shares: hypothesis without clocks, and a git that knows who commits."""

import os

import pytest
from hypothesis import HealthCheck, settings

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
    """No option, choice or repository of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("NUCLEO_", "GIT_")) and name not in ("NUCLEO_KEEP", "GIT_SSL_CAINFO"):
            del os.environ[name]
    os.environ.update(GIT)

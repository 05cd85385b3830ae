"""Package registries on loopback, for machines that do not reach the public ones."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from tests.packages import gems, server

HOSTS = {
    "ruby": ("rubygems.org", "index.rubygems.org"),
}


@contextmanager
def packages(kind: str) -> Generator[Mapping[str, str]]:
    """Serve the packages of apps.yml's `packages: KIND`; the environment variables to run `nucleo` with."""
    with server.serving(gems.responses(gems.gems()), HOSTS[kind]) as environment:
        yield environment

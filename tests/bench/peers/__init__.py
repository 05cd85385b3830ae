"""What images are made with elsewhere, each from the same Dockerfile on the same base images.

Every one of them has a warm engine, its own best habits, and its caches where it keeps them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.measure import Timing

_CACHE = re.compile(r"--mount=type=cache,(?=target=(\S+))")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build: a folder, the Dockerfile for it, and the two images that it is FROM."""

    folder: Path
    dockerfile: Path
    build_image: str
    run_image: str
    network: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """What the three programs call the same."""
        images = {"BUILD_IMAGE": self.build_image, "RUN_IMAGE": self.run_image}
        named = [word for name, value in images.items() for word in ("--build-arg", f"{name}={value}")]
        return [*named, *self.network, "--file", str(self.dockerfile)]


class Peer(Protocol):
    """A program that builds images and pushes them."""

    name: str
    cache_mounts: bool

    def fetch(self, reference: str) -> None:
        """Pulls an image, so that no measurement pays for it."""
        ...

    def build_and_push(self, recipe: Recipe, reference: str, *, pull: bool = False) -> Timing:
        """Builds and pushes. With `pull` the registry is asked for newer base images."""
        ...

    def forget(self) -> None:
        """Removes what was built."""
        ...


def dockerfile(sample: Path, cache_mounts: bool, place: str) -> str:
    """The Dockerfile of a sample. Cache mounts are those of `place` alone, so that another one starts cold."""
    file = sample / "Dockerfile"
    if cache_mounts:
        return _CACHE.sub(lambda mount: f"--mount=type=cache,id={place}{mount[1].replace('/', '-')},", file.read_text())
    classic = sample / "Dockerfile.classic"
    return re.sub(r"--mount=\S+ ", "", (classic if classic.exists() else file).read_text())


def plain(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that would choose another builder."""
    return {name: value for name, value in env.items() if name not in ("DOCKER_BUILDKIT", "BUILDX_BUILDER")}

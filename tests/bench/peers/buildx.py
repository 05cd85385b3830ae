"""docker buildx build --push: the engine's own BuildKit, with cache mounts."""

from collections.abc import Mapping
from pathlib import Path

from nucleo_cli.clusters import tools
from nucleo_cli.errors import NucleoError
from tests.bench.measure import MeasureError, Timing, run
from tests.bench.peers import Recipe, plain

VERSION = "0.38.2"


class Buildx:
    name = "buildx"
    cache_mounts = True

    def __init__(self, env: Mapping[str, str], label: str, folder: Path) -> None:
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(_program())
        # A configuration of its own, for the plugin to be found there without being installed.
        self._env = {**plain(env), "DOCKER_CONFIG": str(plugins.parent), "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        self._label = label

    def fetch(self, reference: str) -> None:
        run(["docker", "pull", "--quiet", reference], self._env)

    def build_and_push(self, recipe: Recipe, reference: str, *, pull: bool = False) -> Timing:
        argv = ["docker", "buildx", "build", "--quiet", "--push", "--label", self._label, *recipe.arguments]
        return run([*argv, "--tag", reference, *(["--pull"] if pull else []), "."], self._env, recipe.folder).timing

    def forget(self) -> None:
        """The images go by their label. BuildKit's cache has no names, so the engine's own collector sees to that."""


def _program() -> Path:
    try:
        work = tools.go_program("buildx", "github.com/docker/buildx/cmd/buildx", VERSION)
        while True:
            next(work)
    except StopIteration as done:
        return done.value
    except NucleoError as error:
        raise MeasureError(f"buildx: {error.message}") from error

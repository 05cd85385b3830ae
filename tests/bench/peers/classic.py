"""docker build as it is without BuildKit, and docker push."""

from collections.abc import Mapping

from tests.bench.measure import Timing, run
from tests.bench.peers import Recipe, plain


class Classic:
    name = "docker build"
    cache_mounts = False

    def __init__(self, env: Mapping[str, str], label: str) -> None:
        self._env = {**plain(env), "DOCKER_BUILDKIT": "0"}
        self._label = label

    def fetch(self, reference: str) -> None:
        run(["docker", "pull", "--quiet", reference], self._env)

    def build_and_push(self, recipe: Recipe, reference: str, *, pull: bool = False) -> Timing:
        argv = ["docker", "build", "--quiet", "--label", self._label, *recipe.arguments, "--tag", reference]
        built = run([*argv, *(["--pull"] if pull else []), "."], self._env, recipe.folder)
        pushed = run(["docker", "push", "--quiet", reference], self._env)
        return Timing(built.seconds + pushed.seconds, {"build": built.seconds, "push": pushed.seconds})

    def forget(self) -> None:
        """Nothing of its own: whoever asked for the images removes them by their label."""

"""buildah build and buildah push, in a store of its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.bench.measure import MeasureError, Timing, run
from tests.bench.peers import Recipe, plain


class Buildah:
    name = "buildah"
    cache_mounts = True

    def __init__(self, env: Mapping[str, str], label: str, folder: Path) -> None:
        program = shutil.which("buildah")
        if program is None:
            raise MeasureError("buildah is missing: apt-get install buildah")
        # Its cache mounts lie below TMPDIR. chroot asks for no right that a container of CI lacks.
        (folder / "tmp").mkdir(parents=True)
        self._env = {**plain(env), "TMPDIR": str(folder / "tmp"), "BUILDAH_ISOLATION": "chroot"}
        store = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "overlay"]
        self._argv = [program, *store]
        self._label = label

    def fetch(self, reference: str) -> None:
        run([*self._argv, "pull", "--quiet", "--tls-verify=false", reference], self._env)

    def build_and_push(self, recipe: Recipe, reference: str, *, pull: bool = False) -> Timing:
        # It does without --quiet: that one keeps what a failed build printed to itself.
        options = ["--layers", "--tls-verify=false", f"--pull={'true' if pull else 'false'}", "--label", self._label]
        argv = [*self._argv, "build", *options, *recipe.arguments, "--tag", reference, "."]
        built = run(argv, self._env, recipe.folder)
        pushed = run([*self._argv, "push", "--quiet", "--tls-verify=false", reference], self._env)
        return Timing(built.seconds + pushed.seconds, {"build": built.seconds, "push": pushed.seconds})

    def forget(self) -> None:
        run([*self._argv, "rm", "--all"], self._env)
        run([*self._argv, "rmi", "--all", "--force"], self._env)

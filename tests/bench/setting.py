"""Where everything is measured: a cluster, an app of its own on it, and settings that are nobody's."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleo_cli.clusters.kubeconfig import paths
from tests.bench import apps, machine
from tests.bench.measure import Done, MeasureError, run
from tests.e2e.api import Api
from tests.e2e.checker import ask, eventually
from tests.installed import PROGRAM

if TYPE_CHECKING:
    from tests.bench.by_hand import ByHand

APP = "nucleo-bench"


class Setting:
    """What the measurements share; each part is made when the first one needs it. Use it in a `with` statement."""

    def __init__(self, cluster: str, runs: int | None, apps: Sequence[str] = (), scenarios: Sequence[str] = ()) -> None:
        self.apps = apps
        self.scenarios = scenarios
        self.cluster = cluster
        self.context = f"nucleo-{cluster}"
        self._runs = runs
        self._stack = ExitStack()

    def __enter__(self) -> "Setting":
        self.work = Path(tempfile.mkdtemp(prefix="nucleo-bench-"))
        self._stack.callback(shutil.rmtree, self.work, ignore_errors=True)
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stack.close()

    def runs(self, usual: int) -> int:
        """How often to run: as asked for, else the usual number."""
        return self._runs or usual

    def start(self) -> None:
        """Sees to it that the cluster runs; helm comes with it where there was none."""
        assert self.api

    @cached_property
    def env(self) -> dict[str, str]:
        """This machine's environment without the person's own settings of Nucleo, Python, git and docker build."""
        left_out = ("NUCLEO_", "PYTHON", "GIT_AUTHOR", "GIT_COMMITTER", "HELM_")
        own = {
            "XDG_CONFIG_HOME": str(self.work / "config"),
            "XDG_STATE_HOME": str(self.work / "state"),
            "NUCLEO_CLUSTER": self.context,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "KUBECONFIG": os.pathsep.join(map(str, paths())),
            "TERM": "dumb",
        }
        return {**{name: value for name, value in os.environ.items() if not name.startswith(left_out)}, **own}

    def nucleo(self, *argv: str, folder: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
        """A run of the program."""
        return run([PROGRAM, *argv], {**self.env, **(env or {})}, folder)

    def cleanup(self, what: Any, *args: Any) -> None:
        """Something to call in the end, whatever happens; the last one first."""
        self._stack.callback(what, *args)

    @cached_property
    def api(self) -> Api:
        """The cluster's API, as an outsider sees it; the cluster is started when it is not there."""
        context = self._context()
        if context is None or not _answers(context):
            self.nucleo("cluster", "up", "--name", self.cluster)
            if context is None:  # nobody's before, so nobody's afterwards
                self.cleanup(self.nucleo, "cluster", "down", "--name", self.cluster)
        return Api(self.kubeconfig(), self.context)

    def _context(self) -> Api | None:
        """The API by the kubeconfig's context; None when no kubeconfig has it."""
        try:
            return Api(self.kubeconfig(), self.context)
        except MeasureError:
            return None

    def kubeconfig(self) -> Path:
        """The file that has the cluster's context."""
        for path in paths():
            if path.exists() and f"name: {self.context}\n" in path.read_text():
                return path
        raise MeasureError(f"no kubeconfig has the context {self.context}")

    @cached_property
    def settings(self) -> dict[str, str]:
        """The cluster's own settings: where to push, where nodes pull, how apps are reached."""
        return self.api.get("/api/v1/namespaces/nucleo-system/configmaps/nucleo")["data"]

    @cached_property
    def helm(self) -> str:
        return str(machine.helm())

    @cached_property
    def app(self) -> Path:
        """The folder of the web app, which runs on the cluster by then."""
        return self.deployed(APP, apps.WEB)

    @cached_property
    def by_hand(self) -> "ByHand":
        """The same app deployed by hand, beside it."""
        from tests.bench.by_hand import ByHand

        assert self.app  # its deploy put the platform's images into the registry
        hand = ByHand(self)
        hand.deploy("first")
        return hand

    def deployed(self, name: str, files: Mapping[str, str]) -> Path:
        """Deploys an app of these files; it is destroyed in the end."""
        folder = self.work / name
        apps.write(folder, files, self.env)
        self.cleanup(self._destroy, name)
        assert self.api
        self.nucleo("deploy", "-C", str(folder), "--json")
        # The ingress may learn of the first pod a moment later than Nucleo does.
        eventually("the app answers", lambda: ask(self.url(name)).good)
        return folder

    def _destroy(self, name: str) -> None:
        try:
            self.nucleo("destroy", "--app", name, "--confirm", name)
        except MeasureError as failure:
            print(f"left behind: {failure}")

    def url(self, name: str) -> str:
        """Where an app of that name answers."""
        return f"http://{name}.{self.settings['base-domain']}:{self.settings['http-port']}/"

    def pods(self, namespace: str) -> dict[str, bool]:
        """Whether each pod of a namespace is there to stay, by its uid."""
        found = self.api.items(f"/api/v1/namespaces/{namespace}/pods")
        return {pod["metadata"]["uid"]: "deletionTimestamp" not in pod["metadata"] for pod in found}

    def answer(self, name: str) -> str:
        """What the app says now."""
        return ask(self.url(name)).body


def _answers(api: Api) -> bool:
    try:
        return bool(api.get("/version"))
    except Exception:  # whatever it is: it has to be started
        return False


def parsed(done: Done) -> dict[str, Any]:
    """stdout as the JSON document that it is."""
    return json.loads(done.stdout)

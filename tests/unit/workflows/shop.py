"""An app in a folder, a cluster that is configured for it, and a build that makes an image of its files at once."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.builder.source import Source
from nucleo_cli.config import load
from nucleo_cli.domain.app import App, Target
from nucleo_cli.domain.build import GitFacts, Image
from nucleo_cli.domain.events import PhaseEnded, PhaseStarted, Work
from nucleo_cli.domain.release import Revision
from nucleo_cli.workflows import answer
from nucleo_cli.workflows.deploy import Wish, deploy
from nucleo_cli.workflows.history import read_history
from nucleo_cli.workflows.tools import Tools
from tests.unit.workflows.fake_cluster import Controller, FakeCluster
from tests.unit.workflows.fake_helm import FakeHelm
from tests.unit.workflows.steps import Ran, attempt

SETTINGS = {"registry-push": "r.example", "base-domain": "apps.example", "routes": "ingress"}


def unwanted(*_: Any) -> NoReturn:
    raise AssertionError("nothing here may need this")


class Shop:
    """The app "shop": its folder, its cluster, and what is done to it."""

    target = Target("shop", "shop")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = FakeCluster()
        self.controller = Controller(self.cluster)
        self.helm = FakeHelm(self.cluster)
        self.builds = 0
        self.tools = Tools(self.cluster, lambda: self.helm, unwanted, lambda _: self._registry())
        self.idle = Tools(self.cluster, unwanted, unwanted, unwanted)
        self.configure(SETTINGS)
        self.write("app.py", "one")
        self.write("requirements.txt", "")
        self.write("nucleo.yml", "name: shop\nplatform: python\ncmd: {start: python app.py}\nports: ['8080:80']\n")

    def _registry(self) -> Any:
        return None

    def configure(self, data: dict[str, str]) -> None:
        """Writes the cluster's settings."""
        where = path("v1", "configmaps", "nucleo-system")
        if "/api/v1/namespaces/nucleo-system" not in self.cluster.objects:
            self.cluster.create(path("v1", "namespaces"), {"metadata": {"name": "nucleo-system"}})
            self.cluster.create(where, {"metadata": {"name": "nucleo"}, "data": data})
        else:
            self.cluster.replace(f"{where}/nucleo", {"metadata": {"name": "nucleo"}, "data": data})

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def scale(self, text: str) -> None:
        """Adds a scale to nucleo.yml."""
        plain = (self.folder / "nucleo.yml").read_text().partition("scale:")[0]
        self.write("nucleo.yml", f"{plain}scale: {{replicas: {text}}}\n" if text else plain)

    @property
    def app(self) -> App:
        return load(self.folder)

    def deploy(self, *, tools: Tools | None = None, wish: Wish | None = None, **stop: Any) -> Ran:
        return attempt(deploy(tools or self.tools, self.app, wish or Wish()), **stop)

    def deployed(self) -> Revision:
        """Deploys, and it has to work."""
        ran = self.deploy()
        assert ran.error is None, ran
        return ran.result.revision

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return read_history(self.cluster, self.target).revisions

    @property
    def running(self) -> Revision:
        return read_history(self.cluster, self.target).running()

    def secrets(self) -> list[str]:
        """The names of the Secrets that are not helm's."""
        return [name for name in self.cluster.names("secrets") if not name.startswith("sh.helm")]

    def pod(self) -> dict[str, Any]:
        """The container of the Deployment's template."""
        (found,) = self.cluster.all("deployments")
        return found["spec"]["template"]["spec"]["containers"][0]

    def by_hand(self, replicas: int) -> None:
        self.cluster.patch(
            path("apps/v1", "deployments", "shop", "shop-web", "scale"), {"spec": {"replicas": replicas}}
        )

    def commit(self, monkeypatch: pytest.MonkeyPatch, facts: GitFacts | None) -> None:
        """What git knows of the folder."""

        def known(_: Path) -> GitFacts | None:
            return facts

        monkeypatch.setattr("nucleo_cli.adapters.git.facts", known)

    def fake_build(self) -> Callable[..., Work[Image]]:
        """A build whose image depends on the source alone; marks in app.py become part of the digest."""

        def build(app: App, source: Source, *_: Any, **__: Any) -> Work[Image]:
            self.builds += 1
            yield PhaseStarted("build")
            yield PhaseEnded("build", 0.25)
            mark = source.read("app.py") or ""
            digest = hashlib.sha256(source.hash.encode()).hexdigest()[:50]
            return Image("r.example/shop", f"sha256:{mark.encode().hex():0>14}{digest}"[:71])

        return build


def mark(text: str) -> str:
    """What the digest of an image holds whose app.py holds `text`."""
    return f"{text.encode().hex():0>14}"


def _answers(_url: str) -> int:
    return 200


def make_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The app in a folder of its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    # No route leads to an app that is not there.
    monkeypatch.setattr(answer, "_status", _answers)
    found = Shop(folder)
    monkeypatch.setattr("nucleo_cli.builder.build.build", found.fake_build())
    found.commit(monkeypatch, None)
    return found

"""A cluster, a helm and an app of their own for every test, and no waiting."""

from pathlib import Path

import pytest

from nucleo_cli.domain.app import Target
from nucleo_cli.workflows import rollout
from nucleo_cli.workflows.tools import Tools
from tests.unit.workflows.fake_cluster import Controller, FakeCluster
from tests.unit.workflows.fake_helm import FakeHelm
from tests.unit.workflows.shop import Shop, make_shop, unwanted


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The app "shop", not deployed yet."""
    return make_shop(tmp_path, monkeypatch)


@pytest.fixture
def target() -> Target:
    return Target("shop", "shop")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster("shop")


@pytest.fixture
def controller(cluster: FakeCluster) -> Controller:
    return Controller(cluster)


@pytest.fixture
def helm(cluster: FakeCluster, controller: Controller) -> FakeHelm:
    return FakeHelm(cluster)


@pytest.fixture
def tools(cluster: FakeCluster, helm: FakeHelm) -> Tools:
    return Tools(cluster, lambda: helm, unwanted, unwanted)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollout that gets nowhere is given up at once."""
    monkeypatch.setattr(rollout, "DEADLINE_SECONDS", 0.05)
    monkeypatch.setattr(rollout, "_TICK_SECONDS", 0.01)

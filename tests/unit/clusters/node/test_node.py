"""The life of a local cluster, each step of which may be the last of a killed run."""

from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from nucleo_cli.clusters import choice, kubeconfig
from nucleo_cli.clusters.node import image, node, ports
from nucleo_cli.domain.events import Event, Notice, PhaseEnded, Warned
from nucleo_cli.errors import NucleoError, UsageError
from tests.unit.clusters.fake_engine import FakeEngine, FakeExecution, drain

IMAGE = "registry.example.com/nucleo-node:1"


@pytest.fixture(autouse=True)
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and a published node image, for none is built here."""
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    monkeypatch.setenv("NUCLEO_NODE_IMAGE", IMAGE)
    monkeypatch.setattr(ports, "_bindable", lambda port: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return home


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(IMAGE)


def up(engine: FakeEngine, name: str = "local") -> tuple[list[Event], node.LocalCluster]:
    return drain(node.up(cast(Any, engine), name))


def down(engine: FakeEngine, name: str = "local") -> tuple[list[Event], node.Removed]:
    return drain(node.down(cast(Any, engine), name))


def contexts() -> list[str]:
    content = yaml.safe_load(kubeconfig.paths()[0].read_text())
    return [entry["name"] for entry in content["contexts"]]


def test_up_makes_a_cluster(engine: FakeEngine) -> None:
    events, cluster = up(engine)
    assert [event.name for event in events if isinstance(event, PhaseEnded)] == ["api", "node", "dns", "ingress"]
    assert cluster.changed
    assert (cluster.context, cluster.server) == ("nucleo-local", "https://127.0.0.1:6443")
    assert (cluster.registry, cluster.url) == ("127.0.0.1:5000", "http://127.0.0.1:8080")
    assert contexts() == ["nucleo-local"]
    assert choice.chosen() == "nucleo-local"
    env = engine.made["nucleo-local"]["options"]["env"]
    outer = {"NUCLEO_REGISTRY_PORT": "5000", "NUCLEO_HTTP_PORT": "8080", "NUCLEO_HTTPS_PORT": "8443"}
    assert env == {"NUCLEO_CLUSTER": "local", **outer}


def test_up_again_changes_nothing(engine: FakeEngine) -> None:
    up(engine)
    before = list(engine.log)
    _, cluster = up(engine)
    assert not cluster.changed
    assert engine.log[len(before) :] == ["exec nucleo-wait"]


def test_an_image_that_is_not_there_is_pulled(engine: FakeEngine) -> None:
    engine.images.clear()
    up(engine)
    assert engine.log[0] == f"pull {IMAGE}"


def test_a_stopped_cluster_is_started(engine: FakeEngine) -> None:
    up(engine)
    engine.made["nucleo-local"]["State"] = "exited"
    _, cluster = up(engine)
    assert cluster.changed
    assert engine.log.count("create nucleo-local") == 1
    assert engine.log.count("start nucleo-local") == 2


def test_a_run_killed_before_the_start_is_finished(engine: FakeEngine) -> None:
    up(engine)
    engine.made["nucleo-local"]["State"] = "created"
    _, cluster = up(engine)
    assert cluster.changed


def test_a_run_killed_before_the_kubeconfig_is_finished(engine: FakeEngine) -> None:
    up(engine)
    kubeconfig.remove("nucleo-local")
    _, cluster = up(engine)
    assert cluster.changed
    assert contexts() == ["nucleo-local"]


def test_a_stopped_cluster_moves_to_the_new_image_with_its_data_and_ports(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before = up(engine)
    engine.made["nucleo-local"]["State"] = "exited"
    monkeypatch.setenv("NUCLEO_NODE_IMAGE", "registry.example.com/nucleo-node:2")
    events, after = up(engine)
    assert any(isinstance(event, Notice) for event in events)
    assert engine.made["nucleo-local"]["Image"] == "registry.example.com/nucleo-node:2"
    assert "remove volume nucleo-local" not in engine.log
    assert after.server == before.server


def test_a_running_cluster_of_another_image_is_left_alone(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    up(engine)
    monkeypatch.setenv("NUCLEO_NODE_IMAGE", "registry.example.com/nucleo-node:2")
    events, cluster = up(engine)
    assert any(isinstance(event, Notice) for event in events)
    assert not cluster.changed


def test_a_port_that_was_taken_meanwhile_is_given_up(engine: FakeEngine) -> None:
    up(engine)
    engine.made["nucleo-local"]["State"] = "exited"
    engine.busy = {8080}
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(ports, "_bindable", lambda port: port != 8080)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        events, cluster = up(engine)
    assert any(isinstance(event, Warned) for event in events)
    assert cluster.url != "http://127.0.0.1:8080"
    assert "remove volume nucleo-local" not in engine.log


def test_two_clusters_have_ports_of_their_own(engine: FakeEngine) -> None:
    _, first = up(engine)
    _, second = up(engine, "two")
    assert {first.server, first.registry, first.url}.isdisjoint({second.server, second.registry, second.url})
    assert choice.chosen() == "nucleo-local"
    assert contexts() == ["nucleo-local", "nucleo-two"]


def test_a_cluster_that_does_not_start_says_how_far_it_came(engine: FakeEngine) -> None:
    engine.commands["nucleo-wait"] = FakeExecution(("api",), code=1)
    with pytest.raises(NucleoError, match="the API server answers, but no more") as caught:
        up(engine)
    assert caught.value.hint == "nucleo cluster status --logs addons"


def test_down_leaves_nothing(engine: FakeEngine) -> None:
    up(engine)
    _, removed = down(engine)
    assert [what.split(" in ")[0] for what in removed.removed] == [
        "container nucleo-local",
        "cgroup folders /nucleo-local",
        "volume nucleo-local",
        "context nucleo-local",
    ]
    assert (engine.made, engine.kept, contexts(), choice.chosen()) == ({}, {}, [], None)


def test_down_of_nothing_removes_nothing(engine: FakeEngine) -> None:
    _, removed = down(engine)
    assert removed.removed == ()
    assert engine.log == []


def test_down_after_a_killed_down_removes_the_rest(engine: FakeEngine) -> None:
    up(engine)
    engine.made.clear()
    _, removed = down(engine)
    assert "cgroup folders /nucleo-local" in removed.removed
    assert engine.kept == {}


def test_down_leaves_the_other_cluster_alone(engine: FakeEngine) -> None:
    up(engine)
    up(engine, "two")
    down(engine, "two")
    assert list(engine.made) == ["nucleo-local"]
    assert contexts() == ["nucleo-local"]
    assert choice.chosen() == "nucleo-local"


def test_cgroup_folders_in_use_are_told(engine: FakeEngine) -> None:
    up(engine)
    engine.helper_code = 1
    events, removed = down(engine)
    assert any(isinstance(event, Warned) for event in events)
    assert "helper" not in engine.made
    assert "cgroup folders /nucleo-local" not in removed.removed


def test_an_odd_name_reaches_no_engine(engine: FakeEngine) -> None:
    with pytest.raises(UsageError):
        up(engine, "../x")
    assert engine.log == []


def test_the_image_is_named_by_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUCLEO_NODE_IMAGE")
    first = image.name()
    assert first == image.name()
    monkeypatch.setattr(image, "COREDNS", "0.0.0")
    assert image.name() != first

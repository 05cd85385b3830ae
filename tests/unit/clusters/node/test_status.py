"""What is told of a local cluster."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from nucleo_cli.clusters.node import ports, status
from nucleo_cli.clusters.node.status import Component
from nucleo_cli.errors import NotFound
from tests.unit.clusters.fake_engine import FakeEngine, FakeExecution

TOLD = (
    "kubernetes=v1.34.4",
    "ready=True",
    "memory=1048576",
    "run: /run/service/etcd: (pid 70) 123s; run: log: (pid 69) 123s",
    "down: /run/service/kube-proxy: 2s, normally up, want up; run: log: (pid 71) 9s",
)


@pytest.fixture
def engine(home: Path) -> FakeEngine:
    engine = FakeEngine("image")
    options: dict[str, Any] = {"labels": {"io.nucleo.cluster": "local"}}
    outer = ports.Ports(6443, 5000, 8080, 8443).bindings()
    engine.create_container("image", name="nucleo-local", ports=outer, **options)
    engine.start("nucleo-local")
    engine.commands["nucleo-status"] = FakeExecution(TOLD)
    engine.commands["ls"] = FakeExecution(("etcd", "kubelet"))
    return engine


def test_a_running_cluster(engine: FakeEngine) -> None:
    told = status.status(cast(Any, engine))
    assert (told.state, told.kubernetes, told.ready, told.memory) == ("running", "v1.34.4", True, 1 << 20)
    assert told.components == (Component("etcd", "run", 123), Component("kube-proxy", "down", 2))
    assert json.loads(json.dumps(asdict(told)))["ports"] == {"api": 6443, "registry": 5000, "http": 8080, "https": 8443}


def test_a_stopped_cluster_keeps_its_ports(engine: FakeEngine) -> None:
    engine.made["nucleo-local"]["State"] = "exited"
    told = status.status(cast(Any, engine))
    assert (told.state, told.ready) == ("exited", False)
    assert told.ports == ports.Ports(6443, 5000, 8080, 8443)


def test_an_absent_cluster() -> None:
    assert status.status(cast(Any, FakeEngine())).state == "absent"


def test_a_component_that_says_nothing_of_use(engine: FakeEngine) -> None:
    engine.commands["nucleo-status"] = FakeExecution(("ready=", "fail: /run/service/x: unable to open"))
    told = status.status(cast(Any, engine))
    assert (told.ready, told.memory, told.components) == (False, 0, ())


def test_logs_are_read_from_the_component(engine: FakeEngine) -> None:
    engine.commands["sh"] = FakeExecution(("42", "first", "second"))
    assert list(status.logs(cast(Any, engine), "local", "etcd", 2)) == ["first", "second"]
    assert not any(line.startswith("exec kill") for line in engine.log)


def test_following_ends_with_the_reader(engine: FakeEngine) -> None:
    engine.commands["sh"] = FakeExecution(("42", "first", "second"))
    lines = cast(Any, status.logs(cast(Any, engine), "local", "etcd", 2, follow=True))
    assert next(lines) == "first"
    lines.close()
    assert engine.log[-1] == "exec kill 42"
    assert engine.commands["sh"].closed


@pytest.mark.parametrize("component", ["nope", "../../etc", "-n"])
def test_an_unknown_component_is_refused_with_the_known_ones(engine: FakeEngine, component: str) -> None:
    with pytest.raises(NotFound) as caught:
        next(iter(status.logs(cast(Any, engine), "local", component)))
    assert "etcd, kubelet" in caught.value.hint


def test_logs_of_a_stopped_cluster(engine: FakeEngine) -> None:
    engine.made["nucleo-local"]["State"] = "exited"
    with pytest.raises(NotFound, match="stopped"):
        next(iter(status.logs(cast(Any, engine), "local", "etcd")))

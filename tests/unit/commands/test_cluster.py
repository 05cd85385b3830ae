"""nucleo cluster: what it prints, and when it asks."""

import io
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config import kube_config

from nucleo_cli.clusters import choice, tools
from nucleo_cli.clusters.node import ports
from nucleo_cli.context import Context
from nucleo_cli.domain.events import Work
from nucleo_cli.errors import NucleoError
from nucleo_cli.main import run
from nucleo_cli.terminal.terminal import Terminal
from tests.unit.clusters.fake_engine import FakeEngine, FakeExecution

Nucleo = Callable[..., tuple[int, str, str]]
IMAGE = "registry.example.com/nucleo-node:1"


@pytest.fixture
def kubeconfig(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = home / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    return file


@pytest.fixture
def engine(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    def no_helm() -> Work[Path]:
        raise NucleoError("no helm here", "install it")
        yield

    monkeypatch.setenv("NUCLEO_NODE_IMAGE", IMAGE)
    monkeypatch.setattr(ports, "_bindable", lambda port: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(tools, "helm", no_helm)
    engine = FakeEngine(IMAGE)
    engine.commands["nucleo-status"] = FakeExecution(
        (
            "kubernetes=v1.34.4",
            "ready=True",
            "memory=2097152",
            "run: /run/service/etcd: (pid 7) 60s; run: log: (pid 6) 60s",
        )
    )
    return engine


@pytest.fixture
def nucleo(engine: FakeEngine) -> Nucleo:
    """Runs a command line off a TTY; its exit code, stdout and stderr."""

    def nucleo(*argv: str) -> tuple[int, str, str]:
        stdout, stderr = io.StringIO(), io.StringIO()

        class Here(Context):
            @cached_property
            def engine(self) -> Any:
                return engine

            @cached_property
            def terminal(self) -> Terminal:
                machine = self.options.json
                return Terminal(machine=machine, color=False, stdin=io.StringIO(), stdout=stdout, stderr=stderr)

        code = run(argv, Here())
        return code, stdout.getvalue(), stderr.getvalue()

    return nucleo


def test_up_says_where_it_is(nucleo: Nucleo) -> None:
    code, out, err = nucleo("cluster", "up")
    assert (code, out) == (0, "nucleo-local  http://127.0.0.1:8080  registry 127.0.0.1:5000\n")
    assert "the ingress serves" in err
    assert "nucleo deploy uses it" in err
    _, _, again = nucleo("cluster", "up")
    assert "was running already" in again


def test_up_without_helm_is_up(nucleo: Nucleo) -> None:
    code, _, err = nucleo("cluster", "up")
    assert code == 0
    assert "no helm here\ninstall it" in err


def test_up_for_machines(nucleo: Nucleo) -> None:
    code, out, _ = nucleo("cluster", "up", "--name", "two", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["name"], document["context"], document["changed"]) == ("two", "nucleo-two", True)


def test_down_needs_the_name(nucleo: Nucleo, engine: FakeEngine) -> None:
    nucleo("cluster", "up")
    code, _, err = nucleo("cluster", "down")
    assert code == 2
    assert "--confirm local" in err
    assert "nucleo-local" in engine.made
    code, out, _ = nucleo("cluster", "down", "--confirm", "local")
    assert code == 0
    assert "removed container nucleo-local\n" in out
    assert engine.made == {}


def test_down_of_a_named_cluster_is_confirmed_by_the_name(nucleo: Nucleo, engine: FakeEngine) -> None:
    nucleo("cluster", "up", "--name", "two")
    code, _, err = nucleo("cluster", "down", "--name", "two", "--confirm", "one")
    assert code == 2
    assert '"two"' in err
    assert nucleo("cluster", "down", "--name", "two")[0] == 0
    assert engine.made == {}


def test_down_of_nothing_needs_no_answer(nucleo: Nucleo) -> None:
    code, out, err = nucleo("cluster", "down")
    assert (code, out) == (0, "")
    assert "there is no local cluster" in err


def test_status(nucleo: Nucleo) -> None:
    assert "nucleo cluster up makes it" in nucleo("cluster", "status")[1]
    nucleo("cluster", "up")
    out = nucleo("cluster", "status")[1]
    assert "Kubernetes 1.34.4, ready, 2 MiB, http://127.0.0.1:8080, registry 127.0.0.1:5000" in out
    assert "etcd" in out
    assert "nucleo-local, which does not answer" in out


def test_status_for_machines(nucleo: Nucleo) -> None:
    nucleo("cluster", "up")
    document = json.loads(nucleo("cluster", "status", "--json")[1])
    assert (document["context"], document["settings"]) == ("nucleo-local", None)
    assert document["local"]["components"] == [{"name": "etcd", "state": "run", "seconds": 60}]


def test_logs_of_a_component(nucleo: Nucleo, engine: FakeEngine) -> None:
    nucleo("cluster", "up")
    engine.commands["ls"] = FakeExecution(("etcd",))
    engine.commands["sh"] = FakeExecution(("42", "first", "second"))
    assert nucleo("cluster", "status", "--logs", "etcd")[1] == "first\nsecond\n"
    code, _, err = nucleo("cluster", "status", "--logs", "nope")
    assert code == 6
    assert "etcd" in err


def test_use_remembers_a_context_that_exists(nucleo: Nucleo, kubeconfig: Path) -> None:
    entry = {"name": "prod", "context": {"cluster": "prod", "user": "prod"}}
    parts: dict[str, Any] = {"clusters": [{"name": "prod", "cluster": {}}], "users": [{"name": "prod", "user": {}}]}
    kubeconfig.write_text(yaml.safe_dump({"current-context": "prod", "contexts": [entry], **parts}))
    code, _, err = nucleo("cluster", "use", "staging")
    assert code == 6
    assert "it has prod" in err
    assert choice.chosen() is None
    assert nucleo("cluster", "use", "prod")[0] == 0
    assert choice.chosen() == "prod"


def test_configure_without_a_setting(nucleo: Nucleo) -> None:
    code, _, err = nucleo("cluster", "configure")
    assert code == 2
    assert "nucleo cluster status" in err

"""The agent's chart, rendered by helm itself."""

from typing import Any

import pytest
import yaml

from nucleo_cli import assets
from nucleo_cli.adapters.helm import Helm, find
from nucleo_cli.agent import program
from nucleo_cli.errors import NucleoError

Json = dict[str, Any]

CHART = assets.folder("chart_templates") / "agent"
IMAGE = {"repository": "localhost:5000/platforms/agent", "digest": f"sha256:{'a' * 64}"}


@pytest.fixture(scope="module")
def helm() -> Helm:
    return Helm(find())


def rendered(helm: Helm, **values: Any) -> dict[str, Json]:
    """The documents by kind."""
    text = helm.template("nucleo-agent", CHART, "nucleo-system", {"image": IMAGE, **values})
    return {each["kind"]: each for each in yaml.safe_load_all(text) if each}


def pod(helm: Helm, **values: Any) -> Json:
    return rendered(helm, **values)["DaemonSet"]["spec"]["template"]["spec"]


def test_the_agent_alone_runs_on_where_the_machine_has_mounted(helm: Helm) -> None:
    found = pod(helm, mount=False)
    assert "initContainers" not in found
    (container,) = found["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "PERFMON"]}


def test_only_what_mounts_is_privileged(helm: Helm) -> None:
    found = pod(helm)
    (prepare,) = found["initContainers"]
    assert prepare["args"] == ["prepare", "--bpf", "/host/bpf"]
    assert prepare["securityContext"]["privileged"]
    assert "privileged" not in found["containers"][0]["securityContext"]


def test_it_is_on_every_node_before_all_else(helm: Helm) -> None:
    found = pod(helm)
    assert found["hostNetwork"]
    assert found["tolerations"] == [{"operator": "Exists"}]
    assert found["priorityClassName"] == "system-node-critical"


def test_two_are_never_at_work_on_a_node(helm: Helm) -> None:
    update = rendered(helm)["DaemonSet"]["spec"]["updateStrategy"]["rollingUpdate"]
    assert update == {"maxUnavailable": "25%", "maxSurge": 0}


def test_it_enforces_unless_it_is_told_to_observe(helm: Helm) -> None:
    for observe in (True, False):
        (container,) = pod(helm, observe=observe)["containers"]
        assert container["args"][0] == "run"
        assert ("--observe" in container["args"]) is observe


def test_removing_is_done_everywhere_at_once_and_mounts_nothing(helm: Helm) -> None:
    found = rendered(helm, remove=True)["DaemonSet"]["spec"]
    assert found["updateStrategy"]["rollingUpdate"]["maxUnavailable"] == "100%"
    assert "initContainers" not in found["template"]["spec"]
    assert found["template"]["spec"]["containers"][0]["args"] == ["remove", "--stay", "--bpf", "/host/bpf"]


def test_it_may_read_what_it_follows_and_write_one_status(helm: Helm) -> None:
    rules = rendered(helm)["ClusterRole"]["rules"]
    may = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    reading = {(resource, verb) for resource in program.KINDS for verb in ("get", "list", "watch")}
    assert may == reading | {("appnetworks/status", "patch")}


@pytest.mark.parametrize(
    "values",
    [{"imgae": IMAGE}, {"capabilities": ["SYS_MODULE"]}, {"remove": "yes"}, {"image": {**IMAGE, "digest": "latest"}}],
)
def test_what_the_chart_does_not_know(helm: Helm, values: Json) -> None:
    with pytest.raises(NucleoError, match="refuses"):
        rendered(helm, **values)

"""Installing the agent and removing it, event by event."""

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.documents import Json, part
from nucleo_cli.domain.events import PhaseEnded, PodChanged
from nucleo_cli.errors import Conflict, NotFound, NucleoError, RolloutFailed
from nucleo_cli.workflows import agent
from nucleo_cli.workflows.agent import capabilities_on
from tests.unit.workflows.agent_ground import CRDS, IMAGE, NAMESPACE, READY, REFUSED, SETS, Ground, make_ground


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Ground:
    return make_ground(monkeypatch)


def test_an_installation(ground: Ground) -> None:
    ran = ground.install()
    assert ran.result == {"image": IMAGE.reference, "nodes": 1, "ready": 1}
    ends = [(each.name, each.skipped, each.detail) for each in ran.events if isinstance(each, PhaseEnded)]
    assert ends == [("image", False, ""), ("agent", False, "ready on 1 of 1")]
    assert ground.helm.values == [
        {
            "image": {"repository": IMAGE.repository, "digest": IMAGE.digest},
            "capabilities": ["BPF", "NET_ADMIN", "PERFMON"],
        }
    ]
    assert ground.cluster.get(f"{CRDS}/appnetworks.nucleo.io")["spec"]["group"] == "nucleo.io"
    assert ground.cluster.get(NAMESPACE)["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "privileged"}
    assert not ground.cluster.all("leases")


def test_the_release_is_no_app(ground: Ground) -> None:
    ground.install()
    (secret,) = ground.cluster.items(path("v1", "secrets", "nucleo-system"), labelSelector="owner=helm")
    assert "nucleo.io/app" not in secret["metadata"]["labels"]


def test_the_crd_is_written_before_the_agent_and_at_each_upgrade(ground: Ground) -> None:
    ground.install()
    ground.made = False
    before = len(ground.cluster.requests)
    ran = ground.install()
    assert [each.skipped for each in ran.events if isinstance(each, PhaseEnded)] == [True, False]
    writes = [where for method, where in ground.cluster.requests[before:] if method == "PATCH"]
    assert writes.index(f"{CRDS}/appnetworks.nucleo.io") < writes.index(f"{SETS}/nucleo-agent")


def test_containers_that_cannot_have_bpf(ground: Ground) -> None:
    ground.helm.fate = lambda values: REFUSED if "BPF" in values["capabilities"] else READY
    ran = ground.install()
    assert ran.result["ready"] == 1
    assert any("CAP_SYS_ADMIN" in notice for notice in ran.notices)
    assert [values["capabilities"] for values in ground.helm.values] == [
        ["BPF", "NET_ADMIN", "PERFMON"],
        ["SYS_ADMIN"],
    ]
    # It is known the next time.
    ground.install()
    assert ground.helm.values[2]["capabilities"] == ["SYS_ADMIN"]


@pytest.mark.parametrize("kernel", ["5.17.0", "6.1.0-28-cloud-amd64", "5.14.0-427.13.1.el9_4.x86_64", ""])
def test_a_kernel_that_is_new_enough(kernel: str) -> None:
    node: Json = {"metadata": {"name": "a"}, "status": {"nodeInfo": {"kernelVersion": kernel}}}
    assert capabilities_on([node]) == ["BPF", "NET_ADMIN", "PERFMON"]


@pytest.mark.parametrize("kernel", ["5.4.0-100-generic", "5.16.20"])
def test_a_kernel_that_is_too_old(ground: Ground, kernel: str) -> None:
    ground.node("b", kernel)
    ran = ground.install()
    assert isinstance(ran.error, NucleoError)
    assert f"b ({kernel})" in ran.error.message
    assert ground.helm.calls == []


def test_cilium_enforces_already(ground: Ground) -> None:
    ground.cluster.served.append("cilium.io/v2")
    ran = ground.install()
    assert isinstance(ran.error, NucleoError)
    assert "Cilium enforces" in ran.error.message
    assert ground.cluster.writes()[-1] == ("POST", path("v1", "configmaps", "nucleo-system"))
    ground.configure(network="agent")
    assert ground.install().error is None


def test_a_cluster_that_is_told_to_use_something_else(ground: Ground) -> None:
    ground.configure(network="networkpolicy")
    ran = ground.install()
    assert any("networkpolicy" in warning for warning in ran.warnings)


def test_a_cluster_without_a_registry(ground: Ground) -> None:
    ground.configure(**{"registry-push": ""})
    assert "which registry" in str(ground.install().error)


def test_a_namespace_that_somebody_has_closed(ground: Ground) -> None:
    ground.cluster.refuse("PATCH", "namespaces/nucleo-system$", Conflict("Apply failed with 1 conflict"))
    error = ground.install().error
    assert isinstance(error, NucleoError)
    assert "kubectl label" in error.hint
    assert ground.helm.calls == []


def test_an_agent_that_does_not_start(ground: Ground) -> None:
    status: Json = {"containerStatuses": [{"name": "agent", "state": {"running": {}}}]}
    ground.helm.fate = lambda _values: status
    ground.cluster.logs[("pod", False)] = "error: loading pod_fw.bpf.o: Permission denied\n"
    error = ground.install(timeout=0.05).error
    assert isinstance(error, RolloutFailed)
    assert error.message == "the agent is not ready on a"
    assert error.details["log"] == ["error: loading pod_fw.bpf.o: Permission denied"]
    assert not ground.cluster.all("leases")


def test_a_node_that_does_not_answer_is_left_as_it_is(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_NODES_SECONDS", 0.0)
    ground.helm.fate = lambda _values: {"phase": "Pending"}
    ran = ground.install()
    assert ran.result == {"image": IMAGE.reference, "nodes": 1, "ready": 0}
    assert ran.warnings == ["nodes that do not answer were left as they are: a"]
    assert [each for each in ran.events if isinstance(each, PodChanged)] == [
        PodChanged("agent", "pod", "Pending", ready=False)
    ]
    ground.cluster.patch(path("v1", "nodes", name="a"), {"status": READY})
    assert isinstance(ground.install(timeout=0.05).error, RolloutFailed)


def test_an_image_that_cannot_be_pulled(ground: Ground) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such host"}
    ground.helm.fate = lambda _values: {"containerStatuses": [{"name": "agent", "state": {"waiting": waiting}}]}
    error = ground.install().error
    assert isinstance(error, RolloutFailed)
    assert "cannot be pulled: no such host" in error.message


def test_one_that_was_killed_is_finished_by_the_next(ground: Ground) -> None:
    ground.helm.trouble = ["die"]
    assert ground.install().error is not None
    assert ground.install().error is None


def test_removing_it(ground: Ground) -> None:
    ground.install()
    ground.rule("shop")
    ran = ground.uninstall()
    assert ran.result == {"nodes": 1, "apps": [{"app": "shop", "namespace": "shop"}]}
    assert ground.helm.values[-1] == {**ground.helm.values[0], "remove": True}
    assert [call[0] for call in ground.helm.calls] == ["upgrade", "upgrade", "uninstall"]
    assert not ground.cluster.all("customresourcedefinitions")
    assert not ground.cluster.all("leases")
    assert part(ground.cluster.get(NAMESPACE), "metadata").get("labels", {}) == {}


def test_a_removal_that_was_stopped_half_way_is_finished(ground: Ground) -> None:
    ground.install()
    ground.helm.uninstall("nucleo-agent", "nucleo-system")
    assert ground.uninstall().result == {"nodes": 0, "apps": []}
    assert not ground.cluster.all("customresourcedefinitions")
    assert isinstance(ground.uninstall().error, NotFound)


def test_nothing_is_uninstalled_before_every_node_is_clean(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.install()
    ground.helm.fate = lambda _values: {}
    monkeypatch.setattr(agent, "DEADLINE_SECONDS", 0.05)
    error = ground.uninstall().error
    assert isinstance(error, RolloutFailed)
    assert "uninstall" not in [call[0] for call in ground.helm.calls]
    assert ground.cluster.all("customresourcedefinitions")

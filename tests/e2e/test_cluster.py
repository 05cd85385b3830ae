"""The local cluster as a person meets it: what it offers, and that it is there again after a restart."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.e2e.api import Api
from tests.installed import CLUSTER, CONTEXT, KUBECONFIG, Nucleo

SECOND = "second"


def url(nucleo: Nucleo, name: str = CLUSTER) -> str:
    local = nucleo("cluster", "status", "--name", name, "--json").expect(0).json["local"]
    return f"http://127.0.0.1:{local['ports']['http']}/"


def answer(address: str, seconds: float = 120) -> int:
    """The HTTP status of the first answer."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_up_again_says_so_and_changes_nothing(nucleo: Nucleo, cluster: str) -> None:
    again = nucleo("cluster", "up", "--name", CLUSTER, "--json").expect(0).json
    assert (again["context"], again["changed"]) == (CONTEXT, False)


def test_every_component_runs(nucleo: Nucleo, cluster: str) -> None:
    local = nucleo("cluster", "status", "--name", CLUSTER, "--json").expect(0).json["local"]
    assert (local["state"], local["ready"]) == ("running", True)
    assert {each["state"] for each in local["components"]} == {"run"}
    assert {"etcd", "kube-apiserver", "kubelet", "containerd", "registry"} <= {
        each["name"] for each in local["components"]
    }


def test_the_ingress_answers(nucleo: Nucleo, cluster: str) -> None:
    assert answer(url(nucleo)) == 404


def test_the_cluster_tells_its_settings(nucleo: Nucleo, cluster: str) -> None:
    settings = nucleo("cluster", "status", "--name", CLUSTER, "--json").expect(0).json["settings"]
    assert settings["registry_push"].startswith("127.0.0.1:")
    assert (settings["base_domain"], settings["routes"]) == ("localhost", "gateway")


def test_the_gateway_is_programmed(api: Api) -> None:
    gateway = api.get("/apis/gateway.networking.k8s.io/v1/namespaces/nucleo-system/gateways/nucleo")
    conditions = {each["type"]: each["status"] for each in gateway["status"]["conditions"]}
    assert conditions["Programmed"] == "True"


def test_metrics_are_served(api: Api) -> None:
    end = time.monotonic() + 120
    while not (items := api.items("/apis/metrics.k8s.io/v1beta1/nodes")) and time.monotonic() < end:
        time.sleep(1)
    assert [item["metadata"]["name"] for item in items] == ["nucleo"]


def test_metrics_server_may_not_read_secrets(api: Api) -> None:
    bindings = api.items("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
    admins = [
        subject["name"]
        for binding in bindings
        if binding["roleRef"]["name"] == "cluster-admin"
        for subject in binding.get("subjects", [])
    ]
    assert admins == ["system:masters"]


def test_the_log_of_a_component(nucleo: Nucleo, cluster: str) -> None:
    shown = nucleo("cluster", "status", "--name", CLUSTER, "--logs", "etcd", "--tail", "3").expect(0)
    assert len(shown.stdout.splitlines()) == 3


@pytest.fixture(scope="module")
def second(nucleo: Nucleo, cluster: str) -> Iterator[str]:
    """Another cluster beside the first."""
    made = nucleo("cluster", "up", "--name", SECOND, "--json").expect(0).json
    yield made["context"]
    nucleo("cluster", "down", "--name", SECOND).expect(0)


def test_configure_changes_one_setting_and_takes_it_back(nucleo: Nucleo, second: str) -> None:
    env = {"NUCLEO_CLUSTER": second}
    changed = nucleo("cluster", "configure", "--platform-images", "registry.example.com/p", "--json", env=env).expect(0)
    assert changed.json["settings"]["platform_images"] == "registry.example.com/p"
    assert changed.json["settings"]["base_domain"] == "localhost"
    back = nucleo("cluster", "configure", "--platform-images", "", "--json", env=env).expect(0)
    assert back.json["settings"]["platform_images"] == ""


def test_two_clusters_live_side_by_side_and_one_survives_a_restart(nucleo: Nucleo, second: str) -> None:
    nucleo("cluster", "configure", "--platform-images", "kept", env={"NUCLEO_CLUSTER": second}).expect(0)
    subprocess.run(["docker", "restart", second], check=True, capture_output=True)
    nucleo("cluster", "up", "--name", SECOND).expect(0)
    assert answer(url(nucleo, SECOND)) == 404
    assert answer(url(nucleo)) == 404
    kept = nucleo("cluster", "status", "--name", SECOND, "--json", env={"NUCLEO_CLUSTER": second}).expect(0)
    assert kept.json["settings"]["platform_images"] == "kept"
    assert kept.json["local"]["ready"]


def test_down_leaves_nothing(nucleo: Nucleo, cluster: str) -> None:
    made = nucleo("cluster", "up", "--name", "gone", "--json").expect(0).json
    assert made["context"] == "nucleo-gone"
    removed = nucleo("cluster", "down", "--name", "gone", "--json").expect(0).json["removed"]
    assert {what.split()[0] for what in removed} == {"container", "cgroup", "volume", "context"}
    assert "nucleo-gone" not in KUBECONFIG.read_text()
    for kind in ("container", "volume"):
        command = ["docker", kind, "ls", "-q", "--filter", "label=io.nucleo.cluster=gone"]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""
    assert json.loads(nucleo("cluster", "down", "--name", "gone", "--json").expect(0).stdout)["removed"] == []

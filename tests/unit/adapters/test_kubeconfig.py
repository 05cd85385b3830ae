"""How a pod reaches its own API server."""

from pathlib import Path

import pytest

from nucleo_cli.adapters import kubeconfig
from nucleo_cli.adapters.kubernetes import Cluster
from nucleo_cli.errors import NotAllowed, NotFound


def test_the_address_comes_from_the_environment(tmp_path: Path) -> None:
    found = kubeconfig.in_pod({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"}, tmp_path)
    assert found.server == Cluster("", found).server == "https://10.96.0.1:6443"
    assert found.plain
    assert kubeconfig.in_pod({"KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path).server == "https://[fd00::1]:443"


def test_the_token_is_read_again_each_time(tmp_path: Path) -> None:
    found = kubeconfig.in_pod({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, tmp_path)
    for token in ("one", "two"):
        (tmp_path / "token").write_text(f"{token}\n")
        assert found.token == token


def test_a_token_that_is_not_there(tmp_path: Path) -> None:
    found = kubeconfig.in_pod({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, tmp_path)
    with pytest.raises(NotAllowed, match="token cannot be read"):
        _ = found.token


def test_outside_of_a_pod() -> None:
    with pytest.raises(NotFound, match="no pod"):
        kubeconfig.in_pod({})

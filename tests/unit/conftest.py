"""Poisoned defaults: a unit test that forgets its fake meets an address where nothing is, and fails at once."""

import ipaddress
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

# Below a file that is no folder nothing can ever be made, not even by root.
NOWHERE = "/dev/null/nowhere"
POISON = {
    "HOME": NOWHERE,
    "KUBECONFIG": f"{NOWHERE}/kubeconfig",
    "DOCKER_HOST": f"unix://{NOWHERE}/docker.sock",
    "DOCKER_CONFIG": f"{NOWHERE}/docker",
    "XDG_CACHE_HOME": f"{NOWHERE}/cache",
    "XDG_CONFIG_HOME": f"{NOWHERE}/config",
    "XDG_DATA_HOME": f"{NOWHERE}/data",
    "XDG_STATE_HOME": f"{NOWHERE}/state",
    "http_proxy": "http://127.0.0.1:1",
    "https_proxy": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}
FOREIGN = ("KUBERNETES_SERVICE_HOST", "HELM_NAMESPACE", "NO_COLOR", "FORCE_COLOR", "CI", "no_proxy", "NO_PROXY")


class NetworkForbiddenError(RuntimeError):
    """A unit test asked for the network."""


def _is_near(address: Any) -> bool:
    """Whether a socket address is loopback, or a Unix socket that a test made itself."""
    if isinstance(address, str | bytes):
        path = address.decode() if isinstance(address, bytes) else address
        return path.startswith(tempfile.gettempdir())
    host = str(address[0])
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(address: object) -> None:
    raise NetworkForbiddenError(f"a unit test wants to reach {address}: give it a fake")


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine, and nothing beyond it, is within a unit test's reach."""
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        return connect(self, address) if _is_near(address) else _refuse(address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        return connect_ex(self, address) if _is_near(address) else int(bool(_refuse(address)))

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve(host, *args, **kwargs) if host is None or _is_near((host,)) else _refuse(host)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, for tests that write below the XDG folders."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path

"""Real servers for the adapters: a registry of each test run's own, and the test cluster as the adapters see it."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kubernetes.config import kube_config

from nucleo_cli.adapters.kubernetes import Cluster, path
from tests.installed import CONTEXT, KUBECONFIG

Namespaces = Callable[..., str]

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
{extra}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class RegistryServer:
    """Debian's docker-registry as a process of this test run; `address` is where it listens."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._config = folder / "config.yml"
        self._config.write_text(_CONFIG.format(folder=folder / "data", port=self.port, extra=extra))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["docker-registry", "serve", str(self._config)], stdout=log, stderr=log)
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{self.address}/v2/", timeout=5)
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A running, empty registry without a login."""
    server = RegistryServer(tmp_path_factory.mktemp("registry"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kubeconfig(cluster: str) -> Iterator[str]:
    """This process uses the kubeconfig of the tests, as programs that it starts do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(KUBECONFIG))
        # The library looks at the environment once, when it is imported.
        patch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(KUBECONFIG))
        yield str(KUBECONFIG)


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> Cluster:
    """The test cluster through the adapter."""
    return Cluster(CONTEXT)


@pytest.fixture(scope="session")
def namespaces(api: Cluster) -> Iterator[Namespaces]:
    """Makes namespaces with the given labels; removes them in the end."""
    made: list[str] = []

    def make(labels: dict[str, str] | None = None) -> str:
        made.append(f"contract-{uuid4().hex[:8]}")
        api.create(path("v1", "namespaces"), {"metadata": {"name": made[-1], "labels": labels or {}}})
        return made[-1]

    yield make
    for name in made:
        api.delete(path("v1", "namespaces", name=name))


@pytest.fixture
def namespace(namespaces: Namespaces) -> str:
    """An empty namespace of the test's own."""
    return namespaces()

"""The adapters' own way to the test cluster."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from kubernetes.config import kube_config

from nucleo_cli.adapters.kubernetes import Cluster, path
from tests.installed import CONTEXT, KUBECONFIG

Namespaces = Callable[..., str]


@pytest.fixture(scope="session")
def kubeconfig(cluster: dict[str, Any]) -> Iterator[str]:
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

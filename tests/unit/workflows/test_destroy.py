"""nucleo destroy: everything of the app, and nothing of anybody else."""

from typing import Any

import pytest

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.errors import Exit, Interrupted, Locked, NotAllowed, NotFound, NucleoError, Unreachable
from nucleo_cli.workflows.config_vars import Edit, edit
from nucleo_cli.workflows.destroy import destroy
from nucleo_cli.workflows.lease import acquire
from tests.unit.workflows.shop import Shop
from tests.unit.workflows.steps import Ran, attempt, run


def destroyed(app: Shop) -> Ran:
    return attempt(destroy(app.tools, app.target))


def in_shop(app: Shop) -> list[str]:
    """The paths of everything in the app's namespace."""
    return [key for key in app.cluster.objects if key.startswith("/api") and "/namespaces/shop/" in key]


@pytest.fixture
def deployed(app: Shop) -> Shop:
    app.deploy()
    run(edit(app.tools, app.target, Edit({"A": "1"}, {"KEY": "1"})))
    return app


def test_everything_goes_with_the_namespace_that_nucleo_made(deployed: Shop) -> None:
    assert destroyed(deployed).result == {"app": "shop", "namespace": "shop", "namespace_removed": True}
    assert deployed.cluster.names("namespaces") == ["nucleo-system"]
    assert in_shop(deployed) == []


def test_again_there_is_nothing(deployed: Shop) -> None:
    destroyed(deployed)
    ran = destroyed(deployed)
    assert isinstance(ran.error, NotFound)
    assert 'no app "shop" in namespace "shop"' in ran.error.message
    assert deployed.cluster.names("namespaces") == ["nucleo-system"]


def test_a_namespace_of_somebody_else_stays(deployed: Shop) -> None:
    where = path("v1", "namespaces", name="shop")
    deployed.cluster.patch(where, {"metadata": {"labels": None}})
    assert destroyed(deployed).result["namespace_removed"] is False
    assert "shop" in deployed.cluster.names("namespaces")
    assert in_shop(deployed) == []


OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("v1", "pods", {"name": "stranger"}),
    ("v1", "persistentvolumeclaims", {"name": "data"}),
    ("v1", "persistentvolumeclaims", {"name": "own-data", "labels": {"nucleo.io/app": "shop"}}),
    ("v1", "secrets", {"name": "made-by-hand"}),
    ("v1", "configmaps", {"name": "made-by-hand"}),
    ("v1", "services", {"name": "stranger"}),
    ("apps/v1", "daemonsets", {"name": "stranger", "labels": {"nucleo.io/app": "other"}}),
    ("apps/v1", "statefulsets", {"name": "stranger"}),
    ("batch/v1", "cronjobs", {"name": "stranger"}),
    ("coordination.k8s.io/v1", "leases", {"name": "nucleo-other"}),
    ("v1", "secrets", {"name": "sh.helm.release.v1.other.v1", "labels": {"owner": "helm", "name": "other"}}),
]


@pytest.mark.parametrize(("api", "kind", "metadata"), OTHERS)
def test_a_namespace_where_others_live_stays(deployed: Shop, api: str, kind: str, metadata: dict[str, Any]) -> None:
    deployed.cluster.create(path(api, kind, "shop"), {"metadata": metadata})
    assert destroyed(deployed).result["namespace_removed"] is False
    assert in_shop(deployed) == [path(api, kind, "shop", metadata["name"])]


def test_what_is_in_every_namespace_and_what_still_ends_is_nobody_else(deployed: Shop) -> None:
    ending = {"name": "shop-web-1", "labels": {"nucleo.io/app": "shop"}}
    deployed.cluster.create(path("v1", "configmaps", "shop"), {"metadata": {"name": "kube-root-ca.crt"}})
    deployed.cluster.create(path("v1", "pods", "shop"), {"metadata": ending})
    assert destroyed(deployed).result["namespace_removed"] is True


def test_who_may_not_remove_namespaces_removes_the_app(deployed: Shop) -> None:
    deployed.cluster.refuse("DELETE", "/namespaces/shop$", NotAllowed("forbidden"))
    assert destroyed(deployed).result["namespace_removed"] is False
    assert in_shop(deployed) == []


def test_what_was_only_staged_goes_too(app: Shop) -> None:
    run(edit(app.tools, app.target, Edit({"A": "1"}, {"KEY": "1"})))
    assert destroyed(app).result["namespace_removed"] is True
    assert app.helm.calls == []


def test_when_helm_fails_the_secrets_stay_for_the_next_try(deployed: Shop) -> None:
    secrets = deployed.secrets()
    deployed.helm.trouble = ["refuse"]
    assert isinstance(destroyed(deployed).error, NucleoError)
    assert deployed.secrets() == secrets
    assert deployed.cluster.names("leases") == []
    assert destroyed(deployed).error is None


def test_a_deploy_at_work_is_not_disturbed(deployed: Shop) -> None:
    before = in_shop(deployed)
    with run(acquire(deployed.cluster, deployed.target)):
        assert isinstance(destroyed(deployed).error, Locked)
    assert in_shop(deployed) == before


def test_killed_in_between_the_same_command_ends_it(deployed: Shop) -> None:
    deployed.helm.uninstall("shop", "shop")
    assert destroyed(deployed).result["namespace_removed"] is True


@pytest.mark.parametrize("position", range(3))
def test_interrupted_the_same_command_ends_it(deployed: Shop, position: int) -> None:
    attempt(destroy(deployed.tools, deployed.target), position, Interrupted(Exit.INTERRUPTED))
    destroyed(deployed)
    assert deployed.cluster.names("namespaces") == ["nucleo-system"]
    assert deployed.cluster.names("leases") == []


def test_killed_at_the_very_end_the_same_command_ends_it(deployed: Shop) -> None:
    deployed.cluster.refuse("DELETE", "/namespaces/shop$", Unreachable("no answer"), times=1)
    assert isinstance(destroyed(deployed).error, Unreachable)
    assert in_shop(deployed) == []
    assert destroyed(deployed).result["namespace_removed"] is True
    assert deployed.cluster.names("namespaces") == ["nucleo-system"]


def test_the_empty_namespace_of_somebody_else_is_not_touched(app: Shop) -> None:
    app.cluster.create(path("v1", "namespaces"), {"metadata": {"name": "shop"}})
    assert isinstance(destroyed(app).error, NotFound)
    assert "shop" in app.cluster.names("namespaces")


def test_a_first_deploy_at_work_keeps_its_namespace(app: Shop) -> None:
    with run(acquire(app.cluster, app.target)):
        assert isinstance(destroyed(app).error, NotFound)
        assert "shop" in app.cluster.names("namespaces")
